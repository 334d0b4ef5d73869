// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_XNNPACK_RUNTIME_H_
#define HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_XNNPACK_RUNTIME_H_

#include <memory>

#include "absl/status/statusor.h"
#include "profiler-agent/runtime/runtime.h"

namespace hanas {

/// XNNPACK on the calling thread, or on it and threads that are made with the runtime and kept. Operators alone and in networks are the
/// same XNNPACK operators, executed by the same list executor. Capabilities are found by creating and running operators: native half only
/// where half convolutions are really faster than float32 ones, not emulated. The probe takes a few milliseconds and is made once per
/// process.
///
/// XNNPACK aborts on some bad arguments: keys are validated first, and measuring runs in a child process all the same.
///
/// Returns FAILED_PRECONDITION when XNNPACK cannot start on this processor, RESOURCE_EXHAUSTED when the threads cannot be started.
absl::StatusOr<std::unique_ptr<DeviceRuntime>> CreateXnnpackRuntime();
/// The same with capabilities that were probed before (by the parent of a measuring child), so that plans and keys agree.
absl::StatusOr<std::unique_ptr<DeviceRuntime>> CreateXnnpackRuntime(const BackendCaps& caps, const RuntimeOptions& options);
inline absl::StatusOr<std::unique_ptr<DeviceRuntime>> CreateXnnpackRuntime(const BackendCaps& caps) {
  return CreateXnnpackRuntime(caps, {});
}

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_XNNPACK_RUNTIME_H_
