// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_PLAN_OP_LIMITS_H_
#define HANAS_CORE_PLAN_OP_LIMITS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "core/plan/op_key.h"

namespace hanas {

/// An agent executes a closed set of operators on bounded inputs, whoever asks: those that MakePlan can produce, within core/base/bounds.h.
/// This looks at ranks, extents, groups, element types, and for an activation where none is fused. Returns INVALID_ARGUMENT naming the key
/// and the first thing wrong. Safe for any field values.
absl::Status CheckOpKey(const OpKey& key);

/// Elements of the weight tensor; 0 for operators without. Requires CheckOpKey.
int64_t NumWeights(const OpKey& key);

}  // namespace hanas

#endif  // HANAS_CORE_PLAN_OP_LIMITS_H_
