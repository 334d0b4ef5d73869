// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_TORCH_BOUND_RUNNER_H_
#define HANAS_WORKER_TORCH_BOUND_RUNNER_H_

#include <torch/torch.h>

#include <vector>

#include "core/bound/bound_model.h"
#include "worker/torch/cpu_fused_ops.h"
#include "worker/torch/network.h"

namespace hanas {

/// Fills quantisers and folded tensors: batch normalisation goes into scales and biases, and where gamma / sigma is negative the integers
/// of that channel change sign. A channel that folds to (almost) nothing becomes its bias alone: integers 0 and a scale that keeps the
/// int32 bias in range.
void BindTensors(const Graph& graph, const std::vector<OperatorTensors>& unquantized, const Calibration& calibration, BoundModel& model);

/// Executes a bound model. Integer sums are exact: they are formed in float32 where they cannot exceed 2^24 and in float64 elsewhere.
///
/// Thread-compatible.
class BoundRunner {
 public:
  /// `model` must satisfy CheckBoundModel and outlive the runner.
  explicit BoundRunner(const BoundModel& model);

  /// Logits [N, classes] of normalised images. `values`, when not null, receives every value: integers of int8 values, else floats.
  torch::Tensor Run(const torch::Tensor& images, std::vector<torch::Tensor>* values = nullptr) const;

 private:
  /// Real numbers of a value as the operator reads it; quantised first when it computes in int8.
  torch::Tensor ReadReal(const Operator& op, size_t which, const std::vector<torch::Tensor>& values) const;
  /// Integers of the first operand.
  torch::Tensor ReadIntegers(const Operator& op, const std::vector<torch::Tensor>& values) const;
  /// The product with OIHW or [out, in] weights, summed in the weights' type.
  torch::Tensor Multiply(const Operator& op, const torch::Tensor& input, const torch::Tensor& weight) const;
  torch::Tensor RunWeighted(size_t i, const std::vector<torch::Tensor>& values) const;
  torch::Tensor RunInteger(size_t i, const std::vector<torch::Tensor>& values) const;
  /// The largest of a window or of all positions, of whatever `values` are.
  torch::Tensor RunPool(const Operator& op, const torch::Tensor& values) const;
  torch::Tensor RunOther(const Operator& op, const std::vector<torch::Tensor>& values) const;

  const CpuFusedOps ops_;
  const BoundModel& model_;
  std::vector<torch::Tensor> weights_;  // integers or reals as the layer multiplies them
};

}  // namespace hanas

#endif  // HANAS_WORKER_TORCH_BOUND_RUNNER_H_
