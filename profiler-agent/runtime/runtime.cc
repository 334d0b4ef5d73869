// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/runtime/runtime.h"

#include "absl/strings/str_cat.h"
#include "core/base/bounds.h"

namespace hanas {
namespace {

absl::Status WholeOnly() { return absl::UnimplementedError("runtime: this network executes only as a whole, it has no steps"); }

}  // namespace

absl::Status RuntimeOptions::Validate() const {
  if (num_threads >= 1 && num_threads <= bounds::kMaxDeviceThreads) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("runtime: expected 1 to ", bounds::kMaxDeviceThreads, " threads, found ", num_threads));
}

absl::Status NetworkInstance::RunSteps(absl::Span<const float>, absl::FunctionRef<void(int)>) { return WholeOnly(); }
absl::Status NetworkInstance::WriteValue(int, absl::Span<const float>) { return WholeOnly(); }
absl::Status NetworkInstance::RunStep(int) { return WholeOnly(); }
absl::StatusOr<std::vector<float>> NetworkInstance::ReadValue(int) const { return WholeOnly(); }

absl::StatusOr<std::unique_ptr<NetworkInstance>> DeviceRuntime::PrepareBoundModel(const BoundModel& model, const NetworkOptions& options) {
  if (absl::Status status = CheckBoundModel(model); !status.ok()) return status;
  return PrepareNetwork(model.graph, MakePlan(model.graph, caps()), &model, options);
}

}  // namespace hanas
