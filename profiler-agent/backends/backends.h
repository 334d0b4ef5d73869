// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_BACKENDS_BACKENDS_H_
#define HANAS_PROFILER_AGENT_BACKENDS_BACKENDS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/plan/backend_caps.h"
#include "profiler-agent/runtime/runtime.h"

namespace hanas {

/// A library that executes operators and networks on this machine.
struct Backend {
  absl::string_view name;  // one of BackendNames()
  /// On one thread, with the capabilities that it finds here. Returns FAILED_PRECONDITION where it cannot start.
  absl::StatusOr<std::unique_ptr<DeviceRuntime>> (*probe)();
  /// With capabilities that were found before, by the parent of a measuring child, so that plans and keys agree. Returns RESOURCE_EXHAUSTED
  /// where the threads of the valid `options` cannot be started.
  absl::StatusOr<std::unique_ptr<DeviceRuntime>> (*create)(const BackendCaps& caps, const RuntimeOptions& options);
};

/// Those of this agent, the default first. An explicit table: nothing registers itself. Thread-safe.
absl::Span<const Backend> Backends();

/// Returns NOT_FOUND with the names that there are.
absl::StatusOr<Backend> FindBackend(absl::string_view name);

/// The runtime that `caps` are of. Returns the statuses of RuntimeOptions::Validate, FindBackend and Backend::create.
absl::StatusOr<std::unique_ptr<DeviceRuntime>> CreateRuntime(const BackendCaps& caps, const RuntimeOptions& options = {});

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_BACKENDS_BACKENDS_H_
