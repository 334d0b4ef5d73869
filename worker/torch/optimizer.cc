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

/// What the gradients are to be multiplied with, so that together they are no longer than `most`; 0: any.
/// Those that Muon takes are not counted: it steps equally far however long they are.
float ClippingFactor(const std::vector<Slot>& slots, std::vector<torch::Tensor>& tensors, bool with_muon, double most) {
  double squares = 0;
  for (size_t s = 0; s < slots.size(); ++s) {
    torch::Tensor& tensor = tensors[s];
    if (!tensor.grad().defined()) continue;
    if (with_muon && MixesChannels(slots[s])) continue;
    const float* const gradient = tensor.grad().const_data_ptr<float>();
    for (int64_t i = 0; i < tensor.numel(); ++i) squares += static_cast<double>(gradient[i]) * static_cast<double>(gradient[i]);
  }
  const double norm = std::sqrt(squares);
  return static_cast<float>(most > 0 && norm > most ? most / norm : 1.0);
}

void Descend(torch::Tensor& tensor, float factor, float rate, float decay, std::vector<float>& momentum) {
  const float* const gradient = tensor.grad().const_data_ptr<float>();
  auto* const weights = static_cast<float*>(tensor.data_ptr());
  for (size_t i = 0; i < momentum.size(); ++i) {
    const float g = factor * gradient[i] + decay * weights[i];
    momentum[i] = kNesterov * momentum[i] + g;
    weights[i] -= rate * (g + kNesterov * momentum[i]);
  }
}

void DescendOrthogonally(torch::Tensor& tensor, double rate, std::vector<float>& momentum) {
  const torch::NoGradGuard no_grad;
  const int64_t rows = tensor.size(0);
  const torch::Tensor gradient = tensor.grad().view({rows, -1});
  torch::Tensor average = torch::from_blob(momentum.data(), gradient.sizes());
  average.mul_(kMuonMomentum).add_(gradient);
  torch::Tensor weights = tensor.detach().view({rows, -1});
  weights.mul_(std::sqrt(static_cast<double>(rows)) / weights.norm().item<double>());
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

void Optimizer::Step(int64_t step, std::vector<torch::Tensor>& tensors, std::vector<std::vector<float>>& momentum) const {
  const bool with_muon = training_.muon_learning_rate > 0;
  for (torch::Tensor& tensor : tensors) {
    if (tensor.grad().defined()) tensor.mutable_grad() = tensor.grad().contiguous();
  }
  const float factor = ClippingFactor(slots_, tensors, with_muon, training_.clip_norm);
  const double share = RateShare(training_, step);
  const auto rate = static_cast<float>(training_.learning_rate * share);
  const auto decay = static_cast<float>(training_.weight_decay);
  for (size_t s = 0; s < slots_.size(); ++s) {
    torch::Tensor& tensor = tensors[s];
    if (!tensor.grad().defined()) continue;
    if (with_muon && MixesChannels(slots_[s])) {
      DescendOrthogonally(tensor, training_.muon_learning_rate * share, momentum[s]);
    } else {
      Descend(tensor, factor, rate, Decays(slots_[s].kind) ? decay : 0.0F, momentum[s]);
    }
    tensor.mutable_grad() = torch::Tensor();
  }
}

}  // namespace hanas
