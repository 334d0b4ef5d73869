// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STATE_SEARCH_VIEW_H_
#define HANAS_COORDINATOR_STATE_SEARCH_VIEW_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "coordinator/calibration/calibration.h"
#include "coordinator/state/state.h"
#include "coordinator/state/task_key.h"

namespace hanas::coordinator {

// Readings of a search's tasks and their outcomes. Everything here is a pure function of the state.

/// A network as truly evaluated. `measured` is of the networks of search rounds.
struct EvaluatedNetwork {
  Architecture architecture;
  Score score;
  std::optional<NetworkMeasurement> measured;
};

/// A whole network that calibrates: measured, with random weights.
struct MeasuredNetwork {
  Architecture architecture;
  NetworkMeasurement measurement;
  bool held_out = false;  // never used to fit
};

/// Borrows the state; use at once.
class SearchView {
 public:
  SearchView(const State& state, const SearchState& search) : state_(state), search_(search) {}

  const SearchRecord& record() const { return search_.record; }
  const SearchJob& job() const { return *search_.job; }
  const State& state() const { return state_; }
  const SearchState& search() const { return search_; }

  const TaskRecord* Task(const TaskKey& key) const { return state_.FindTask(search_, key.ToString()); }
  bool Has(const TaskKey& key) const { return Task(key) != nullptr; }
  /// The outcome of a task that is done, else null.
  template <typename T>
  const T* Done(const TaskKey& key) const {
    const TaskRecord* task = Task(key);
    return task != nullptr && task->outcome.has_value() ? std::get_if<T>(&*task->outcome) : nullptr;
  }
  /// The tasks of the series from index 0 on that exist; the index of `series` does not matter.
  std::vector<const TaskRecord*> Numbered(const TaskKey& series) const;
  /// There are some of the series, and all are done.
  bool AllDone(const TaskKey& series) const;
  /// A failed task that the search cannot do without, of the phases that it has come to: any but those of single members. Null when there
  /// is none.
  const TaskRecord* FirstFailed() const;
  /// A failed task of this member, or null.
  const TaskRecord* FailedTaskOf(const MemberRecord& member) const;
  bool IsLeftOut(const MemberRecord& member) const;

  /// Rounds that were concluded; once verification has begun also the one that finishing cut short, if any.
  int NumRounds() const;
  /// Networks evaluated with shared weights, in the order in which they were asked: samples, the witness of the limits, then `num_rounds`
  /// rounds. Those whose task is not done are left out.
  std::vector<EvaluatedNetwork> Evaluations(int num_rounds) const;
  /// Whether any network was evaluated. O(tasks).
  bool HasEvaluations() const;
  /// Measured for calibration, then in the first `num_rounds` rounds. Those whose task is not done are left out.
  std::vector<MeasuredNetwork> Measurements(int num_rounds) const;
  /// The last checkpoint of a chain of training tasks, or null while it goes on.
  const TrainOutcome* ChainEnd(const TaskKey& chain) const;

  const LatencyTable* Table() const;

 private:
  const State& state_;
  const SearchState& search_;
};

/// The named statistic of a measurement.
double StatisticUs(const NetworkMeasurement& measurement, LatencyStatistic statistic);

/// How far the phase has come. `live_done` is the progress that the holders of leased tasks last reported, by task.
PhaseRecord ProgressOf(const SearchView& view, const std::map<uint64_t, int64_t>& live_done);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STATE_SEARCH_VIEW_H_
