// SPDX-License-Identifier: Apache-2.0
#include "coordinator/app/app.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/app/search_driver.h"
#include "coordinator/app/step_builder.h"
#include "coordinator/app/validate_job.h"
#include "core/base/error_reason.h"
#include "core/encoding/encoding.h"
#include "telemetry/event_log.h"

namespace hanas::coordinator {
namespace {

absl::Status NoSearch(uint64_t id) { return absl::NotFoundError(absl::StrCat("expected a search that exists, found searches/", id)); }

/// "members/member-1/train/" of "members/member-1/train/3".
std::string ChainOf(const std::string& key) { return key.substr(0, key.rfind('/') + 1); }

/// Every artifact that a task needs or brought.
std::set<std::string> ReferencedArtifacts(const State& state) {
  std::set<std::string> kept;
  const auto keep = [&](const ArtifactRef& artifact) {
    if (!artifact.empty()) kept.insert(artifact.sha256);
  };
  for (const auto& [id, search] : state.searches) {
    const SearchView view(state, search);
    for (const auto& [key, task_id] : search.tasks) {
      const TaskRecord& task = state.tasks.at(task_id);
      const auto* train = std::get_if<TrainWork>(&task.work);
      if (train != nullptr && task.state != TaskState::kDone) keep(train->initial);
      if (!task.outcome.has_value()) continue;
      // Of a chain of training, the checkpoints of the last two tasks that are done.
      const std::vector<const TaskRecord*> chain = train == nullptr ? std::vector<const TaskRecord*>{} : view.Numbered(ChainOf(key));
      int later = 0;
      for (const TaskRecord* other : chain) later += other->id > task.id && other->state == TaskState::kDone ? 1 : 0;
      if (later >= 2) continue;
      for (const ArtifactRef& artifact : ArtifactsOf(*task.outcome)) keep(artifact);
    }
  }
  return kept;
}

TaskSnapshot SnapshotOf(const State& state, const LiveState& live, const TaskRecord& task) {
  TaskSnapshot snapshot;
  snapshot.task = task;
  snapshot.task.outcome.reset();
  snapshot.task.rounds.clear();
  const PartyRecord* party = state.FindParty(task.party);
  snapshot.agent = party != nullptr && party->agent;
  const auto lease = live.leases.find(task.id);
  if (lease != live.leases.end()) snapshot.live = lease->second;
  return snapshot;
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
  if (absl::Status status = app->Reload(); !status.ok()) return status;
  return app;
}

absl::Status App::Reload() {
  const absl::StatusOr<std::vector<StoreRecord>> records = store_->Load();
  if (!records.ok()) return broken_ = records.status();
  absl::StatusOr<State> state = LoadState(*records, parse_spec_);
  if (!state.ok()) return broken_ = state.status();
  broken_ = absl::OkStatus();
  state_ = *std::move(state);
  live_ = {};
  contexts_.clear();
  candidates_.clear();
  phase_started_.clear();
  const absl::Duration now = clock_->Monotonic();
  for (const auto& [id, task] : state_.tasks) {
    if (task.state == TaskState::kLeased) live_.leases[id] = {.deadline = now + options_.lease_ttl};
  }
  for (const auto& [id, party] : state_.parties) live_.parties[id] = now;
  for (const auto& [id, search] : state_.searches) phase_started_[id] = now;
  ++version_;
  return absl::OkStatus();
}

absl::Status App::CheckUsable() {
  if (broken_.ok()) return absl::OkStatus();
  if (absl::Status status = Reload(); status.ok()) return status;
  return absl::UnavailableError(absl::StrCat("the stored state could not be read back: ", broken_.message()));
}

template <typename Update>
absl::Status App::Commit(const Update& update) {
  if (absl::Status status = update.Check(state_); !status.ok()) return status;
  Changes changes;
  update.Apply(state_, changes);
  const absl::Status written = store_->Write(BatchOf(state_, changes));
  if (!written.ok()) {
    telemetry::LogEvent(telemetry::Severity::kError, "store_write_failed", {{"status", written.ToString()}});
    Reload().IgnoreError();  // CheckUsable tries again
    return written;
  }
  ++version_;
  // Leases follow the tasks.
  for (const uint64_t id : changes.tasks) {
    if (state_.tasks.at(id).state != TaskState::kLeased) live_.leases.erase(id);
  }
  return absl::OkStatus();
}

// ---- searches ----

PhaseRecord App::LiveProgress(const SearchState& search) {
  std::map<uint64_t, int64_t> done;
  for (const auto& [id, lease] : live_.leases) done[id] = lease.done;
  PhaseRecord progress = ProgressOf(SearchView(state_, search), done);
  progress.seconds = search.record.phases.empty() ? 0 : search.record.phases.back().seconds;
  if (!search.record.paused) progress.seconds += absl::ToDoubleSeconds(clock_->Monotonic() - phase_started_[search.record.id]);
  return progress;
}

SearchSnapshot App::Snapshot(const SearchState& search) {
  SearchSnapshot snapshot = {.record = search.record, .blockers = BlockersOf(state_, live_, clock_->Monotonic(), search), .note = ""};
  snapshot.forecast = search.record.forecast.value_or(CountsOf(*search.job));
  if (!IsTerminal(search.record.phase) && !snapshot.record.phases.empty()) snapshot.record.phases.back() = LiveProgress(search);
  snapshot.spent = SpentBy(search);
  if (!search.record.phases.empty())
    snapshot.spent.wall_seconds += snapshot.record.phases.back().seconds - search.record.phases.back().seconds;
  if (!snapshot.blockers.empty()) {
    snapshot.note = snapshot.blockers.front().text;
    return snapshot;
  }
  for (const auto& [key, id] : search.tasks) {
    const auto lease = live_.leases.find(id);
    if (lease != live_.leases.end() && !lease->second.note.empty()) snapshot.note = absl::StrCat(key, ": ", lease->second.note);
  }
  return snapshot;
}

absl::StatusOr<SearchSnapshot> App::CreateSearch(const std::string& request_id, std::string spec, SearchJob job) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  const Digest digest = JobDigest(job);
  for (const auto& [id, search] : state_.searches) {
    if (request_id.empty() || search.record.request_id != request_id) continue;
    if (search.record.job_digest == digest) return Snapshot(search);
    return absl::AlreadyExistsError(
        absl::StrCat("request ", request_id, " was used for another job, searches/", id, "; use a new request_id"));
  }
  const CreateSearchUpdate update = {request_id, std::move(spec), std::make_shared<const SearchJob>(std::move(job)), WallMicros()};
  if (absl::Status status = Commit(update); !status.ok()) return status;
  const SearchState& search = state_.searches.rbegin()->second;
  phase_started_[search.record.id] = clock_->Monotonic();
  return Snapshot(search);
}

absl::StatusOr<SearchSnapshot> App::GetSearch(uint64_t id) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  const SearchState* search = state_.FindSearch(id);
  if (search == nullptr) return NoSearch(id);
  return Snapshot(*search);
}

