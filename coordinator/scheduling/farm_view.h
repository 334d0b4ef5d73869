// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SCHEDULING_FARM_VIEW_H_
#define HANAS_COORDINATOR_SCHEDULING_FARM_VIEW_H_

#include <cstdint>

#include "absl/time/time.h"
#include "coordinator/scheduling/scheduler.h"
#include "coordinator/state/state.h"
#include "core/base/digest.h"

namespace hanas::coordinator {

/// What a party is doing, by rule from what is live.
enum class PartyActivity : uint8_t {
  kOffline = 1,  // silent for longer than a lease lives
  kIdle = 2,
  kBusy = 3,     // holds a lease: works, or measures
  kWaiting = 4,  // a worker that holds a lease and pauses, because something measures on its host
  kCooling = 5,  // a device that holds a lease and lets its host cool down, as its note says
};

/// A worker or a device as operators see it.
struct PartySnapshot {
  PartyRecord record;
  PartyActivity activity = PartyActivity::kOffline;
  uint64_t task = 0;    // that it holds
  uint64_t search = 0;  // of that task
  absl::Duration silent;
  Digest device_class;     // of a device: ContextDigest
  int64_t table_rows = 0;  // of a device: measured operators of its class
};

/// What an agent's note begins with while it waits for its host to cool down.
inline constexpr char kCoolingNote[] = "cooling";

/// Pure.
PartySnapshot ViewParty(const State& state, const Scheduler& scheduler, const PartyRecord& party, absl::Duration lease_ttl,
                        absl::Duration now);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_SCHEDULING_FARM_VIEW_H_
