// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_TORCH_ACCELERATOR_OPS_H_
#define HANAS_WORKER_TORCH_ACCELERATOR_OPS_H_

#include "worker/torch/stock_ops.h"

namespace hanas {

/// For a device that computes while the host goes on, as GPUs do. Nothing that training does makes the host wait for the device: what
/// depends on the numbers of a batch (ranges, quantisers, the steps of weights) stays there as tensors, and only what calibration asks for
/// is fetched. Made of the tensor library's operators alone, so that it runs on every device of it.
///
/// With bf16 every convolution is computed in it: a GPU multiplies in bf16 many times as fast, whatever the window is.
class AcceleratorOps final : public StockOps {
 public:
  explicit AcceleratorOps(Numerics numerics = Numerics::kF32) : StockOps(numerics) {}

  /// Throws for a shard: the device takes a batch as a whole.
  std::unique_ptr<DeviceOps> With(Numerics numerics, const ShardPlace& place) const override;
  bool UsesBf16(const ConvGeometry& geometry, int64_t input_channels) const override;
  torch::Tensor TrainConv(const torch::Tensor& input, const OperatorTensors& tensors, const ConvGeometry& geometry, const ConvTail& tail,
                          ConvObservation& observation) const override;
  torch::Tensor QuantizeToOwnRange(const torch::Tensor& input, kernels::Range* range) const override;
  torch::Tensor QuantizeWeights(const torch::Tensor& weight, ElementType type) const override;
};

}  // namespace hanas

#endif  // HANAS_WORKER_TORCH_ACCELERATOR_OPS_H_