absl::StatusOr<std::vector<SearchSnapshot>> App::ListSearches() {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  std::vector<SearchSnapshot> snapshots;
  for (const auto& [id, search] : state_.searches) snapshots.push_back(Snapshot(search));
  return snapshots;
}

absl::StatusOr<SearchSnapshot> App::ShowAfter(const absl::Status& committed, uint64_t id) {
  if (!committed.ok()) return committed;
  return Snapshot(state_.searches.at(id));
}

absl::StatusOr<SearchSnapshot> App::CancelSearch(uint64_t id) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  return ShowAfter(Commit(CancelSearchUpdate{id, WallMicros()}), id);
}

absl::StatusOr<SearchSnapshot> App::PauseSearch(uint64_t id) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  PauseSearchUpdate update = {.search = id};
  if (const SearchState* search = state_.FindSearch(id)) update.progress = LiveProgress(*search);
  return ShowAfter(Commit(update), id);
}

absl::StatusOr<SearchSnapshot> App::ResumeSearch(uint64_t id) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  const SearchState* search = state_.FindSearch(id);
  const bool stood = search != nullptr && (search->record.paused || IsTerminal(search->record.phase));
  const absl::Status status = Commit(ResumeSearchUpdate{id});
  if (status.ok() && stood) phase_started_[id] = clock_->Monotonic();
  return ShowAfter(status, id);
}

