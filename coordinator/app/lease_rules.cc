// SPDX-License-Identifier: Apache-2.0
#include "coordinator/app/lease_rules.h"

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
  for (const auto& [id, party] : state.parties) {
    const auto seen = live.parties.find(id);
    if (!party.agent || party.host != host || seen == live.parties.end() || now - seen->second > kAbsentAfter) continue;
    for (const auto& [task_id, task] : state.tasks) {
      const SearchRecord& search = state.searches.at(task.search).record;
      if (task.state == TaskState::kReady && IsMeasuring(task.work) && !search.paused && IsAgentOf(party, search)) return true;
    }
  }
  return false;
}

bool MayGrant(const State& state, const LiveState& live, absl::Duration now, const TaskRecord& task, const PartyRecord& party) {
  const SearchRecord& search = state.searches.at(task.search).record;
  if (search.paused || HasActiveLease(state, live, party.host, /*measuring=*/true)) return false;
  if (IsMeasuring(task.work)) return IsAgentOf(party, search) && !HasActiveLease(state, live, party.host, /*measuring=*/false);
  return !party.agent && !IsAwaited(state, live, now, party.host);
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
