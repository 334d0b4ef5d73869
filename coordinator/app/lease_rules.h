// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_APP_LEASE_RULES_H_
#define HANAS_COORDINATOR_APP_LEASE_RULES_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "coordinator/app/state.h"

namespace hanas::coordinator {

/// What is known of a live lease and not worth a write: lost with the process, when every live lease gets one fresh ttl.
struct LiveLease {
  absl::Duration deadline;  // of the monotonic clock
  bool progressed = false;
  bool paused = false;  // the holder says that it stopped at a step boundary
  int64_t done = 0;
  int64_t total = 0;
  std::string note;
};

/// By task, and when a party was last heard of.
struct LiveState {
  std::map<uint64_t, LiveLease> leases;
  std::map<uint64_t, absl::Duration> parties;
  // Tasks in state kReady, by who may lease them: an index of the state, so that a decision looks at nothing else.
  std::set<uint64_t> ready_computing;
  std::set<uint64_t> ready_measuring;
};

/// Brings the index and the leases up to a task that was changed or loaded.
void FollowTask(const TaskRecord& task, LiveState& live);

/// A party that was silent for so long holds up nobody: its host is not kept free for it.
inline constexpr absl::Duration kAbsentAfter = absl::Seconds(60);

enum class LeaseInstruction : uint8_t { kContinue = 0, kPause = 1, kHandBack = 2, kAbandon = 3 };

// Who may work on what, and when. Measuring is exclusive per host: it is granted when every compute lease there is paused or over, and
// while it runs or waits, computing there pauses at its next step boundary and none is granted. Of a paused search nothing is granted, and
// what is leased is handed back. Pure.

/// Whether the party is the agent that the search was profiled on, with the same capabilities.
bool IsAgentOf(const PartyRecord& party, const SearchRecord& search);
/// A lease on `host` by which something measures, or computes and has not paused.
bool HasActiveLease(const State& state, const LiveState& live, const std::string& host, bool measuring);
/// A measuring task is ready whose agent lives on `host`.
bool IsAwaited(const State& state, const LiveState& live, absl::Duration now, const std::string& host);

/// The ready task that `party` gets now, the oldest that fits; 0 when there is none.
uint64_t ChooseTask(const State& state, const LiveState& live, absl::Duration now, const PartyRecord& party);

/// What the holder of a live lease is told at renewal.
LeaseInstruction InstructionFor(const State& state, const LiveState& live, absl::Duration now, const TaskRecord& task);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_APP_LEASE_RULES_H_
