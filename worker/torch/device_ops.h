// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_TORCH_DEVICE_OPS_H_
#define HANAS_WORKER_TORCH_DEVICE_OPS_H_

#include <torch/torch.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/bound/bound_model.h"
#include "core/graph/graph.h"
#include "core/job/search_job.h"
#include "worker/engine/kernels.h"
#include "worker/torch/shards.h"

namespace hanas {

/// The arithmetic of a convolution without what follows it.
struct ConvGeometry {
  int64_t groups = 1;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t dilation = 1;
};
ConvGeometry ConvGeometryOf(const Operator& op);

/// Images have at most so many channels, which what computes with them can count on.
inline constexpr int64_t kImageChannels = 4;

/// Whether a convolution, and its backward, is computed in bf16 with these numerics: dense ones are, with windows of more than a pixel.
/// Depthwise and pointwise ones wait for memory instead, and images have few channels.
bool ConvolvesInBf16(Numerics numerics, const ConvGeometry& geometry, int64_t input_channels);

/// What a max-pool takes the largest of.
struct PoolWindow {
  int64_t kernel = 2;
  int64_t stride = 2;
  int64_t padding = 0;
  int64_t dilation = 1;
};
PoolWindow PoolWindowOf(const Operator& op);

/// What one operator reads, weights already on their grid. Bias, gamma and beta are undefined where the operator has none.
struct OperatorTensors {
  torch::Tensor weight;
  torch::Tensor bias;
  torch::Tensor gamma;
  torch::Tensor beta;
};

/// What a convolution in training saw.
struct ConvObservation {
  bool wanted = true;        // asked for: a device that computes while the host goes on is then waited for. Some fill it in any case.
  kernels::Moments moments;  // of the sums with their bias: what a normalisation normalises; empty without one
  kernels::Range first;      // behind the normalisation and a ReLU
  kernels::Range second;     // behind the hard swish
};

/// What is done with the sums of a convolution besides bias and normalisation.
struct ConvTail {
  kernels::Nonlinearity nonlinearity = kernels::Nonlinearity::kNone;
  bool quantize_first = false;
  bool quantize_second = false;
};

/// The same when everything is known: bias and normalisation folded into one affine map, quantisers fixed.
struct CalibratedTail {
  std::vector<float> scale;  // for each output channel
  std::vector<float> shift;
  kernels::Nonlinearity nonlinearity = kernels::Nonlinearity::kNone;
  kernels::FakeQuantizer first;
  kernels::FakeQuantizer second;
};

/// The arithmetic of the supernet's interpreter on one kind of device. Tensors are channel-last ([N, H, W, C] or [N, C]), contiguous
/// float32; weights are OIHW or [out, in]. What has a gradient passes it on to every operand that wants one; fake quantisation passes it
/// straight through. Implementations agree within the rounding of float32. Convolutions are in float32, unless made With others.
///
/// Methods throw c10::Error on shapes that do not fit. Thread-safe (no state).
class DeviceOps {
 public:
  virtual ~DeviceOps() = default;

  /// The same arithmetic on one shard of a batch, where moments and ranges in training are those of all shards together, and with dense
  /// convolutions in `numerics`. The group must outlive it.
  virtual std::unique_ptr<DeviceOps> With(Numerics numerics, const ShardPlace& place) const = 0;
  /// Whether such a convolution in training, and its backward, is computed in bf16.
  virtual bool UsesBf16(const ConvGeometry& geometry, int64_t input_channels) const = 0;

  /// Convolution, bias, batch normalisation with the batch's statistics, nonlinearity and fake quantisation with the batch's ranges.
  virtual torch::Tensor TrainConv(const torch::Tensor& input, const OperatorTensors& tensors, const ConvGeometry& geometry,
                                  const ConvTail& tail, ConvObservation& observation) const = 0;
  /// No gradient.
  virtual torch::Tensor EvaluateConv(const torch::Tensor& input, const torch::Tensor& weight, const ConvGeometry& geometry,
                                     const CalibratedTail& tail) const = 0;
  /// The convolution alone. No gradient. Sums of integers are exact as long as each fits 24 bits.
  virtual torch::Tensor Convolve(const torch::Tensor& input, const torch::Tensor& weight, const ConvGeometry& geometry) const = 0;

  /// `bias` may be undefined.
  virtual torch::Tensor Linear(const torch::Tensor& input, const torch::Tensor& weight, const torch::Tensor& bias) const = 0;
  virtual torch::Tensor Activate(const torch::Tensor& input, FusedActivation activation) const = 0;
  virtual torch::Tensor HardSwish(const torch::Tensor& input) const = 0;
  virtual torch::Tensor Sigmoid(const torch::Tensor& input) const = 0;
  virtual torch::Tensor Add(const torch::Tensor& left, const torch::Tensor& right) const = 0;
  virtual torch::Tensor Product(const torch::Tensor& left, const torch::Tensor& right) const = 0;
  /// [N, H, W, C] * [N, C].
  virtual torch::Tensor ScaleChannels(const torch::Tensor& left, const torch::Tensor& right) const = 0;

  /// Padding never wins.
  virtual torch::Tensor MaxPool(const torch::Tensor& input, const PoolWindow& window) const = 0;
  /// [N, H, W, C] -> [N, C].
  virtual torch::Tensor GlobalMaxPool(const torch::Tensor& input) const = 0;
  virtual torch::Tensor GlobalAveragePool(const torch::Tensor& input) const = 0;

  /// Smallest and largest number. No gradient.
  virtual kernels::Range FindRange(const torch::Tensor& input) const = 0;
  /// To the nearest number that int8 can hold when it reaches from the smallest to the largest one, which are left in `range` unless that
  /// is null.
  virtual torch::Tensor QuantizeToOwnRange(const torch::Tensor& input, kernels::Range* range) const = 0;
  /// To the nearest number that int8 can hold.
  virtual torch::Tensor Quantize(const torch::Tensor& input, const kernels::FakeQuantizer& quantizer) const = 0;
  /// To the nearest point of their per-channel grid (worker/engine/quantize.h). Floating types pass.
  virtual torch::Tensor QuantizeWeights(const torch::Tensor& weight, ElementType type) const = 0;
};

kernels::FakeQuantizer ToFakeQuantizer(const Quantizer& quantizer);

/// Of a value with this range when it is to be int8; does nothing when not `enabled`.
kernels::FakeQuantizer FakeQuantizerFor(const kernels::Range& range, bool enabled);

/// What is left of [low, high], widened to hold 0, behind the nonlinearity of a tail, and behind the first step of a hard swish.
kernels::Range RangeBehind(kernels::Nonlinearity nonlinearity, kernels::Range before);

/// Variance is smoothed by this before its root.
inline constexpr float kNormEpsilon = 1e-5F;

}  // namespace hanas

#endif  // HANAS_WORKER_TORCH_DEVICE_OPS_H_
