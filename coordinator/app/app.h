// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_APP_APP_H_
#define HANAS_COORDINATOR_APP_APP_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "coordinator/app/blockers.h"
#include "coordinator/app/candidates.h"
#include "coordinator/app/clock.h"
#include "coordinator/app/forecast.h"
#include "coordinator/app/lease_rules.h"
#include "coordinator/app/replay.h"
#include "coordinator/app/report_data.h"
#include "coordinator/app/search_context.h"
#include "coordinator/app/state.h"
#include "coordinator/app/updates.h"
#include "coordinator/store/artifact_store.h"
#include "coordinator/store/store.h"

namespace hanas::coordinator {

struct AppOptions {
  absl::Duration lease_ttl = absl::Seconds(15);  // at least 1 s

  absl::Status Validate() const;
};

/// A search as others see it.
struct SearchSnapshot {
  SearchRecord record;            // phases carry live progress
  std::vector<Blocker> blockers;  // why nothing goes on; empty while something does
  std::string note;               // the first blocker, else what a holder of one of its tasks said last
  ForecastRecord forecast;        // what is known by now
  BudgetUse spent;
};

/// A task as users see it.
struct TaskSnapshot {
  TaskRecord task;     // without outcome and rounds
  bool agent = false;  // that its holder, present or last, is an agent
  LiveLease live;      // of a leased one
};
struct TaskPage {
  std::vector<TaskSnapshot> tasks;
  bool more = false;  // there are tasks after the last one of the page
};

struct WatchedEvents {
  std::vector<EventRecord> events;  // after the sequence asked for
  SearchSnapshot search;
  bool stopped = false;  // the application stops: ask again elsewhere, or later
};

/// A task with all that its holder needs to know.
struct GrantedTask {
  TaskRecord task;
  absl::Duration ttl;
  std::shared_ptr<const SearchJob> job;
  std::vector<std::pair<std::vector<float>, double>> rows;  // of FitWork: features, accuracy
};

struct Renewal {
  Holder holder;
  int64_t done = 0;
  int64_t total = 0;
  std::string note;
  bool paused = false;
};
struct RenewalReply {
  absl::Duration ttl;
  LeaseInstruction instruction = LeaseInstruction::kContinue;
};

/// The coordinator: searches, tasks and leases over a durable store. Memory is the truth for reads; a change is checked, applied, and
/// written in one synced batch before its caller gets a reply. When a write fails the state is read back from the store, so that memory
/// never knows more than the disk.
///
/// `store`, `artifacts` and `clock` are borrowed. Somebody calls RunOnce whenever WaitForChange returns: that is what expires leases and
/// moves searches on. Thread-safe.
///
/// Every method may return the store's statuses; UNAVAILABLE while the state could not be read back.
class App {
 public:
  /// Recovers from what the store holds. Returns the options', the store's and LoadState's statuses.
  static absl::StatusOr<std::unique_ptr<App>> Create(Store* store, ArtifactStore* artifacts, Clock* clock, SpecParser parse_spec,
                                                     AppOptions options = {});

