// SPDX-License-Identifier: Apache-2.0
#include "coordinator/scheduling/farm_view.h"

#include "absl/strings/match.h"

namespace hanas::coordinator {
namespace {

PartyActivity ActivityOf(const PartySnapshot& party, const LiveLease* lease, absl::Duration lease_ttl) {
  if (party.silent > lease_ttl) return PartyActivity::kOffline;
  if (lease == nullptr) return PartyActivity::kIdle;
  if (lease->paused) return PartyActivity::kWaiting;
  return party.record.agent && absl::StartsWith(lease->note, kCoolingNote) ? PartyActivity::kCooling : PartyActivity::kBusy;
}

}  // namespace

PartySnapshot ViewParty(const State& state, const Scheduler& scheduler, const PartyRecord& party, absl::Duration lease_ttl,
                        absl::Duration now) {
  PartySnapshot view = {.record = party, .silent = scheduler.SilentFor(party.id, now)};
  const LiveLease* lease = nullptr;
  if (const TaskRecord* task = state.FindTask(scheduler.HeldBy(party.id)); task != nullptr) {
    view.task = task->id;
    view.search = task->search;
    lease = scheduler.FindLease(task->id);
  }
  view.activity = ActivityOf(view, lease, lease_ttl);
  if (!party.agent) return view;
  view.device_class = ContextDigest(party.device, party.caps);
  const auto table = state.tables.find(view.device_class);
  if (table != state.tables.end()) view.table_rows = static_cast<int64_t>(table->second.size());
  return view;
}

}  // namespace hanas::coordinator
