// SPDX-License-Identifier: Apache-2.0
#include "coordinator/app/app.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "coordinator/driver/search_driver.h"
#include "coordinator/driver/validate_job.h"
#include "coordinator/state/sharing.h"
#include "coordinator/state/train_member.h"
#include "core/base/error_reason.h"
#include "core/base/field_violation.h"
#include "core/family/convnet/convnet_space.h"
#include "core/job/job_cost.h"
#include "core/lowering/lowering.h"
#include "telemetry/event_log.h"

namespace hanas::coordinator {
namespace {

TaskSnapshot SnapshotOf(const State& state, const Scheduler& scheduler, const TaskRecord& task) {
  TaskSnapshot snapshot;
  snapshot.task = task;
  snapshot.task.outcome.reset();
  snapshot.task.rounds.clear();
  const PartyRecord* party = state.FindParty(task.party);
  snapshot.agent = party != nullptr && party->agent;
  if (const LiveLease* lease = scheduler.FindLease(task.id); lease != nullptr) snapshot.live = *lease;
  return snapshot;
}

/// Returns INVALID_ARGUMENT with the names that there are. An empty name is the first target's.
absl::StatusOr<size_t> TargetNamed(const SearchJob& job, const std::string& name) {
  std::vector<std::string> names;
  for (const TargetSpec& target : job.targets) names.push_back(target.name);
  const auto named = std::find(names.begin(), names.end(), name);
  if (name.empty()) return 0;
  if (named != names.end()) return static_cast<size_t>(named - names.begin());
  FieldViolations violations;
  violations.Add("target", names.empty() ? absl::StrCat("expected none, as the search has one target without a name, found \"", name, "\"")
                                         : absl::StrCat("expected one of ", absl::StrJoin(names, ", "), ", found \"", name, "\""));
  return violations.ToStatus();
}

// Somebody who asks for a search that is over is likely to ask again: the cost tables and candidates of so many stay in memory.
constexpr size_t kKeptEnded = 8;

/// How many callers' jobs are derived at a time: each may take seconds and a few hundred megabytes, and callers are any number.
constexpr int kDerivedAtATime = 2;

/// One of the places to derive a caller's job in; given back when it goes. Thread-safe.
class DerivingPlace {
 public:
  DerivingPlace() = default;
  DerivingPlace(const DerivingPlace&) = delete;
  DerivingPlace& operator=(const DerivingPlace&) = delete;
  ~DerivingPlace() {
    if (!taken_) return;
    absl::MutexLock lock(&mutex());
    ++free();
  }

  /// Waits for a place. CANCELLED when `stop` says so.
  absl::Status Take(StopCheck stop) {
    constexpr absl::Duration kAskAgain = absl::Milliseconds(50);
    absl::MutexLock lock(&mutex());
    while (!mutex().AwaitWithTimeout(absl::Condition(+[](int* places) { return *places > 0; }, &free()), kAskAgain)) {
      if (stop()) return absl::CancelledError("the caller has gone");
    }
    --free();
    taken_ = true;
    return absl::OkStatus();
  }

 private:
  static absl::Mutex& mutex() {
    static absl::Mutex* const kMutex = new absl::Mutex;
    return *kMutex;
  }
  static int& free() {
    static int places = kDerivedAtATime;
    return places;
  }
  bool taken_ = false;
};

absl::Status CheckNetworks(const SearchJob& job, const PlainNetworks& plain, StopCheck stop) {
  absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(job.space);
  if (!space.ok()) return space.status();
  if (const auto teacher = DefineTeacher(job, plain); !teacher.ok()) return teacher.status();
  return CheckOperatorCount(Lowering(*std::move(space)), stop);
}

}  // namespace

absl::Status AppOptions::Validate() const {
  if (lease_ttl >= absl::Seconds(1)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("expected a lease ttl of at least 1 s, found ", absl::FormatDuration(lease_ttl)));
}

absl::StatusOr<std::unique_ptr<App>> App::Create(Store* store, ArtifactStore* artifacts, Clock* clock, SpecParser parse_spec,
                                                 AppOptions options) {
  if (absl::Status status = options.Validate(); !status.ok()) return status;
  std::unique_ptr<App> app(new App(store, artifacts, clock, std::move(parse_spec), options));
  absl::MutexLock lock(&app->mutex_);
  if (absl::Status status = app->ledger_.Reload(); !status.ok()) return status;
  return app;
}

App::~App() {
  Stop();
  {
    absl::MutexLock lock(&mutex_);
    const auto ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return preparing_.empty(); };
    mutex_.Await(absl::Condition(&ended));
  }
  ledger_.Close();  // its thread calls back
}

