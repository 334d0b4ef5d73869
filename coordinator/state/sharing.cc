// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/sharing.h"

#include <algorithm>
#include <array>
#include <optional>
#include <variant>

#include "coordinator/state/search_view.h"
#include "coordinator/state/task_key.h"

namespace hanas::coordinator {
namespace {

/// One search sees one task.
void Attach(SearchState& search, const TaskRecord& task) {
  search.tasks[task.key] = task.id;
  search.tasks_in_order.push_back(task.id);
  if (!task.outcome.has_value()) return;
  search.AddResult(task);
  NoteDataset(*task.outcome, search.record);
}

/// All that a search shares tasks under.
std::array<std::string, 3> DigestsOf(const SearchRecord& search) { return {search.teacher, search.supernet, search.sample_set}; }

}  // namespace

bool NoteDataset(const Outcome& outcome, SearchRecord& record) {
  const auto note = [&record](const auto* made) {
    if (made == nullptr || made->dataset_digest.empty() || !record.dataset_digest.empty()) return false;
    record.dataset_digest = made->dataset_digest;
    record.dataset_files = made->dataset_files;
    return true;
  };
  return note(std::get_if<TrainOutcome>(&outcome)) || note(std::get_if<EvaluateOutcome>(&outcome));
}

const std::string& SharedUnder(const SearchRecord& search, absl::string_view key) {
  static const std::string* const kOwn = new std::string;
  const std::optional<TaskKey> parsed = ParseTaskKey(key);
  switch (parsed.has_value() ? SharingOf(parsed->stage) : TaskSharing::kNobody) {
    case TaskSharing::kSameTeacher:
      return search.teacher;
    case TaskSharing::kSameSupernet:
      return search.supernet;
    case TaskSharing::kSameSamples:
      return search.sample_set;
    case TaskSharing::kNobody:
      break;
  }
  return *kOwn;
}

std::vector<uint64_t> SearchesOf(const State& state, const TaskRecord& task) {
  const auto shared = state.shared.find(task.shared_under);
  if (task.shared_under.empty() || shared == state.shared.end()) return {task.search};
  return {shared->second.searches.begin(), shared->second.searches.end()};
}

std::set<uint64_t> WaitingFor(const State& state, const TaskRecord& task) {
  const std::vector<uint64_t> own = SearchesOf(state, task);
  std::set<uint64_t> searches(own.begin(), own.end());
  if (!std::holds_alternative<MeasureOperatorsWork>(task.work)) return searches;
  for (const auto& [id, search] : state.searches) {
    if (search.record.phase == SearchPhase::kProfiling) searches.insert(id);
  }
  return searches;
}

bool IsWanted(const SearchState& search, absl::string_view key) {
  const SearchRecord& record = search.record;
  if (IsTerminal(record.phase)) return false;
  const SearchPhase phase = PhaseOfTask(key);
  return record.phase >= phase && !(record.finishing && phase < SearchPhase::kVerifying);
}

bool IsWantedByOthers(const State& state, const TaskRecord& task, uint64_t except) {
  const std::vector<uint64_t> searches = SearchesOf(state, task);
  return std::any_of(searches.begin(), searches.end(),
                     [&](uint64_t id) { return id != except && IsWanted(state.searches.at(id), task.key); });
}

absl::flat_hash_set<std::string> ComingOperators(const State& state, const SearchState& search, size_t target) {
  absl::flat_hash_set<std::string> keys;
  const Digest device_class = ContextOf(TargetAt(search.record, target));
  const auto add = [&](const SearchView& view) {
    if (ContextOf(view.target()) != device_class) return;
    for (const TaskRecord* task : view.Numbered({.stage = TaskStage::kOperators})) {
      if (task->state != TaskState::kReady && task->state != TaskState::kLeased) continue;
      const auto& work = std::get<MeasureOperatorsWork>(task->work);
      keys.insert(work.keys.begin(), work.keys.end());
    }
  };
  for (const auto& [id, other] : state.searches) {
    if (other.record.phase != SearchPhase::kProfiling || other.record.paused) continue;
    for (const SearchView& view : SearchView(state, other).ForEach()) {
      if (id != search.record.id || view.target_index() != target) add(view);
    }
  }
  return keys;
}

void JoinShared(State& state, SearchState& search) {
  for (const std::string& digest : DigestsOf(search.record)) {
    if (digest.empty()) continue;
    SharedTasks& shared = state.shared[digest];
    shared.searches.insert(search.record.id);
    for (const uint64_t id : shared.tasks) Attach(search, state.tasks.at(id));
  }
}

void AttachTask(State& state, const TaskRecord& task) {
  if (!task.shared_under.empty()) state.shared[task.shared_under].tasks.insert(task.id);
  for (const uint64_t id : SearchesOf(state, task)) Attach(state.searches.at(id), task);
}

std::vector<uint64_t> LeaveShared(State& state, const SearchState& search, Changes& changes) {
  const uint64_t leaving = search.record.id;
  for (const std::string& digest : DigestsOf(search.record)) {
    const auto shared = state.shared.find(digest);
    if (shared == state.shared.end()) continue;
    shared->second.searches.erase(leaving);
    if (shared->second.searches.empty()) state.shared.erase(shared);
  }
  std::vector<uint64_t> alone;
  for (const auto& [key, id] : search.tasks) {
    TaskRecord& task = state.tasks.at(id);
    const auto shared = state.shared.find(task.shared_under);
    if (task.shared_under.empty() || shared == state.shared.end()) {
      alone.push_back(id);
    } else if (task.search == leaving) {
      changes.erased.push_back({RecordKind::kTask, leaving, id});
      task.search = *shared->second.searches.begin();
      changes.tasks.insert(id);
    }
  }
  return alone;
}

void ReopenShared(State& state, const SearchState& search, SearchPhase entered, Changes& changes) {
  for (const auto& [key, id] : search.tasks) {
    TaskRecord& task = state.tasks.at(id);
    const bool closed = task.state == TaskState::kCancelled || task.state == TaskState::kFailed;
    if (task.shared_under.empty() || !closed || PhaseOfTask(key) != entered) continue;
    task.state = TaskState::kReady;
    task.failures = 0;
    task.error.clear();
    task.error_code.clear();
    changes.tasks.insert(id);
  }
}

}  // namespace hanas::coordinator
