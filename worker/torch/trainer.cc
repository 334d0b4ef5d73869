// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/trainer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/counter_random.h"

namespace hanas {
namespace {

constexpr Precision kCornerPrecision = {8, 8};

bool Decays(SlotKind kind) { return kind == SlotKind::kConvWeight || kind == SlotKind::kLinearWeight; }

torch::Tensor CrossEntropy(const torch::Tensor& logits, const torch::Tensor& labels, double smoothing) {
  return torch::nn::functional::cross_entropy(logits, labels, torch::nn::functional::CrossEntropyFuncOptions().label_smoothing(smoothing));
}

}  // namespace

Digest ChainDigest(const TrainRequest& request) {
  DigestBuilder digest;
  digest.Add("chain/1").Add(TrainingDigest(request.training)).Add(static_cast<int64_t>(request.seed)).Add(request.dataset->digest());
  if (request.architecture.has_value()) digest.Add(request.lowering->space().ArchitectureDigest(*request.architecture));
  return digest.Build();
}

Trainer::Trainer(const DeviceOps& ops, const TrainRequest& request, Checkpoint state)
    : ops_(ops),
      request_(request),
      state_(std::move(state)),
      slots_(request.lowering->slots().slots(), state_.weights, /*requires_grad=*/true),
      order_(request.dataset->size(Split::kTrain), request.training.batch_size, request.seed) {
  state_.chain = ChainDigest(request);
  if (!state_.momentum.empty()) return;
  for (const std::vector<float>& weights : state_.weights) state_.momentum.emplace_back(weights.size(), 0.0F);
}

std::vector<Architecture> Trainer::Architectures(int64_t step) const {
  if (request_.architecture.has_value()) return {*request_.architecture};
  const SearchSpace& space = request_.lowering->space();
  const auto random = [&](uint64_t which) {
    CounterRandom draw(request_.seed, "worker/architecture", static_cast<uint64_t>(step) * 4 + which);
    return space.Random(draw);
  };
  switch (SamplingAt(request_.training, step)) {
    case SamplingKind::kLargest:
      return {space.Largest(kCornerPrecision)};
    case SamplingKind::kLargestAndRandom:
      return {space.Largest(kCornerPrecision), random(0)};
    case SamplingKind::kSandwich:
      return {space.Largest(kCornerPrecision), space.Smallest(kCornerPrecision), random(0), random(1)};
    case SamplingKind::kRandomPath:
      return {random(0)};
  }
  return {};
}

double Trainer::TrainNetwork(const Architecture& architecture, const Batch& batch, torch::Tensor* teacher, bool is_teacher) {
  const Graph graph = request_.lowering->Lower(architecture);
  const Shape& input = graph.value(graph.input).shape;
  const torch::Tensor logits =
      ForwardBatch(ops_, graph, Materialise(ops_, graph, slots_), ResizeTo(batch.images, input[1], input[2]), nullptr);
  torch::Tensor loss = CrossEntropy(logits, batch.labels, request_.training.label_smoothing);
  if (is_teacher) {
    *teacher = torch::softmax(logits.detach(), 1);
  } else if (teacher->defined()) {
    // Half from the largest network's answers of the same step, half from the labels.
    loss = 0.5 * loss - 0.5 * (*teacher * torch::log_softmax(logits, 1)).sum(1).mean();
  }
  loss.backward();
  return loss.item<double>();
}

Trainer::StepResult Trainer::Step(int64_t step) {
  Batch batch = LoadBatch(*request_.dataset, Split::kTrain, order_.Batch(step));
  Augment(request_.training.augmentation, request_.seed, step, batch.images);
  const std::vector<Architecture> architectures = Architectures(step);
  torch::Tensor teacher;
  StepResult result;
  for (size_t i = 0; i < architectures.size(); ++i) {
    result.loss += TrainNetwork(architectures[i], batch, &teacher, /*is_teacher=*/i == 0 && architectures.size() > 1);
    result.images += request_.training.batch_size;
  }
  result.loss /= static_cast<double>(architectures.size());
  if (std::isfinite(result.loss)) ApplyGradients(step);
  return result;
}

void Trainer::ApplyGradients(int64_t step) {
  const std::vector<Slot>& slots = request_.lowering->slots().slots();
  double squares = 0;
  for (torch::Tensor& tensor : slots_.tensors()) {
    if (!tensor.grad().defined()) continue;
    tensor.mutable_grad() = tensor.grad().contiguous();
    const float* const gradient = tensor.grad().const_data_ptr<float>();
    for (int64_t i = 0; i < tensor.numel(); ++i) squares += static_cast<double>(gradient[i]) * static_cast<double>(gradient[i]);
  }
  const double norm = std::sqrt(squares);
  const double clip = request_.training.clip_norm;
  const auto factor = static_cast<float>(clip > 0 && norm > clip ? clip / norm : 1.0);
  const auto rate = static_cast<float>(LearningRate(request_.training, step));
  const auto decay = static_cast<float>(request_.training.weight_decay);
  constexpr auto kMu = static_cast<float>(kMomentum);
  for (size_t s = 0; s < slots.size(); ++s) {
    torch::Tensor& tensor = slots_.tensors()[s];
    if (!tensor.grad().defined()) continue;  // frozen, or not part of this step's networks: it rests
    const float slot_decay = Decays(slots[s].kind) ? decay : 0.0F;
    const float* const gradient = tensor.grad().const_data_ptr<float>();
    auto* const weights = static_cast<float*>(tensor.data_ptr());
    std::vector<float>& momentum = state_.momentum[s];
    for (size_t i = 0; i < momentum.size(); ++i) {
      const float g = factor * gradient[i] + slot_decay * weights[i];
      momentum[i] = kMu * momentum[i] + g;
      weights[i] -= rate * (g + kMu * momentum[i]);
    }
    tensor.mutable_grad() = torch::Tensor();
  }
}

Checkpoint Trainer::Snapshot(int64_t step, bool keep_momentum) {
  Checkpoint result = {.space = state_.space, .chain = state_.chain, .step = step, .weights = {}, .momentum = {}};
  for (const torch::Tensor& tensor : slots_.tensors()) {
    const float* const data = tensor.const_data_ptr<float>();
    result.weights.emplace_back(data, data + tensor.numel());
  }
  if (keep_momentum) result.momentum = state_.momentum;
  return result;
}

}  // namespace hanas