// ---- following the ledger ----

void App::Decided(const Changes& changes) {
  const absl::Duration now = clock_->Monotonic();
  scheduler_.Follow(changes, now);
  for (const uint64_t id : changes.searches) phase_started_.try_emplace(id, now);
  desk_.GrantWaiting(now);
}

void App::Synced(const Changes& changes) {
  counts_.Update(ledger_.synced(), changes, clock_->Monotonic());
  NoteDue(changes);
  std::set<uint64_t> searches = changes.deleted_searches;
  for (const auto& [search, sequence] : changes.events) searches.insert(search);
  for (const auto& [id, watch] : watches_) {
    if (searches.contains(watch.search)) notified_.try_emplace(id, watch.notify);
  }
}

void App::ReadBack() {
  contexts_.clear();
  candidates_.clear();
  ended_.clear();
  phase_started_.clear();
  named_.clear();
  const absl::Duration now = clock_->Monotonic();
  counts_.Reset(ledger_.synced(), now);
  scheduler_.Rebuild(now);
  for (const auto& [id, search] : ledger_.synced().searches) {
    phase_started_[id] = now;
    if (!IsTerminal(search.record.phase)) due_.insert(id);
  }
}

void App::Told() {
  std::map<uint64_t, Notify> notified;
  {
    absl::MutexLock lock(&mutex_);
    notified = std::exchange(notified_, {});
  }
  for (const auto& [watch, notify] : notified) (*notify)();
}

PendingWrite App::Commit(AnyUpdate update) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return PendingWrite(status);
  return ledger_.Commit(std::move(update));
}

void App::NoteDue(const Changes& changes) {
  for (const uint64_t id : changes.tasks) {
    const TaskRecord& task = ledger_.synced().tasks.at(id);
    // A task that begins, or begins anew, calls for no step.
    const bool over = task.state != TaskState::kReady && task.state != TaskState::kLeased;
    if (over) due_.merge(WaitingFor(ledger_.synced(), task));
    if (std::holds_alternative<TrainWork>(task.work) && task.state == TaskState::kDone) collect_ = true;
  }
  for (const uint64_t id : changes.searches) {
    due_.insert(id);
    if (!IsTerminal(ledger_.synced().searches.at(id).record.phase)) continue;
    collect_ = true;
    ForgetDerived(id);
  }
  for (const uint64_t id : changes.deleted_searches) {
    collect_ = true;
    ForgetDerived(id);
    due_.erase(id);
    phase_started_.erase(id);
  }
  if (!changes.farm) return;
  for (const auto& [id, search] : ledger_.synced().searches) {
    if (!IsTerminal(search.record.phase)) due_.insert(id);
  }
}

// ---- searches ----

PhaseRecord App::LiveProgress(const SearchState& search) {
  std::map<uint64_t, int64_t> done;
  for (const auto& [id, lease] : scheduler_.leases()) done[id] = lease.done;
  PhaseRecord progress = ProgressOf(SearchView(ledger_.synced(), search), done);
  progress.seconds = search.record.phases.empty() ? 0 : search.record.phases.back().seconds;
  if (!search.record.paused) progress.seconds += absl::ToDoubleSeconds(clock_->Monotonic() - phase_started_[search.record.id]);
  return progress;
}

