// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/updates.h"

#include <algorithm>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "coordinator/state/device_health.h"
#include "coordinator/state/outcome_check.h"
#include "coordinator/state/search_view.h"
#include "coordinator/state/sharing.h"
#include "coordinator/state/task_key.h"
#include "coordinator/state/task_text.h"
#include "coordinator/state/train_member.h"
#include "coordinator/state/transitions.h"
#include "core/base/error_reason.h"

namespace hanas::coordinator {
namespace {

uint64_t NextNumber(State& state, Changes& changes) {
  changes.counter = true;
  return ++state.counter;
}

absl::Status CheckGoesOn(const State& state, uint64_t id) {
  const SearchState* found = state.FindSearch(id);
  if (found == nullptr) return NoSearch(id);
  if (!IsTerminal(found->record.phase)) return absl::OkStatus();
  return WithReason(absl::FailedPreconditionError(
                        absl::StrCat("expected a search that goes on, found it ", Name(found->record.phase), ": searches/", id)),
                    kSearchOver, SearchName(id));
}

void CountFailure(TaskRecord& task, std::string code, std::string message) {
  ++task.failures;
  task.error_code = std::move(code);
  task.error = std::move(message);
  task.state = task.failures >= kMaxFailures ? TaskState::kFailed : TaskState::kReady;
}

absl::Status NoTask(uint64_t task) {
  const std::string name = absl::StrCat("tasks/", task);
  return WithReason(absl::NotFoundError(absl::StrCat("expected a task that exists, found ", name)), kTaskNotFound, name);
}

absl::Status Stale(const TaskRecord& task, const Holder& holder) {
  return WithReason(absl::FailedPreconditionError(absl::StrCat(
                        "expected the live lease of the task, with token ", task.fencing_token, ", found token ", holder.fencing_token,
                        ": the lease was replaced, ran out or is over; drop the work on tasks/", task.id)),
                    kStaleLease, absl::StrCat("tasks/", task.id));
}

void TakeRows(State& state, const TaskRecord& task, const MeasureOperatorsOutcome& outcome, Changes& changes) {
  const SearchState& search = state.searches.at(task.search);
  const Digest context = ContextOf(TargetAt(search.record, TargetOfTask(task.key, *search.job)));
  for (const OperatorMeasurement& row : outcome.rows) {
    const absl::StatusOr<OpKey> key = OpKeyFromString(row.key);
    if (!key.ok()) continue;  // CheckOutcome refused it
    state.tables[context].Insert(*key, {row.flushed_us, row.hot_us, row.cv, row.rounds, row.noisy}).IgnoreError();
    changes.rows.emplace_back(context, *key);
  }
}

/// Counts a completed task for the party that did it.
void CountCompletion(State& state, const TaskRecord& task, Changes& changes) {
  const auto found = state.parties.find(task.party);
  if (found == state.parties.end()) return;
  PartyRecord& party = found->second;
  ++party.completed_tasks;
  changes.parties.insert(party.id);
  const HostObservation* host = HostObservationOf(*task.outcome);
  if (host == nullptr || !ObserveHost(*host, party)) return;
  for (auto& [id, search] : state.searches) {
    const std::vector<TargetRecord>& targets = search.record.targets;
    const auto is_party = [&](const TargetRecord& target) { return target.agent == party.name; };
    if (IsTerminal(search.record.phase) || std::none_of(targets.begin(), targets.end(), is_party)) continue;
    AddEvent(search, "warning",
             absl::StrFormat("%s is quarantined: its canary kernel was more than %.0f %% slow in %d measuring tasks in a row; look after "
                             "its cooling and what else runs there, then end the quarantine (drain, and undo it)",
                             party.name, 100 * (kSlowCanary - 1), party.slow_canaries),
             changes);
  }
}

}  // namespace

absl::Status NoSearch(uint64_t id) {
  return WithReason(absl::NotFoundError(absl::StrCat("expected a search that exists, found searches/", id)), kSearchNotFound,
                    SearchName(id));
}

absl::Status CreateSearchUpdate::Check(const State& state) const {
  if (job == nullptr) return absl::InvalidArgumentError("expected a job, found none");
  const auto made = state.requests.find(request_id);
  if (made == state.requests.end()) return absl::OkStatus();
  return WithReason(absl::AlreadyExistsError(absl::StrCat("request ", request_id, " made searches/", made->second)), kRequestIdReused,
                    SearchName(made->second));
}

void CreateSearchUpdate::Apply(State& state, Changes& changes) const {
  const uint64_t id = NextNumber(state, changes);
  SearchState& search = state.searches[id];
  search.job = job;
  search.record = {.id = id, .request_id = request_id, .spec = absl::Cord(spec), .job_digest = digests.job};
  search.record.create_time_us = now_us;
  if (!request_id.empty()) state.requests[request_id] = id;
  if (job->teacher.steps > 0) search.record.teacher = digests.teacher.ToHex();
  search.record.supernet = digests.supernet.ToHex();
  // What is trained alone is drawn from within the limits as this search knows them, by what it measured: it is the search's own.
  if (HasSupernet(*job)) search.record.sample_set = digests.samples.ToHex();
  JoinShared(state, search);
  EnterPhase(search, SearchPhase::kPending, changes);
}

absl::Status CancelSearchUpdate::Check(const State& state) const { return CheckGoesOn(state, search); }

void CancelSearchUpdate::Apply(State& state, Changes& changes) const {
  SearchState& found = state.searches.at(search);
  CancelOpenTasks(state, found, changes);
  if (NumAsked(found.record.members) > 0) {
    const std::string given_up = GiveUpAsked(state, found, changes);
    if (!given_up.empty())
      AddEvent(found, "cancel", absl::StrCat("the training of ", given_up, " is given up; the search is as it was before"), changes);
    End(found, SearchPhase::kSucceeded, now_us, changes);
    return;
  }
  End(found, SearchPhase::kCancelled, now_us, changes);
}

absl::Status PauseSearchUpdate::Check(const State& state) const { return CheckGoesOn(state, search); }

void PauseSearchUpdate::Apply(State& state, Changes& changes) const {
  SearchState& found = state.searches.at(search);
  if (found.record.paused) return;
  found.record.paused = true;
  // The progress may be of the phase before, when the step into this one is still being written.
  if (!found.record.phases.empty() && found.record.phases.back().phase == progress.phase) found.record.phases.back() = progress;
  AddEvent(found, "pause", "paused by a user", changes);
}

bool IsFinalFailure(absl::string_view error_code) {
  return error_code == kInfeasibleLimits || error_code == kBudgetSpent || error_code == kJobRefused;
}

absl::Status ResumeSearchUpdate::Check(const State& state) const {
  const SearchState* found = state.FindSearch(search);
  if (found == nullptr) return NoSearch(search);
  const SearchRecord& record = found->record;
  if (!IsTerminal(record.phase)) return absl::OkStatus();
  if (record.phase != SearchPhase::kFailed) {
    return WithReason(absl::FailedPreconditionError(absl::StrCat("expected a search that is paused or has FAILED, found it ",
                                                                 Name(record.phase), ": searches/", search)),
                      kSearchOver, SearchName(search));
  }
  if (!IsFinalFailure(record.error_code)) return absl::OkStatus();
  return WithReason(absl::FailedPreconditionError(absl::StrCat("expected a failure that another attempt may mend, found ",
                                                               record.error_code, ": change the job and submit it anew; searches/", search,
                                                               " failed because ", record.error)),
                    record.error_code, SearchName(search));
}

/// Whether a task is about members that are set aside and trained on for nobody.
bool IsOfNobody(const SearchView& view, const std::string& text) {
  std::optional<TaskKey> key = ParseTaskKey(text);
  if (!key.has_value() || key->member.empty()) return false;
  key->index = 0;
  const std::vector<MemberRecord>& members = view.record().members;
  return std::none_of(members.begin(), members.end(), [&](const MemberRecord& member) {
    return (!member.set_aside || member.final_steps > 0) && view.MemberKey(key->stage, member) == *key;
  });
}

void ResumeSearchUpdate::Apply(State& state, Changes& changes) const {
  SearchState& found = state.searches.at(search);
  SearchRecord& record = found.record;
  if (record.paused) {
    record.paused = false;
    AddEvent(found, "resume", absl::StrCat("goes on in ", Name(record.phase)), changes);
    return;
  }
  if (record.phase != SearchPhase::kFailed) return;
  record.phase = record.phases.back().phase;
  int num_tasks = 0;
  for (const auto& [key, id] : found.tasks) {
    TaskRecord& task = state.tasks.at(id);
    // What finishing cancelled belongs to an earlier phase and stays so.
    const bool again = task.state == TaskState::kFailed || (task.state == TaskState::kCancelled && PhaseOfTask(key) == record.phase);
    if (!again || IsOfNobody(SearchView(state, found), key)) continue;
    task.state = TaskState::kReady;
    task.failures = 0;
    changes.tasks.insert(id);
    ++num_tasks;
  }
  record.left_out.clear();
  record.error.clear();
  record.error_code.clear();
  record.end_time_us = 0;
  AddEvent(found, "resume", absl::StrCat("goes on in ", Name(record.phase), " with ", num_tasks, " tasks to do again"), changes);
}

absl::Status FinishSearchUpdate::Check(const State& state) const {
  if (absl::Status status = CheckGoesOn(state, search); !status.ok()) return status;
  const SearchState& found = state.searches.at(search);
  if (found.record.finishing || found.record.phase == SearchPhase::kVerifying) return absl::OkStatus();
  // A search sees what others evaluated with its supernet before it has come so far itself.
  if (found.record.phase >= SearchPhase::kSampling && SearchView(state, found).HasEvaluations()) return absl::OkStatus();
  return WithReason(absl::FailedPreconditionError(
                        absl::StrCat("expected a search that has evaluated a network, found nothing to verify in ",
                                     Name(found.record.phase), "; wait until sampling has begun, or cancel it: searches/", search)),
                    kNothingToVerify, SearchName(search));
}

void FinishSearchUpdate::Apply(State& state, Changes& changes) const {
  SearchState& found = state.searches.at(search);
  if (found.record.finishing) return;
  if (found.record.phase == SearchPhase::kVerifying) {
    // All that can be left out of it are the networks that members are compared with once they are verified.
    if (found.job->references != ReferencesKind::kFamily || NumAsked(found.record.members) > 0) return;
    found.record.finishing = true;
    found.record.finish_reason = reason;
    found.record.paused = false;
    AddEvent(found, "finish", absl::StrCat(reason, ": without more plain networks to compare with"), changes);
    return;
  }
  found.record.finishing = true;
  found.record.finish_reason = reason;
  found.record.paused = false;
  CancelOpenTasks(state, found, changes);
  AddEvent(found, "finish", absl::StrCat(reason, ": verifying the best so far"), changes);
}

absl::Status DeleteSearchUpdate::Check(const State& state) const {
  const SearchState* found = state.FindSearch(search);
  if (found == nullptr) return NoSearch(search);
  if (IsTerminal(found->record.phase)) return absl::OkStatus();
  return WithReason(absl::FailedPreconditionError(absl::StrCat("expected a search that is over, found it ", Name(found->record.phase),
                                                               "; cancel it before it is deleted: searches/", search)),
                    kSearchNotOver, SearchName(search));
}

void DeleteSearchUpdate::Apply(State& state, Changes& changes) const {
  const auto node = state.searches.extract(search);
  const SearchState& found = node.mapped();
  for (const uint64_t id : LeaveShared(state, found, changes)) {
    changes.erased.push_back({RecordKind::kTask, state.tasks.at(id).search, id});
    changes.deleted_tasks.insert(id);
    state.tasks.erase(id);
  }
  for (const EventRecord& event : found.events)
    changes.erased.push_back({RecordKind::kEvent, search, static_cast<uint64_t>(event.sequence)});
  changes.erased.push_back({RecordKind::kSearch, 0, search});
  changes.deleted_searches.insert(search);
  if (!found.record.request_id.empty()) state.requests.erase(found.record.request_id);
}

uint64_t FindPartyId(const State& state, bool agent, absl::string_view name) {
  for (const auto& [id, party] : state.parties) {
    if (party.agent == agent && party.name == name) return id;
  }
  return 0;
}

absl::Status RegisterPartyUpdate::Check(const State& state) const {
  if (party.name.empty() || party.instance.empty() || party.host.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("expected a party with a name, an instance id and a host id, found \"", party.name,
                                                   "\", \"", party.instance, "\", \"", party.host, "\""));
  }
  const PartyRecord* owner = state.FindParty(FindPartyId(state, party.agent, party.name));
  if (owner == nullptr && forgotten == 0 && state.parties.size() >= kMaxParties) {
    return WithReason(
        absl::ResourceExhaustedError(absl::StrCat(
            "expected at most ", kMaxParties,
            " workers and devices, found one more, and none of them that is silent and was never of use: \"", party.name, "\"")),
        kTooManyParties);
  }
  if (owner != nullptr && in_use && !owner->key.empty() && owner->key != party.key) {
    return WithReason(
        absl::AlreadyExistsError(absl::StrCat(
            "expected a name that nobody else uses, found \"", party.name, "\", which belongs to a ", party.agent ? "device" : "worker",
            " with another key that was heard of lately: stop that one, or give this one another --name")),
        kNameInUse);
  }
  return absl::OkStatus();
}

