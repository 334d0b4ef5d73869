// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SCHEDULING_BLOCKERS_H_
#define HANAS_COORDINATOR_SCHEDULING_BLOCKERS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "coordinator/scheduling/scheduler.h"
#include "coordinator/state/state.h"

namespace hanas::coordinator {

/// Why a search waits.
enum class BlockerCode : uint8_t {
  kNoDevice = 0,       // no agent with its backend has the name, or is of the kind or class, that the target asks for
  kDeviceOffline = 1,  // it is silent, or came back as another kind of device
  kDeviceBusy = 2,     // it measures for another search, or waits until computing on its host has paused
  kNoWorker = 3,       // none is registered, or all are silent
  kWorkersBusy = 4,    // every worker holds a task of another search
  kDataMissing = 5,    // no worker has the dataset, or other files of that name
  kHostMeasures = 6,   // the workers that could go on pause, because something measures on their hosts
  kPaused = 7,         // by a user
  kRetrying = 8,       // a task has failed and is tried again
  kDiskFull = 9,       // the coordinator cannot store what workers and devices bring
};
absl::string_view Name(BlockerCode code);  // "NO_DEVICE"

struct Blocker {
  BlockerCode code = BlockerCode::kNoDevice;
  std::string text;      // one sentence for people: what it waits for, and what to do
  std::string resource;  // "devices/7", "workers/3", "tasks/12"; may be empty
};

/// Of a status of the stores that says so (kDiskFull): what to do about a disk that is full.
Blocker DiskBlocker(const absl::Status& status);

/// Empty while something of the search is being worked on, is about to be, or the search is over. Pure. O(tasks of the search + parties +
/// leases).
std::vector<Blocker> BlockersOf(const State& state, const Scheduler& scheduler, absl::Duration now, const SearchState& search);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_SCHEDULING_BLOCKERS_H_
