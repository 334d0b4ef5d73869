// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STATE_STATE_H_
#define HANAS_COORDINATOR_STATE_STATE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/store/record_key.h"
#include "coordinator/store/records.h"
#include "coordinator/store/store.h"
#include "core/job/search_job.h"
#include "core/latency/latency_model.h"

namespace hanas::coordinator {

/// The job of a stored search. It was accepted once, perhaps by a version with other bounds: `refused` says why this one would not accept
/// it.
struct StoredJob {
  StoredJob(SearchJob read, absl::Status why_refused = absl::OkStatus())  // NOLINT(google-explicit-constructor): most are not refused
      : job(std::move(read)), refused(std::move(why_refused)) {}

  SearchJob job;
  absl::Status refused;
};

/// Reads the bytes of a stored specification. Given to the application, which knows no wire format. Fails for bytes that are none.
using SpecParser = std::function<absl::StatusOr<StoredJob>(absl::string_view)>;

/// What tasks that are done add up to.
struct SearchTotals {
  double device_seconds = 0;      // of measuring
  int64_t evaluations = 0;        // networks
  int64_t round_evaluations = 0;  // of those, in rounds
};

/// A search with what is rebuilt at load.
struct SearchState {
  SearchRecord record;
  std::shared_ptr<const SearchJob> job;
  absl::Status refused;                   // why nothing is computed of its job: JOB_REFUSED; OK for almost all
  std::map<std::string, uint64_t> tasks;  // by key; those that it shares too (sharing.h)
  std::vector<uint64_t> tasks_in_order;   // ascending: in order of creation
  std::vector<uint64_t> results;          // evaluations and measurements of networks that are done, in the order in which they came
  SearchTotals totals;
  std::vector<EventRecord> events;  // by sequence, from 1

  /// To be called once for every task of this search that is done.
  void AddResult(const TaskRecord& task);
};

inline bool IsTerminal(SearchPhase phase) { return phase >= SearchPhase::kSucceeded; }
absl::string_view Name(SearchPhase phase);  // "PROFILING"

/// What a latency row means nothing without: equal contexts share one table. The device's name and host do not matter, its kind does.
Digest ContextDigest(const DeviceDescription& device, const BackendCaps& caps);
inline Digest ContextOf(const TargetRecord& target) { return ContextDigest(target.device, target.caps); }
/// The target of that index; one that is all empty before the search is bound to devices.
const TargetRecord& TargetAt(const SearchRecord& search, size_t index);
/// A class of devices, those of one context, as targets name it: "class-" and twelve digits.
std::string DeviceClassName(const Digest& context);

/// What searches have in common (sharing.h).
struct SharedTasks {
  std::set<uint64_t> searches;
  std::set<uint64_t> tasks;
};

/// All that the coordinator remembers, in memory.
///
/// Thread-compatible.
struct State {
  uint64_t counter = 0;  // the last id or fencing token handed out
  std::map<uint64_t, SearchState> searches;
  std::map<uint64_t, TaskRecord> tasks;
  std::map<uint64_t, PartyRecord> parties;
  std::map<Digest, LatencyTable> tables;                // by context
  std::map<std::string, SharedTasks> shared;            // by what they are shared under; an index
  absl::flat_hash_map<std::string, uint64_t> requests;  // searches by request id; an index

  const SearchState* FindSearch(uint64_t id) const;
  const TaskRecord* FindTask(uint64_t id) const;
  const PartyRecord* FindParty(uint64_t id) const;
  /// The task of a search with this key, or null.
  const TaskRecord* FindTask(const SearchState& search, const std::string& key) const;
};

/// A state of this search alone: its tasks, its table, and the parties.
State Extract(const State& state, const SearchState& search);

/// Which records an update touched.
struct Changes {
  bool counter = false;
  bool farm = false;  // who is there, or may work, changed; no record
  std::set<uint64_t> searches;
  std::set<uint64_t> tasks;
  std::set<uint64_t> parties;                     // one that is not there any more was forgotten
  std::set<std::pair<uint64_t, int64_t>> events;  // (search, sequence)
  std::vector<std::pair<Digest, OpKey>> rows;
  // What is there no more. A task that another search takes over is erased under the one and touched under the other.
  std::set<uint64_t> deleted_searches;
  std::set<uint64_t> deleted_tasks;
  std::vector<RecordKey> erased;
};

/// The touched records as one batch for the store, those that are there no more before the others.
std::vector<StoreChange> BatchOf(const State& state, const Changes& changes);

/// The state from records, with the invariants checked: every task has its search, keys are unique, states and outcomes agree, no id or
/// token is above the counter. A search whose job is refused (StoredJob) is there, FAILED with JOB_REFUSED if it went on. Returns DATA_LOSS
/// naming the broken one, FAILED_PRECONDITION for records of a newer version.
absl::StatusOr<State> LoadState(const std::vector<StoreRecord>& records, const SpecParser& parse_spec);

/// The invariants alone.
absl::Status CheckInvariants(const State& state);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STATE_STATE_H_