void RegisterPartyUpdate::Apply(State& state, Changes& changes) const {
  if (state.parties.erase(forgotten) > 0) changes.parties.insert(forgotten);
  uint64_t id = FindPartyId(state, party.agent, party.name);
  const bool first = id == 0;
  if (first) id = NextNumber(state, changes);
  PartyRecord& record = state.parties[id];
  if (record.instance != party.instance) {
    for (auto& [task_id, task] : state.tasks) {
      if (task.state != TaskState::kLeased || task.party != id) continue;
      const bool moved = std::find(progressed.begin(), progressed.end(), task_id) != progressed.end();
      task.state = TaskState::kReady;
      if (!moved) {
        CountFailure(task, "HOLDER_RESTARTED",
                     absl::StrCat("the process of ", party.name, " died, or was killed, before it got further with ", ActivityOf(task),
                                  " than any attempt before; its log, or the system's, says why (memory?)"));
      }
      changes.tasks.insert(task_id);
    }
  }
  PartyRecord renewed = party;
  renewed.id = id;
  renewed.draining = record.draining;
  renewed.completed_tasks = record.completed_tasks;
  renewed.failed_tasks = record.failed_tasks;
  renewed.health = record.health;
  renewed.slow_canaries = record.slow_canaries;
  renewed.last_host = record.last_host;
  renewed.create_time_us = first ? now_us : record.create_time_us;
  record = std::move(renewed);
  changes.parties.insert(id);
  changes.farm = true;
}

