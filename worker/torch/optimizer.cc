// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/optimizer.h"

#include <cmath>

#include "worker/engine/schedule.h"

namespace hanas {
namespace {

constexpr float kNesterov = 0.9F;
constexpr double kMuonMomentum = 0.6;

bool Decays(SlotKind kind) { return kind == SlotKind::kConvWeight || kind == SlotKind::kLinearWeight; }

/// [output channels, input channels of a group, k, k]: a depthwise kernel mixes no channels.
bool MixesChannels(const Slot& slot) { return slot.kind == SlotKind::kConvWeight && slot.shape.size() == 4 && slot.shape[1] > 1; }

void Descend(torch::Tensor& tensor, float factor, float rate, float decay, torch::Tensor& momentum) {
  const float* const gradient = tensor.grad().const_data_ptr<float>();
  auto* const weights = static_cast<float*>(tensor.data_ptr());
  float* const average = momentum.mutable_data_ptr<float>();
  const int64_t count = momentum.numel();
  for (int64_t i = 0; i < count; ++i) {
    const float g = factor * gradient[i] + decay * weights[i];
    average[i] = kNesterov * average[i] + g;
    weights[i] -= rate * (g + kNesterov * average[i]);
  }
}

/// The same by the tensor library. `factor` is undefined for 1.
void DescendOnDevice(torch::Tensor& tensor, const torch::Tensor& factor, double rate, double decay, torch::Tensor& momentum) {
  const torch::NoGradGuard no_grad;
  torch::Tensor weights = tensor.detach().view(-1);
  torch::Tensor gradient = tensor.grad().view(-1);
  if (factor.defined()) gradient = gradient * factor;
  if (decay > 0) gradient = gradient.add(weights, decay);
  momentum.mul_(kNesterov).add_(gradient);
  weights.sub_(gradient.add(momentum, kNesterov), rate);
}

void DescendOrthogonally(torch::Tensor& tensor, double rate, torch::Tensor& momentum, bool on_accelerator) {
  const torch::NoGradGuard no_grad;
  const int64_t rows = tensor.size(0);
  const torch::Tensor gradient = tensor.grad().view({rows, -1});
  torch::Tensor average = momentum.view(gradient.sizes());
  average.mul_(kMuonMomentum).add_(gradient);
  torch::Tensor weights = tensor.detach().view({rows, -1});
  const double length = std::sqrt(static_cast<double>(rows));
  if (on_accelerator) {
    weights.mul_(length / weights.norm());
  } else {
    weights.mul_(length / weights.norm().item<double>());
  }
  weights.sub_(Orthogonalised(gradient + kMuonMomentum * average), rate);
}

}  // namespace

torch::Tensor Orthogonalised(const torch::Tensor& matrix) {
  constexpr int kIterations = 3;
  constexpr double kA = 3.4445;
  constexpr double kB = -4.7750;
  constexpr double kC = 2.0315;
  const bool tall = matrix.size(0) > matrix.size(1);
  torch::Tensor x = (tall ? matrix.t() : matrix) / (matrix.norm() + 1e-7);
  for (int i = 0; i < kIterations; ++i) {
    const torch::Tensor gram = x.mm(x.t());
    x = kA * x + (kB * gram + kC * gram.mm(gram)).mm(x);
  }
  return tall ? x.t() : x;
}

bool Optimizer::TakesMuon(size_t slot) const { return training_.muon_learning_rate > 0 && MixesChannels(slots_[slot]); }

Optimizer::Update Optimizer::Begin(int64_t step, std::vector<torch::Tensor>& tensors) const {
  const double most = training_.clip_norm;  // 0: any
  double squares = 0;
  std::vector<torch::Tensor> device_squares;
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    torch::Tensor& tensor = tensors[slot];
    if (!tensor.grad().defined()) continue;
    tensor.mutable_grad() = tensor.grad().contiguous();
    if (TakesMuon(slot)) continue;  // it steps equally far however long they are
    if (on_accelerator_) {
      if (most > 0) device_squares.push_back(tensor.grad().square().sum());
      continue;
    }
    const float* const gradient = tensor.grad().const_data_ptr<float>();
    for (int64_t i = 0; i < tensor.numel(); ++i) squares += static_cast<double>(gradient[i]) * static_cast<double>(gradient[i]);
  }
  Update update = {.clipping = 1, .device_clipping = {}, .share = RateShare(training_, step)};
  if (!device_squares.empty()) update.device_clipping = torch::clamp_max(most / torch::stack(device_squares).sum().sqrt(), 1.0);
  const double norm = std::sqrt(squares);
  if (most > 0 && norm > most) update.clipping = static_cast<float>(most / norm);
  return update;
}

void Optimizer::Change(const Update& update, size_t slot, torch::Tensor& tensor, torch::Tensor& momentum) const {
  if (!tensor.grad().defined()) return;
  const double decay = Decays(slots_[slot].kind) ? training_.weight_decay : 0.0;
  const double rate = training_.learning_rate * update.share;
  if (TakesMuon(slot)) {
    DescendOrthogonally(tensor, training_.muon_learning_rate * update.share, momentum, on_accelerator_);
  } else if (on_accelerator_) {
    DescendOnDevice(tensor, update.device_clipping, rate, decay, momentum);
  } else {
    Descend(tensor, update.clipping, static_cast<float>(rate), static_cast<float>(decay), momentum);
  }
  tensor.mutable_grad() = torch::Tensor();
}

}  // namespace hanas
