// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_RUNTIME_OP_LIMITS_H_
#define HANAS_PROFILER_AGENT_RUNTIME_OP_LIMITS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "core/plan/op_key.h"

namespace hanas {

// An agent executes a closed set of operators on bounded inputs, whoever asks.
inline constexpr int kMaxKernel = 64;
inline constexpr int kMaxStride = 64;
inline constexpr int kMaxDilation = 64;
inline constexpr int64_t kMaxTensorElements = int64_t{1} << 26;
inline constexpr int64_t kMaxWeightElements = int64_t{1} << 26;
inline constexpr int64_t kMaxMacs = int64_t{1} << 36;

/// Whether a key is an operator that MakePlan can produce, within the limits above: ranks, extents, groups, element types, an activation
/// only where it is fused. Returns INVALID_ARGUMENT naming the key and the first thing wrong. Safe for any field values.
absl::Status CheckOpKey(const OpKey& key);

/// Elements of the weight tensor; 0 for operators without. Requires CheckOpKey.
int64_t NumWeights(const OpKey& key);

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_RUNTIME_OP_LIMITS_H_
