// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_TORCH_STOCK_OPS_H_
#define HANAS_WORKER_TORCH_STOCK_OPS_H_

#include "worker/torch/device_ops.h"

namespace hanas {

/// Every operator from the tensor library's own, differentiated by it: the oracle for other implementations, and what they fall back on.
class StockOps : public DeviceOps {
 public:
  explicit StockOps(Numerics numerics = Numerics::kF32) : numerics_(numerics) {}

  /// Throws for a shard: a device that these are for takes a batch as a whole.
  std::unique_ptr<DeviceOps> With(Numerics numerics, const ShardPlace& place) const override;
  bool UsesBf16(const ConvGeometry& geometry, int64_t input_channels) const override;
  torch::Tensor TrainConv(const torch::Tensor& input, const OperatorTensors& tensors, const ConvGeometry& geometry, const ConvTail& tail,
                          ConvObservation& observation) const override;
  torch::Tensor EvaluateConv(const torch::Tensor& input, const torch::Tensor& weight, const ConvGeometry& geometry,
                             const CalibratedTail& tail) const override;
  torch::Tensor Convolve(const torch::Tensor& input, const torch::Tensor& weight, const ConvGeometry& geometry) const override;
  torch::Tensor Linear(const torch::Tensor& input, const torch::Tensor& weight, const torch::Tensor& bias) const override;
  torch::Tensor Activate(const torch::Tensor& input, FusedActivation activation) const override;
  torch::Tensor HardSwish(const torch::Tensor& input) const override;
  torch::Tensor Sigmoid(const torch::Tensor& input) const override;
  torch::Tensor Add(const torch::Tensor& left, const torch::Tensor& right) const override;
  torch::Tensor Product(const torch::Tensor& left, const torch::Tensor& right) const override;
  torch::Tensor ScaleChannels(const torch::Tensor& left, const torch::Tensor& right) const override;
  torch::Tensor MaxPool(const torch::Tensor& input, const PoolWindow& window) const override;
  torch::Tensor GlobalMaxPool(const torch::Tensor& input) const override;
  torch::Tensor GlobalAveragePool(const torch::Tensor& input) const override;
  kernels::Range FindRange(const torch::Tensor& input) const override;
  torch::Tensor QuantizeToOwnRange(const torch::Tensor& input, kernels::Range* range) const override;
  torch::Tensor Quantize(const torch::Tensor& input, const kernels::FakeQuantizer& quantizer) const override;
  torch::Tensor QuantizeWeights(const torch::Tensor& weight, ElementType type) const override;

 protected:
  Numerics numerics() const { return numerics_; }

  /// The numbers of `value` with the gradient of `source`.
  static torch::Tensor StraightThrough(const torch::Tensor& value, const torch::Tensor& source);
  /// Of each channel, on the host.
  static kernels::Moments MomentsOf(const torch::Tensor& sums);
  /// The sums, in float32 whatever they are computed in.
  static torch::Tensor Convolution(const torch::Tensor& input, const torch::Tensor& weight, const ConvGeometry& geometry, bool in_bf16);

 private:
  torch::Tensor ApplyTail(torch::Tensor value, kernels::Nonlinearity nonlinearity, const kernels::FakeQuantizer& first,
                          const kernels::FakeQuantizer& second) const;

  const Numerics numerics_;
};

}  // namespace hanas

#endif  // HANAS_WORKER_TORCH_STOCK_OPS_H_
