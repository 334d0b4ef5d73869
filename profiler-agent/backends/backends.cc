// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/backends/backends.h"

#include <algorithm>
#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "profiler-agent/runtime/xnnpack/xnnpack_runtime.h"

namespace hanas {
namespace {

constexpr std::array<Backend, 1> kBackends = {{
    {.name = "xnnpack", .probe = &CreateXnnpackRuntime, .create = &CreateXnnpackRuntime},
}};

}  // namespace

absl::Span<const Backend> Backends() { return kBackends; }

absl::StatusOr<Backend> FindBackend(absl::string_view name) {
  const auto found = std::find_if(kBackends.begin(), kBackends.end(), [&](const Backend& backend) { return backend.name == name; });
  if (found != kBackends.end()) return *found;
  std::string names;
  for (const Backend& backend : kBackends) absl::StrAppend(&names, names.empty() ? "" : ", ", backend.name);
  return absl::NotFoundError(absl::StrCat("expected a backend of this agent (", names, "), found \"", name, "\""));
}

absl::StatusOr<std::unique_ptr<DeviceRuntime>> CreateRuntime(const BackendCaps& caps, const RuntimeOptions& options) {
  if (absl::Status status = options.Validate(); !status.ok()) return status;
  const absl::StatusOr<Backend> backend = FindBackend(caps.name);
  if (!backend.ok()) return backend.status();
  return backend->create(caps, options);
}

}  // namespace hanas
