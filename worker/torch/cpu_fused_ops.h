// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_TORCH_CPU_FUSED_OPS_H_
#define HANAS_WORKER_TORCH_CPU_FUSED_OPS_H_

#include "worker/torch/stock_ops.h"

namespace hanas {

/// For the CPU: built on worker/engine/kernels.h wherever stock operators would go over memory more often, on stock ones elsewhere.
class CpuFusedOps final : public StockOps {
 public:
  CpuFusedOps() = default;
  std::unique_ptr<DeviceOps> With(Numerics numerics, const ShardPlace& place) const override;
  /// Reads memory twice instead of ten times.
  torch::Tensor TrainConv(const torch::Tensor& input, const OperatorTensors& tensors, const ConvGeometry& geometry, const ConvTail& tail,
                          ConvObservation& observation) const override;
  torch::Tensor EvaluateConv(const torch::Tensor& input, const torch::Tensor& weight, const ConvGeometry& geometry,
                             const CalibratedTail& tail) const override;
  torch::Tensor Convolve(const torch::Tensor& input, const torch::Tensor& weight, const ConvGeometry& geometry) const override;
  torch::Tensor ScaleChannels(const torch::Tensor& left, const torch::Tensor& right) const override;
  torch::Tensor GlobalAveragePool(const torch::Tensor& input) const override;
  kernels::Range FindRange(const torch::Tensor& input) const override;
  torch::Tensor Quantize(const torch::Tensor& input, const kernels::FakeQuantizer& quantizer) const override;
  torch::Tensor QuantizeWeights(const torch::Tensor& weight, ElementType type) const override;

 private:
  CpuFusedOps(Numerics numerics, const ShardPlace& place) : StockOps(numerics), place_(place) {}

  const ShardPlace place_;
};

}  // namespace hanas

#endif  // HANAS_WORKER_TORCH_CPU_FUSED_OPS_H_