absl::Status SetDrainUpdate::Check(const State& state) const {
  const PartyRecord* found = state.FindParty(party);
  if (found != nullptr && found->agent == agent) return absl::OkStatus();
  const std::string name = absl::StrCat(agent ? "devices/" : "workers/", party);
  return WithReason(absl::NotFoundError(absl::StrCat("expected a registered ", agent ? "device" : "worker", ", found ", name)),
                    kPartyNotFound, name);
}

void SetDrainUpdate::Apply(State& state, Changes& changes) const {
  PartyRecord& record = state.parties.at(party);
  record.draining = drain;
  if (!drain) ClearQuarantine(record);
  changes.parties.insert(party);
  changes.farm = true;
}

absl::Status GrantLeaseUpdate::Check(const State& state) const {
  const TaskRecord* found = state.FindTask(task);
  if (found == nullptr) return NoTask(task);
  if (found->state != TaskState::kReady)
    return absl::AbortedError(absl::StrCat("expected a task that is ready, found another state: tasks/", task));
  if (state.FindParty(party) == nullptr)
    return WithReason(absl::NotFoundError(absl::StrCat("expected a registered party, found ", party)), kUnknownParty);
  return absl::OkStatus();
}

void GrantLeaseUpdate::Apply(State& state, Changes& changes) const {
  TaskRecord& found = state.tasks.at(task);
  found.state = TaskState::kLeased;
  found.attempt += 1;
  found.fencing_token = NextNumber(state, changes);
  found.party = party;
  found.instance = state.parties.at(party).instance;
  changes.tasks.insert(task);
}