absl::StatusOr<SearchSnapshot> App::FinishSearch(uint64_t id) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  const SearchState* search = state_.FindSearch(id);
  const bool stood = search != nullptr && search->record.paused;
  const absl::Status status = Commit(FinishSearchUpdate{id, "asked by a user"});
  if (status.ok() && stood) phase_started_[id] = clock_->Monotonic();
  return ShowAfter(status, id);
}

absl::StatusOr<SearchSnapshot> App::Validate(const SearchJob& job) {
  State inputs;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = CheckUsable(); !status.ok()) return status;
    inputs = ValidationInputs(state_, job);
  }
  absl::StatusOr<JobValidation> validation = ValidateJob(inputs, job);
  if (!validation.ok()) return validation.status();
  SearchSnapshot snapshot;
  snapshot.record.job_digest = JobDigest(job);
  snapshot.forecast = std::move(validation->forecast);
  if (validation->infeasible.empty()) return snapshot;
  snapshot.record.phase = SearchPhase::kFailed;
  snapshot.record.error_code = "INFEASIBLE_LIMITS";
  snapshot.record.error = std::move(validation->infeasible);
  return snapshot;
}

absl::StatusOr<ReplayResult> App::ReplaySearch(uint64_t id) {
  State recording;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = CheckUsable(); !status.ok()) return status;
    if (state_.FindSearch(id) == nullptr) return NoSearch(id);
    recording = RecordingOf(state_, id);
  }
  return Replay(recording, id);
}

absl::StatusOr<TaskPage> App::ListTasks(uint64_t id, uint64_t after, int max) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  const SearchState* search = state_.FindSearch(id);
  if (search == nullptr) return NoSearch(id);
  const std::vector<uint64_t>& tasks = search->tasks_in_order;
  TaskPage page;
  for (auto next = std::upper_bound(tasks.begin(), tasks.end(), after); next != tasks.end(); ++next) {
    if (page.tasks.size() == static_cast<size_t>(max)) {
      page.more = true;
      break;
    }
    page.tasks.push_back(SnapshotOf(state_, live_, state_.tasks.at(*next)));
  }
  return page;
}

absl::StatusOr<CandidateIndex*> App::CandidatesOf(uint64_t id) {
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  const SearchState* search = state_.FindSearch(id);
  if (search == nullptr) return NoSearch(id);
  std::unique_ptr<CandidateIndex>& index = candidates_[id];
  if (index == nullptr) {
    absl::StatusOr<std::unique_ptr<CandidateIndex>> created = CandidateIndex::Create(*search->job);
    if (!created.ok()) return created.status();
    index = *std::move(created);
  }
  if (absl::Status status = index->Update(SearchView(state_, *search)); !status.ok()) return status;
  return index.get();
}

absl::StatusOr<CandidatePage> App::ListCandidates(uint64_t id, int64_t after, int max) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<CandidateIndex*> index = CandidatesOf(id);
  if (!index.ok()) return index.status();
  return (*index)->Page(after, max);
}

absl::StatusOr<std::vector<CandidateRow>> App::GetFront(uint64_t id) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<CandidateIndex*> index = CandidatesOf(id);
  if (!index.ok()) return index.status();
  return (*index)->Front();
}

absl::StatusOr<WatchedEvents> App::WaitForEvents(uint64_t id, int64_t after_sequence, absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  if (state_.FindSearch(id) == nullptr) return NoSearch(id);
  const auto ready = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const SearchState* search = state_.FindSearch(id);
    return stopped_ || search == nullptr || search->record.num_events > after_sequence;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&ready), timeout);
  const SearchState* search = state_.FindSearch(id);
  if (search == nullptr) return NoSearch(id);
  WatchedEvents watched = {.events = {}, .search = Snapshot(*search), .stopped = stopped_};
  for (const EventRecord& event : search->events) {
    if (event.sequence > after_sequence) watched.events.push_back(event);
  }
  return watched;
}

