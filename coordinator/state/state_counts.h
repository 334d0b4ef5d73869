// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STATE_STATE_COUNTS_H_
#define HANAS_COORDINATOR_STATE_STATE_COUNTS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "coordinator/state/state.h"
#include "telemetry/metrics.h"

namespace hanas::coordinator {

/// How many searches and tasks are in which state, kept as the state changes: a scrape does not walk it.
///
/// Thread-compatible.
class StateCounts {
 public:
  /// Forgets, and counts everything. Tasks that are ready have waited since `now`, of the monotonic clock.
  void Reset(const State& state, absl::Duration now);
  /// Counts again what an update touched. O(changes).
  void Update(const State& state, const Changes& changes, absl::Duration now);

  void Record(telemetry::Metrics& metrics, absl::Duration now) const;

 private:
  struct SeenTask {
    absl::string_view kind;
    TaskState state = TaskState::kReady;
    absl::Duration since;
  };
  void See(const TaskRecord& task, absl::Duration now);
  void See(const SearchRecord& search);
  void ForgetTask(uint64_t id);
  void ForgetSearch(uint64_t id);

  absl::flat_hash_map<uint64_t, SeenTask> tasks_;
  absl::flat_hash_map<uint64_t, std::string> searches_;  // their phase, as the metric says it
  // Rows stay when they fall to 0, so that a gauge falls too.
  std::map<std::pair<absl::string_view, TaskState>, int64_t> num_tasks_;
  std::map<std::string, int64_t> num_searches_;
  std::set<std::pair<absl::Duration, uint64_t>> ready_;  // (since when, task)
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STATE_STATE_COUNTS_H_