absl::Status CheckHolder(const State& state, const Holder& holder) {
  const TaskRecord* task = state.FindTask(holder.task);
  if (task == nullptr) return NoTask(holder.task);
  const bool live = task->state == TaskState::kLeased && task->fencing_token == holder.fencing_token && task->party == holder.party &&
                    task->instance == holder.instance;
  return live ? absl::OkStatus() : Stale(*task, holder);
}

absl::Status ExpireLeaseUpdate::Check(const State& state) const {
  const TaskRecord* found = state.FindTask(task);
  if (found == nullptr) return NoTask(task);
  if (found->state != TaskState::kLeased)
    return absl::AbortedError(absl::StrCat("expected a leased task, found another state: tasks/", task));
  return absl::OkStatus();
}

void ExpireLeaseUpdate::Apply(State& state, Changes& changes) const {
  TaskRecord& found = state.tasks.at(task);
  found.state = TaskState::kReady;
  if (reason == LeaseEnd::kSilent && !progressed) {
    CountFailure(found, "LEASE_EXPIRED",
                 absl::StrCat("the holder of ", found.key, " went silent before it got further than any attempt before"));
  }
  if (reason == LeaseEnd::kStuck) {
    CountFailure(found, "HOLDER_STUCK", absl::StrCat("the holder of ", found.key, " renewed its lease for long without any progress"));
  }
  changes.tasks.insert(task);
}

