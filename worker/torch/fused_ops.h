// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_TORCH_FUSED_OPS_H_
#define HANAS_WORKER_TORCH_FUSED_OPS_H_

#include <torch/torch.h>

#include "core/bound/bound_model.h"
#include "core/graph/graph.h"
#include "worker/engine/kernels.h"

namespace hanas {

// Differentiable operators on channel-last tensors ([N, H, W, C] or [N, C], contiguous float32), built on worker/engine/kernels.h. They
// throw c10::Error on shapes that do not fit. Thread-compatible.

/// The arithmetic of a convolution without what follows it.
struct ConvGeometry {
  bool depthwise = false;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t padding = 0;
};
ConvGeometry GeometryOf(const Operator& op);

/// The convolution alone, without gradient. `weight` is OIHW.
torch::Tensor Convolve(const torch::Tensor& input, const torch::Tensor& weight, const ConvGeometry& geometry);

kernels::FakeQuantizer ToFakeQuantizer(const Quantizer& quantizer);

/// What a convolution with batch statistics saw.
struct ConvObservation {
  kernels::Moments moments;
  kernels::Range first;   // behind the normalisation and a ReLU
  kernels::Range second;  // behind the hard swish
};

struct ConvTail {
  kernels::Nonlinearity nonlinearity = kernels::Nonlinearity::kNone;
  bool quantize_first = false;
  bool quantize_second = false;
};

/// Convolution, batch normalisation with the batch's statistics, nonlinearity and fake quantisation with the batch's ranges; gradients go
/// straight through the quantisers. Reads memory twice instead of ten times. `observation` must outlive the call only.
torch::Tensor TrainConv(const torch::Tensor& input, const torch::Tensor& weight, const torch::Tensor& gamma, const torch::Tensor& beta,
                        const ConvGeometry& geometry, const ConvTail& tail, ConvObservation& observation);

/// Fake quantisation with the identity as gradient.
torch::Tensor QuantizeStraightThrough(const torch::Tensor& input, const kernels::FakeQuantizer& quantizer);

/// Weights to the nearest point of their per-channel grid (worker/engine/quantize.h), with the identity as gradient. Floating types pass.
torch::Tensor QuantizeWeightsStraightThrough(const torch::Tensor& weight, ElementType type);

/// [N, H, W, C] -> [N, C].
torch::Tensor PoolImages(const torch::Tensor& input);
/// [N, H, W, C] * [N, C].
torch::Tensor ScaleChannels(const torch::Tensor& left, const torch::Tensor& right);
torch::Tensor HardSwish(const torch::Tensor& input);

/// Variance is smoothed by this before its root.
inline constexpr float kNormEpsilon = 1e-5F;

}  // namespace hanas

#endif  // HANAS_WORKER_TORCH_FUSED_OPS_H_