  // ---- searches ----
  /// The same request_id gives the same search; returns ALREADY_EXISTS when it was used for another job.
  absl::StatusOr<SearchSnapshot> CreateSearch(const std::string& request_id, std::string spec, SearchJob job) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Returns NOT_FOUND.
  absl::StatusOr<SearchSnapshot> GetSearch(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  /// In order of creation.
  absl::StatusOr<std::vector<SearchSnapshot>> ListSearches() ABSL_LOCKS_EXCLUDED(mutex_);
  /// What CreateSearch would make of the job, with its forecast, the id 0 and no specification; nothing is stored. When the latency table
  /// of the device that the target names, or of one of its kind, already tells that no network keeps the limits, the snapshot is FAILED
  /// with INFEASIBLE_LIMITS and the message that the search would end with.
  absl::StatusOr<SearchSnapshot> Validate(const SearchJob& job) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Returns NOT_FOUND, FAILED_PRECONDITION when it is over.
  absl::StatusOr<SearchSnapshot> CancelSearch(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  /// See PauseSearchUpdate. Pausing twice is fine. Returns NOT_FOUND, FAILED_PRECONDITION when it is over.
  absl::StatusOr<SearchSnapshot> PauseSearch(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Of a paused or FAILED search, see ResumeSearchUpdate; nothing changes for one that goes on. Returns NOT_FOUND, FAILED_PRECONDITION
  /// when it succeeded, was cancelled, or failed for a reason that lies in its job.
  absl::StatusOr<SearchSnapshot> ResumeSearch(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  /// See FinishSearchUpdate. Finishing twice is fine. Returns NOT_FOUND, FAILED_PRECONDITION when it is over or has nothing to verify.
  absl::StatusOr<SearchSnapshot> FinishSearch(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  /// See Replay. Reads a copy: the application goes on meanwhile. Returns NOT_FOUND.
  absl::StatusOr<ReplayResult> ReplaySearch(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  /// At most `max` tasks with an id above `after`, in order of creation. Returns NOT_FOUND.
  absl::StatusOr<TaskPage> ListTasks(uint64_t id, uint64_t after, int max) ABSL_LOCKS_EXCLUDED(mutex_);
  /// At most `max` candidates with a sequence above `after`. Returns NOT_FOUND.
  absl::StatusOr<CandidatePage> ListCandidates(uint64_t id, int64_t after, int max) ABSL_LOCKS_EXCLUDED(mutex_);
  /// The non-dominated candidates of now, ascending in latency. Returns NOT_FOUND.
  absl::StatusOr<std::vector<CandidateRow>> GetFront(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Waits, at most `timeout`, until there is an event after `after_sequence`. Returns NOT_FOUND.
  absl::StatusOr<WatchedEvents> WaitForEvents(uint64_t id, int64_t after_sequence, absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Returns NOT_FOUND, FAILED_PRECONDITION until it has SUCCEEDED.
  absl::StatusOr<ReportData> GetReport(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);

  // ---- tasks ----
  /// Returns INVALID_ARGUMENT for a party without name, instance or host.
  absl::StatusOr<PartyRecord> Register(PartyRecord party) ABSL_LOCKS_EXCLUDED(mutex_);
  /// The next task for this party, none after `timeout`. A party that has a live lease gets it again: its reply was lost. Returns NOT_FOUND
  /// for a party that is not registered, FAILED_PRECONDITION with SUPERSEDED for an instance that was replaced.
  absl::StatusOr<std::optional<GrantedTask>> LeaseTask(uint64_t party, const std::string& instance, absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mutex_);
  /// Returns NOT_FOUND, FAILED_PRECONDITION with STALE_LEASE.
  absl::StatusOr<RenewalReply> Renew(const Renewal& renewal) ABSL_LOCKS_EXCLUDED(mutex_);
  /// The same completion twice is fine. Returns NOT_FOUND, FAILED_PRECONDITION (STALE_LEASE; ARTIFACT_MISSING when the outcome names bytes
  /// that are not stored), INVALID_ARGUMENT for an outcome that does not fit.
  absl::Status Complete(const Holder& holder, Outcome outcome) ABSL_LOCKS_EXCLUDED(mutex_);
  /// "HANDED_BACK" does not count as an attempt. Returns NOT_FOUND, FAILED_PRECONDITION with STALE_LEASE.
  absl::Status Fail(const Holder& holder, const std::string& code, const std::string& message, bool retryable) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Returns NOT_FOUND, FAILED_PRECONDITION with STALE_LEASE, INVALID_ARGUMENT.
  absl::Status RecordRound(const Holder& holder, RecordedRound round) ABSL_LOCKS_EXCLUDED(mutex_);

  /// Where workers put bytes before they name them in an outcome. Borrowed, thread-safe.
  ArtifactStore* artifacts() { return artifacts_; }

  // ---- the loop ----
  /// Expires leases and takes every step that searches are ready for.
  absl::Status RunOnce() ABSL_LOCKS_EXCLUDED(mutex_);
  /// Until something changed since the last RunOnce, Stop was called, or `timeout`.
  void WaitForChange(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Everything that waits returns at once, now and later.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  App(Store* store, ArtifactStore* artifacts, Clock* clock, SpecParser parse_spec, AppOptions options)
      : store_(store), artifacts_(artifacts), clock_(clock), parse_spec_(std::move(parse_spec)), options_(options) {}

  absl::Status Reload() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckUsable() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  template <typename Update>
  absl::Status Commit(const Update& update) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  SearchSnapshot Snapshot(const SearchState& search) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  PhaseRecord LiveProgress(const SearchState& search) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int64_t WallMicros() { return absl::ToUnixMicros(clock_->Wall()); }
  absl::StatusOr<SearchSnapshot> ShowAfter(const absl::Status& committed, uint64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<CandidateIndex*> CandidatesOf(uint64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<SearchContext*> ContextOf(const SearchState& search) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::optional<GrantedTask>> TryLease(uint64_t party, const std::string& instance) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<GrantedTask> Describe(uint64_t task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropReplacedCheckpoints(uint64_t task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status ExpireLeases() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status EnforceWallBudget(uint64_t search) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Drive(uint64_t search) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Touch(uint64_t party) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { live_.parties[party] = clock_->Monotonic(); }

  Store* const store_;
  ArtifactStore* const artifacts_;
  Clock* const clock_;
  const SpecParser parse_spec_;
  const AppOptions options_;

  absl::Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_);
  LiveState live_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, std::unique_ptr<SearchContext>> contexts_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, std::unique_ptr<CandidateIndex>> candidates_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, absl::Duration> phase_started_
      ABSL_GUARDED_BY(mutex_);                          // since when the current phase's seconds are not in its record
  absl::Status broken_ ABSL_GUARDED_BY(mutex_);         // why the state could not be read back
  int64_t version_ ABSL_GUARDED_BY(mutex_) = 1;         // changes so far
  int64_t driven_version_ ABSL_GUARDED_BY(mutex_) = 0;  // those that the last RunOnce saw
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_APP_APP_H_
