// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/service/agent_executor.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"
#include "profiler-agent/measure/measure.h"
#include "profiler-agent/service/child_job.pb.h"
#include "profiler-agent/service/child_jobs.h"
#include "rpc/convert/device.h"

namespace hanas {
namespace {

using telemetry::Metric;

// They go to the child in one message, and protobuf's are smaller than 2 GiB.
constexpr int64_t kMaxArtifactBytesOfTask = int64_t{3} << 29;

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

absl::Status CheckArtifacts(const std::vector<v1::ArtifactRef>& artifacts) {
  int64_t left = kMaxArtifactBytesOfTask;
  for (const v1::ArtifactRef& artifact : artifacts) {
    if (absl::Status status = rpc::CheckArtifactRef(artifact); !status.ok()) return status;
    left -= artifact.size_bytes();
    if (left >= 0) continue;
    return absl::InvalidArgumentError(absl::StrCat("artifacts of a task: expected at most ", kMaxArtifactBytesOfTask,
                                                   " bytes together, found more with the ", artifact.size_bytes(), " of ",
                                                   artifact.sha256()));
  }
  return absl::OkStatus();
}

/// Whether the numbers that a limit on time is computed from make sense; the child checks everything else.
absl::Status CheckRounds(absl::string_view field, int rounds, int max_rounds) {
  MeasureOptions options;
  options.rounds = rounds;
  options.max_rounds = max_rounds;
  const absl::Status status = options.Validate();
  return status.ok() ? status : absl::InvalidArgumentError(absl::StrCat(field, ": ", status.message()));
}

absl::Status CheckTask(const v1::Task& task) {
  switch (task.work_case()) {
    case v1::Task::kMeasureOperators:
      return CheckRounds("measure_operators", task.measure_operators().rounds(), task.measure_operators().max_rounds());
    case v1::Task::kMeasureNetworks:
      return CheckRounds("measure_networks", task.measure_networks().rounds(), task.measure_networks().max_rounds());
    case v1::Task::kVerifyModel:
      if (const int images = task.verify_model().agreement_images(); images < 1) {
        return absl::InvalidArgumentError(absl::StrCat("verify_model.agreement_images: expected at least 1, found ", images));
      }
      return CheckRounds("verify_model", task.verify_model().rounds(), task.verify_model().max_rounds());
    default:
      return absl::UnimplementedError(absl::StrCat("an agent has no task of kind ", static_cast<int>(task.work_case())));
  }
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

void CountRows(absl::string_view what, int64_t rows, int64_t noisy, telemetry::Metrics& metrics) {
  metrics.Add(Metric::kMeasuredRows, {what}, static_cast<double>(rows));
  metrics.Add(Metric::kNoisyRows, {what}, static_cast<double>(noisy));
}

template <typename Rows>
int64_t NumNoisy(const Rows& rows) {
  return std::count_if(rows.begin(), rows.end(), [](const auto& row) { return row.noisy(); });
}

void CountHost(const v1::HostState& host, telemetry::Metrics& metrics) {
  metrics.Set(Metric::kCanaryRatio, {}, host.canary_ratio());
  metrics.Add(Metric::kRejectedRounds, {}, host.rejected_rounds());
}

void CountResult(const v1::CompleteTaskRequest& result, telemetry::Metrics& metrics) {
  if (result.has_measure_operators()) {
    const v1::MeasureOperatorsResult& operators = result.measure_operators();
    CountRows("operator", operators.rows_size(), NumNoisy(operators.rows()), metrics);
    CountHost(operators.host(), metrics);
  } else if (result.has_measure_networks()) {
    const v1::MeasureNetworksResult& networks = result.measure_networks();
    CountRows("network", networks.rows_size(), NumNoisy(networks.rows()), metrics);
    CountHost(networks.host(), metrics);
  } else if (result.has_verify_model()) {
    const v1::VerifyModelResult& verified = result.verify_model();
    CountRows("network", 1, verified.device().noisy() ? 1 : 0, metrics);
    CountRows("model_file", 1, verified.exported_latency().noisy() ? 1 : 0, metrics);
    CountHost(verified.host(), metrics);
  }
}

void CountFailure(const absl::Status& status, telemetry::Metrics& metrics) {
  const std::optional<MeasureError> error = MeasureErrorOf(status);
  if (!error.has_value()) return;
  switch (*error) {
    case MeasureError::kCrashed:
      return metrics.Count(Metric::kChildFailures, {"crashed"});
    case MeasureError::kTimeout:
      return metrics.Count(Metric::kChildFailures, {"timeout"});
    case MeasureError::kOutOfMemory:
      return metrics.Count(Metric::kChildFailures, {"out_of_memory"});
    case MeasureError::kGarbage:
      return metrics.Count(Metric::kChildFailures, {"garbage"});
  }
}

/// Takes in what the child says, one record at a time.
class Records {
 public:
  Records(rpc::TaskContext& context, telemetry::Metrics* metrics) : context_(context), metrics_(metrics) {}

  absl::Status Take(absl::string_view bytes) {
    agent::ChildRecord record;
    if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return Garbage("a record that does not parse");
    switch (record.record_case()) {
      case agent::ChildRecord::kRound:
        metrics_->Count(Metric::kMeasuringRounds);
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
  telemetry::Metrics* metrics_;
  std::optional<v1::CompleteTaskRequest> result_;
};

}  // namespace

absl::StatusOr<v1::CompleteTaskRequest> AgentExecutor::Execute(const v1::Task& task, rpc::TaskContext& context) {
  if (absl::Status status = CheckTask(task); !status.ok()) return status;
  const std::string kind = Kind(task);
  agent::ChildRequest request;
  *request.mutable_task() = task;
  *request.mutable_caps() = rpc::ToProto(caps_);
  request.set_threads(runtime_.num_threads);
  const std::vector<v1::ArtifactRef> artifacts = ArtifactsOf(task);
  if (absl::Status status = CheckArtifacts(artifacts); !status.ok()) return status;
  for (const v1::ArtifactRef& artifact : artifacts) {
    absl::StatusOr<std::string> bytes = artifacts_->Download(artifact);
    if (!bytes.ok()) return bytes.status();
    (*request.mutable_artifacts())[artifact.sha256()] = *std::move(bytes);
  }
  ChildJob job{.kind = kMeasureJob, .name = absl::StrCat(task.lease().task(), " (", kind, ")"), .request = request.SerializeAsString()};
  job.limits.wall = WallLimit(task);
  job.limits.threads = runtime_.num_threads;
  RunChildOptions options;
  options.program = program_;
  options.cancelled = [&context] { return context.ShouldStop(); };
  Records records(context, metrics_);
  const absl::StatusOr<ChildUsage> usage = RunChild(job, [&](absl::string_view record) { return records.Take(record); }, options);
  if (!usage.ok()) {
    CountFailure(usage.status(), *metrics_);
    return usage.status();
  }
  if (!records.result().has_value()) {
    const absl::Status garbage = Records::Garbage("no result");
    CountFailure(garbage, *metrics_);
    return garbage;
  }
  CountResult(*records.result(), *metrics_);
  return *std::move(records.result());
}

}  // namespace hanas