absl::StatusOr<SearchContext*> App::ContextOf(const SearchState& search) {
  std::unique_ptr<SearchContext>& context = contexts_[search.record.id];
  if (context == nullptr) {
    absl::StatusOr<std::unique_ptr<SearchContext>> created = SearchContext::Create(*search.job);
    if (!created.ok()) return created.status();
    context = *std::move(created);
  }
  return context.get();
}

absl::StatusOr<ReportData> App::GetReport(uint64_t id) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  const SearchState* search = state_.FindSearch(id);
  if (search == nullptr) return NoSearch(id);
  if (search->record.phase != SearchPhase::kSucceeded) {
    return absl::FailedPreconditionError(
        absl::StrCat("expected a search that has SUCCEEDED, found it ", Name(search->record.phase), "; wait for it: searches/", id));
  }
  const absl::StatusOr<SearchContext*> context = ContextOf(*search);
  if (!context.ok()) return context.status();
  return MakeReportData(SearchView(state_, *search), **context);
}

// ---- tasks ----

absl::StatusOr<PartyRecord> App::Register(PartyRecord party) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  RegisterPartyUpdate update = {.party = std::move(party)};
  for (const auto& [id, lease] : live_.leases) {
    if (lease.progressed) update.progressed.push_back(id);
  }
  if (absl::Status status = Commit(update); !status.ok()) return status;
  const uint64_t id = FindPartyId(state_, update.party.agent, update.party.name);
  Touch(id);
  telemetry::LogEvent(telemetry::Severity::kInfo, "party_registered",
                      {{"party", update.party.name}, {"kind", update.party.agent ? "agent" : "worker"}, {"host", update.party.host}});
  return state_.parties.at(id);
}

absl::StatusOr<GrantedTask> App::Describe(uint64_t id) {
  const TaskRecord& task = state_.tasks.at(id);
  const SearchState& search = state_.searches.at(task.search);
  GrantedTask granted = {.task = task, .ttl = options_.lease_ttl, .job = search.job};
  const auto* fit = std::get_if<FitWork>(&task.work);
  if (fit == nullptr) return granted;
  const absl::StatusOr<SearchContext*> context = ContextOf(search);
  if (!context.ok()) return context.status();
  std::vector<EvaluatedNetwork> networks = SearchView(state_, search).Evaluations(search.job->evolution.rounds);
  if (static_cast<int64_t>(networks.size()) < fit->num_evaluations) {
    return absl::InternalError(absl::StrCat("expected ", fit->num_evaluations, " evaluations for ", task.key, ", found ", networks.size()));
  }
  networks.resize(static_cast<size_t>(fit->num_evaluations));
  for (const EvaluatedNetwork& network : networks)
    granted.rows.emplace_back(Encode((*context)->space(), network.architecture), network.score.fraction());
  return granted;
}

absl::StatusOr<std::optional<GrantedTask>> App::TryLease(uint64_t party_id, const std::string& instance) {
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  const PartyRecord* party = state_.FindParty(party_id);
  if (party == nullptr) {
    return WithReason(absl::NotFoundError(absl::StrCat("expected a registered party, found ", party_id, "; register again")),
                      "UNKNOWN_PARTY");
  }
  if (party->instance != instance) {
    return WithReason(
        absl::FailedPreconditionError(absl::StrCat("expected the instance that registered last as ", party->name, ", found ", instance)),
        "SUPERSEDED");
  }
  Touch(party_id);
  const absl::Duration now = clock_->Monotonic();
  uint64_t chosen = 0;
  for (const auto& [id, task] : state_.tasks) {
    if (task.state == TaskState::kLeased && task.party == party_id && task.instance == instance) {
      live_.leases[id].deadline = now + options_.lease_ttl;
      absl::StatusOr<GrantedTask> again = Describe(id);
      if (!again.ok()) return again.status();
      return std::optional(*std::move(again));
    }
    if (chosen == 0 && task.state == TaskState::kReady && MayGrant(state_, live_, now, task, *party)) chosen = id;
  }
  if (chosen == 0) return std::nullopt;
  if (absl::Status status = Commit(GrantLeaseUpdate{chosen, party_id}); !status.ok()) return status;
  live_.leases[chosen] = {.deadline = now + options_.lease_ttl};
  absl::StatusOr<GrantedTask> granted = Describe(chosen);
  if (!granted.ok()) return granted.status();
  return std::optional(*std::move(granted));
}

