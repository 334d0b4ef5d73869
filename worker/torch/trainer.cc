// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/trainer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/base/counter_random.h"

namespace hanas {
namespace {

constexpr Precision kCornerPrecision = {8, 8};

int64_t BitsOf(double number) { return std::bit_cast<int64_t>(number); }

torch::Tensor CrossEntropy(const torch::Tensor& logits, const torch::Tensor& labels, double smoothing) {
  return torch::nn::functional::cross_entropy(logits, labels, torch::nn::functional::CrossEntropyFuncOptions().label_smoothing(smoothing));
}

}  // namespace

Digest ChainDigest(const TrainRequest& request) {
  DigestBuilder digest;
  digest.Add("chain/1").Add(TrainingDigest(request.training)).Add(static_cast<int64_t>(request.seed)).Add(request.dataset->digest());
  if (request.architecture.has_value()) digest.Add(request.lowering->space().ArchitectureDigest(*request.architecture));
  if (request.teacher.has_value())
    digest.Add(request.teacher->digest).Add(BitsOf(request.teacher->weight)).Add(BitsOf(request.teacher->temperature));
  return digest.Build();
}

Trainer::Trainer(const DeviceOps& ops, const TrainRequest& request, Checkpoint state)
    : request_(request),
      state_(std::move(state)),
      group_(static_cast<size_t>(std::min(request.training.shards, request.training.batch_size))),
      order_(request.dataset->size(Split::kTrain), request.training.batch_size, request.seed),
      optimizer_(request.training, request.lowering->slots().slots()) {
  state_.chain = ChainDigest(request);
  shard_slots_.emplace_back(request.lowering->slots().slots(), state_.weights, /*requires_grad=*/true);
  for (size_t shard = 1; shard < group_.size(); ++shard) shard_slots_.push_back(shard_slots_.front().Shared());
  for (size_t shard = 0; shard < group_.size(); ++shard) {
    const ShardPlace place = group_.size() > 1 ? ShardPlace{&group_, shard} : ShardPlace{};
    shard_ops_.push_back(ops.With(request.training.numerics, place));
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

torch::Tensor Trainer::TeachersProbabilities(absl::Span<const int64_t> images) const {
  if (!request_.teacher.has_value()) return {};
  const auto classes = static_cast<size_t>(request_.dataset->num_classes());
  torch::Tensor logits = torch::empty({static_cast<int64_t>(images.size()), request_.dataset->num_classes()});
  float* out = logits.mutable_data_ptr<float>();
  for (const int64_t image : images)
    out = std::copy_n(request_.teacher->logits.begin() + image * request_.dataset->num_classes(), classes, out);
  return torch::softmax(logits / request_.teacher->temperature, 1);
}

double Trainer::TrainNetwork(size_t shard, const Graph& graph, const torch::Tensor& images, double share, Targets& targets, bool is_first) {
  const DeviceOps& ops = *shard_ops_[shard];
  const Shape& input = graph.value(graph.input).shape;
  const torch::Tensor logits =
      ForwardBatch(ops, graph, Materialise(ops, graph, shard_slots_[shard]), ResizeTo(images, input[1], input[2]), nullptr);
  torch::Tensor loss = CrossEntropy(logits, targets.labels, request_.training.label_smoothing);
  // Half from the largest network's answers of the same step, half from the labels.
  if (targets.largest.defined()) loss = 0.5 * loss - 0.5 * (targets.largest * torch::log_softmax(logits, 1)).sum(1).mean();
  if (is_first) targets.largest = torch::softmax(logits.detach(), 1);
  if (targets.teacher.defined()) {
    // Gradients of softened distributions are smaller by the square of the temperature (Hinton et al. 2015).
    const double weight = request_.teacher->weight;
    const double temperature = request_.teacher->temperature;
    const torch::Tensor softened = torch::log_softmax(logits / temperature, 1);
    loss = (1 - weight) * loss - weight * temperature * temperature * (targets.teacher * softened).sum(1).mean();
  }
  loss = share * loss;  // of the mean over the batch
  loss.backward();
  return loss.item<double>();
}

double Trainer::TrainShard(size_t shard, int64_t step, const std::vector<Graph>& networks, const DrawnBatch& drawn) {
  const size_t size = drawn.images.size();
  const size_t begin = size * shard / group_.size();
  const absl::Span<const int64_t> own = absl::MakeConstSpan(drawn.images).subspan(begin, size * (shard + 1) / group_.size() - begin);
  Batch batch = LoadBatch(*request_.dataset, Split::kTrain, own);
  Augment(request_.training.augmentation, request_.seed, step, drawn.mirrored, static_cast<int64_t>(begin), batch.images);
  const double share = static_cast<double>(own.size()) / static_cast<double>(size);
  Targets targets = {.labels = batch.labels, .teacher = TeachersProbabilities(own), .largest = {}};
  double loss = 0;
  for (size_t i = 0; i < networks.size(); ++i)
    loss += TrainNetwork(shard, networks[i], batch.images, share, targets, /*is_first=*/i == 0 && networks.size() > 1);
  return loss;
}

void Trainer::GatherGradients() {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor>& all = shard_slots_.front().tensors();
  for (size_t shard = 1; shard < group_.size(); ++shard) {
    for (size_t s = 0; s < all.size(); ++s) {
      torch::Tensor& gradient = shard_slots_[shard].tensors()[s].mutable_grad();
      // Every shard trains the same networks, so that either all have a gradient of a slot or none has.
      if (gradient.defined()) all[s].mutable_grad().add_(gradient);
      gradient = torch::Tensor();
    }
  }
}

Trainer::StepResult Trainer::Step(int64_t step) {
  const DrawnBatch drawn = order_.Batch(step);
  std::vector<Graph> networks;
  for (const Architecture& architecture : Architectures(step)) networks.push_back(request_.lowering->Lower(architecture));
  std::vector<double> losses(group_.size());
  group_.Run([&](size_t shard) { losses[shard] = TrainShard(shard, step, networks, drawn); });
  GatherGradients();
  const auto count = static_cast<double>(networks.size());
  const StepResult result = {.loss = std::accumulate(losses.begin(), losses.end(), 0.0) / count,
                             .images = static_cast<int64_t>(networks.size()) * request_.training.batch_size};
  if (std::isfinite(result.loss)) ChangeWeights(step);
  return result;
}

void Trainer::ChangeWeights(int64_t step) {
  std::vector<torch::Tensor>& tensors = shard_slots_.front().tensors();
  const Optimizer::Update update = optimizer_.Begin(step, tensors);
  // Slots in turn: neighbours are the weights and the normalisation of one layer, which take unlike times.
  group_.Run([&](size_t shard) {
    for (size_t slot = shard; slot < tensors.size(); slot += group_.size()) {
      optimizer_.Change(update, slot, tensors[slot], state_.momentum[slot]);
    }
  });
}

Checkpoint Trainer::Snapshot(int64_t step, bool keep_momentum) {
  Checkpoint result = {.space = state_.space, .chain = state_.chain, .step = step, .weights = {}, .momentum = {}};
  for (const torch::Tensor& tensor : shard_slots_.front().tensors()) {
    const float* const data = tensor.const_data_ptr<float>();
    result.weights.emplace_back(data, data + tensor.numel());
  }
  if (keep_momentum) result.momentum = state_.momentum;
  return result;
}

}  // namespace hanas
