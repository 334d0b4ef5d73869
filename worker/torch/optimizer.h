// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_TORCH_OPTIMIZER_H_
#define HANAS_WORKER_TORCH_OPTIMIZER_H_

#include <torch/torch.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/graph/graph.h"
#include "core/job/search_job.h"

namespace hanas {

/// How the slots of a supernet follow their gradients. The rates and the decay are the job's; what is remembered from step to step is one
/// momentum for each weight, which the caller keeps and which a checkpoint carries.
///
/// Two rules. Stochastic gradient descent with Nesterov momentum and coupled weight decay is for everything; Muon is for the weights of
/// convolutions that mix channels when the job gives it a rate: the momentum of such a weight, as a matrix with a row for each output
/// channel, is replaced by the nearest matrix whose singular values are all about equal, so that directions in which gradients are small
/// learn as fast as the others. Method: K. Jordan, "Muon: an optimizer for hidden layers in neural networks" (2024); as in his CIFAR-10
/// speed runs the weight is scaled to a fixed length before each update instead of being decayed.
///
/// Thread-compatible. Throws c10::Error.
class Optimizer {
 public:
  /// Both must outlive the optimizer. For `on_accelerator` everything is left to the tensor library, and the host waits for nothing; else
  /// tensors are the host's, and loops here change them.
  Optimizer(const TrainingSpec& training, const std::vector<Slot>& slots, bool on_accelerator = false)
      : training_(training), slots_(slots), on_accelerator_(on_accelerator) {}

  /// What all slots of a step have in common.
  struct Update {
    float clipping = 1;             // what gradients are multiplied with
    torch::Tensor device_clipping;  // the same on an accelerator, where it is not fetched; undefined: 1
    double share = 1;               // of the rates at their peak
  };
  /// Clips the gradients together, but for Muon's. Requires one tensor for each slot.
  Update Begin(int64_t step, std::vector<torch::Tensor>& tensors) const;
  /// Changes the slot's tensor, if it has a gradient, and takes that away. A tensor without one is frozen or no part of this step's
  /// networks: it rests, with its momentum. Slots may be changed in any order, each by another thread. Requires a momentum with one number
  /// for each of the tensor's, contiguous and where that is.
  void Change(const Update& update, size_t slot, torch::Tensor& tensor, torch::Tensor& momentum) const;

 private:
  bool TakesMuon(size_t slot) const;

  const TrainingSpec& training_;
  const std::vector<Slot>& slots_;
  const bool on_accelerator_;
};

/// The nearest matrix to `matrix` [rows, columns] of which all singular values are about 1, by three steps of the quintic Newton-Schulz
/// iteration of Muon: they end between 0.6 and 1.2 for all that are not tiny beside the largest, which is all that an update needs.
torch::Tensor Orthogonalised(const torch::Tensor& matrix);

}  // namespace hanas

#endif  // HANAS_WORKER_TORCH_OPTIMIZER_H_
