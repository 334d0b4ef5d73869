// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/base/counter_random.h"

namespace hanas {
namespace {

constexpr Precision kCornerPrecision = {8, 8};

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
      group_(static_cast<size_t>(std::min(request.training.shards, request.training.batch_size))),
      order_(request.dataset->size(Split::kTrain), request.training.batch_size, request.seed),
      optimizer_(request.training, request.lowering->slots().slots()) {
  state_.chain = ChainDigest(request);
  for (size_t shard = 0; shard < group_.size() && group_.size() > 1; ++shard) {
    shard_ops_.push_back(ops.OfShard(group_, shard));
    shard_slots_.push_back(slots_.Shared());
  }
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

double Trainer::TrainNetwork(size_t shard, const Graph& graph, const Batch& images, double share, torch::Tensor* teacher, bool is_teacher) {
  const DeviceOps& ops = shard_ops_.empty() ? ops_ : *shard_ops_[shard];
  const SlotTensors& slots = shard == 0 ? slots_ : shard_slots_[shard];
  const Shape& input = graph.value(graph.input).shape;
  const torch::Tensor logits =
      ForwardBatch(ops, graph, Materialise(ops, graph, slots), ResizeTo(images.images, input[1], input[2]), nullptr);
  torch::Tensor loss = CrossEntropy(logits, images.labels, request_.training.label_smoothing);
  if (is_teacher) {
    *teacher = torch::softmax(logits.detach(), 1);
  } else if (teacher->defined()) {
    // Half from the largest network's answers of the same step, half from the labels.
    loss = 0.5 * loss - 0.5 * (*teacher * torch::log_softmax(logits, 1)).sum(1).mean();
  }
  loss = share * loss;  // of the mean over the batch
  loss.backward();
  return loss.item<double>();
}

double Trainer::TrainShard(size_t shard, const std::vector<Graph>& networks, const Batch& batch) {
  const auto size = batch.images.size(0);
  const auto cut = [&](size_t at) { return size * static_cast<int64_t>(at) / static_cast<int64_t>(group_.size()); };
  const int64_t begin = cut(shard);
  const int64_t count = cut(shard + 1) - begin;
  const Batch images = {batch.images.narrow(0, begin, count), batch.labels.narrow(0, begin, count)};
  const double share = static_cast<double>(count) / static_cast<double>(size);
  torch::Tensor teacher;
  double loss = 0;
  for (size_t i = 0; i < networks.size(); ++i)
    loss += TrainNetwork(shard, networks[i], images, share, &teacher, /*is_teacher=*/i == 0 && networks.size() > 1);
  return loss;
}

void Trainer::GatherGradients() {
  const torch::NoGradGuard no_grad;
  for (size_t shard = 1; shard < group_.size(); ++shard) {
    for (size_t s = 0; s < slots_.tensors().size(); ++s) {
      torch::Tensor& gradient = shard_slots_[shard].tensors()[s].mutable_grad();
      // Every shard trains the same networks, so that either all have a gradient of a slot or none has.
      if (gradient.defined()) slots_.tensors()[s].mutable_grad().add_(gradient);
      gradient = torch::Tensor();
    }
  }
}

Trainer::StepResult Trainer::Step(int64_t step) {
  Batch batch = LoadBatch(*request_.dataset, Split::kTrain, order_.Batch(step));
  Augment(request_.training.augmentation, request_.seed, step, order_.Mirrored(step), batch.images);
  std::vector<Graph> networks;
  for (const Architecture& architecture : Architectures(step)) networks.push_back(request_.lowering->Lower(architecture));
  std::vector<double> losses(group_.size());
  group_.Run([&](size_t shard) { losses[shard] = TrainShard(shard, networks, batch); });
  GatherGradients();
  const auto count = static_cast<double>(networks.size());
  const StepResult result = {.loss = std::accumulate(losses.begin(), losses.end(), 0.0) / count,
                             .images = static_cast<int64_t>(networks.size()) * request_.training.batch_size};
  if (std::isfinite(result.loss)) optimizer_.Step(step, slots_.tensors(), state_.momentum);
  return result;
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
