// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_DRIVER_REPLAY_H_
#define HANAS_COORDINATOR_DRIVER_REPLAY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/state/state.h"
#include "core/family/convnet/scaled.h"

namespace hanas::coordinator {

struct ReplayResult {
  int64_t steps = 0;  // decided once more
  int64_t tasks = 0;  // of them
  bool identical = false;
  std::string difference;  // the first one: where, what was recorded, what came out now
};

/// What of the state a replay reads: the search, its tasks, and the latency table of its device. Requires that the search exists.
State RecordingOf(const State& state, uint64_t search);

/// Decides a search once more, step by step, in a fresh state that knows its job, its device and the rows of the latency table that it did
/// not measure itself; every task that is decided gets the outcome that was recorded for it. Tasks, profile, rounds and members that come
/// out are compared with the recorded ones as they appear. A search that goes on is replayed as far as it has come. Finishing is replayed
/// where it happened, as far as tasks tell. Pauses, resumptions and attempts leave no trace. `plain` is what opponents are chosen
/// among.
///
/// Pure. Returns a status only for defects of this program.
absl::StatusOr<ReplayResult> Replay(const State& recording, uint64_t search, PlainNetworks plain = {});

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_DRIVER_REPLAY_H_