SearchSnapshot App::Snapshot(const SearchState& search) {
  SearchSnapshot snapshot = {.record = search.record,
                             .job = search.job,
                             .blockers = BlockersOf(ledger_.synced(), scheduler_, clock_->Monotonic(), search),
                             .note = ""};
  for (const absl::Status& status : {ledger_.last_write(), artifacts_->written()}) {
    if (IsTerminal(search.record.phase) || !HasReason(status, kDiskFull)) continue;
    snapshot.blockers.insert(snapshot.blockers.begin(), DiskBlocker(status));
    break;
  }
  snapshot.forecast = search.record.forecast.value_or(CountsOf(*search.job));
  if (!IsTerminal(search.record.phase) && !snapshot.record.phases.empty()) snapshot.record.phases.back() = LiveProgress(search);
  snapshot.spent = SpentBy(search);
  if (!search.record.phases.empty())
    snapshot.spent.wall_seconds += snapshot.record.phases.back().seconds - search.record.phases.back().seconds;
  if (preparing_.contains(search.record.id)) snapshot.note = "the coordinator derives the operators and costs of the space";
  if (!snapshot.blockers.empty()) {
    snapshot.note = snapshot.blockers.front().text;
    return snapshot;
  }
  for (const auto& [id, lease] : scheduler_.leases()) {
    const TaskRecord* task = ledger_.synced().FindTask(id);
    if (task == nullptr || lease.note.empty()) continue;
    const auto seen = search.tasks.find(task->key);
    if (seen != search.tasks.end() && seen->second == id) snapshot.note = absl::StrCat(task->key, ": ", lease.note);
  }
  return snapshot;
}

absl::StatusOr<SearchSnapshot> App::CreateSearch(const std::string& request_id, std::string spec, SearchJob job, StopCheck stop) {
  {
    DerivingPlace place;
    if (absl::Status status = place.Take(stop); !status.ok()) return status;
    if (absl::Status status = CheckNetworks(job, options_.plain, stop); !status.ok()) return status;
  }
  const JobDigests digests = DigestsOf(job);
  uint64_t id = 0;
  PendingWrite write;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
    const State& decided = ledger_.decided();
    if (const auto earlier = decided.requests.find(request_id); earlier != decided.requests.end()) {
      id = earlier->second;
      // What `auto` stands for may have become another thing since; the search stays what it was decided to be.
      job.training.numerics = decided.searches.at(id).job->training.numerics;
      if (decided.searches.at(id).record.job_digest != JobDigest(job)) {
        return WithReason(absl::AlreadyExistsError(
                              absl::StrCat("request_id ", request_id, " was used for another job, searches/", id, "; use a new one")),
                          kRequestIdReused, absl::StrCat("searches/", id));
      }
      write = ledger_.AllWritten();
    } else {
      Changes made;
      write = ledger_.Commit(CreateSearchUpdate{request_id, std::move(spec), std::make_shared<const SearchJob>(std::move(job)), digests},
                             &made);
      if (!made.searches.empty()) id = *made.searches.begin();
    }
  }
  return ShowAfter(write, id);
}

Numerics App::BestNumerics() {
  absl::MutexLock lock(&mutex_);
  bool bf16 = false;
  for (const auto& [id, party] : ledger_.decided().parties) {
    if (party.agent || party.draining) continue;
    if (!party.multiplies_bf16) return Numerics::kF32;
    bf16 = true;
  }
  return bf16 ? Numerics::kBf16 : Numerics::kF32;
}

absl::StatusOr<SearchSnapshot> App::GetSearch(uint64_t id) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
  return Show(id);
}

absl::StatusOr<std::vector<SearchSnapshot>> App::ListSearches(uint64_t after, size_t limit) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
  std::vector<SearchSnapshot> snapshots;
  for (auto search = ledger_.synced().searches.upper_bound(after); search != ledger_.synced().searches.end() && snapshots.size() < limit;
       ++search)
    snapshots.push_back(Snapshot(search->second));
  return snapshots;
}

