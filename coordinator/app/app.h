// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_APP_APP_H_
#define HANAS_COORDINATOR_APP_APP_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "coordinator/app/artifact_collector.h"
#include "coordinator/app/executor.h"
#include "coordinator/clock/clock.h"
#include "coordinator/driver/replay.h"
#include "coordinator/judging/candidates.h"
#include "coordinator/judging/forecast.h"
#include "coordinator/judging/search_context.h"
#include "coordinator/ledger/driven_state.h"
#include "coordinator/ledger/ledger.h"
#include "coordinator/ledger/pending_write.h"
#include "coordinator/reporting/report_data.h"
#include "coordinator/scheduling/blockers.h"
#include "coordinator/scheduling/farm_view.h"
#include "coordinator/scheduling/lease_desk.h"
#include "coordinator/scheduling/scheduler.h"
#include "coordinator/state/any_update.h"
#include "coordinator/state/state.h"
#include "coordinator/state/state_counts.h"
#include "coordinator/state/updates.h"
#include "coordinator/store/artifact_store.h"
#include "coordinator/store/store.h"
#include "core/base/stop.h"
#include "core/family/convnet/scaled.h"
#include "telemetry/metrics.h"

namespace hanas::coordinator {

struct AppOptions {
  absl::Duration lease_ttl = absl::Seconds(15);  // at least 1 s
  CollectorOptions artifacts;
  telemetry::Metrics* metrics = &telemetry::NoMetrics();  // borrowed
  PlainNetworks plain;                                    // from presets; a job that asks for one that is not there is refused
  Executor* executor = nullptr;  // borrowed: where searches are prepared; null: the loop does it itself, and stands still meanwhile

  absl::Status Validate() const;
};

/// A search as others see it.
struct SearchSnapshot {
  SearchRecord record;                   // phases carry live progress
  std::shared_ptr<const SearchJob> job;  // of its specification
  std::vector<Blocker> blockers;         // why nothing goes on; empty while something does
  std::string note;                      // the first blocker, else what a holder of one of its tasks said last
  ForecastRecord forecast;               // what is known by now
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
  std::vector<EventRecord> events;  // after the sequence asked for, in order
  SearchSnapshot search;
  bool complete = false;  // `events` reaches up to the last one
  bool stopped = false;   // the application stops: ask again elsewhere, or later
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

/// The coordinator: searches, tasks and leases over a durable store.
///
/// A use case looks up, decides once and replies. It decides on what the ledger (ledger.h) has decided so far, gives the lock back, waits
/// until the ledger has synced the decision, and replies from what is synced; readers see what is synced and never wait for a sync. Steps
/// of searches are computed without the lock, on the ledger's third copy of the state. What is not worth a write (progress, deadlines)
/// follows the decided state, and is lost with it.
///
/// Preparing a search (its operators, its cost tables) takes seconds. It runs on the executor, holds no lock, and ends when the search
/// does.
///
/// `store`, `artifacts` and `clock` are borrowed. Somebody calls RunOnce whenever WaitForChange returns: that is what expires leases, moves
/// searches on and collects artifacts. Thread-safe.
///
/// Every method may return the store's statuses; UNAVAILABLE while the state could not be read back.
class App final : private LedgerFollower {
 public:
  /// Recovers from what the store holds. Returns the options', the store's and LoadState's statuses.
  static absl::StatusOr<std::unique_ptr<App>> Create(Store* store, ArtifactStore* artifacts, Clock* clock, SpecParser parse_spec,
                                                     AppOptions options = {});
  /// Stops, and writes what is queued.
  ~App() override;

