// SPDX-License-Identifier: Apache-2.0
// The application's parties, leases and results.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "coordinator/app/app.h"
#include "coordinator/app/task_events.h"
#include "core/base/error_reason.h"
#include "core/encoding/encoding.h"
#include "telemetry/event_log.h"

namespace hanas::coordinator {
namespace {

constexpr absl::string_view kHandedBack = "HANDED_BACK";

}  // namespace

absl::StatusOr<PartyRecord> App::Register(PartyRecord party) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  RegisterPartyUpdate update = {.party = std::move(party)};
  const uint64_t owner = FindPartyId(next_, update.party.agent, update.party.name);
  update.in_use = owner != 0 && scheduler_.SilentFor(owner, clock_->Monotonic()) < options_.lease_ttl;
  if (owner == 0 && next_.parties.size() >= kMaxParties) update.forgotten = ForgettableParty();
  for (const auto& [id, lease] : scheduler_.leases()) {
    if (lease.progressed) update.progressed.push_back(id);
  }
  if (absl::Status status = Commit(update); !status.ok()) return status;
  const uint64_t id = FindPartyId(state_, update.party.agent, update.party.name);
  Touch(id);
  telemetry::LogEvent(telemetry::Severity::kInfo, "party_registered",
                      {{"party", PartyName(update.party.agent, id)}, {"name", update.party.name}, {"host", update.party.host}});
  return state_.parties.at(id);
}

uint64_t App::ForgettableParty() {
  std::set<uint64_t> used;
  for (const auto& [id, task] : next_.tasks) used.insert(task.party);
  std::set<std::string> bound;  // names of agents
  for (const auto& [id, search] : next_.searches) bound.insert(search.record.agent);
  uint64_t longest = 0;
  absl::Duration silence = options_.lease_ttl;
  for (const auto& [id, party] : next_.parties) {
    if (used.contains(id) || party.draining || (party.agent && bound.contains(party.name))) continue;
    const absl::Duration silent = scheduler_.SilentFor(id, clock_->Monotonic());
    if (silent < silence) continue;
    silence = silent;
    longest = id;
  }
  return longest;
}

GrantedTask App::Describe(const TaskRecord& task) {
  const SearchState& search = next_.searches.at(task.search);
  return {.task = task, .ttl = options_.lease_ttl, .job = search.job, .dataset_digest = search.record.dataset_digest, .rows = {}};
}

/// Adds to a grant what its record does not hold: fitting a predictor needs the results of tasks that were done before.
absl::StatusOr<GrantedTask> App::Complement(GrantedTask granted) {
  const auto* fit = std::get_if<FitWork>(&granted.task.work);
  if (fit == nullptr) return granted;
  std::vector<EvaluatedNetwork> networks;
  std::shared_ptr<SearchContext> context;
  {
    absl::MutexLock lock(&mutex_);
    // A task that was shared may be another search's by now.
    const TaskRecord* task = state_.FindTask(granted.task.id);
    const SearchState* search = task == nullptr ? nullptr : state_.FindSearch(task->search);
    if (search == nullptr) return absl::InternalError(absl::StrCat("expected the search of tasks/", granted.task.id, ", found none"));
    absl::StatusOr<std::shared_ptr<SearchContext>> found = ContextOf(*search);
    if (!found.ok()) return found.status();
    context = *std::move(found);
    networks = SearchView(state_, *search).Evaluations(search->job->evolution.rounds);
  }
  if (static_cast<int64_t>(networks.size()) < fit->num_evaluations) {
    return absl::InternalError(
        absl::StrCat("expected ", fit->num_evaluations, " evaluations for ", granted.task.key, ", found ", networks.size()));
  }
  networks.resize(static_cast<size_t>(fit->num_evaluations));
  for (const EvaluatedNetwork& network : networks)
    granted.rows.emplace_back(Encode(context->space(), network.architecture), network.score.fraction());
  return granted;
}

