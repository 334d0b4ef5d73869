// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_ENGINE_QUANTIZE_H_
#define HANAS_WORKER_ENGINE_QUANTIZE_H_

#include <cstdint>

#include "absl/types/span.h"
#include "core/bound/bound_model.h"
#include "core/graph/element_type.h"

namespace hanas {

/// Steps of 4-bit and 2-bit weights, as shares of their root mean square (WeightStep).
inline constexpr float kInt4StepOfRms = 0.36F;
inline constexpr float kInt2StepOfRms = 1.22F;

/// No step of weights is smaller.
inline constexpr float kSmallestWeightStep = 1e-12F;
/// No range of values is smaller: one that is (nearly) always 0 still needs a step that kernels can rescale to, as they want input step
/// times weight step below 256 output steps.
inline constexpr float kSmallestRange = 0.05F;
/// Where hard swish is lowest, and how low.
inline constexpr float kHardSwishLowestAt = -1.5F;
inline constexpr float kHardSwishLowest = -0.375F;

/// The step of the symmetric narrow-range quantiser of one output channel, in closed form without learned state:
///   8 bits  largest magnitude / 127
///   4 bits  the smaller of largest magnitude / 7 and 0.36 rms: close to the mean-square optimum of 15 levels for bell-shaped weights
///   2 bits  1.22 rms: the mean-square optimum of three levels for normal weights (Max, "Quantizing for minimum distortion", 1960)
/// Positive and finite, also for all zeros. Requires an integer type of at most 8 bits and finite weights.
float WeightStep(absl::Span<const float> channel, ElementType type);

/// round(weight / step), half to even, clamped to the narrow range.
int8_t QuantizeWeight(float weight, float step, ElementType type);

/// Asymmetric int8 quantiser of values in [low, high]; the range is widened to hold 0, and zero is exact.
Quantizer QuantizerForRange(float low, float high);

/// [0, 1] at 1/255: the fixed quantiser behind a hard sigmoid.
Quantizer HardSigmoidQuantizer();

/// Hard swish of an interval: [smallest, largest] value over [low, high].
struct Interval {
  float low = 0;
  float high = 0;
};
Interval HardSwishInterval(float low, float high);

/// Nearest IEEE half, half to even, as float; magnitudes above 65504 become 65504.
float RoundToHalf(float value);

}  // namespace hanas

#endif  // HANAS_WORKER_ENGINE_QUANTIZE_H_