absl::StatusOr<std::optional<GrantedTask>> App::LeaseTask(uint64_t party, const std::string& instance, absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const absl::Time deadline = absl::Now() + timeout;
  while (true) {
    absl::StatusOr<std::optional<GrantedTask>> granted = TryLease(party, instance);
    if (!granted.ok() || granted->has_value() || stopped_) return granted;
    const int64_t seen = version_;
    const auto changed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopped_ || version_ != seen; };
    if (!mutex_.AwaitWithDeadline(absl::Condition(&changed), deadline)) return std::nullopt;
  }
}

absl::StatusOr<RenewalReply> App::Renew(const Renewal& renewal) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  if (absl::Status status = CheckHolder(state_, renewal.holder); !status.ok()) return status;
  Touch(renewal.holder.party);
  LiveLease& lease = live_.leases[renewal.holder.task];
  const absl::Duration now = clock_->Monotonic();
  lease.deadline = now + options_.lease_ttl;
  lease.progressed = lease.progressed || renewal.done > lease.done;
  lease.done = renewal.done;
  lease.total = renewal.total;
  lease.note = renewal.note;
  if (lease.paused != renewal.paused) ++version_;  // a measuring task may be granted now
  lease.paused = renewal.paused;
  return RenewalReply{options_.lease_ttl, InstructionFor(state_, live_, now, state_.tasks.at(renewal.holder.task))};
}

absl::Status App::Complete(const Holder& holder, Outcome outcome) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  const TaskRecord* task = state_.FindTask(holder.task);
  if (task != nullptr && task->state == TaskState::kDone && task->fencing_token == holder.fencing_token && task->party == holder.party) {
    return absl::OkStatus();  // the reply to the first completion was lost
  }
  const CompleteTaskUpdate update = {holder, std::move(outcome)};
  if (absl::Status status = update.Check(state_); !status.ok()) return status;
  for (const ArtifactRef& artifact : ArtifactsOf(update.outcome)) {
    const absl::StatusOr<ArtifactStore::UploadState> stored = artifacts_->Stat(artifact.sha256);
    if (!stored.ok()) return stored.status();
    if (stored->complete && stored->received_bytes == artifact.size_bytes) continue;
    return WithReason(absl::FailedPreconditionError(absl::StrCat(
                          "expected the artifact ", artifact.sha256, " of ", artifact.size_bytes, " bytes to be stored, found ",
                          stored->complete ? "another size" : "it is not", "; upload it, then complete tasks/", holder.task)),
                      "ARTIFACT_MISSING");
  }
  if (absl::Status status = Commit(update); !status.ok()) return status;
  Touch(holder.party);
  if (std::holds_alternative<TrainOutcome>(update.outcome)) DropReplacedCheckpoints(holder.task);
  return absl::OkStatus();
}

void App::DropReplacedCheckpoints(uint64_t id) {
  const TaskRecord& task = state_.tasks.at(id);
  const SearchView view(state_, state_.searches.at(task.search));
  const std::set<std::string> kept = ReferencedArtifacts(state_);
  for (const TaskRecord* other : view.Numbered(ChainOf(task.key))) {
    if (!other->outcome.has_value()) continue;
    for (const ArtifactRef& artifact : ArtifactsOf(*other->outcome)) {
      if (!kept.contains(artifact.sha256)) artifacts_->Remove(artifact.sha256).IgnoreError();  // a leftover file costs space only
    }
  }
}

absl::Status App::Fail(const Holder& holder, const std::string& code, const std::string& message, bool retryable) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  const FailTaskUpdate update = {holder, code, message, retryable, code != "HANDED_BACK"};
  if (absl::Status status = Commit(update); !status.ok()) return status;
  Touch(holder.party);
  telemetry::LogEvent(telemetry::Severity::kWarning, "task_failed",
                      {{"task", state_.tasks.at(holder.task).key}, {"code", code}, {"message", message}});
  return absl::OkStatus();
}

