// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STATE_UPDATES_H_
#define HANAS_COORDINATOR_STATE_UPDATES_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/state/state.h"

namespace hanas::coordinator {

// Every change of the state is one of these values. Check says whether it may happen and changes nothing; Apply, after a Check that passed,
// makes it happen and notes the touched records, which the caller writes in one synced batch. All are deterministic: no clock, no
// randomness.
//
// Reasons (core/base/error_reason.h): STALE_LEASE for a fencing token or instance that was replaced.

/// Failures after which a task, and with it its search, has failed.
inline constexpr int kMaxFailures = 3;

/// NOT_FOUND with SEARCH_NOT_FOUND.
absl::Status NoSearch(uint64_t id);

struct CreateSearchUpdate {
  std::string request_id;
  std::string spec;
  std::shared_ptr<const SearchJob> job;
  JobDigests digests;  // DigestsOf(*job): made once, by the caller
  int64_t now_us = 0;  // wall clock, as data; set when the update is decided
  absl::Status Check(const State& state) const;
  void Apply(State& state, Changes& changes) const;
};

/// A search that had succeeded before (TrainMemberUpdate) is then as it was. Returns NOT_FOUND, FAILED_PRECONDITION for a search that is
/// over.
struct CancelSearchUpdate {
  uint64_t search = 0;
  int64_t now_us = 0;
  absl::Status Check(const State& state) const;
  void Apply(State& state, Changes& changes) const;
};

/// Leases are handed back at the next step boundary, none are granted, no step is taken. Results that still come are taken. Nothing changes
/// for a search that is paused already. Returns NOT_FOUND, FAILED_PRECONDITION for a search that is over.
struct PauseSearchUpdate {
  uint64_t search = 0;
  PhaseRecord progress;  // of the current phase, at this moment
  absl::Status Check(const State& state) const;
  void Apply(State& state, Changes& changes) const;
};

/// A paused search goes on. A FAILED one goes on in the phase where it failed, its failed tasks as if they had never been tried and those
/// that its failure cancelled ready again; what is done stays done. Nothing changes for a search that goes on. Returns NOT_FOUND,
/// FAILED_PRECONDITION for a search that succeeded, was cancelled, or failed for a reason that lies in its job (IsFinalFailure).
struct ResumeSearchUpdate {
  uint64_t search = 0;
  absl::Status Check(const State& state) const;
  void Apply(State& state, Changes& changes) const;
};
/// Whether the same job can only fail again: INFEASIBLE_LIMITS, BUDGET_SPENT, JOB_REFUSED.
bool IsFinalFailure(absl::string_view error_code);

/// No further training or rounds: open tasks of SAMPLING and SEARCHING are cancelled (their holders are told to abandon them), a round
/// whose predictor is there is concluded, the networks that were evaluated are what there is to choose from, and VERIFYING comes next. A
/// paused search goes on. Nothing changes for a search that finishes or verifies already. Returns NOT_FOUND, FAILED_PRECONDITION for a
/// search that is over or has evaluated no network yet.
struct FinishSearchUpdate {
  uint64_t search = 0;
  std::string reason;
  absl::Status Check(const State& state) const;
  void Apply(State& state, Changes& changes) const;
};

/// Its record, events and tasks go, except tasks that other searches share: those become another one's. Its request id is free again, and
/// its number is never given to another search. Returns NOT_FOUND, FAILED_PRECONDITION with SEARCH_NOT_OVER.
struct DeleteSearchUpdate {
  uint64_t search = 0;
  absl::Status Check(const State& state) const;
  void Apply(State& state, Changes& changes) const;
};

/// Workers and agents together; each costs a record, and a place in every list.
inline constexpr size_t kMaxParties = 1000;

/// `party.id` is ignored: the (kind, name) decides. The name belongs to `party.key`: another key takes it only when nobody uses it. A new
/// instance fences the leases of the old one: their tasks are ready again. What the party did and what was decided about it (records.h)
/// stays. Returns INVALID_ARGUMENT for a party without name, instance or host, ALREADY_EXISTS (NAME_IN_USE), RESOURCE_EXHAUSTED
/// (TOO_MANY_PARTIES).
struct RegisterPartyUpdate {
  PartyRecord party;
  std::vector<uint64_t> progressed;  // tasks whose leases got further than those before: that their holder died is not their fault
  bool in_use = false;               // whether the party that has the name was heard of lately
  uint64_t forgotten = 0;            // a party to make room of; 0: none
  int64_t now_us = 0;                // wall clock, as data
  absl::Status Check(const State& state) const;
  void Apply(State& state, Changes& changes) const;
};
/// A party that drains gets no work. An end of draining also ends a device's quarantine.
struct SetDrainUpdate {
  bool agent = false;
  uint64_t party = 0;
  bool drain = false;
  absl::Status Check(const State& state) const;
  void Apply(State& state, Changes& changes) const;
};
/// The id of a party, 0 when there is none.
uint64_t FindPartyId(const State& state, bool agent, absl::string_view name);

struct GrantLeaseUpdate {
  uint64_t task = 0;
  uint64_t party = 0;
  absl::Status Check(const State& state) const;
  void Apply(State& state, Changes& changes) const;
};

/// Who says something about a task.
struct Holder {
  uint64_t party = 0;
  std::string instance;
  uint64_t task = 0;
  uint64_t fencing_token = 0;
};
/// Returns NOT_FOUND for an unknown task, FAILED_PRECONDITION with STALE_LEASE unless `holder` has its live lease.
absl::Status CheckHolder(const State& state, const Holder& holder);

/// Why a lease was taken from its holder.
enum class LeaseEnd : uint8_t {
  kSilent = 0,       // not renewed: counts as a failure unless it had progressed
  kStuck = 1,        // renewed for long without progress: counts
  kIgnoredStop = 2,  // told to stop, and did not: does not count, since pausing and draining are nobody's fault
};

/// A lease that ran out or was taken away.
struct ExpireLeaseUpdate {
  uint64_t task = 0;
  LeaseEnd reason = LeaseEnd::kSilent;
  bool progressed = false;
  absl::Status Check(const State& state) const;
  void Apply(State& state, Changes& changes) const;
};

/// Training that stopped before its last step is ready again from its checkpoint. Measured operators enter the table of the search's
/// device.
struct CompleteTaskUpdate {
  Holder holder;
  Outcome outcome;
  /// Returns CheckHolder's statuses, INVALID_ARGUMENT for an outcome that does not fit the work.
  absl::Status Check(const State& state) const;
  void Apply(State& state, Changes& changes) const;
};
/// The artifacts that an outcome names.
std::vector<ArtifactRef> ArtifactsOf(const Outcome& outcome);

struct FailTaskUpdate {
  Holder holder;
  std::string code;
  std::string message;
  bool retryable = false;
  bool counts = true;  // false: handed back
  absl::Status Check(const State& state) const;
  void Apply(State& state, Changes& changes) const;
};

struct RecordRoundUpdate {
  Holder holder;
  RecordedRound round;
  absl::Status Check(const State& state) const;
  void Apply(State& state, Changes& changes) const;
};

/// One step in the life of a search, as the driver derives it.
struct AdvanceSearchUpdate {
  struct Event {
    std::string kind;
    std::string text;
  };

