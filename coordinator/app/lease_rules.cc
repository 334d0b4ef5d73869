// SPDX-License-Identifier: Apache-2.0
#include "coordinator/app/lease_rules.h"

#include <algorithm>

namespace hanas::coordinator {
namespace {

const std::string& HostOf(const State& state, const TaskRecord& task) {
  static const std::string* const kNone = new std::string;
  const PartyRecord* party = state.FindParty(task.party);
  return party == nullptr ? *kNone : party->host;
}

}  // namespace

bool HasActiveLease(const State& state, const LiveState& live, const std::string& host, bool measuring) {
  for (const auto& [id, lease] : live.leases) {
    const TaskRecord* task = state.FindTask(id);
    if (task == nullptr || task->state != TaskState::kLeased || IsMeasuring(task->work) != measuring || HostOf(state, *task) != host)
      continue;
    if (measuring || !lease.paused) return true;
  }
  return false;
}

bool IsAgentOf(const PartyRecord& party, const SearchRecord& search) {
  return party.agent && party.name == search.agent && ContextDigest(party.device, party.caps) == ContextDigest(search.device, search.caps);
}

bool IsAwaited(const State& state, const LiveState& live, absl::Duration now, const std::string& host) {
  if (live.ready_measuring.empty()) return false;
  for (const auto& [id, party] : state.parties) {
    const auto seen = live.parties.find(id);
    if (!party.agent || party.host != host || seen == live.parties.end() || now - seen->second > kAbsentAfter) continue;
    for (const uint64_t task : live.ready_measuring) {
      const TaskRecord* ready = state.FindTask(task);  // of a reader's state, which may not have it yet
      if (ready == nullptr) continue;
      const SearchRecord& search = state.searches.at(ready->search).record;
      if (!search.paused && IsAgentOf(party, search)) return true;
    }
  }
  return false;
}

void FollowTask(const TaskRecord& task, LiveState& live) {
  std::set<uint64_t>& ready = IsMeasuring(task.work) ? live.ready_measuring : live.ready_computing;
  if (task.state == TaskState::kReady) {
    ready.insert(task.id);
  } else {
    ready.erase(task.id);
  }
  if (task.state != TaskState::kLeased) live.leases.erase(task.id);
}

uint64_t ChooseTask(const State& state, const LiveState& live, absl::Duration now, const PartyRecord& party) {
  const std::set<uint64_t>& ready = party.agent ? live.ready_measuring : live.ready_computing;
  if (ready.empty() || HasActiveLease(state, live, party.host, /*measuring=*/true)) return 0;
  if (party.agent ? HasActiveLease(state, live, party.host, /*measuring=*/false) : IsAwaited(state, live, now, party.host)) return 0;
  const auto fits = [&](uint64_t task) {
    const SearchRecord& search = state.searches.at(state.tasks.at(task).search).record;
    return !search.paused && (!party.agent || IsAgentOf(party, search));
  };
  const auto chosen = std::find_if(ready.begin(), ready.end(), fits);
  return chosen == ready.end() ? 0 : *chosen;
}

LeaseInstruction InstructionFor(const State& state, const LiveState& live, absl::Duration now, const TaskRecord& task) {
  const SearchRecord& search = state.searches.at(task.search).record;
  if (IsTerminal(search.phase)) return LeaseInstruction::kAbandon;
  if (search.paused) return LeaseInstruction::kHandBack;
  if (IsMeasuring(task.work)) return LeaseInstruction::kContinue;
  const std::string& host = HostOf(state, task);
  const bool pause = HasActiveLease(state, live, host, /*measuring=*/true) || IsAwaited(state, live, now, host);
  return pause ? LeaseInstruction::kPause : LeaseInstruction::kContinue;
}

}  // namespace hanas::coordinator
