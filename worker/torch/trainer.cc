// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/trainer.h"

#include <algorithm>
#include <bit>
#include <cmath>
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

Trainer::Trainer(const DeviceOps& ops, const ComputePlace& place, const TrainRequest& request, Checkpoint state,
                 std::shared_ptr<const DeviceImages> images)
    : request_(request),
      place_(place),
      state_(std::move(state)),
      on_device_(std::move(images)),
      group_(place.is_accelerator ? 1 : static_cast<size_t>(std::min(request.training.shards, request.training.batch_size))),
      order_(request.dataset->size(Split::kTrain), request.training.batch_size, request.seed),
      optimizer_(request.training, request.lowering->slots().slots(), place.is_accelerator) {
  state_.chain = ChainDigest(request);
  shard_slots_.emplace_back(request.lowering->slots().slots(), state_.weights, /*requires_grad=*/true, place.device);
  for (size_t shard = 1; shard < group_.size(); ++shard) shard_slots_.push_back(shard_slots_.front().Shared());
  for (size_t shard = 0; shard < group_.size(); ++shard) {
    const ShardPlace in_group = group_.size() > 1 ? ShardPlace{&group_, shard} : ShardPlace{};
    shard_ops_.push_back(ops.With(request.training.numerics, in_group));
  }
  for (size_t slot = 0; slot < state_.weights.size(); ++slot) {
    torch::Tensor momentum = torch::zeros({static_cast<int64_t>(state_.weights[slot].size())});
    if (!state_.momentum.empty()) std::copy(state_.momentum[slot].begin(), state_.momentum[slot].end(), momentum.mutable_data_ptr<float>());
    momentum_.push_back(momentum.to(place.device));
  }
  state_.weights.clear();
  state_.momentum.clear();
  if (request.teacher.has_value() && place.is_accelerator) {
    const absl::Span<const float> logits = request.teacher->logits;
    teacher_ = torch::empty({request.dataset->size(Split::kTrain), request.dataset->num_classes()});
    std::copy(logits.begin(), logits.end(), teacher_.mutable_data_ptr<float>());
    teacher_ = teacher_.to(place.device);
  }
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
  if (teacher_.defined()) {
    torch::Tensor which = torch::empty({static_cast<int64_t>(images.size())}, torch::kInt64);
    std::copy(images.begin(), images.end(), which.mutable_data_ptr<int64_t>());
    return torch::softmax(teacher_.index_select(0, SentTo(place_.device, which)) / request_.teacher->temperature, 1);
  }
  const auto classes = static_cast<size_t>(request_.dataset->num_classes());
  torch::Tensor logits = torch::empty({static_cast<int64_t>(images.size()), request_.dataset->num_classes()});
  float* out = logits.mutable_data_ptr<float>();
  for (const int64_t image : images)
    out = std::copy_n(request_.teacher->logits.begin() + image * request_.dataset->num_classes(), classes, out);
  return torch::softmax(logits / request_.teacher->temperature, 1);
}

torch::Tensor Trainer::TrainNetwork(size_t shard, const Graph& graph, const torch::Tensor& images, double share, Targets& targets,
                                    bool is_first) {
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
  return loss.detach();
}

Batch Trainer::ShardBatch(int64_t step, const DrawnBatch& drawn, absl::Span<const int64_t> own, int64_t begin) const {
  if (on_device_ != nullptr) {
    TORCH_CHECK(begin == 0, "an accelerator takes a batch as a whole");
    return on_device_->Make(own, request_.training.augmentation, request_.seed, step, drawn.mirrored);
  }
  Batch batch = LoadBatch(*request_.dataset, Split::kTrain, own);
  Augment(request_.training.augmentation, request_.seed, step, drawn.mirrored, begin, batch.images);
  return {SentTo(place_.device, batch.images), SentTo(place_.device, batch.labels)};
}

torch::Tensor Trainer::TrainShard(size_t shard, int64_t step, const std::vector<Graph>& networks, const DrawnBatch& drawn) {
  const size_t size = drawn.images.size();
  const size_t begin = size * shard / group_.size();
  const absl::Span<const int64_t> own = absl::MakeConstSpan(drawn.images).subspan(begin, size * (shard + 1) / group_.size() - begin);
  const Batch batch = ShardBatch(step, drawn, own, static_cast<int64_t>(begin));
  const double share = static_cast<double>(own.size()) / static_cast<double>(size);
  Targets targets = {.labels = batch.labels, .teacher = TeachersProbabilities(own), .largest = {}};
  torch::Tensor loss;
  for (size_t i = 0; i < networks.size(); ++i) {
    const torch::Tensor one = TrainNetwork(shard, networks[i], batch.images, share, targets, /*is_first=*/i == 0 && networks.size() > 1);
    loss = loss.defined() ? loss + one.to(torch::kFloat64) : one.to(torch::kFloat64);
  }
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
  std::vector<torch::Tensor> losses(group_.size());
  group_.Run([&](size_t shard) { losses[shard] = TrainShard(shard, step, networks, drawn); });
  GatherGradients();
  // The host is to wait for an accelerator once, at the end: weights that a loss without number has spoilt are given up with the training.
  if (place_.is_accelerator) ChangeWeights(step);
  double sum = 0;
  for (const torch::Tensor& loss : losses) sum += loss.item<double>();
  const StepResult result = {.loss = sum / static_cast<double>(networks.size()),
                             .images = static_cast<int64_t>(networks.size()) * request_.training.batch_size};
  if (!place_.is_accelerator && std::isfinite(result.loss)) ChangeWeights(step);
  return result;
}

void Trainer::ChangeWeights(int64_t step) {
  std::vector<torch::Tensor>& tensors = shard_slots_.front().tensors();
  const Optimizer::Update update = optimizer_.Begin(step, tensors);
  // Slots in turn: neighbours are the weights and the normalisation of one layer, which take unlike times.
  group_.Run([&](size_t shard) {
    for (size_t slot = shard; slot < tensors.size(); slot += group_.size()) {
      optimizer_.Change(update, slot, tensors[slot], momentum_[slot]);
    }
  });
}

Checkpoint Trainer::Snapshot(int64_t step, bool keep_momentum) {
  Checkpoint result = {.space = state_.space, .chain = state_.chain, .step = step, .weights = {}, .momentum = {}};
  const auto fetched = [](const torch::Tensor& tensor) {
    const torch::Tensor host = tensor.detach().to(torch::kCPU).contiguous();
    return std::vector<float>(host.const_data_ptr<float>(), host.const_data_ptr<float>() + host.numel());
  };
  for (const torch::Tensor& tensor : shard_slots_.front().tensors()) result.weights.push_back(fetched(tensor));
  if (!keep_momentum) return result;
  for (const torch::Tensor& momentum : momentum_) result.momentum.push_back(fetched(momentum));
  return result;
}

}  // namespace hanas
