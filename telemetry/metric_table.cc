// SPDX-License-Identifier: Apache-2.0
#include "telemetry/metric_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/task/work_kinds.h"

namespace hanas::telemetry {
namespace {

std::vector<absl::string_view> TaskKinds() {
  std::vector<absl::string_view> names;
  for (const WorkKind& kind : kWorkKinds) names.push_back(kind.name);
  return names;
}

/// What the results of tasks are counted as; kinds may count as the same.
std::vector<absl::string_view> Evaluations() {
  std::vector<absl::string_view> words;
  for (const WorkKind& kind : kWorkKinds) {
    if (!kind.counts_as.empty() && std::find(words.begin(), words.end(), kind.counts_as) == words.end()) words.push_back(kind.counts_as);
  }
  return words;
}

std::vector<double> ShortSeconds() { return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}; }
std::vector<double> LongSeconds() { return {0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14400}; }

std::vector<MetricSpec> MakeTable() {
  constexpr MetricType kCounter = MetricType::kCounter;
  constexpr MetricType kGauge = MetricType::kGauge;
  constexpr MetricType kHistogram = MetricType::kHistogram;
  constexpr unsigned kParties = kWorker | kAgent;
  const LabelSpec kind = {"kind", TaskKinds()};
  const LabelSpec rows = {"what", {"operator", "network", "model_file"}};
  return {
      {Metric::kBuildInfo,
       kGauge,
       kEveryProcess,
       "hanas_build_info",
       "1. Its labels say what runs.",
       {{"version", {}, "of the program", 1}, {"build_type", {}, "of CMake", 1}}},
      {Metric::kReady, kGauge, kEveryProcess, "hanas_ready", "1 while /readyz answers 200, else 0."},
      {Metric::kProcessCpuSeconds, kCounter, kEveryProcess, "process_cpu_seconds_total", "User and system time of the process."},
      {Metric::kProcessResidentBytes, kGauge, kEveryProcess, "process_resident_memory_bytes", "Resident memory of the process."},
      {Metric::kProcessOpenFds, kGauge, kEveryProcess, "process_open_fds", "Open file descriptors."},
      {Metric::kProcessMaxFds, kGauge, kEveryProcess, "process_max_fds", "Limit of open file descriptors."},
      {Metric::kProcessStartTime, kGauge, kEveryProcess, "process_start_time_seconds",
       "When the process started, since the Unix epoch; time() minus it is the uptime."},

      {Metric::kSearches,
       kGauge,
       kCoordinator,
       "hanas_searches",
       "Searches by phase.",
       {{"phase",
         {"pending", "profiling", "training", "sampling", "searching", "verifying", "succeeded", "failed", "cancelled", "paused"}}}},
      {Metric::kTasks,
       kGauge,
       kCoordinator,
       "hanas_tasks",
       "Tasks by kind and state.",
       {kind, {"state", {"ready", "leased", "done", "failed", "cancelled"}}}},
      {Metric::kOldestReadyTask, kGauge, kCoordinator, "hanas_oldest_ready_task_seconds",
       "For how long the oldest task that nobody holds has waited; 0 when none waits. Counted from the coordinator's start."},
      {Metric::kLeases,
       kCounter,
       kCoordinator,
       "hanas_leases_total",
       "What happened to leases: granted; renewed; completed; failed (the holder said so); handed_back (a drain); expired (the holder was "
       "silent); stale (an answer of a holder that had lost it, refused).",
       {{"event", {"granted", "renewed", "completed", "failed", "handed_back", "expired", "stale"}}, kind}},
      {Metric::kParties,
       kGauge,
       kCoordinator,
       "hanas_parties",
       "Registered workers and devices. offline: silent for more than a minute; waiting: holds a task and pauses.",
       {{"party", {"worker", "device"}}, {"state", {"idle", "working", "waiting", "offline"}}}},
      {Metric::kEvaluations,
       kCounter,
       kCoordinator,
       "hanas_evaluations_total",
       "Results taken in: accuracies of networks, latencies.",
       {{"what", Evaluations()}}},
      {Metric::kLoopRunSeconds,
       kHistogram,
       kCoordinator,
       "hanas_loop_run_seconds",
       "One run of the loop that expires leases and moves searches on.",
       {},
       ShortSeconds()},
      {Metric::kStoreWriteSeconds,
       kHistogram,
       kCoordinator,
       "hanas_store_write_seconds",
       "Synced writes of one batch.",
       {{"result", {"ok", "error"}}},
       ShortSeconds()},
      {Metric::kStoreWriteRecords,
       kHistogram,
       kCoordinator,
       "hanas_store_write_records",
       "Records in one batch.",
       {},
       {1, 2, 5, 10, 25, 50, 100, 250, 1000}},
      {Metric::kStoreWrittenBytes, kCounter, kCoordinator, "hanas_store_written_bytes_total", "Keys and values given to the store."},
      {Metric::kArtifactStoreBytes, kGauge, kCoordinator, "hanas_artifact_store_bytes",
       "Size of the artifact store, unfinished uploads included; looked up at most once a minute."},
      {Metric::kArtifactStoreFiles, kGauge, kCoordinator, "hanas_artifact_store_files", "Files in the artifact store, as old as its size."},
      {Metric::kDataFreeBytes, kGauge, kCoordinator, "hanas_data_free_bytes",
       "Free space of the file system that holds the data directory, for an unprivileged process."},
      {Metric::kRpcSeconds,
       kHistogram,
       kCoordinator,
       "hanas_rpc_duration_seconds",
       "Calls by method and status code, from the arrival of the call to its status. LeaseTask and WatchSearch wait on purpose.",
       {{"method", {}, "service and method, of the coordinator's own services", 64},
        {"code",
         {"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
          "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
          "UNAUTHENTICATED"}}},
       ShortSeconds()},
      {Metric::kRpcInProgress,
       kGauge,
       kCoordinator,
       "hanas_rpc_in_progress",
       "Calls that have begun and not ended: of WatchSearch the open streams, of LeaseTask the processes that wait for work.",
       {{"method", {}, "service and method, of the coordinator's own services", 64}}},

      {Metric::kTaskAttempts,
       kCounter,
       kParties,
       "hanas_task_attempts_total",
       "Tasks that this process has leased, by how they ended: completed; failed; handed_back; abandoned (the lease was lost, or the "
       "result "
       "was not wanted); undelivered (no coordinator took the outcome).",
       {kind, {"result", {"completed", "failed", "handed_back", "abandoned", "undelivered"}}}},
      {Metric::kTaskSeconds,
       kHistogram,
       kParties,
       "hanas_task_seconds",
       "From the lease of a task to the end of its execution.",
       {kind},
       LongSeconds()},
      {Metric::kTaskInProgress, kGauge, kParties, "hanas_task_in_progress", "1 while a task of this kind is executed.", {kind}},
      {Metric::kTransferBytes,
       kCounter,
       kParties,
       "hanas_transfer_bytes_total",
       "Bytes of artifacts exchanged with the coordinator.",
       {{"direction", {"download", "upload"}}}},
      {Metric::kCoordinatorSilence, kGauge, kParties, "hanas_coordinator_silence_seconds",
       "Since the coordinator last answered; a request for work waits there for up to 20 seconds."},

      {Metric::kTrainingSteps, kCounter, kWorker, "hanas_training_steps_total", "Optimiser steps taken."},
      {Metric::kTrainingImagesPerSecond, kGauge, kWorker, "hanas_training_images_per_second",
       "Speed of the training task at its last report."},
      {Metric::kTrainingLoss, kGauge, kWorker, "hanas_training_loss", "Loss of the training task at its last report."},

      {Metric::kMeasuredRows, kCounter, kAgent, "hanas_measured_total", "Operators, networks and model files measured to the end.", {rows}},
      {Metric::kNoisyRows,
       kCounter,
       kAgent,
       "hanas_measured_noisy_total",
       "Those of them whose coefficient of variation across rounds stayed too large.",
       {rows}},
      {Metric::kMeasuringRounds, kCounter, kAgent, "hanas_measuring_rounds_total", "Slices of rounds that were accepted and sent."},
      {Metric::kRejectedRounds, kCounter, kAgent, "hanas_measuring_rejected_rounds_total",
       "Slices of rounds that were measured again because the canary was slow."},
      {Metric::kCanaryRatio, kGauge, kAgent, "hanas_canary_ratio", "Worst canary of the last job over its baseline; 1 is undisturbed."},
      {Metric::kChildFailures,
       kCounter,
       kAgent,
       "hanas_measuring_child_failures_total",
       "Measuring children that did not end as they should.",
       {{"reason", {"crashed", "timeout", "out_of_memory", "garbage"}}}},
  };
}

absl::string_view TypeName(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
  }
  return "";
}

