// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/runtime/random_weights.h"

#include <cmath>

namespace hanas {
namespace {

/// SplitMix64 (Steele, Lea, Flood 2014): weights are many and their quality does not matter.
class FastRandom {
 public:
  explicit FastRandom(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// [-1, 1)
  float Symmetric() { return static_cast<float>(static_cast<int64_t>(Next()) >> 40) * 0x1p-23F; }
  /// [-limit, limit]
  int8_t Integer(int limit) { return static_cast<int8_t>(static_cast<int>(Next() % static_cast<uint64_t>(2 * limit + 1)) - limit); }

 private:
  uint64_t state_;
};

}  // namespace

BoundWeights RandomWeights(const OpKey& key, uint64_t seed) {
  const int64_t count = NumWeights(key);
  if (count == 0) return {};
  FastRandom random(seed);
  const auto channels = static_cast<size_t>(key.output_channels);
  const double fan_in = static_cast<double>(count) / static_cast<double>(key.output_channels);
  const auto reach = static_cast<float>(std::sqrt(3.0 / fan_in));  // uniform in +-reach has variance 1 / fan_in
  BoundWeights weights;
  weights.bias.resize(channels);
  for (float& bias : weights.bias) bias = 0.1F * random.Symmetric();
  if (BitWidth(key.weight_type) <= 8) {
    const int limit = NarrowRangeLimit(key.weight_type);
    weights.scales.assign(channels, reach / static_cast<float>(limit));
    weights.integers.resize(static_cast<size_t>(count));
    for (int8_t& weight : weights.integers) weight = random.Integer(limit);
  } else {
    weights.floats.resize(static_cast<size_t>(count));
    for (float& weight : weights.floats) weight = reach * random.Symmetric();
  }
  return weights;
}

void FillRandom(absl::Span<float> values, uint64_t seed) {
  FastRandom random(seed);
  for (float& value : values) value = random.Symmetric();
}

void FillRandom(absl::Span<int8_t> values, uint64_t seed) {
  FastRandom random(seed);
  for (int8_t& value : values) value = random.Integer(100);
}

}  // namespace hanas
