// SPDX-License-Identifier: Apache-2.0
#include "coordinator/driver/replay.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "coordinator/driver/search_driver.h"
#include "coordinator/judging/search_context.h"
#include "coordinator/state/search_view.h"
#include "coordinator/state/task_key.h"
#include "coordinator/state/train_member.h"
#include "coordinator/state/updates.h"

namespace hanas::coordinator {
namespace {

/// Where a piece of training starts moves when it is handed back, and it was decided without knowing that.
Work AsDecided(const Work& work, const Work& decided) {
  const auto* recorded = std::get_if<TrainWork>(&work);
  const auto* now = std::get_if<TrainWork>(&decided);
  if (recorded == nullptr || now == nullptr || recorded->from_step <= now->from_step) return work;
  TrainWork moved = *recorded;
  moved.from_step = now->from_step;
  moved.initial = now->initial;
  return moved;
}

class Replayer {
 public:
  Replayer(const State& recording, const SearchState& recorded, PlainNetworks plain)
      : recording_(recording), recorded_(recorded), plain_(std::move(plain)) {}

  absl::StatusOr<ReplayResult> Run();

 private:
  absl::Status Prepare();
  const TaskRecord* Recorded(const std::string& key) const { return recording_.FindTask(recorded_, key); }
  const SearchState& search() const { return now_.searches.at(recorded_.record.id); }
  /// Applies the step and compares what it decided.
  absl::Status Take(AdvanceSearchUpdate step);
  /// Gives every open task what was recorded for it. False when nothing was.
  absl::StatusOr<bool> Answer();
  /// Finishing, once every task that was made before it is there.
  void FinishIfDue();
  /// The next member that a user asked for, once the search has succeeded without it. True when there was one.
  absl::StatusOr<bool> TrainIfDue();
  bool HasEnded() const {  // by itself
    return recorded_.record.phase == SearchPhase::kSucceeded || recorded_.record.phase == SearchPhase::kFailed;
  }
  bool ReproducedAll() const { return search().tasks.size() >= recorded_.tasks.size(); }
  void CompareTasks(const AdvanceSearchUpdate& step);
  void CompareTargets(const TargetRecord& before, const TargetRecord& now);
  void CompareRecords();
  void CompareMembers(const std::vector<MemberRecord>& before, const std::vector<MemberRecord>& now);
  void CompareEnd();
  void Differ(std::string difference) {
    if (result_.difference.empty()) result_.difference = std::move(difference);
  }
  std::string TextOf(const Architecture& architecture) const { return context_->space().ToReadable(architecture); }
  std::string TextOf(const MemberRecord& member) const;
  template <typename T>
  std::string FirstOther(const T& recorded, const T& decided) const;
  std::string DescribeOther(const Work& recorded, const Work& decided) const;