absl::Status App::RecordRound(const Holder& holder, RecordedRound round) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  if (absl::Status status = Commit(RecordRoundUpdate{holder, std::move(round)}); !status.ok()) return status;
  Touch(holder.party);
  live_.leases[holder.task].progressed = true;
  return absl::OkStatus();
}

// ---- the loop ----

absl::Status App::ExpireLeases() {
  const absl::Duration now = clock_->Monotonic();
  std::vector<ExpireLeaseUpdate> expired;
  for (const auto& [id, lease] : live_.leases) {
    if (lease.deadline <= now) expired.push_back({id, lease.progressed});
  }
  for (const ExpireLeaseUpdate& update : expired) {
    telemetry::LogEvent(telemetry::Severity::kWarning, "lease_expired", {{"task", state_.tasks.at(update.task).key}});
    if (absl::Status status = Commit(update); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status App::EnforceWallBudget(uint64_t id) {
  const SearchState& search = state_.searches.at(id);
  const SearchRecord& record = search.record;
  if (search.job->budget.max_wall_seconds <= 0 || record.paused || record.finishing || record.phase >= SearchPhase::kVerifying) {
    return absl::OkStatus();
  }
  const PhaseRecord progress = LiveProgress(search);
  BudgetUse spent = SpentBy(search);
  spent.wall_seconds += progress.seconds - record.phases.back().seconds;
  const std::string reason = WallBudgetReached(*search.job, spent);
  if (reason.empty()) return absl::OkStatus();
  const FinishSearchUpdate finish = {id, reason};
  if (finish.Check(state_).ok()) return Commit(finish);
  AdvanceSearchUpdate fail =
      FailStep(SearchView(state_, search), "BUDGET_SPENT",
               absl::StrCat(reason, " in ", Name(record.phase), ", before any network was evaluated: raise it, or train and profile less"));
  fail.progress = progress;
  fail.now_us = WallMicros();
  return Commit(fail);
}

absl::Status App::Drive(uint64_t id) {
  if (absl::Status status = EnforceWallBudget(id); !status.ok()) return status;
  while (true) {
    const SearchState& search = state_.searches.at(id);
    const absl::StatusOr<SearchContext*> context = ContextOf(search);
    if (!context.ok()) return context.status();
    const absl::Duration begin = clock_->Monotonic();
    absl::StatusOr<std::optional<AdvanceSearchUpdate>> step = NextStep(SearchView(state_, search), **context);
    if (!step.ok()) return step.status();
    if (!step->has_value()) return absl::OkStatus();
    AdvanceSearchUpdate& update = **step;
    if (update.candidates_scored > 0) update.scoring_seconds = absl::ToDoubleSeconds(clock_->Monotonic() - begin);
    update.progress = LiveProgress(search);
    update.now_us = WallMicros();
    if (update.next.has_value()) {
      telemetry::LogEvent(telemetry::Severity::kInfo, "search_phase",
                          {{"search", absl::StrCat(id)}, {"phase", std::string(Name(*update.next))}});
    }
    if (absl::Status status = Commit(update); !status.ok()) return status;
    phase_started_[id] = clock_->Monotonic();
  }
}

absl::Status App::RunOnce() {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  driven_version_ = version_;
  if (absl::Status status = ExpireLeases(); !status.ok()) return status;
  std::vector<uint64_t> going;
  for (const auto& [id, search] : state_.searches) {
    if (!IsTerminal(search.record.phase)) going.push_back(id);
  }
  for (const uint64_t id : going) {
    if (absl::Status status = Drive(id); !status.ok()) return status;
  }
  driven_version_ = version_;
  return absl::OkStatus();
}

void App::WaitForChange(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto changed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopped_ || version_ != driven_version_; };
  mutex_.AwaitWithTimeout(absl::Condition(&changed), timeout);
}

void App::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
}

}  // namespace hanas::coordinator