absl::StatusOr<SearchSnapshot> App::Show(uint64_t id) {
  const SearchState* search = ledger_.synced().FindSearch(id);
  if (search == nullptr) return NoSearch(id);
  return Snapshot(*search);
}

absl::StatusOr<SearchSnapshot> App::ShowAfter(const PendingWrite& write, uint64_t id, bool restart_clock) {
  if (absl::Status status = write.Await(); !status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  if (restart_clock) RestartClock(id);
  return Show(id);  // it may be deleted by the time that its change is written
}

absl::StatusOr<SearchSnapshot> App::CancelSearch(uint64_t id) { return ShowAfter(Commit(CancelSearchUpdate{id}), id); }

absl::StatusOr<SearchSnapshot> App::PauseSearch(uint64_t id) {
  PendingWrite write;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
    PauseSearchUpdate update = {.search = id};
    if (const SearchState* search = ledger_.synced().FindSearch(id)) update.progress = LiveProgress(*search);
    write = ledger_.Commit(update);
  }
  return ShowAfter(write, id);
}

absl::StatusOr<SearchSnapshot> App::ResumeSearch(uint64_t id) {
  PendingWrite write;
  bool stood = false;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
    const SearchState* search = ledger_.decided().FindSearch(id);
    stood = search != nullptr && (search->record.paused || IsTerminal(search->record.phase));
    write = ledger_.Commit(ResumeSearchUpdate{id});
  }
  return ShowAfter(write, id, /*restart_clock=*/stood);
}

absl::StatusOr<SearchSnapshot> App::FinishSearch(uint64_t id) {
  PendingWrite write;
  bool stood = false;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
    const SearchState* search = ledger_.decided().FindSearch(id);
    stood = search != nullptr && search->record.paused;
    write = ledger_.Commit(FinishSearchUpdate{id, "asked by a user"});
  }
  return ShowAfter(write, id, /*restart_clock=*/stood);
}

absl::StatusOr<SearchSnapshot> App::TrainMember(uint64_t id, const std::string& target, const std::string& member, int64_t steps) {
  PendingWrite write;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
    const SearchState* search = ledger_.decided().FindSearch(id);
    if (search == nullptr) return NoSearch(id);
    const bool stood = IsTerminal(search->record.phase);
    const SearchJob& job = *search->job;
    if (steps == 0) {
      steps = job.final.steps > 0 ? job.final.steps : job.fine_tune.steps;
      const std::optional<size_t> index = IndexOfMember(*search, target, member);
      if (index.has_value() && !HasSupernet(job)) {
        const absl::StatusOr<std::shared_ptr<SearchContext>> context = ContextOf(*search);
        if (!context.ok()) return context.status();
        steps = (*context)->StepsAsCostly(search->record.members[*index].architecture, steps);
      }
    }
    Changes made;
    write = ledger_.Commit(TrainMemberUpdate{id, target, member, steps}, &made);
    // Before the loop looks at it, which else would count the time since it succeeded.
    if (stood && !made.searches.empty()) phase_started_[id] = clock_->Monotonic();
  }
  return ShowAfter(write, id);
}

void App::RestartClock(uint64_t search) {
  if (ledger_.synced().FindSearch(search) != nullptr) phase_started_[search] = clock_->Monotonic();
}

absl::Status App::DeleteSearch(uint64_t id) {
  if (absl::Status status = Commit(DeleteSearchUpdate{id}).Await(); !status.ok()) return status;
  telemetry::LogEvent(telemetry::Severity::kInfo, "search_deleted", {{"search", absl::StrCat("searches/", id)}});
  return absl::OkStatus();
}

