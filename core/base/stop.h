// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BASE_STOP_H_
#define HANAS_CORE_BASE_STOP_H_

#include "absl/functional/function_ref.h"

namespace hanas {

/// What a long computation asks every few milliseconds: whether to end, with CANCELLED. Cheap, and safe to call from the computing thread.
using StopCheck = absl::FunctionRef<bool()>;

inline bool NeverStop() { return false; }

}  // namespace hanas

#endif  // HANAS_CORE_BASE_STOP_H_
