// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BASE_COUNTER_RANDOM_H_
#define HANAS_CORE_BASE_COUNTER_RANDOM_H_

#include <array>
#include <cstdint>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace hanas {

/// The Philox4x32-10 block function (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). Pure.
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// A random stream that is a pure function of (seed, purpose, index): there is no generator state to store or lose. Two streams with
/// different purposes or indices are independent. Distributions are implemented here because those of the standard library differ
/// between implementations.
///
/// Thread-compatible.
class CounterRandom {
 public:
  /// `purpose` names the decision being drawn ("nsga2/mutate"); `index` its sequence number.
  CounterRandom(uint64_t seed, absl::string_view purpose, uint64_t index = 0);

  uint32_t NextUint32();
  uint64_t NextUint64();
  /// Uniform in [0, bound). Requires bound > 0. Unbiased (rejection).
  uint64_t UniformInt(uint64_t bound);
  /// Uniform in [0, 1) with 53 random bits.
  double UniformDouble();
  bool Bernoulli(double probability) { return UniformDouble() < probability; }
  /// Standard normal (Box and Muller 1958).
  double Normal();

  template <typename T>
  void Shuffle(absl::Span<T> items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[UniformInt(i)]);
  }

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
};

}  // namespace hanas

#endif  // HANAS_CORE_BASE_COUNTER_RANDOM_H_
