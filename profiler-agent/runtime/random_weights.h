// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_RUNTIME_RANDOM_WEIGHTS_H_
#define HANAS_PROFILER_AGENT_RUNTIME_RANDOM_WEIGHTS_H_

#include <cstdint>

#include "absl/types/span.h"
#include "core/bound/bound_model.h"
#include "core/plan/op_key.h"

namespace hanas {

// Bounded random tensors for timing networks that nobody trained: values stay in range through any depth, and speed does not depend on
// them.

/// The quantiser of every int8 value of such a network.
inline constexpr Quantizer kRandomQuantizer = {.scale = 0.0625F, .zero_point = 2};

/// Weights of unit gain for a convolution or fully connected operator: integers when it executes integers, else floats. Empty for others.
BoundWeights RandomWeights(const OpKey& key, uint64_t seed);

/// Uniform in [-1, 1).
void FillRandom(absl::Span<float> values, uint64_t seed);
/// Uniform in [-100, 100].
void FillRandom(absl::Span<int8_t> values, uint64_t seed);

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_RUNTIME_RANDOM_WEIGHTS_H_