absl::Status CompleteTaskUpdate::Check(const State& state) const {
  if (absl::Status status = CheckHolder(state, holder); !status.ok()) return status;
  return CheckOutcome(state, state.tasks.at(holder.task), outcome);
}

void CompleteTaskUpdate::Apply(State& state, Changes& changes) const {
  TaskRecord& task = state.tasks.at(holder.task);
  changes.tasks.insert(task.id);
  for (const uint64_t id : SearchesOf(state, task)) {
    if (NoteDataset(outcome, state.searches.at(id).record)) changes.searches.insert(id);
  }
  if (const auto* trained = std::get_if<TrainOutcome>(&outcome); trained != nullptr) {
    if (auto& work = std::get<TrainWork>(task.work); trained->step < work.to_step) {
      work.initial = trained->checkpoint;
      work.from_step = trained->step;
      task.partial_seconds += trained->seconds;
      task.state = TaskState::kReady;
      return;
    }
  }
  if (const auto* rows = std::get_if<MeasureOperatorsOutcome>(&outcome); rows != nullptr) TakeRows(state, task, *rows, changes);
  task.state = TaskState::kDone;
  task.outcome = outcome;
  task.rounds.clear();  // the outcome has their statistics
  for (const uint64_t id : SearchesOf(state, task)) state.searches.at(id).AddResult(task);
  CountCompletion(state, task, changes);
}

std::vector<ArtifactRef> ArtifactsOf(const Outcome& outcome) {
  if (const auto* train = std::get_if<TrainOutcome>(&outcome)) return {train->checkpoint};
  if (const auto* bind = std::get_if<BindOutcome>(&outcome)) return {bind->bound_model, bind->onnx};
  if (const auto* pack = std::get_if<PackOutcome>(&outcome)) return {pack->images};
  return {};
}

absl::Status FailTaskUpdate::Check(const State& state) const { return CheckHolder(state, holder); }