absl::StatusOr<bool> App::TryLease(uint64_t party_id, const std::string& instance, LeaseDone& done) {
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  const PartyRecord* party = next_.FindParty(party_id);
  if (party == nullptr) {
    return WithReason(absl::NotFoundError(absl::StrCat("expected a registered party, found ", party_id, "; register again")),
                      kUnknownParty);
  }
  if (party->instance != instance) {
    return WithReason(
        absl::FailedPreconditionError(absl::StrCat("expected the instance that registered last as ", party->name, ", found ", instance)),
        kSuperseded);
  }
  Touch(party_id);
  const absl::Duration now = clock_->Monotonic();
  // The record as granted: when it is written, the task may have gone to somebody else.
  const auto answer = [&](uint64_t task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    scheduler_.Extend(task, now);
    return [this, granted = Describe(next_.tasks.at(task)), done = std::move(done)](const absl::Status& written) mutable {
      if (!written.ok()) return done(written);
      done(Complement(std::move(granted)));
    };
  };
  if (const uint64_t held = scheduler_.HeldBy(party_id); held != 0) {
    Reply(answer(held));
    return true;
  }
  const uint64_t chosen = scheduler_.Choose(party_id, now);
  if (chosen == 0) return false;
  if (absl::Status status = Begin(GrantLeaseUpdate{chosen, party_id}, nullptr); !status.ok()) return status;
  CountLease("granted", chosen);
  Reply(answer(chosen));
  return true;
}

/// Called when anything changed that a grant depends on.
void App::GrantWaiting() {
  if (granting_ || waiting_.empty()) return;
  granting_ = true;  // a grant is a change too
  for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
    Waiting& request = waiting->second;
    const absl::StatusOr<bool> granted = TryLease(request.party, request.instance, request.done);
    if (!granted.ok()) Reply([done = std::move(request.done), refused = granted.status()](const absl::Status&) mutable { done(refused); });
    if (granted.ok() && !*granted) {
      ++waiting;
      continue;
    }
    scheduler_.EndWaiting(request.party, clock_->Monotonic());
    waiting = waiting_.erase(waiting);
  }
  granting_ = false;
}

void App::RequestTask(uint64_t party, const std::string& instance, uint64_t wait, LeaseDone done) {
  absl::StatusOr<std::optional<GrantedTask>> answer = std::nullopt;
  LeaseDone replaced;
  {
    absl::MutexLock lock(&mutex_);
    const absl::StatusOr<bool> granted = TryLease(party, instance, done);
    if (granted.ok() && *granted) return;
    if (!granted.ok()) answer = granted.status();
    if (granted.ok() && wait != 0 && !stopped_) {
      for (auto& [other, waiting] : waiting_) {
        if (waiting.party != party) continue;
        replaced = std::move(waiting.done);
        scheduler_.EndWaiting(party, clock_->Monotonic());
        waiting_.erase(other);
        break;
      }
      waiting_[wait] = {party, instance, std::exchange(done, nullptr)};
      scheduler_.BeginWaiting(party);
    }
  }
  if (done) done(std::move(answer));
  if (replaced) replaced(std::nullopt);
}

uint64_t App::NewWait() {
  absl::MutexLock lock(&mutex_);
  return ++last_number_;
}

void App::EndWait(uint64_t wait) {
  LeaseDone done;
  {
    absl::MutexLock lock(&mutex_);
    const auto waiting = waiting_.find(wait);
    if (waiting == waiting_.end()) return;
    done = std::move(waiting->second.done);
    scheduler_.EndWaiting(waiting->second.party, clock_->Monotonic());
    waiting_.erase(waiting);
  }
  done(std::nullopt);
}

absl::StatusOr<std::optional<GrantedTask>> App::LeaseTask(uint64_t party, const std::string& instance, absl::Duration timeout) {
  absl::StatusOr<std::optional<GrantedTask>> result;
  absl::Notification ended;
  const uint64_t wait = timeout > absl::ZeroDuration() ? NewWait() : 0;
  RequestTask(party, instance, wait, [&](absl::StatusOr<std::optional<GrantedTask>> answer) {
    result = std::move(answer);
    ended.Notify();
  });
  if (!ended.WaitForNotificationWithTimeout(timeout)) {
    EndWait(wait);
    ended.WaitForNotification();
  }
  return result;
}