absl::StatusOr<SearchSnapshot> App::Validate(const SearchJob& job, StopCheck stop) {
  DerivingPlace place;
  if (absl::Status status = place.Take(stop); !status.ok()) return status;
  if (absl::Status status = CheckNetworks(job, options_.plain, stop); !status.ok()) return status;
  State inputs;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
    inputs = ValidationInputs(ledger_.synced(), job);
  }
  absl::StatusOr<JobValidation> validation = ValidateJob(inputs, job, options_.plain, stop);
  if (!validation.ok()) return validation.status();
  SearchSnapshot snapshot;
  snapshot.record.job_digest = JobDigest(job);
  snapshot.forecast = std::move(validation->forecast);
  if (validation->infeasible.empty()) return snapshot;
  snapshot.record.phase = SearchPhase::kFailed;
  snapshot.record.error_code = std::string(kInfeasibleLimits);
  snapshot.record.error = std::move(validation->infeasible);
  return snapshot;
}

absl::StatusOr<ReplayResult> App::ReplaySearch(uint64_t id) {
  State recording;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
    const SearchState* search = ledger_.synced().FindSearch(id);
    if (search == nullptr) return NoSearch(id);
    if (!search->refused.ok()) return search->refused;
    recording = RecordingOf(ledger_.synced(), id);
  }
  return Replay(recording, id, options_.plain);
}

absl::StatusOr<TaskPage> App::ListTasks(uint64_t id, uint64_t after, int max) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
  const SearchState* search = ledger_.synced().FindSearch(id);
  if (search == nullptr) return NoSearch(id);
  const std::vector<uint64_t>& tasks = search->tasks_in_order;
  TaskPage page;
  for (auto next = std::upper_bound(tasks.begin(), tasks.end(), after); next != tasks.end(); ++next) {
    if (page.tasks.size() == static_cast<size_t>(max)) {
      page.more = true;
      break;
    }
    page.tasks.push_back(SnapshotOf(ledger_.synced(), scheduler_, ledger_.synced().tasks.at(*next)));
  }
  return page;
}

absl::Status App::PrepareCandidates(uint64_t id, const std::string& target) {
  State extract;
  std::shared_ptr<SearchContext> context;
  size_t index_of_target = 0;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
    const SearchState* search = ledger_.synced().FindSearch(id);
    if (search == nullptr) return NoSearch(id);
    const absl::StatusOr<size_t> named = TargetNamed(*search->job, target);
    if (!named.ok()) return named.status();
    index_of_target = *named;
    if (candidates_.contains({id, index_of_target})) return absl::OkStatus();
    absl::StatusOr<std::shared_ptr<SearchContext>> found = ContextOf(*search);
    if (!found.ok()) return found.status();
    context = *std::move(found);
    if (search->record.phase < SearchPhase::kSampling) return absl::OkStatus();  // there are none, and no complete table
    extract = Extract(ledger_.synced(), *search);
  }
  auto index = std::make_unique<CandidateIndex>(std::move(context));
  if (absl::Status status = index->Update(SearchView(extract, extract.searches.at(id), index_of_target)); !status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  if (ledger_.synced().FindSearch(id) != nullptr) candidates_.try_emplace({id, index_of_target}, std::move(index));
  return absl::OkStatus();
}

absl::StatusOr<CandidateIndex*> App::CandidatesOf(uint64_t id, const std::string& target) {
  if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
  const SearchState* search = ledger_.synced().FindSearch(id);
  if (search == nullptr) return NoSearch(id);
  const absl::StatusOr<size_t> named = TargetNamed(*search->job, target);
  if (!named.ok()) return named.status();
  std::unique_ptr<CandidateIndex>& index = candidates_[{id, *named}];
  if (index == nullptr) {
    absl::StatusOr<std::shared_ptr<SearchContext>> context = ContextOf(*search);
    if (!context.ok()) return context.status();
    index = std::make_unique<CandidateIndex>(*std::move(context));
  }
  if (absl::Status status = index->Update(SearchView(ledger_.synced(), *search, *named)); !status.ok()) return status;
  return index.get();
}

