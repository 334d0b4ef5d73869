// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TELEMETRY_METRIC_TABLE_H_
#define HANAS_TELEMETRY_METRIC_TABLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace hanas::telemetry {

// Every metric of every process, declared once. docs/metrics.md is generated from this table, and a metric that is not in it cannot be
// recorded. Names have the prefix hanas_ (process_ for the standard process metrics), base units, and _total when they are counters.

/// To add a metric: a name here, its row in metric_table.cc, and the line that records it.
enum class Metric : int {
  // Every process.
  kBuildInfo,
  kReady,
  kProcessCpuSeconds,
  kProcessResidentBytes,
  kProcessOpenFds,
  kProcessMaxFds,
  kProcessStartTime,
  // The coordinator.
  kSearches,
  kTasks,
  kOldestReadyTask,
  kLeases,
  kParties,
  kEvaluations,
  kLoopRunSeconds,
  kStoreWriteSeconds,
  kStoreWriteRecords,
  kStoreWrittenBytes,
  kArtifactStoreBytes,
  kArtifactStoreFiles,
  kDataFreeBytes,
  kRpcSeconds,
  kRpcInProgress,
  // Worker and agent.
  kTaskAttempts,
  kTaskSeconds,
  kTaskInProgress,
  kTransferBytes,
  kCoordinatorSilence,
  // The worker.
  kTrainingSteps,
  kTrainingImagesPerSecond,
  kTrainingLoss,
  // The agent.
  kMeasuredRows,
  kNoisyRows,
  kMeasuringRounds,
  kRejectedRounds,
  kCanaryRatio,
  kChildFailures,
};

enum class MetricType : int { kCounter, kGauge, kHistogram };

/// Which processes record a metric; combined with |.
enum Process : unsigned { kCoordinator = 1, kWorker = 2, kAgent = 4, kEveryProcess = 7 };

/// A label whose values are few: those listed, or, when none are, at most `max_values` that nobody outside chooses. Any other value is
/// recorded as "other", so that no input makes the number of time series grow.
struct LabelSpec {
  absl::string_view name;
  std::vector<absl::string_view> values;
  absl::string_view meaning;  // of an open label
  size_t max_values = 0;      // of an open label
};

struct MetricSpec {
  Metric id;
  MetricType type;
  unsigned processes;
  absl::string_view name;
  absl::string_view help;
  std::vector<LabelSpec> labels;
  std::vector<double> buckets;  // upper bounds of a histogram
};

/// In the order of the enumeration.
const std::vector<MetricSpec>& MetricTable();
const MetricSpec& SpecOf(Metric metric);

inline constexpr absl::string_view kOtherLabel = "other";

/// The table as Markdown, one section for each kind of process.
std::string MetricReference();

}  // namespace hanas::telemetry

#endif  // HANAS_TELEMETRY_METRIC_TABLE_H_
