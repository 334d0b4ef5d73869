// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/transitions.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/state/sharing.h"

namespace hanas::coordinator {

std::string SearchName(uint64_t id) { return absl::StrCat("searches/", id); }

void AddEvent(SearchState& search, std::string kind, std::string text, Changes& changes) {
  const int64_t sequence = ++search.record.num_events;
  search.events.push_back({search.record.id, sequence, search.record.phase, std::move(kind), std::move(text)});
  changes.searches.insert(search.record.id);
  changes.events.insert({search.record.id, sequence});
}

void EnterPhase(SearchState& search, SearchPhase phase, Changes& changes) {
  search.record.phase = phase;
  if (!IsTerminal(phase)) search.record.phases.push_back({.phase = phase});
  AddEvent(search, IsTerminal(phase) ? "done" : "phase", std::string(Name(phase)), changes);
}

void End(SearchState& search, SearchPhase phase, int64_t now_us, Changes& changes) {
  search.record.end_time_us = now_us;
  search.record.paused = false;
  EnterPhase(search, phase, changes);
}

void CancelOpenTasks(State& state, const SearchState& search, Changes& changes) {
  for (const auto& [key, id] : search.tasks) {
    TaskRecord& task = state.tasks.at(id);
    if (task.state != TaskState::kReady && task.state != TaskState::kLeased) continue;
    if (!task.shared_under.empty() && IsWantedByOthers(state, task, search.record.id)) continue;
    task.state = TaskState::kCancelled;
    changes.tasks.insert(id);
  }
}

}  // namespace hanas::coordinator
