// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_TORCH_TRAINER_H_
#define HANAS_WORKER_TORCH_TRAINER_H_

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "worker/engine/checkpoint.h"
#include "worker/engine/engine.h"
#include "worker/torch/network.h"

namespace hanas {

/// Runs the steps of one training chain. All randomness is drawn for (seed, step); the only state is weights and momentum.
///
/// Confined to one thread. Throws c10::Error.
class Trainer {
 public:
  struct StepResult {
    double loss = 0;     // mean over the step's networks
    int64_t images = 0;  // each network of the step counted
  };

  /// `state` gives weights and, when continuing, momentum. `ops` and `request` must outlive the trainer.
  Trainer(const DeviceOps& ops, const TrainRequest& request, Checkpoint state);

  StepResult Step(int64_t step);
  /// The state after the last step.
  Checkpoint Snapshot(int64_t step, bool keep_momentum);

 private:
  std::vector<Architecture> Architectures(int64_t step) const;
  /// Forward and backward of one network; returns its loss and leaves the teacher's probabilities when it is the first of several.
  double TrainNetwork(const Architecture& architecture, const Batch& batch, torch::Tensor* teacher, bool is_teacher);
  void ApplyGradients(int64_t step);

  const DeviceOps& ops_;
  const TrainRequest& request_;
  Checkpoint state_;
  SlotTensors slots_;
  BatchOrder order_;
};

/// The digest of everything that two training tasks must have in common for the second to go on from the first one's checkpoint.
Digest ChainDigest(const TrainRequest& request);

}  // namespace hanas

#endif  // HANAS_WORKER_TORCH_TRAINER_H_
