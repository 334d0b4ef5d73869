// SPDX-License-Identifier: Apache-2.0
// The application's parties, leases and results.

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

/// Returns FAILED_PRECONDITION with ARTIFACT_MISSING when the outcome names bytes that are not stored, else the artifact store's statuses.
absl::Status CheckStored(ArtifactStore& artifacts, const CompleteTaskUpdate& completion) {
  for (const ArtifactRef& artifact : ArtifactsOf(completion.outcome)) {
    const absl::StatusOr<ArtifactStore::UploadState> stored = artifacts.Stat(artifact.sha256);
    if (!stored.ok()) return stored.status();
    if (stored->complete && stored->received_bytes == artifact.size_bytes) continue;
    return WithReason(absl::FailedPreconditionError(absl::StrCat(
                          "expected the artifact ", artifact.sha256, " of ", artifact.size_bytes, " bytes to be stored, found ",
                          stored->complete ? "another size" : "it is not", "; upload it, then complete tasks/", completion.holder.task)),
                      kArtifactMissing);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PartyRecord> App::Register(PartyRecord party) {
  const bool agent = party.agent;
  const std::string name = party.name;
  const std::string host = party.host;
  PendingWrite write;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
    const State& decided = ledger_.decided();
    RegisterPartyUpdate update = {.party = std::move(party)};
    const uint64_t owner = FindPartyId(decided, agent, name);
    update.in_use = owner != 0 && scheduler_.SilentFor(owner, clock_->Monotonic()) < options_.lease_ttl;
    if (owner == 0 && decided.parties.size() >= kMaxParties) update.forgotten = ForgettableParty();
    for (const auto& [id, lease] : scheduler_.leases()) {
      if (lease.progressed) update.progressed.push_back(id);
    }
    write = ledger_.Commit(std::move(update));
  }
  if (absl::Status status = write.Await(); !status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  const uint64_t id = FindPartyId(ledger_.synced(), agent, name);
  // Another one may have taken its room since: parties that never had a task are forgotten for new ones.
  if (id == 0)
    return absl::UnavailableError(absl::StrCat("expected ", name, " to be registered still, found it forgotten; register again"));
  Touch(id);
  telemetry::LogEvent(telemetry::Severity::kInfo, "party_registered", {{"party", PartyName(agent, id)}, {"name", name}, {"host", host}});
  return ledger_.synced().parties.at(id);
}

uint64_t App::ForgettableParty() {
  std::set<uint64_t> used;
  for (const auto& [id, task] : ledger_.decided().tasks) used.insert(task.party);
  std::set<std::string> bound;  // names of agents
  for (const auto& [id, search] : ledger_.decided().searches) {
    for (const TargetRecord& target : search.record.targets) bound.insert(target.agent);
  }
  uint64_t longest = 0;
  absl::Duration silence = options_.lease_ttl;
  for (const auto& [id, party] : ledger_.decided().parties) {
    if (used.contains(id) || party.draining || (party.agent && bound.contains(party.name))) continue;
    const absl::Duration silent = scheduler_.SilentFor(id, clock_->Monotonic());
    if (silent < silence) continue;
    silence = silent;
    longest = id;
  }
  return longest;
}

absl::StatusOr<std::optional<GrantedTask>> App::Complement(absl::StatusOr<std::optional<GrantedTask>> answer) {
  if (!answer.ok() || !answer->has_value()) return answer;
  GrantedTask& granted = **answer;
  const auto* fit = std::get_if<FitWork>(&granted.task.work);
  if (fit == nullptr) return answer;
  std::vector<EvaluatedNetwork> networks;
  std::shared_ptr<SearchContext> context;
  {
    absl::MutexLock lock(&mutex_);
    // A task that was shared may be another search's by now.
    const TaskRecord* task = ledger_.synced().FindTask(granted.task.id);
    const SearchState* search = task == nullptr ? nullptr : ledger_.synced().FindSearch(task->search);
    if (search == nullptr) return absl::InternalError(absl::StrCat("expected the search of tasks/", granted.task.id, ", found none"));
    absl::StatusOr<std::shared_ptr<SearchContext>> found = ContextOf(*search);
    if (!found.ok()) return found.status();
    context = *std::move(found);
    networks = SearchView(ledger_.synced(), *search).Evaluations(search->job->evolution.rounds);
  }
  if (static_cast<int64_t>(networks.size()) < fit->num_evaluations) {
    return absl::InternalError(
        absl::StrCat("expected ", fit->num_evaluations, " evaluations for ", granted.task.key, ", found ", networks.size()));
  }
  networks.resize(static_cast<size_t>(fit->num_evaluations));
  for (const EvaluatedNetwork& network : networks)
    granted.rows.emplace_back(Encode(context->space(), network.architecture), network.score.fraction());
  return answer;
}

void App::RequestTask(uint64_t party, const std::string& instance, uint64_t wait, LeaseDesk::Done done) {
  auto complemented = [this, done = std::move(done)](absl::StatusOr<std::optional<GrantedTask>> answer) mutable {
    done(Complement(std::move(answer)));
  };
  LeaseDesk::Answers answers;
  {
    absl::MutexLock lock(&mutex_);
    answers = desk_.Request(party, instance, wait, std::move(complemented), clock_->Monotonic());
  }
  for (auto& answer : answers) answer();
}

uint64_t App::NewWait() {
  absl::MutexLock lock(&mutex_);
  return desk_.NewWait();
}

void App::EndWait(uint64_t wait) {
  LeaseDesk::Answers answers;
  {
    absl::MutexLock lock(&mutex_);
    answers = desk_.EndWait(wait, clock_->Monotonic());
  }
  for (auto& answer : answers) answer();
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
  if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
  if (absl::Status status = CheckHolder(ledger_.decided(), renewal.holder); !status.ok()) {
    CountLease("stale", renewal.holder.task);
    return status;
  }
  CountLease("renewed", renewal.holder.task);
  Touch(renewal.holder.party);
  const Scheduler::Answer answer =
      scheduler_.Renew(renewal.holder.task, {renewal.done, renewal.total, renewal.note, renewal.paused}, clock_->Monotonic());
  if (answer.unblocked) desk_.GrantWaiting(clock_->Monotonic());  // a measuring task perhaps
  return RenewalReply{options_.lease_ttl, answer.instruction};
}

absl::Status App::Complete(const Holder& holder, Outcome outcome) {
  PendingWrite write;
  bool repeated = false;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
    const TaskRecord* task = ledger_.decided().FindTask(holder.task);
    repeated =
        task != nullptr && task->state == TaskState::kDone && task->fencing_token == holder.fencing_token && task->party == holder.party;
    if (repeated) {
      write = ledger_.AllWritten();  // the reply to the first completion was lost
    } else {
      CompleteTaskUpdate update = {holder, std::move(outcome)};
      if (absl::Status status = update.Check(ledger_.decided()); !status.ok()) {
        if (HasReason(status, kStaleLease)) CountLease("stale", holder.task);
        return status;
      }
      if (absl::Status status = CheckStored(*artifacts_, update); !status.ok()) return status;
      for (const ArtifactRef& artifact : ArtifactsOf(update.outcome)) named_.insert(artifact.sha256);  // not to be collected from now on
      Touch(holder.party);
      write = ledger_.Commit(std::move(update));
    }
  }
  if (absl::Status status = write.Await(); !status.ok() || repeated) return status;
  absl::MutexLock lock(&mutex_);
  CountLease("completed", holder.task);
  if (const TaskRecord* done = ledger_.synced().FindTask(holder.task); done != nullptr && done->outcome.has_value()) {
    CountEvaluations(*done->outcome, *options_.metrics);
  }
  return absl::OkStatus();
}

absl::Status App::Fail(const Holder& holder, const std::string& code, const std::string& message, bool retryable) {
  const bool counts = code != kHandedBack;
  const absl::Status status = Commit(FailTaskUpdate{holder, code, message, retryable, counts}).Await();
  absl::MutexLock lock(&mutex_);
  if (!status.ok()) {
    if (HasReason(status, kStaleLease)) CountLease("stale", holder.task);
    return status;
  }
  Touch(holder.party);
  CountLease(counts ? "failed" : "handed_back", holder.task);
  if (const TaskRecord* task = ledger_.decided().FindTask(holder.task); task != nullptr) {  // its search may have been deleted since
    LogTask(counts ? telemetry::Severity::kWarning : telemetry::Severity::kInfo, counts ? "task_failed" : "task_handed_back", *task,
            {{"code", code}, {"message", message}});
  }
  return absl::OkStatus();
}

absl::Status App::RecordRound(const Holder& holder, RecordedRound round) {
  PendingWrite write;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
    if (absl::Status status = CheckHolder(ledger_.decided(), holder); !status.ok()) return status;
    Touch(holder.party);
    write = ledger_.Commit(RecordRoundUpdate{holder, std::move(round)});
  }
  if (absl::Status status = write.Await(); !status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  scheduler_.Progressed(holder.task, clock_->Monotonic());
  return absl::OkStatus();
}

// ---- the farm ----

absl::StatusOr<std::vector<PartySnapshot>> App::ListParties(bool agents, uint64_t after, size_t limit) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
  const absl::Duration now = clock_->Monotonic();
  std::vector<PartySnapshot> parties;
  for (auto party = ledger_.synced().parties.upper_bound(after); party != ledger_.synced().parties.end() && parties.size() < limit;
       ++party) {
    if (party->second.agent == agents) parties.push_back(ViewParty(ledger_.synced(), scheduler_, party->second, options_.lease_ttl, now));
  }
  return parties;
}

absl::Status App::SetDrain(bool agent, uint64_t id, bool drain) { return Commit(SetDrainUpdate{agent, id, drain}).Await(); }

}  // namespace hanas::coordinator
