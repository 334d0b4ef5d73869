// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_CAPABILITIES_H_
#define HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_CAPABILITIES_H_

#include "core/plan/exec_plan.h"

namespace hanas {

/// Capabilities of XNNPACK on this processor, found by running operators. Requires an initialised XNNPACK.
BackendCaps ProbeXnnpackCapabilities();

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_CAPABILITIES_H_
