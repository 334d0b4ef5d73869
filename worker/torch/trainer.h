// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_TORCH_TRAINER_H_
#define HANAS_WORKER_TORCH_TRAINER_H_

#include <torch/torch.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "worker/engine/checkpoint.h"
#include "worker/engine/engine.h"
#include "worker/torch/device_images.h"
#include "worker/torch/network.h"
#include "worker/torch/optimizer.h"

namespace hanas {

/// Runs the steps of one training chain. All randomness is drawn for (seed, step); the only state is weights and momentum. With several
/// shards (training.shards) each has a thread of its own during a step.
///
/// Confined to one thread. Throws c10::Error, and what the standard library throws without memory or threads; after that it must not be
/// used.
class Trainer {
 public:
  struct StepResult {
    double loss = 0;     // mean over the step's networks
    int64_t images = 0;  // each network of the step counted
  };

  /// `state` gives weights and, when continuing, momentum. `ops` must be for the place, and `request` outlive the trainer. An accelerator
  /// takes every batch as a whole, whatever the shards.
  /// `images` are the request's on an accelerator; null: batches are made on the host.
  Trainer(const DeviceOps& ops, const ComputePlace& place, const TrainRequest& request, Checkpoint state,
          std::shared_ptr<const DeviceImages> images = nullptr);

  StepResult Step(int64_t step);
  /// The state after the last step.
  Checkpoint Snapshot(int64_t step, bool keep_momentum);

 private:
  std::vector<Architecture> Architectures(int64_t step) const;
  /// What a shard's networks are to answer.
  struct Targets {
    torch::Tensor labels;
    torch::Tensor teacher;  // its probabilities, softened; undefined without one
    torch::Tensor largest;  // probabilities of the step's largest network, once it has answered; undefined when it is alone
  };
  /// The images of one shard as they are trained on.
  Batch ShardBatch(int64_t step, const DrawnBatch& drawn, absl::Span<const int64_t> own, int64_t begin) const;
  /// Forward and backward of all networks on one shard's images; returns its part of the sum of their losses, where it was computed.
  torch::Tensor TrainShard(size_t shard, int64_t step, const std::vector<Graph>& networks, const DrawnBatch& drawn);
  /// Forward and backward of one network; returns its loss times `share`, the shard's part of the batch.
  torch::Tensor TrainNetwork(size_t shard, const Graph& graph, const torch::Tensor& images, double share, Targets& targets, bool is_first);
  /// What the job's teacher says to those images, which are positions in the TRAIN split.
  torch::Tensor TeachersProbabilities(absl::Span<const int64_t> images) const;
  /// Adds the gradients of all shards to those of the first, in their order.
  void GatherGradients();
  /// One step of the optimizer, a part of the slots in each shard's thread.
  void ChangeWeights(int64_t step);

  const TrainRequest& request_;
  const ComputePlace place_;
  Checkpoint state_;                               // its weights and momentum are in the tensors below
  std::vector<torch::Tensor> momentum_;            // of each slot
  std::shared_ptr<const DeviceImages> on_device_;  // the training images, on an accelerator that has room for them
  torch::Tensor teacher_;                          // the teacher's answers there; undefined without one
  ShardGroup group_;
  std::vector<std::unique_ptr<DeviceOps>> shard_ops_;
  std::vector<SlotTensors> shard_slots_;  // the same weights with gradients of their own; the first shard's are those that are stepped
  BatchOrder order_;
  Optimizer optimizer_;
};

/// The digest of everything that two training tasks must have in common for the second to go on from the first one's checkpoint.
Digest ChainDigest(const TrainRequest& request);

}  // namespace hanas

#endif  // HANAS_WORKER_TORCH_TRAINER_H_