  // ---- searches ----
  /// The same request_id gives the same search; returns ALREADY_EXISTS when it was used for another job, one that differs in more than
  /// numerics, which may have been decided anew. Looks first at how many operators
  /// the space has, which takes up to a few seconds: returns INVALID_ARGUMENT for too many, and CANCELLED when `stop` says so.
  absl::StatusOr<SearchSnapshot> CreateSearch(const std::string& request_id, std::string spec, SearchJob job, StopCheck stop = NeverStop)
      ABSL_LOCKS_EXCLUDED(mutex_);
  /// What Numerics::kAuto stands for in a job that is submitted now: bf16 when there are workers, and all that are not drained multiply it.
  Numerics BestNumerics() ABSL_LOCKS_EXCLUDED(mutex_);
  /// Returns NOT_FOUND.
  absl::StatusOr<SearchSnapshot> GetSearch(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  /// In order of creation, at most `limit` after the search `after`.
  absl::StatusOr<std::vector<SearchSnapshot>> ListSearches(uint64_t after = 0, size_t limit = std::numeric_limits<size_t>::max())
      ABSL_LOCKS_EXCLUDED(mutex_);
  /// What CreateSearch would make of the job, with its forecast, the id 0 and no specification; nothing is stored. When the latency table
  /// of the device that the target names, or of one of its kind, already tells that no network keeps the limits, the snapshot is FAILED
  /// with INFEASIBLE_LIMITS and the message that the search would end with.
  absl::StatusOr<SearchSnapshot> Validate(const SearchJob& job, StopCheck stop = NeverStop) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Returns NOT_FOUND, FAILED_PRECONDITION when it is over.
  absl::StatusOr<SearchSnapshot> CancelSearch(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  /// See PauseSearchUpdate. Pausing twice is fine. Returns NOT_FOUND, FAILED_PRECONDITION when it is over.
  absl::StatusOr<SearchSnapshot> PauseSearch(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Of a paused or FAILED search, see ResumeSearchUpdate; nothing changes for one that goes on. Returns NOT_FOUND, FAILED_PRECONDITION
  /// when it succeeded, was cancelled, or failed for a reason that lies in its job.
  absl::StatusOr<SearchSnapshot> ResumeSearch(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  /// See TrainMemberUpdate; 0 steps are the job's final.steps, or those of fine-tuning, without a
  /// supernet as many as cost the same.
  absl::StatusOr<SearchSnapshot> TrainMember(uint64_t id, const std::string& target, const std::string& member, int64_t steps)
      ABSL_LOCKS_EXCLUDED(mutex_);
  /// See FinishSearchUpdate. Finishing twice is fine. Returns NOT_FOUND, FAILED_PRECONDITION when it is over or has nothing to verify.
  absl::StatusOr<SearchSnapshot> FinishSearch(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  /// See DeleteSearchUpdate. Watches of the search end; what only it needed of the artifacts is collected. Returns NOT_FOUND,
  /// FAILED_PRECONDITION unless it is over.
  absl::Status DeleteSearch(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  /// See Replay. Reads a copy: the application goes on meanwhile. Returns NOT_FOUND.
  absl::StatusOr<ReplayResult> ReplaySearch(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  /// At most `max` tasks with an id above `after`, in order of creation. Returns NOT_FOUND.
  absl::StatusOr<TaskPage> ListTasks(uint64_t id, uint64_t after, int max) ABSL_LOCKS_EXCLUDED(mutex_);
  // A target is called by its name; an empty one is the first. These return NOT_FOUND, and INVALID_ARGUMENT for a name that the search's
  // job does not have.
  /// At most `max` candidates with a sequence above `after`, with the latencies of a target.
  absl::StatusOr<CandidatePage> ListCandidates(uint64_t id, int64_t after, int max, const std::string& target = "")
      ABSL_LOCKS_EXCLUDED(mutex_);
  /// The non-dominated candidates of now for a target, ascending in latency.
  absl::StatusOr<std::vector<CandidateRow>> GetFront(uint64_t id, const std::string& target = "") ABSL_LOCKS_EXCLUDED(mutex_);
  /// Returns FAILED_PRECONDITION until the search has SUCCEEDED.
  absl::StatusOr<ReportData> GetReport(uint64_t id, const std::string& target = "") ABSL_LOCKS_EXCLUDED(mutex_);
  /// At most `max_events` after `after_sequence`. Never waits. Returns NOT_FOUND.
  absl::StatusOr<WatchedEvents> ReadEvents(uint64_t id, int64_t after_sequence, size_t max_events) ABSL_LOCKS_EXCLUDED(mutex_);
  /// `notify` is called, without locks, whenever the search has new events and when the application stops; it may be called once more while
  /// EndWatch returns. Returns the watch.
  uint64_t WatchEvents(uint64_t search, std::function<void()> notify) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndWatch(uint64_t watch) ABSL_LOCKS_EXCLUDED(mutex_);

  // ---- tasks ----
  /// See RegisterPartyUpdate. A name is in use while its party was heard of within the lease ttl. When there are kMaxParties, the one that
  /// has been silent for longest, for at least as long, makes room, if it never had a task.
  absl::StatusOr<PartyRecord> Register(PartyRecord party) ABSL_LOCKS_EXCLUDED(mutex_);
  /// The next task for this party, none after `timeout`. A party that has a live lease gets it again: its reply was lost. Returns NOT_FOUND
  /// for a party that is not registered, FAILED_PRECONDITION with SUPERSEDED for an instance that was replaced.
  absl::StatusOr<std::optional<GrantedTask>> LeaseTask(uint64_t party, const std::string& instance, absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mutex_);
  /// The same without a thread that waits: `done` is called exactly once, by any thread, without locks. With a `wait` (NewWait) it waits
  /// for a task until EndWait; a second request of the party ends the first one without a task. 0: it does not wait.
  void RequestTask(uint64_t party, const std::string& instance, uint64_t wait, LeaseDesk::Done done) ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t NewWait() ABSL_LOCKS_EXCLUDED(mutex_);
  /// Fine when it is over already, and when it has not begun.
  void EndWait(uint64_t wait) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Returns NOT_FOUND, FAILED_PRECONDITION with STALE_LEASE.
  absl::StatusOr<RenewalReply> Renew(const Renewal& renewal) ABSL_LOCKS_EXCLUDED(mutex_);
  /// The same completion twice is fine. Returns NOT_FOUND, FAILED_PRECONDITION (STALE_LEASE; ARTIFACT_MISSING when the outcome names bytes
  /// that are not stored), INVALID_ARGUMENT for an outcome that does not fit.
  absl::Status Complete(const Holder& holder, Outcome outcome) ABSL_LOCKS_EXCLUDED(mutex_);
  /// "HANDED_BACK" does not count as an attempt. Returns NOT_FOUND, FAILED_PRECONDITION with STALE_LEASE.
  absl::Status Fail(const Holder& holder, const std::string& code, const std::string& message, bool retryable) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Returns NOT_FOUND, FAILED_PRECONDITION with STALE_LEASE, INVALID_ARGUMENT.
  absl::Status RecordRound(const Holder& holder, RecordedRound round) ABSL_LOCKS_EXCLUDED(mutex_);

  // ---- the farm ----
  /// At most `limit` workers or agents with ids above `after`, in order of registration.
  absl::StatusOr<std::vector<PartySnapshot>> ListParties(bool agents, uint64_t after, size_t limit) ABSL_LOCKS_EXCLUDED(mutex_);
  /// A party that drains hands back its task at the next step boundary and gets none until the end of draining, which also ends a device's
  /// quarantine. Survives restarts, of the party too. Returns NOT_FOUND.
  absl::Status SetDrain(bool agent, uint64_t id, bool drain) ABSL_LOCKS_EXCLUDED(mutex_);

  /// Where workers put bytes before they name them in an outcome. Borrowed, thread-safe.
  ArtifactStore* artifacts() { return artifacts_; }

  /// Records how many searches, tasks and parties are in which state now. Cheap: it walks parties and leases, not tasks.
  void RecordGauges(telemetry::Metrics& metrics) ABSL_LOCKS_EXCLUDED(mutex_);

  // ---- the loop ----
  /// Expires leases, takes every step that searches are ready for, and removes artifacts that nothing refers to.
  absl::Status RunOnce() ABSL_LOCKS_EXCLUDED(driver_mutex_, mutex_);
  /// Until something changed since the last RunOnce, Stop was called, or `timeout`.
  void WaitForChange(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);
  /// To be called when the process itself stood still: stopped, starved, its machine paused. It heard nobody meanwhile, so that live leases
  /// get a fresh ttl, as after a restart.
  void StoodStill() ABSL_LOCKS_EXCLUDED(mutex_);
  /// Everything that waits returns at once, now and later.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Notify = std::shared_ptr<const std::function<void()>>;
  struct Watch {
    uint64_t search = 0;
    Notify notify;
  };
  App(Store* store, ArtifactStore* artifacts, Clock* clock, SpecParser parse_spec, AppOptions options)
      : artifacts_(artifacts),
        clock_(clock),
        options_(options),
        collector_(artifacts, options.artifacts),
        ledger_(store, clock, std::move(parse_spec), &mutex_, this),
        scheduler_(&ledger_.decided(), options.lease_ttl),
        desk_(&ledger_, &scheduler_, options.lease_ttl, options.metrics) {}

  // What follows the ledger.
  void Decided(const Changes& changes) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Synced(const Changes& changes) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadBack() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Told() override ABSL_LOCKS_EXCLUDED(mutex_);

  /// Decides one change that rests on nothing else, when the state is usable.
  PendingWrite Commit(AnyUpdate update) ABSL_LOCKS_EXCLUDED(mutex_);
  void NoteDue(const Changes& changes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  SearchSnapshot Snapshot(const SearchState& search) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  PhaseRecord LiveProgress(const SearchState& search) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// The search once `write` has ended well. With `restart_clock` the seconds of its phase count from then on.
  absl::StatusOr<SearchSnapshot> ShowAfter(const PendingWrite& write, uint64_t id, bool restart_clock = false) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<SearchSnapshot> Show(uint64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// The seconds of the current phase count from now on, unless the search was deleted.
  void RestartClock(uint64_t search) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Takes in what there is when a search's candidates are asked for the first time, which may take long, without the lock.
  absl::Status PrepareCandidates(uint64_t id, const std::string& target) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<CandidateIndex*> CandidatesOf(uint64_t id, const std::string& target) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Derived from the job, kept while the search goes on and for the last few that are over.
  absl::StatusOr<std::shared_ptr<SearchContext>> ContextOf(const SearchState& search) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetDerived(uint64_t search) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// The party that makes room for another; 0: none.
  uint64_t ForgettableParty() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Adds to a grant what its record does not hold: fitting a predictor needs the results of tasks that were done before.
  absl::StatusOr<std::optional<GrantedTask>> Complement(absl::StatusOr<std::optional<GrantedTask>> answer) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Counts what happened to a lease of `task`, which may not exist.
  void CountLease(absl::string_view event, uint64_t task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Touch(uint64_t party) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { scheduler_.Heard(party, clock_->Monotonic()); }

  absl::Status EnforceWallBudgets(const std::set<uint64_t>& due) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<bool> EnforceWallBudget(uint64_t search) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<PendingWrite> ExpireLeases() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Takes the searches that changed, and now and then all that go on.
  std::set<uint64_t> TakeDue(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(driver_mutex_, mutex_);
  /// Drives each search in `due` as long as its steps change it.
  absl::Status DriveAll(std::set<uint64_t> due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(driver_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);
  void CatchUp() ABSL_EXCLUSIVE_LOCKS_REQUIRED(driver_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<bool> Drive(uint64_t search) ABSL_EXCLUSIVE_LOCKS_REQUIRED(driver_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Whether all that the next step of the search rests on is derived. When it is not, it is being derived aside, and the search is due
  /// again when that has ended.
  bool Prepared(const SearchState& search, const std::shared_ptr<SearchContext>& context) ABSL_EXCLUSIVE_LOCKS_REQUIRED(driver_mutex_)
      ABSL_LOCKS_EXCLUDED(mutex_);
  bool PreparedFor(const SearchView& view, const std::shared_ptr<SearchContext>& context) ABSL_EXCLUSIVE_LOCKS_REQUIRED(driver_mutex_)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status CollectArtifacts() ABSL_EXCLUSIVE_LOCKS_REQUIRED(driver_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);

  ArtifactStore* const artifacts_;
  Clock* const clock_;
  const AppOptions options_;

  absl::Mutex driver_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);  // held by whoever takes steps
  DrivenState driven_ ABSL_GUARDED_BY(driver_mutex_);
  std::optional<absl::Duration> last_sweep_ ABSL_GUARDED_BY(driver_mutex_);
  ArtifactCollector collector_ ABSL_GUARDED_BY(driver_mutex_);

  absl::Mutex mutex_;
  Ledger ledger_ ABSL_GUARDED_BY(mutex_);
  StateCounts counts_ ABSL_GUARDED_BY(mutex_);   // of the synced state
  Scheduler scheduler_ ABSL_GUARDED_BY(mutex_);  // follows the decided state
  LeaseDesk desk_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, std::shared_ptr<SearchContext>> contexts_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<uint64_t, size_t>, std::unique_ptr<CandidateIndex>> candidates_ ABSL_GUARDED_BY(mutex_);  // by search and target
  std::map<uint64_t, std::shared_ptr<std::atomic<bool>>> preparing_ ABSL_GUARDED_BY(mutex_);                   // by search: set to stop it
  std::deque<uint64_t> ended_ ABSL_GUARDED_BY(mutex_);  // searches that are over and have a context, the oldest first
  std::map<uint64_t, absl::Duration> phase_started_
      ABSL_GUARDED_BY(mutex_);                           // since when the current phase's seconds are not in its record
  std::set<uint64_t> due_ ABSL_GUARDED_BY(mutex_);       // searches that changed since the last RunOnce
  bool collect_ ABSL_GUARDED_BY(mutex_) = true;          // an artifact may have lost its last reference
  std::set<std::string> named_ ABSL_GUARDED_BY(mutex_);  // artifacts named since the last collection began
  std::map<uint64_t, Watch> watches_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, Notify> notified_ ABSL_GUARDED_BY(mutex_);  // by watch: to be called by Told
  uint64_t last_watch_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration rest_ ABSL_GUARDED_BY(mutex_);  // that the loop owes to others
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_APP_APP_H_