std::string DescribeLabel(const LabelSpec& label) {
  if (label.values.empty()) return absl::StrCat("`", label.name, "`: ", label.meaning);
  return absl::StrCat("`", label.name, "`: ", absl::StrJoin(label.values, ", "));
}

void AppendSection(std::string& text, absl::string_view title, unsigned processes) {
  absl::StrAppend(&text, "\n## ", title, "\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n");
  for (const MetricSpec& metric : MetricTable()) {
    if (metric.processes != processes) continue;
    absl::StrAppend(
        &text, "| `", metric.name, "` | ", TypeName(metric.type), " | ",
        absl::StrJoin(metric.labels, "; ", [](std::string* out, const LabelSpec& label) { absl::StrAppend(out, DescribeLabel(label)); }),
        " | ", metric.help, " |\n");
  }
}

}  // namespace

const std::vector<MetricSpec>& MetricTable() {
  static const std::vector<MetricSpec>* const kTable = new std::vector<MetricSpec>(MakeTable());
  return *kTable;
}

const MetricSpec& SpecOf(Metric metric) { return MetricTable()[static_cast<size_t>(metric)]; }

std::string MetricReference() {
  std::string text;
  AppendSection(text, "Every process", kEveryProcess);
  AppendSection(text, "Coordinator", kCoordinator);
  AppendSection(text, "Worker and profiler-agent", kWorker | kAgent);
  AppendSection(text, "Worker", kWorker);
  AppendSection(text, "Profiler-agent", kAgent);
  return text;
}

}  // namespace hanas::telemetry
