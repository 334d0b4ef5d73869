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

/// A network as truly evaluated. `measured` is of the networks of rounds that a target asked for.
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

/// Whether both are the same network of the same space, however they are trained.
bool IsSameNetwork(const MemberRecord& a, const MemberRecord& b);

/// A search as one of its targets has it; what targets have in common is the same in each of these views. Borrows the state; use at once.
class SearchView {
 public:
  SearchView(const State& state, const SearchState& search, size_t target = 0) : state_(state), search_(search), target_(target) {}

  // ---- targets ----
  size_t num_targets() const { return TargetsOf(job()).size(); }
  /// The same search for another target.
  SearchView For(size_t target) const { return {state_, search_, target}; }
  std::vector<SearchView> ForEach() const;
  size_t target_index() const { return target_; }
  const TargetSpec& target_spec() const { return TargetsOf(job())[target_]; }
  /// All empty before the search is bound to devices.
  const TargetRecord& target() const { return TargetAt(search_.record, target_); }
  /// "pi5: ", before what is said of one target among several; else empty.
  std::string TargetPrefix() const;

  const SearchRecord& record() const { return search_.record; }
  const SearchJob& job() const { return *search_.job; }
  const State& state() const { return state_; }
  const SearchState& search() const { return search_; }

  // ---- tasks. A key without a target means the view's, where targets have tasks of their own. ----
  std::string TextOf(const TaskKey& key) const;
  /// A task of a network of a report, whichever target's. It is trained and bound under the key of the member that it is trained as, and
  /// an opponent's rate is that of the first one which is the same network.
  TaskKey MemberKey(TaskStage stage, const MemberRecord& member) const;
  const TaskRecord* Task(const TaskKey& key) const { return state_.FindTask(search_, TextOf(key)); }
  bool Has(const TaskKey& key) const { return Task(key) != nullptr; }
  /// The outcome of a task that is done, else null.
  template <typename T>
  const T* Done(const TaskKey& key) const {
    const TaskRecord* task = Task(key);
    return task != nullptr && task->outcome.has_value() ? std::get_if<T>(&*task->outcome) : nullptr;
  }
  /// The tasks of the series from index 0 on that exist; the index of `series` does not matter.
  std::vector<const TaskRecord*> Numbered(const TaskKey& series) const;
  /// The same of every target, one after the other; what targets have in common once. The target of `series` is empty.
  std::vector<const TaskRecord*> NumberedOfAll(const TaskKey& series) const;
  /// There are some of the series, and all are done.
  bool AllDone(const TaskKey& series) const;
  /// A failed task that the search cannot do without, of the phases that it has come to: any but those of single members, and those that
  /// measure plain networks to choose opponents among. Null when there is none.
  const TaskRecord* FirstFailed() const;
  /// A failed task of this member, or null.
  const TaskRecord* FailedTaskOf(const MemberRecord& member) const;
  bool IsLeftOut(const MemberRecord& member) const;
  /// Whether the job has some members of the front trained on, and which is still to be decided.
  bool IsContested() const;

  /// Rounds that were concluded; once verification has begun also the one that finishing cut short, if any.
  int NumRounds() const;
  /// Networks evaluated for any target before members are chosen, in the order in which they were asked: samples, the witnesses of the
  /// limits, then `num_rounds` rounds; what was measured is of the view's target. Those whose task is not done are left out.
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
  size_t target_;
};

/// The named statistic of a measurement.
double StatisticUs(const NetworkMeasurement& measurement, LatencyStatistic statistic);

/// Whether all of these are done.
bool AreDone(const std::vector<const TaskRecord*>& tasks);

/// How far the phase has come, for all targets. `live_done` is the progress that the holders of leased tasks last reported, by task.
PhaseRecord ProgressOf(const SearchView& view, const std::map<uint64_t, int64_t>& live_done);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STATE_SEARCH_VIEW_H_