  uint64_t search = 0;
  SearchPhase expected = SearchPhase::kPending;
  int64_t expected_events = 0;  // recorded when the step was computed: everything that users do to a search is an event
  std::optional<SearchPhase> next;
  std::string error;  // of kFailed
  std::string error_code;
  std::vector<std::pair<std::string, Work>> tasks;
  std::vector<TargetRecord> bindings;                       // not empty: the devices of all targets
  std::optional<std::pair<size_t, ProfileRecord>> profile;  // of one target
  std::vector<RoundRecord> rounds;                          // not empty: the same round of all targets
  std::optional<std::vector<MemberRecord>> members;
  std::optional<std::vector<LeftOutRecord>> left_out;
  std::optional<ForecastRecord> forecast;
  std::optional<double> compute_seconds;
  std::string finish_reason;  // not empty: the search finishes
  std::vector<Event> events;
  int64_t candidates_scored = 0;  // on surrogates, for this step
  double scoring_seconds = 0;     // what that took; data, set by the caller
  // Of the phase that is current before the step, at the moment of the step.
  PhaseRecord progress;
  int64_t now_us = 0;  // wall clock, as data; set when the update is decided

  /// ABORTED when the search has moved on, is paused, or has a task already, or its operators are measured for another one.
  absl::Status Check(const State& state) const;
  void Apply(State& state, Changes& changes) const;
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STATE_UPDATES_H_