  const State& recording_;
  const SearchState& recorded_;
  const PlainNetworks plain_;
  State now_;
  uint64_t party_ = 0;  // holds every task
  std::unique_ptr<SearchContext> context_;
  ReplayResult result_;
  bool ahead_ = false;  // of the recording, which goes on
};

absl::Status Replayer::Prepare() {
  const SearchRecord& record = recorded_.record;
  absl::StatusOr<std::unique_ptr<SearchContext>> context = SearchContext::Create(*recorded_.job, plain_);
  if (!context.ok()) return context.status();
  context_ = *std::move(context);
  Changes changes;
  now_.counter = record.id - 1;  // so that the search gets its id
  CreateSearchUpdate{record.request_id, std::string(record.spec), recorded_.job, DigestsOf(*recorded_.job)}.Apply(now_, changes);
  std::vector<PartyRecord> parties = {{.name = "replay"}};
  for (const TargetRecord& target : record.targets)
    parties.push_back({.agent = true, .name = target.agent, .device = target.device, .caps = target.caps});
  for (PartyRecord& party : parties) {
    party.instance = party.host = "replay";
    if (FindPartyId(now_, party.agent, party.name) != 0) continue;  // one device may be two targets
    const RegisterPartyUpdate update = {.party = std::move(party)};
    if (absl::Status status = update.Check(now_); !status.ok()) return status;
    update.Apply(now_, changes);
  }
  party_ = FindPartyId(now_, /*agent=*/false, "replay");

  std::set<std::pair<Digest, std::string>> own;  // operators that the search measured itself, by the table that they went into
  for (const auto& [id, task] : recording_.tasks) {
    const auto* work = std::get_if<MeasureOperatorsWork>(&task.work);
    if (work == nullptr) continue;
    const Digest table = ContextOf(TargetAt(record, TargetOfTask(task.key, *recorded_.job)));
    for (const std::string& key : work->keys) own.emplace(table, key);
  }
  for (const auto& [digest, table] : recording_.tables) {
    for (const auto& [key, row] : table.rows()) {
      if (own.contains({digest, ToString(key)})) continue;
      if (absl::Status status = now_.tables[digest].Insert(key, row); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

template <typename T>
std::string Replayer::FirstOther(const T& recorded, const T& decided) const {
  const size_t count = std::min(recorded.architectures.size(), decided.architectures.size());
  for (size_t i = 0; i < count; ++i) {
    if (recorded.architectures[i] == decided.architectures[i]) continue;
    return absl::StrCat("network ", i + 1, ": recorded ", TextOf(recorded.architectures[i]), ", now ", TextOf(decided.architectures[i]));
  }
  if (recorded.architectures.size() != decided.architectures.size())
    return absl::StrCat("recorded ", recorded.architectures.size(), " networks, now ", decided.architectures.size());
  return "the same networks with other checkpoints, digests or steps";
}

std::string Replayer::DescribeOther(const Work& recorded, const Work& decided) const {
  if (recorded.index() != decided.index()) return "recorded another kind of work";
  if (const auto* evaluate = std::get_if<EvaluateWork>(&recorded)) return FirstOther(*evaluate, std::get<EvaluateWork>(decided));
  if (const auto* measure = std::get_if<MeasureNetworksWork>(&recorded)) {
    const auto& now = std::get<MeasureNetworksWork>(decided);
    if (!measure->spaces.empty() || !now.spaces.empty()) return "recorded other plain networks";
    return FirstOther(*measure, now);
  }
  if (const auto* train = std::get_if<TrainWork>(&recorded)) {
    const auto& now = std::get<TrainWork>(decided);
    return absl::StrCat("recorded steps ", train->from_step, " to ", train->to_step, " of ", train->total_steps, ", now ", now.from_step,
                        " to ", now.to_step, " of ", now.total_steps, ", or another start or network");
  }
  return "recorded other inputs";
}

void Replayer::CompareTasks(const AdvanceSearchUpdate& step) {
  for (const auto& [key, work] : step.tasks) {
    const TaskRecord* recorded = Recorded(key);
    if (recorded == nullptr) {
      Differ(absl::StrCat("step ", result_.steps, ": ", key, " is decided now and was not recorded"));
    } else if (const Work before = AsDecided(recorded->work, work); before != work) {
      Differ(absl::StrCat("step ", result_.steps, ": ", key, ": ", DescribeOther(before, work)));
    }
  }
}

void Replayer::CompareTargets(const TargetRecord& before, const TargetRecord& now) {
  if (now.profile.has_value() && before.profile.has_value() && *now.profile != *before.profile)
    Differ(absl::StrCat("step ", result_.steps, ": profiling ", before.agent, " comes to another conclusion"));
  for (size_t i = 0; i < std::min(now.rounds.size(), before.rounds.size()); ++i) {
    if (now.rounds[i] == before.rounds[i]) continue;
    Differ(absl::StrFormat("step %d: round %d: recorded hypervolume %.6g, tau %.4f and a front of %d, now %.6g, %.4f and %d", result_.steps,
                           i + 1, before.rounds[i].hypervolume, before.rounds[i].held_out_tau, before.rounds[i].front_size,
                           now.rounds[i].hypervolume, now.rounds[i].held_out_tau, now.rounds[i].front_size));
  }
}

/// Results that the records keep, as far as both have them.
void Replayer::CompareRecords() {
  const SearchRecord& before = recorded_.record;
  const SearchRecord& now = search().record;
  for (size_t i = 0; i < std::min(now.targets.size(), before.targets.size()); ++i) CompareTargets(before.targets[i], now.targets[i]);
  if (now.compute_seconds.has_value() && before.compute_seconds.has_value() && *now.compute_seconds != *before.compute_seconds) {
    Differ(absl::StrCat("step ", result_.steps, ": recorded ", *before.compute_seconds, " s of compute, now ", *now.compute_seconds));
  }
  CompareMembers(before.members, now.members);
}

/// Opponents are chosen when members are verified, and their steps are known later still; which members are trained on is decided in
/// between: until then either side may be without it.
void Replayer::CompareMembers(const std::vector<MemberRecord>& before, const std::vector<MemberRecord>& now) {
  if (now.empty() || before.empty()) return;
  const bool asked_later = NumAsked(before) > NumAsked(now);
  const size_t common = std::min(now.size(), before.size());
  for (size_t i = 0; i < common; ++i) {
    MemberRecord known = now[i];
    if (known.opponent.has_value() && (known.steps == 0 || before[i].steps == 0)) {
      known.steps = before[i].steps;
      known.trained_as = before[i].trained_as;
    }
    const bool undecided = (known.final_steps > 0 || known.set_aside) != (before[i].final_steps > 0 || before[i].set_aside);
    if (undecided) known.fine_tuned = before[i].fine_tuned;
    if (undecided || asked_later) {
      known.asked = before[i].asked;
      known.final_steps = before[i].final_steps;
      known.set_aside = before[i].set_aside;
    }
    if (known == before[i]) continue;
    Differ(absl::StrCat("step ", result_.steps, ": ", before[i].id, ": recorded ", TextOf(before[i]), ", now ", TextOf(now[i])));
  }
  const std::vector<MemberRecord>& longer = now.size() > before.size() ? now : before;
  if (longer.size() > common && !longer[common].opponent.has_value())
    Differ(absl::StrCat("step ", result_.steps, ": recorded ", before.size(), " members, now ", now.size()));
}

std::string Replayer::TextOf(const MemberRecord& member) const {
  if (!member.opponent.has_value()) return absl::StrCat(TextOf(member.architecture), " at ", member.predicted_us, " us");
  return absl::StrCat(member.opponent->preset, " x", member.opponent->factor, " for ", member.steps, " steps");
}

absl::Status Replayer::Take(AdvanceSearchUpdate step) {
  ++result_.steps;
  result_.tasks += static_cast<int64_t>(step.tasks.size());
  // The recording may end before a step that its coordinator had not taken yet.
  const bool unknown = std::any_of(step.tasks.begin(), step.tasks.end(), [&](const auto& task) { return Recorded(task.first) == nullptr; });
  if (unknown && ReproducedAll() && !HasEnded()) {
    ahead_ = true;
    return absl::OkStatus();
  }
  // Which of several devices a target was bound to was a matter of who was there.
  if (!step.bindings.empty() && step.bindings.size() == recorded_.record.targets.size()) {
    for (size_t i = 0; i < step.bindings.size(); ++i) {
      const TargetRecord& bound = recorded_.record.targets[i];
      step.bindings[i] = {.agent = bound.agent, .device = bound.device, .caps = bound.caps};
    }
  }
  CompareTasks(step);
  step.progress = search().record.phases.back();
  if (absl::Status status = step.Check(now_); !status.ok()) return status;
  Changes changes;
  step.Apply(now_, changes);
  CompareRecords();
  return absl::OkStatus();
}

absl::StatusOr<bool> Replayer::Answer() {
  bool any = false;
  for (const uint64_t id : search().tasks_in_order) {
    TaskRecord& task = now_.tasks.at(id);
    const TaskRecord* recorded = Recorded(task.key);
    if (task.state != TaskState::kReady || recorded == nullptr) continue;
    task.partial_seconds = recorded->partial_seconds;  // opponents get as much compute as the search took
    if (recorded->state == TaskState::kFailed || recorded->state == TaskState::kCancelled) {
      task.state = recorded->state;
      task.error = recorded->error;
      task.error_code = recorded->error_code;
      any = true;
    }
    if (!recorded->outcome.has_value()) continue;
    Changes changes;
    GrantLeaseUpdate{id, party_}.Apply(now_, changes);
    const CompleteTaskUpdate complete = {{party_, "replay", id, task.fencing_token}, *recorded->outcome};
    if (absl::Status status = complete.Check(now_); !status.ok()) {
      Differ(absl::StrCat("the recorded outcome of ", task.key, " does not fit it: ", status.message()));
      return false;
    }
    complete.Apply(now_, changes);
    any = true;
  }
  return any;
}

void Replayer::FinishIfDue() {
  SearchState& search = now_.searches.at(recorded_.record.id);
  const SearchPhase phase = search.record.phase;
  if (!recorded_.record.finishing || search.record.finishing) return;
  if (phase != SearchPhase::kSampling && phase != SearchPhase::kSearching) return;
  for (const auto& [key, id] : recorded_.tasks) {
    if (PhaseOfTask(key) != SearchPhase::kVerifying && !search.tasks.contains(key)) return;
  }
  search.record.finishing = true;
  search.record.finish_reason = recorded_.record.finish_reason;
}

absl::StatusOr<bool> Replayer::TrainIfDue() {
  const int32_t next = NumAsked(search().record.members) + 1;
  // Several may have been asked for while the first was trained.
  const bool verifies_again = search().record.phase == SearchPhase::kVerifying && next > 1;
  if (search().record.phase != SearchPhase::kSucceeded && !verifies_again) return false;
  for (const MemberRecord& member : recorded_.record.members) {
    if (member.asked != next) continue;
    const TrainMemberUpdate update = {recorded_.record.id, TargetsOf(*recorded_.job)[member.target].name, member.id, member.final_steps};
    if (absl::Status status = update.Check(now_); !status.ok()) return status;
    Changes changes;
    update.Apply(now_, changes);
    return true;
  }
  return false;
}

void Replayer::CompareEnd() {
  const SearchRecord& before = recorded_.record;
  const SearchRecord& now = search().record;
  for (const uint64_t id : recorded_.tasks_in_order) {
    const std::string& key = recording_.tasks.at(id).key;
    // Others' work with the same supernet, which the search did not come to.
    if (!recording_.tasks.at(id).shared_under.empty() && PhaseOfTask(key) > search().record.phases.back().phase) continue;
    if (!search().tasks.contains(key)) Differ(absl::StrCat("at the end: ", key, " was recorded and is not decided now"));
  }
  if (HasEnded() && (now.phase != before.phase || now.error_code != before.error_code)) {
    Differ(
        absl::StrCat("at the end: recorded ", Name(before.phase), " ", before.error_code, ", now ", Name(now.phase), " ", now.error_code));
  }
}

absl::StatusOr<ReplayResult> Replayer::Run() {
  if (absl::Status status = Prepare(); !status.ok()) return status;
  bool going = true;
  while (going && !ahead_ && result_.difference.empty()) {
    absl::StatusOr<std::optional<AdvanceSearchUpdate>> step = NextStep(SearchView(now_, search()), context_.get());
    if (!step.ok()) return step.status();
    if (step->has_value()) {
      if (absl::Status status = Take(**std::move(step)); !status.ok()) return status;
      continue;
    }
    const absl::StatusOr<bool> answered = Answer();
    if (!answered.ok()) return answered.status();
    const bool finishing = search().record.finishing;
    FinishIfDue();
    const absl::StatusOr<bool> asked = *answered ? false : TrainIfDue();
    if (!asked.ok()) return asked.status();
    going = *answered || *asked || search().record.finishing != finishing;
  }
  if (!ahead_) CompareEnd();
  result_.identical = result_.difference.empty();
  return result_;
}

}  // namespace

State RecordingOf(const State& state, uint64_t search) {
  State recording;
  recording.counter = state.counter;
  const SearchState& found = state.searches.at(search);
  recording.searches.emplace(search, found);
  for (const uint64_t id : found.tasks_in_order) recording.tasks.emplace(id, state.tasks.at(id));
  for (const TargetRecord& target : found.record.targets) {
    if (const auto table = state.tables.find(ContextOf(target)); table != state.tables.end()) recording.tables.insert(*table);
  }
  return recording;
}

absl::StatusOr<ReplayResult> Replay(const State& recording, uint64_t search, PlainNetworks plain) {
  return Replayer(recording, recording.searches.at(search), std::move(plain)).Run();
}

}  // namespace hanas::coordinator