absl::StatusOr<CandidatePage> App::ListCandidates(uint64_t id, int64_t after, int max, const std::string& target) {
  if (absl::Status status = PrepareCandidates(id, target); !status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<CandidateIndex*> index = CandidatesOf(id, target);
  if (!index.ok()) return index.status();
  return (*index)->Page(after, max);
}

absl::StatusOr<std::vector<CandidateRow>> App::GetFront(uint64_t id, const std::string& target) {
  if (absl::Status status = PrepareCandidates(id, target); !status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<CandidateIndex*> index = CandidatesOf(id, target);
  if (!index.ok()) return index.status();
  return (*index)->Front();
}

absl::StatusOr<WatchedEvents> App::ReadEvents(uint64_t id, int64_t after_sequence, size_t max_events) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
  const SearchState* search = ledger_.synced().FindSearch(id);
  if (search == nullptr) return NoSearch(id);
  WatchedEvents watched = {.search = Snapshot(*search), .stopped = stopped_};
  // Event n is at n - 1.
  const auto begin = static_cast<size_t>(std::clamp<int64_t>(after_sequence, 0, static_cast<int64_t>(search->events.size())));
  const size_t count = std::min(max_events, search->events.size() - begin);
  const auto first = search->events.begin() + static_cast<std::ptrdiff_t>(begin);
  watched.events.assign(first, first + static_cast<std::ptrdiff_t>(count));
  watched.complete = begin + count == search->events.size();
  return watched;
}

uint64_t App::WatchEvents(uint64_t search, std::function<void()> notify) {
  absl::MutexLock lock(&mutex_);
  watches_[++last_watch_] = {search, std::make_shared<const std::function<void()>>(std::move(notify))};
  return last_watch_;
}

void App::EndWatch(uint64_t watch) {
  absl::MutexLock lock(&mutex_);
  watches_.erase(watch);
}

absl::StatusOr<std::shared_ptr<SearchContext>> App::ContextOf(const SearchState& search) {
  if (!search.refused.ok()) return search.refused;
  std::shared_ptr<SearchContext>& context = contexts_[search.record.id];
  if (context == nullptr) {
    absl::StatusOr<std::unique_ptr<SearchContext>> created = SearchContext::Create(*search.job, options_.plain);
    if (!created.ok()) return created.status();
    context = *std::move(created);
    if (IsTerminal(search.record.phase)) ended_.push_back(search.record.id);
    if (ended_.size() > kKeptEnded) ForgetDerived(ended_.front());  // another one: this one is the last
  }
  return context;
}

void App::ForgetDerived(uint64_t search) {
  if (const auto preparing = preparing_.find(search); preparing != preparing_.end()) *preparing->second = true;
  contexts_.erase(search);
  std::erase_if(candidates_, [&](const auto& entry) { return entry.first.first == search; });
  std::erase(ended_, search);
}

absl::StatusOr<ReportData> App::GetReport(uint64_t id, const std::string& target) {
  State extract;
  std::shared_ptr<SearchContext> context;
  absl::StatusOr<size_t> named;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
    const SearchState* search = ledger_.synced().FindSearch(id);
    if (search == nullptr) return NoSearch(id);
    named = TargetNamed(*search->job, target);
    if (!named.ok()) return named.status();
    if (search->record.phase != SearchPhase::kSucceeded) {
      return WithReason(absl::FailedPreconditionError(absl::StrCat("expected a search that has SUCCEEDED, found it ",
                                                                   Name(search->record.phase), "; wait for it: searches/", id)),
                        kSearchNotSucceeded, absl::StrCat("searches/", id));
    }
    absl::StatusOr<std::shared_ptr<SearchContext>> found = ContextOf(*search);
    if (!found.ok()) return found.status();
    context = *std::move(found);
    extract = Extract(ledger_.synced(), *search);
  }
  return MakeReportData(SearchView(extract, extract.searches.at(id), *named), *context);
}

}  // namespace hanas::coordinator