void FailTaskUpdate::Apply(State& state, Changes& changes) const {
  TaskRecord& task = state.tasks.at(holder.task);
  changes.tasks.insert(task.id);
  if (!counts) {
    task.state = TaskState::kReady;
    return;
  }
  CountFailure(task, code, message);
  if (!retryable) task.state = TaskState::kFailed;
  if (const auto party = state.parties.find(holder.party); party != state.parties.end()) {
    ++party->second.failed_tasks;
    changes.parties.insert(holder.party);
  }
}

absl::Status RecordRoundUpdate::Check(const State& state) const {
  if (absl::Status status = CheckHolder(state, holder); !status.ok()) return status;
  return CheckRound(state.tasks.at(holder.task), round);
}

void RecordRoundUpdate::Apply(State& state, Changes& changes) const {
  TaskRecord& task = state.tasks.at(holder.task);
  const auto same = std::find_if(task.rounds.begin(), task.rounds.end(), [&](const RecordedRound& r) { return r.round == round.round; });
  if (same != task.rounds.end()) {
    *same = round;
  } else {
    task.rounds.push_back(round);
  }
  changes.tasks.insert(task.id);
}

absl::Status AdvanceSearchUpdate::Check(const State& state) const {
  const SearchState* found = state.FindSearch(search);
  if (found == nullptr) return NoSearch(search);
  if (found->record.phase != expected || found->record.paused || found->record.num_events != expected_events)
    return absl::AbortedError(absl::StrCat("the search has moved on: searches/", search));
  for (const auto& [key, work] : tasks) {
    if (found->tasks.contains(key)) return absl::AbortedError(absl::StrCat("the search has the task ", key, " already: searches/", search));
  }
  if (!tasks.empty() && std::holds_alternative<MeasureOperatorsWork>(tasks[0].second)) {
    const absl::flat_hash_set<std::string> coming = ComingOperators(state, *found, TargetOfTask(tasks[0].first, *found->job));
    for (const auto& [key, work] : tasks) {
      const std::vector<std::string>& keys = std::get<MeasureOperatorsWork>(work).keys;
      if (std::any_of(keys.begin(), keys.end(), [&](const std::string& op) { return coming.contains(op); }))
        return absl::AbortedError(absl::StrCat("operators of ", key, " are measured already: searches/", search));
    }
  }
  return absl::OkStatus();
}

void AdvanceSearchUpdate::Apply(State& state, Changes& changes) const {
  SearchState& found = state.searches.at(search);
  changes.searches.insert(search);
  if (!found.record.phases.empty() && found.record.phases.back().phase == expected) found.record.phases.back() = progress;
  if (!bindings.empty()) found.record.targets = bindings;
  if (profile.has_value()) found.record.targets.at(profile->first).profile = profile->second;
  for (size_t i = 0; i < rounds.size(); ++i) found.record.targets.at(i).rounds.push_back(rounds[i]);
  if (members.has_value()) found.record.members = *members;
  if (left_out.has_value()) found.record.left_out = *left_out;
  if (forecast.has_value()) found.record.forecast = forecast;
  if (compute_seconds.has_value()) found.record.compute_seconds = compute_seconds;
  if (!finish_reason.empty()) {
    found.record.finishing = true;
    found.record.finish_reason = finish_reason;
  }
  for (const auto& [key, work] : tasks) {
    const uint64_t id = NextNumber(state, changes);
    state.tasks[id] = {.id = id, .search = search, .key = key, .shared_under = SharedUnder(found.record, key), .work = work};
    AttachTask(state, state.tasks[id]);
    changes.tasks.insert(id);
  }
  found.record.candidates_scored += candidates_scored;
  found.record.scoring_seconds += scoring_seconds;
  for (const Event& event : events) AddEvent(found, event.kind, event.text, changes);
  if (!next.has_value()) return;
  found.record.error = error;
  found.record.error_code = error_code;
  if (!IsTerminal(*next)) {
    EnterPhase(found, *next, changes);
    ReopenShared(state, found, *next, changes);
    return;
  }
  CancelOpenTasks(state, found, changes);
  End(found, *next, now_us, changes);
}

}  // namespace hanas::coordinator
