// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/state_counts.h"

#include <array>

#include "absl/strings/ascii.h"

namespace hanas::coordinator {
namespace {

absl::string_view StateName(TaskState state) {
  constexpr std::array<absl::string_view, 5> kNames = {"ready", "leased", "done", "failed", "cancelled"};
  return kNames.at(static_cast<size_t>(state));
}

}  // namespace

void StateCounts::Reset(const State& state, absl::Duration now) {
  *this = StateCounts();
  for (const auto& [id, task] : state.tasks) See(task, now);
  for (const auto& [id, search] : state.searches) See(search.record);
}

void StateCounts::Update(const State& state, const Changes& changes, absl::Duration now) {
  for (const uint64_t id : changes.tasks) {
    if (const TaskRecord* task = state.FindTask(id); task != nullptr) See(*task, now);
  }
  for (const uint64_t id : changes.searches) {
    if (const SearchState* search = state.FindSearch(id); search != nullptr) See(search->record);
  }
  for (const uint64_t id : changes.deleted_tasks) ForgetTask(id);
  for (const uint64_t id : changes.deleted_searches) ForgetSearch(id);
}

void StateCounts::See(const TaskRecord& task, absl::Duration now) {
  const auto [found, first] = tasks_.try_emplace(task.id);
  SeenTask& seen = found->second;
  if (!first) {
    if (seen.state == task.state) return;
    --num_tasks_[{seen.kind, seen.state}];
    if (seen.state == TaskState::kReady) ready_.erase({seen.since, task.id});
  }
  seen = {.kind = KindOf(task.work).name, .state = task.state, .since = now};
  ++num_tasks_[{seen.kind, seen.state}];
  if (seen.state == TaskState::kReady) ready_.emplace(now, task.id);
}

void StateCounts::See(const SearchRecord& search) {
  const std::string phase = search.paused && !IsTerminal(search.phase) ? "paused" : absl::AsciiStrToLower(Name(search.phase));
  const auto [found, first] = searches_.try_emplace(search.id, phase);
  if (!first) {
    if (found->second == phase) return;
    --num_searches_[found->second];
    found->second = phase;
  }
  ++num_searches_[phase];
}

void StateCounts::ForgetTask(uint64_t id) {
  const auto found = tasks_.find(id);
  if (found == tasks_.end()) return;
  const SeenTask& seen = found->second;
  --num_tasks_[{seen.kind, seen.state}];
  if (seen.state == TaskState::kReady) ready_.erase({seen.since, id});
  tasks_.erase(found);
}

void StateCounts::ForgetSearch(uint64_t id) {
  const auto found = searches_.find(id);
  if (found == searches_.end()) return;
  --num_searches_[found->second];
  searches_.erase(found);
}

void StateCounts::Record(telemetry::Metrics& metrics, absl::Duration now) const {
  using telemetry::Metric;
  for (const auto& [row, count] : num_tasks_) metrics.Set(Metric::kTasks, {row.first, StateName(row.second)}, static_cast<double>(count));
  for (const auto& [phase, count] : num_searches_) metrics.Set(Metric::kSearches, {phase}, static_cast<double>(count));
  metrics.Set(Metric::kOldestReadyTask, {}, ready_.empty() ? 0 : absl::ToDoubleSeconds(now - ready_.begin()->first));
}

}  // namespace hanas::coordinator
