// SPDX-License-Identifier: Apache-2.0
#include "worker/engine/quantize.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace hanas {
namespace {

float HardSwish(float x) { return x * std::clamp(x + 3.0F, 0.0F, 6.0F) / 6.0F; }

}  // namespace

float WeightStep(absl::Span<const float> channel, ElementType type) {
  float largest = 0;
  double squares = 0;
  for (const float w : channel) {
    largest = std::max(largest, std::abs(w));
    squares += static_cast<double>(w) * static_cast<double>(w);
  }
  const auto rms = static_cast<float>(std::sqrt(squares / static_cast<double>(std::max<size_t>(channel.size(), 1))));
  const float full = largest / static_cast<float>(NarrowRangeLimit(type));
  float step = full;
  if (type == ElementType::kInt4) step = std::min(full, kInt4StepOfRms * rms);
  if (type == ElementType::kInt2) step = kInt2StepOfRms * rms;
  return std::max(step, kSmallestWeightStep);
}

int8_t QuantizeWeight(float weight, float step, ElementType type) {
  const auto limit = static_cast<float>(NarrowRangeLimit(type));
  return static_cast<int8_t>(std::nearbyint(std::clamp(weight / step, -limit, limit)));
}

Quantizer QuantizerForRange(float low, float high) {
  low = std::min(low, 0.0F);
  high = std::max(high, 0.0F);
  const float scale = std::max(high - low, kSmallestRange) / 255.0F;
  const float zero_point = std::nearbyint(-128.0F - low / scale);
  return {.scale = scale, .zero_point = static_cast<int32_t>(std::clamp(zero_point, -128.0F, 127.0F))};
}

Quantizer HardSigmoidQuantizer() { return {.scale = 1.0F / 255.0F, .zero_point = -128}; }

Interval HardSwishInterval(float low, float high) {
  Interval interval = {std::min(HardSwish(low), HardSwish(high)), std::max(HardSwish(low), HardSwish(high))};
  if (low <= kHardSwishLowestAt && high >= kHardSwishLowestAt) interval.low = kHardSwishLowest;
  return interval;
}

float RoundToHalf(float value) {
  constexpr float kLargest = 65504.0F;
  if (std::isnan(value)) return value;
  if (std::abs(value) >= kLargest) return std::copysign(kLargest, value);
  // Below the smallest normal half the spacing is fixed; adding and removing a constant of that spacing rounds.
  if (std::abs(value) < 0x1p-14F) {
    const volatile float shifted = std::copysign(0x1p-1F, value) + value;
    return shifted - std::copysign(0x1p-1F, value);
  }
  // Keep 10 of 23 fraction bits, to nearest even.
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0xFFFU + ((bits >> 13U) & 1U)) & ~0x1FFFU;
  return std::clamp(std::bit_cast<float>(rounded), -kLargest, kLargest);
}

}  // namespace hanas
