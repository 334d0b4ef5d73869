// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/search_view.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "coordinator/state/train_member.h"

namespace hanas::coordinator {
namespace {

/// Which of `count` measured networks are held out: `held_out` of them, evenly spread, never the two ends.
bool IsHeldOut(int index, int count, int held_out) {
  for (int j = 0; j < held_out; ++j) {
    const int position = static_cast<int>((2LL * j + 1) * count / (2LL * held_out));
    if (position == index) return true;
  }
  return false;
}

int64_t LiveDone(const std::map<uint64_t, int64_t>& live_done, const TaskRecord& task) {
  const auto found = live_done.find(task.id);
  return found == live_done.end() || task.state != TaskState::kLeased ? 0 : found->second;
}

/// As many units as there are networks or operators in it; 1 of what is about a single one.
struct NumUnits {
  template <typename T>
  int64_t operator()(const T& work) const {
    if constexpr (requires { work.architectures; }) {
      return static_cast<int64_t>(work.architectures.size());
    } else if constexpr (requires { work.keys; }) {
      return static_cast<int64_t>(work.keys.size());
    } else {
      return 1;
    }
  }
};

/// Units done of a task and units in it.
std::pair<int64_t, int64_t> UnitsOf(const TaskRecord& task, const std::map<uint64_t, int64_t>& live_done) {
  const int64_t total = std::visit(NumUnits(), task.work);
  // What fails in VERIFYING is left out, and nobody waits for it.
  const bool given_up = task.state == TaskState::kFailed && PhaseOfTask(task.key) == SearchPhase::kVerifying;
  if (task.state == TaskState::kDone || given_up) return {total, total};
  return {std::min(total, LiveDone(live_done, task)), total};
}

/// The step that a chain of training tasks has reached.
int64_t StepsOf(const SearchView& view, const TaskKey& chain, const std::map<uint64_t, int64_t>& live_done) {
  int64_t step = 0;
  for (const TaskRecord* task : view.Numbered(chain)) {
    const auto& work = std::get<TrainWork>(task->work);
    step = task->state == TaskState::kDone ? work.to_step
                                           : work.from_step + std::min(work.to_step - work.from_step, LiveDone(live_done, *task));
  }
  return step;
}

PhaseRecord CountUnits(const SearchView& view, const std::vector<TaskKey>& all_series, std::string unit,
                       const std::map<uint64_t, int64_t>& live_done) {
  PhaseRecord progress = {.unit = std::move(unit)};
  for (const TaskKey& series : all_series) {
    for (const TaskRecord* task : view.NumberedOfAll(series)) {
      const auto [done, total] = UnitsOf(*task, live_done);
      progress.done += done;
      progress.total += total;
    }
  }
  return progress;
}

PhaseRecord CountMembers(const SearchView& view, const std::map<uint64_t, int64_t>& live_done) {
  // Steps of training, one for binding and one for verifying each, and one for each plain network that is measured to choose among.
  PhaseRecord progress = CountUnits(view, {{.stage = TaskStage::kOpponentMeasure}}, "steps", live_done);
  const FinalSpec& final = view.job().final;
  const bool contested = view.IsContested();
  std::vector<int> contenders(view.num_targets(), 0);
  for (const MemberRecord& member : view.record().members) {
    if (view.IsLeftOut(member)) continue;
    const bool contends = final.steps > 0 && !member.reference;
    const bool undecided = contends && contested;
    if (undecided) ++contenders[member.target];
    if (!undecided && !member.set_aside) {
      progress.total += 1;
      if (view.Done<VerifyOutcome>(view.MemberKey(TaskStage::kMemberVerify, member)) != nullptr) ++progress.done;
    }
    if (member.trained_as >= 0) continue;
    progress.total += member.steps;
    progress.done += StepsOf(view, view.MemberKey(TaskStage::kMemberTrain, member), live_done);
    if (!contends || member.final_steps > 0) {
      progress.total += member.final_steps + 1;
      progress.done += StepsOf(view, view.MemberKey(TaskStage::kMemberFinal, member), live_done);
      if (view.Done<BindOutcome>(view.MemberKey(TaskStage::kMemberBind, member)) != nullptr) ++progress.done;
    }
  }
  // So many of them will be trained on, bound and verified.
  for (const int count : contenders) progress.total += std::min(count, final.members) * (final.steps + 2);
  return progress;
}

}  // namespace

bool IsSameNetwork(const MemberRecord& a, const MemberRecord& b) {
  if (a.opponent.has_value() != b.opponent.has_value() || a.architecture != b.architecture) return false;
  return !a.opponent.has_value() || a.opponent->space == b.opponent->space;
}

std::vector<SearchView> SearchView::ForEach() const {
  std::vector<SearchView> views;
  for (size_t i = 0; i < num_targets(); ++i) views.push_back(For(i));
  return views;
}

std::string SearchView::TargetPrefix() const { return num_targets() == 1 ? "" : absl::StrCat(target_spec().name, ": "); }

std::string SearchView::TextOf(const TaskKey& key) const {
  if (target_spec().name.empty() || !key.target.empty() || !IsOfTarget(key.stage)) return key.ToString();
  TaskKey own = key;
  own.target = target_spec().name;
  return own.ToString();
}

TaskKey SearchView::MemberKey(TaskStage stage, const MemberRecord& member) const {
  const std::vector<MemberRecord>& members = record().members;
  const MemberRecord* named = &member;
  if (stage == TaskStage::kOpponentProbe) {
    const auto first =
        std::find_if(members.begin(), members.end(), [&](const MemberRecord& other) { return IsSameNetwork(other, member); });
    if (first != members.end()) named = &*first;
  } else if (stage != TaskStage::kMemberVerify && member.trained_as >= 0) {
    named = &members.at(static_cast<size_t>(member.trained_as));
  }
  return {.stage = stage, .target = TargetsOf(job())[named->target].name, .member = named->id};
}

std::vector<const TaskRecord*> SearchView::Numbered(const TaskKey& series) const {
  std::vector<const TaskRecord*> tasks;
  while (const TaskRecord* task = Task(series.At(tasks.size()))) tasks.push_back(task);
  return tasks;
}

std::vector<const TaskRecord*> SearchView::NumberedOfAll(const TaskKey& series) const {
  if (!IsOfTarget(series.stage)) return Numbered(series);
  std::vector<const TaskRecord*> all;
  for (const SearchView& of_target : ForEach()) {
    const std::vector<const TaskRecord*> own = of_target.Numbered(series);
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

bool SearchView::AllDone(const TaskKey& series) const {
  const std::vector<const TaskRecord*> tasks = Numbered(series);
  return !tasks.empty() && AreDone(tasks);
}

const TaskRecord* SearchView::FirstFailed() const {
  for (const auto& [key, id] : search_.tasks) {
    const TaskRecord* task = state_.FindTask(id);
    if (task->state != TaskState::kFailed) continue;
    const std::optional<TaskKey> parsed = ParseTaskKey(key);
    if (parsed.has_value() && (!parsed->member.empty() || parsed->stage == TaskStage::kOpponentMeasure)) continue;
    // A search that has succeeded has all that it shares; what others fail at since is not its failure.
    if (NumAsked(record().members) > 0 && !task->shared_under.empty()) continue;
    if (task->shared_under.empty() || PhaseOfTask(key) <= record().phase) return task;
  }
  return nullptr;
}

const TaskRecord* SearchView::FailedTaskOf(const MemberRecord& member) const {
  for (const auto& [text, id] : search_.tasks) {
    const TaskRecord* record = state_.FindTask(id);
    if (record->state != TaskState::kFailed) continue;
    std::optional<TaskKey> key = ParseTaskKey(text);
    if (!key.has_value() || key->member.empty()) continue;
    key->index = 0;
    if (*key == MemberKey(key->stage, member)) return record;
  }
  return nullptr;
}

bool SearchView::IsLeftOut(const MemberRecord& member) const {
  const std::vector<LeftOutRecord>& left_out = record().left_out;
  return std::any_of(left_out.begin(), left_out.end(),
                     [&](const LeftOutRecord& record) { return record.target == member.target && record.id == member.id; });
}

bool SearchView::IsContested() const {
  const std::vector<MemberRecord>& members = record().members;
  return job().final.steps > 0 && std::none_of(members.begin(), members.end(), [](const MemberRecord& m) { return m.final_steps > 0; });
}

int SearchView::NumRounds() const {
  const auto concluded = static_cast<int>(target().rounds.size());
  const bool cut_short =
      record().phase >= SearchPhase::kVerifying && !NumberedOfAll({.stage = TaskStage::kRoundEvaluate, .round = concluded}).empty();
  return cut_short ? concluded + 1 : concluded;
}

std::vector<EvaluatedNetwork> SearchView::Evaluations(int num_rounds) const {
  std::vector<EvaluatedNetwork> networks;
  const auto add = [&](const TaskKey& series) {
    for (const TaskRecord* task : NumberedOfAll(series)) {
      const auto& work = std::get<EvaluateWork>(task->work);
      const auto* outcome = task->outcome.has_value() ? std::get_if<EvaluateOutcome>(&*task->outcome) : nullptr;
      for (size_t i = 0; outcome != nullptr && i < work.architectures.size(); ++i)
        networks.push_back({work.architectures[i], outcome->scores[i], std::nullopt});
    }
  };
  add({.stage = TaskStage::kSample});
  add({.stage = TaskStage::kWitness});
  for (int round = 0; round < num_rounds; ++round) {
    const size_t first = networks.size();
    add({.stage = TaskStage::kRoundEvaluate, .round = round});
    absl::flat_hash_map<Architecture, const NetworkMeasurement*> measured;
    for (const TaskRecord* task : Numbered({.stage = TaskStage::kRoundMeasure, .round = round})) {
      const auto* outcome = task->outcome.has_value() ? std::get_if<MeasureNetworksOutcome>(&*task->outcome) : nullptr;
      const auto& work = std::get<MeasureNetworksWork>(task->work);
      for (size_t i = 0; outcome != nullptr && i < work.architectures.size(); ++i) measured[work.architectures[i]] = &outcome->rows[i];
    }
    for (size_t i = first; i < networks.size(); ++i) {
      if (const auto found = measured.find(networks[i].architecture); found != measured.end()) networks[i].measured = *found->second;
    }
  }
  return networks;
}

bool SearchView::HasEvaluations() const {
  return std::any_of(search_.tasks.begin(), search_.tasks.end(), [&](const auto& task) {
    const TaskRecord& record = *state_.FindTask(task.second);
    return record.outcome.has_value() && std::holds_alternative<EvaluateOutcome>(*record.outcome);
  });
}

std::vector<MeasuredNetwork> SearchView::Measurements(int num_rounds) const {
  std::vector<MeasuredNetwork> networks;
  const auto add = [&](const TaskKey& series) {
    for (const TaskRecord* task : Numbered(series)) {
      const auto* outcome = task->outcome.has_value() ? std::get_if<MeasureNetworksOutcome>(&*task->outcome) : nullptr;
      if (outcome == nullptr) continue;
      const auto& work = std::get<MeasureNetworksWork>(task->work);
      for (size_t i = 0; i < work.architectures.size(); ++i) networks.push_back({work.architectures[i], outcome->rows[i]});
    }
  };
  add({.stage = TaskStage::kNetworks});
  const auto count = static_cast<int>(networks.size());
  const int held_out = std::min(job().measure.held_out_networks, count / 2);
  for (int i = 0; i < count; ++i) networks[static_cast<size_t>(i)].held_out = IsHeldOut(i, count, held_out);
  for (int round = 0; round < num_rounds; ++round) add({.stage = TaskStage::kRoundMeasure, .round = round});
  return networks;
}

const TrainOutcome* SearchView::ChainEnd(const TaskKey& chain) const {
  const std::vector<const TaskRecord*> tasks = Numbered(chain);
  if (tasks.empty() || !tasks.back()->outcome.has_value()) return nullptr;
  const auto& work = std::get<TrainWork>(tasks.back()->work);
  return work.to_step == work.total_steps ? std::get_if<TrainOutcome>(&*tasks.back()->outcome) : nullptr;
}

const LatencyTable* SearchView::Table() const {
  const auto found = state_.tables.find(ContextOf(target()));
  return found == state_.tables.end() ? nullptr : &found->second;
}

bool AreDone(const std::vector<const TaskRecord*>& tasks) {
  return std::all_of(tasks.begin(), tasks.end(), [](const TaskRecord* task) { return task->state == TaskState::kDone; });
}

double StatisticUs(const NetworkMeasurement& measurement, LatencyStatistic statistic) {
  switch (statistic) {
    case LatencyStatistic::kP50:
      return measurement.p50_us;
    case LatencyStatistic::kP90:
      return measurement.p90_us;
    case LatencyStatistic::kP99:
      return measurement.p99_us;
  }
  return measurement.p50_us;
}

PhaseRecord ProgressOf(const SearchView& view, const std::map<uint64_t, int64_t>& live_done) {
  const SearchPhase phase = view.record().phase;
  PhaseRecord progress;
  switch (phase) {
    case SearchPhase::kProfiling:
      // Whole networks are counted with the operators.
      progress = CountUnits(view, {{.stage = TaskStage::kOperators}, {.stage = TaskStage::kNetworks}}, "measurements", live_done);
      break;
    case SearchPhase::kTraining:
      progress = {.done = StepsOf(view, {.stage = TaskStage::kTeacher}, live_done) + StepsOf(view, {.stage = TaskStage::kTrain}, live_done),
                  .total = view.job().teacher.steps + SupernetSteps(view.job()),
                  .unit = "steps"};
      break;
    case SearchPhase::kSampling:
      progress = CountUnits(view, {{.stage = TaskStage::kSample}, {.stage = TaskStage::kWitness}}, "networks", live_done);
      break;
    case SearchPhase::kSearching: {
      // A search without samples has one round of all networks of its space.
      const bool whole = !view.Has({.stage = TaskStage::kSample});
      if (whole) {
        progress = CountUnits(view, {{.stage = TaskStage::kRoundEvaluate}}, "networks", live_done);
        break;
      }
      progress = {.total = static_cast<int64_t>(view.job().evolution.rounds) * view.job().evolution.evaluations_per_round *
                           static_cast<int64_t>(view.num_targets()),
                  .unit = "networks"};
      for (int round = 0; round < view.job().evolution.rounds; ++round) {
        progress.done += CountUnits(view, {{.stage = TaskStage::kRoundEvaluate, .round = round}}, "", live_done).done;
      }
      break;
    }
    case SearchPhase::kVerifying:
      progress = CountMembers(view, live_done);
      break;
    default:
      break;
  }
  progress.phase = phase;
  return progress;
}

}  // namespace hanas::coordinator