absl::StatusOr<RenewalReply> App::Renew(const Renewal& renewal) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  if (absl::Status status = CheckHolder(next_, renewal.holder); !status.ok()) {
    CountLease("stale", renewal.holder.task);
    return status;
  }
  CountLease("renewed", renewal.holder.task);
  Touch(renewal.holder.party);
  const Scheduler::Answer answer =
      scheduler_.Renew(renewal.holder.task, {renewal.done, renewal.total, renewal.note, renewal.paused}, clock_->Monotonic());
  if (answer.unblocked) GrantWaiting();  // a measuring task perhaps
  return RenewalReply{options_.lease_ttl, answer.instruction};
}

absl::Status App::Complete(const Holder& holder, Outcome outcome) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  const TaskRecord* task = next_.FindTask(holder.task);
  if (task != nullptr && task->state == TaskState::kDone && task->fencing_token == holder.fencing_token && task->party == holder.party) {
    return AwaitWritten();  // the reply to the first completion was lost
  }
  CompleteTaskUpdate update = {holder, std::move(outcome)};
  if (absl::Status status = update.Check(next_); !status.ok()) {
    if (HasReason(status, kStaleLease)) CountLease("stale", holder.task);
    return status;
  }
  for (const ArtifactRef& artifact : ArtifactsOf(update.outcome)) {
    const absl::StatusOr<ArtifactStore::UploadState> stored = artifacts_->Stat(artifact.sha256);
    if (!stored.ok()) return stored.status();
    if (stored->complete && stored->received_bytes == artifact.size_bytes) continue;
    return WithReason(absl::FailedPreconditionError(absl::StrCat(
                          "expected the artifact ", artifact.sha256, " of ", artifact.size_bytes, " bytes to be stored, found ",
                          stored->complete ? "another size" : "it is not", "; upload it, then complete tasks/", holder.task)),
                      kArtifactMissing);
  }
  for (const ArtifactRef& artifact : ArtifactsOf(update.outcome)) named_.insert(artifact.sha256);  // not to be collected from now on
  Touch(holder.party);
  if (absl::Status status = Commit(std::move(update)); !status.ok()) return status;
  CountLease("completed", holder.task);
  if (const TaskRecord* done = state_.FindTask(holder.task); done != nullptr && done->outcome.has_value()) {
    CountEvaluations(*done->outcome, *options_.metrics);
  }
  return absl::OkStatus();
}

absl::Status App::Fail(const Holder& holder, const std::string& code, const std::string& message, bool retryable) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  const bool counts = code != kHandedBack;
  const FailTaskUpdate update = {holder, code, message, retryable, counts};
  if (absl::Status status = Commit(update); !status.ok()) {
    if (HasReason(status, kStaleLease)) CountLease("stale", holder.task);
    return status;
  }
  Touch(holder.party);
  CountLease(counts ? "failed" : "handed_back", holder.task);
  LogTask(counts ? telemetry::Severity::kWarning : telemetry::Severity::kInfo, counts ? "task_failed" : "task_handed_back",
          next_.tasks.at(holder.task), {{"code", code}, {"message", message}});
  return absl::OkStatus();
}

absl::Status App::RecordRound(const Holder& holder, RecordedRound round) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  if (absl::Status status = CheckHolder(next_, holder); !status.ok()) return status;
  Touch(holder.party);
  const absl::Status status = Commit(RecordRoundUpdate{holder, std::move(round)});
  if (status.ok()) scheduler_.Progressed(holder.task, clock_->Monotonic());
  return status;
}

// ---- the farm ----

absl::StatusOr<std::vector<PartySnapshot>> App::ListParties(bool agents, uint64_t after, size_t limit) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  const absl::Duration now = clock_->Monotonic();
  std::vector<PartySnapshot> parties;
  for (auto party = state_.parties.upper_bound(after); party != state_.parties.end() && parties.size() < limit; ++party) {
    if (party->second.agent == agents) parties.push_back(ViewParty(state_, scheduler_, party->second, options_.lease_ttl, now));
  }
  return parties;
}

absl::Status App::SetDrain(bool agent, uint64_t id, bool drain) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  return Commit(SetDrainUpdate{agent, id, drain});
}

}  // namespace hanas::coordinator
