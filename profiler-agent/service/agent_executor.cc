// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/service/agent_executor.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"
#include "profiler-agent/service/child_job.pb.h"
#include "profiler-agent/service/child_jobs.h"
#include "rpc/convert/device.h"

namespace hanas {
namespace {

/// The artifacts that a task names.
std::vector<v1::ArtifactRef> ArtifactsOf(const v1::Task& task) {
  std::vector<v1::ArtifactRef> artifacts;
  if (task.has_verify_model()) {
    artifacts = {task.verify_model().bound_model(), task.verify_model().onnx(), task.verify_model().images()};
  }
  for (const v1::NetworkToMeasure& network : task.measure_networks().networks()) {
    if (!network.bound_model().sha256().empty()) artifacts.push_back(network.bound_model());
  }
  return artifacts;
}

/// Many times what the job should take: it ends what hangs.
absl::Duration WallLimit(const v1::Task& task) {
  switch (task.work_case()) {
    case v1::Task::kMeasureOperators:
      return absl::Minutes(5) + absl::Milliseconds(200) * task.measure_operators().keys_size() * task.measure_operators().max_rounds();
    case v1::Task::kMeasureNetworks:
      return absl::Minutes(5) + absl::Seconds(2) * task.measure_networks().networks_size() * task.measure_networks().max_rounds();
    default:
      return absl::Minutes(30);
  }
}

std::string Kind(const v1::Task& task) {
  switch (task.work_case()) {
    case v1::Task::kMeasureOperators:
      return "operators";
    case v1::Task::kMeasureNetworks:
      return "networks";
    case v1::Task::kVerifyModel:
      return "verification";
    default:
      return "";
  }
}

/// Takes in what the child says, one record at a time.
class Records {
 public:
  explicit Records(rpc::TaskContext& context) : context_(context) {}

  absl::Status Take(absl::string_view bytes) {
    agent::ChildRecord record;
    if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return Garbage("a record that does not parse");
    switch (record.record_case()) {
      case agent::ChildRecord::kRound:
        return context_.RecordRound(record.round().round(), {record.round().rows().begin(), record.round().rows().end()});
      case agent::ChildRecord::kProgress:
        if (context_.ReportProgress(record.progress().done(), record.progress().total(), record.progress().note()) ==
            rpc::Directive::kContinue) {
          return absl::OkStatus();
        }
        return absl::CancelledError("measuring was told to stop");
      case agent::ChildRecord::kResult:
        result_ = std::move(*record.mutable_result());
        return absl::OkStatus();
      default:
        return Garbage("an empty record");
    }
  }

  std::optional<v1::CompleteTaskRequest>& result() { return result_; }

  static absl::Status Garbage(absl::string_view what) {
    return WithReason(absl::DataLossError(absl::StrCat("the measuring child sent ", what)), Name(MeasureError::kGarbage));
  }

 private:
  rpc::TaskContext& context_;
  std::optional<v1::CompleteTaskRequest> result_;
};

}  // namespace

absl::StatusOr<v1::CompleteTaskRequest> AgentExecutor::Execute(const v1::Task& task, rpc::TaskContext& context) {
  const std::string kind = Kind(task);
  if (kind.empty()) return absl::UnimplementedError(absl::StrCat("an agent has no task of kind ", static_cast<int>(task.work_case())));
  agent::ChildRequest request;
  *request.mutable_task() = task;
  *request.mutable_caps() = rpc::ToProto(caps_);
  for (const v1::ArtifactRef& artifact : ArtifactsOf(task)) {
    absl::StatusOr<std::string> bytes = artifacts_->Download(artifact);
    if (!bytes.ok()) return bytes.status();
    (*request.mutable_artifacts())[artifact.sha256()] = *std::move(bytes);
  }
  ChildJob job{.kind = kMeasureJob, .name = absl::StrCat(task.lease().task(), " (", kind, ")"), .request = request.SerializeAsString()};
  job.limits.wall = WallLimit(task);
  RunChildOptions options;
  options.program = program_;
  options.cancelled = [&context] { return context.ShouldStop(); };
  Records records(context);
  const absl::StatusOr<ChildUsage> usage = RunChild(job, [&](absl::string_view record) { return records.Take(record); }, options);
  if (!usage.ok()) return usage.status();
  if (!records.result().has_value()) return Records::Garbage("no result");
  return *std::move(records.result());
}

}  // namespace hanas
