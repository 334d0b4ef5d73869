// SPDX-License-Identifier: Apache-2.0
#include "coordinator/scheduling/blockers.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/scheduling/target_agent.h"
#include "coordinator/state/task_key.h"
#include "coordinator/state/task_text.h"
#include "coordinator/state/updates.h"

namespace hanas::coordinator {
namespace {

/// What a search's open tasks wait for.
struct Waiting {
  bool worked_on = false;                // a lease of it is alive and not paused
  const TaskRecord* paused = nullptr;    // leased by a worker that pauses
  const TaskRecord* retrying = nullptr;  // ready again after a failure
  std::set<size_t> for_device;           // of which targets
  bool for_worker = false;
};

Waiting WaitingOf(const State& state, const Scheduler& scheduler, const SearchState& search) {
  Waiting waiting;
  for (const uint64_t id : search.tasks_in_order) {
    const TaskRecord& task = state.tasks.at(id);
    if (task.state == TaskState::kLeased) {
      const LiveLease* lease = scheduler.FindLease(id);
      const bool paused = lease != nullptr && lease->paused;
      if (!paused) waiting.worked_on = true;
      if (paused && waiting.paused == nullptr) waiting.paused = &task;
    }
    if (task.state != TaskState::kReady) continue;
    if (IsMeasuring(task.work)) {
      waiting.for_device.insert(TargetOfTask(task.key, *search.job));
    } else {
      waiting.for_worker = true;
    }
    if (task.failures > 0 && waiting.retrying == nullptr) waiting.retrying = &task;
  }
  return waiting;
}

bool IsSilent(const Scheduler& scheduler, absl::Duration now, uint64_t party) { return scheduler.SilentFor(party, now) > kAbsentAfter; }

std::optional<Blocker> DeviceBlocker(const State& state, const Scheduler& scheduler, absl::Duration now, const SearchState& search,
                                     size_t target_index) {
  const bool bound = !search.record.targets.empty();
  const TargetRecord& target = TargetAt(search.record, target_index);
  const TargetSpec& spec = TargetsOf(*search.job)[target_index];
  const PartyRecord* const found = bound ? state.FindParty(FindPartyId(state, /*agent=*/true, target.agent)) : FindTargetAgent(state, spec);
  if (found == nullptr && bound) {
    return Blocker{BlockerCode::kNoDevice,
                   absl::StrCat("the device \"", target.agent,
                                "\" that the search is bound to is not registered any more: start "
                                "hanas-profiler-agent --name ",
                                target.agent, " on it"),
                   ""};
  }
  if (found == nullptr) return Blocker{BlockerCode::kNoDevice, ExplainMissingAgent(state, spec), ""};
  const PartyRecord& device = *found;
  const uint64_t id = device.id;
  const std::string& name = device.name;
  const std::string resource = absl::StrCat("devices/", id);
  if (IsSilent(scheduler, now, id)) {
    return Blocker{BlockerCode::kDeviceOffline,
                   absl::StrCat("the device \"", name, "\" is silent: see whether its profiler-agent runs and reaches the coordinator"),
                   resource};
  }
  if (bound && !IsAgentOf(device, target)) {
    return Blocker{BlockerCode::kDeviceOffline,
                   absl::StrCat("the device \"", name,
                                "\" came back with another processor, thread count, governor or runtime than it was profiled with: start "
                                "it as it was, or submit the search anew"),
                   resource};
  }
  if (device.draining) {
    return Blocker{BlockerCode::kDeviceBusy, absl::StrCat("the device \"", name, "\" drains: end its draining"), resource};
  }
  if (const TaskRecord* held = state.FindTask(scheduler.HeldBy(id)); held != nullptr && held->search != search.record.id) {
    return Blocker{BlockerCode::kDeviceBusy, absl::StrCat("the device \"", name, "\" measures for searches/", held->search), resource};
  }
  if (scheduler.IsMeasuringOn(device.host)) {
    return Blocker{BlockerCode::kDeviceBusy, absl::StrCat("another device on the host of \"", name, "\" measures"), resource};
  }
  if (bound && scheduler.IsComputingOn(device.host)) {
    return Blocker{BlockerCode::kDeviceBusy,
                   absl::StrCat("the device \"", name, "\" waits until the workers on its host have reached a step boundary"), resource};
  }
  return std::nullopt;
}

/// When the worker has other files than the search began with.
std::optional<Blocker> OtherDatasetBlocker(const PartyRecord& worker, const SearchState& search) {
  constexpr size_t kShownDigits = 12;  // of 64: enough to tell two apart
  const std::string digest = OtherDataset(worker, search);
  if (digest.empty()) return std::nullopt;
  return Blocker{BlockerCode::kDataMissing,
                 absl::StrCat("no worker has the files of the dataset \"", search.job->dataset.directory, "\" that the search began with (",
                              search.record.dataset_files.substr(0, kShownDigits), "); workers/", worker.id, " \"", worker.name,
                              "\" has others of that name (", digest.substr(0, kShownDigits),
                              "): put the same files below its --data directory and restart that worker"),
                 absl::StrCat("workers/", worker.id)};
}

std::optional<Blocker> WorkerBlocker(const State& state, const Scheduler& scheduler, absl::Duration now, const SearchState& search) {
  int registered = 0;
  int heard = 0;
  int capable = 0;
  int draining = 0;
  int measured_beside = 0;
  std::optional<Blocker> other;  // the first worker with other files of that name
  for (const auto& [id, party] : state.parties) {
    if (party.agent) continue;
    ++registered;
    if (IsSilent(scheduler, now, id)) continue;
    ++heard;
    if (!other.has_value()) other = OtherDatasetBlocker(party, search);
    if (!HoldsDataset(party, search)) continue;
    draining += party.draining ? 1 : 0;
    if (party.draining) continue;
    ++capable;
    if (scheduler.HeldBy(id) != 0) continue;
    if (scheduler.Choose(id, now) != 0) return std::nullopt;
    // Else the cores of its host are taken.
    if (scheduler.IsHostReserved(party.host, now)) ++measured_beside;
  }
  if (registered == 0) return Blocker{BlockerCode::kNoWorker, "no worker is registered: start hanas-worker", ""};
  if (heard == 0) {
    return Blocker{BlockerCode::kNoWorker,
                   absl::StrCat("none of the ", registered, " registered workers is heard: see whether they run and reach the coordinator"),
                   ""};
  }
  if (capable == 0 && draining > 0)
    return Blocker{BlockerCode::kNoWorker, "all workers that could take it drain: end the draining of one, or start another", ""};
  if (capable == 0 && other.has_value()) return other;
  if (capable == 0) {
    return Blocker{BlockerCode::kDataMissing,
                   absl::StrCat("none of the ", heard, " workers has the dataset \"", search.job->dataset.directory,
                                "\": put it below a worker's --data directory and restart that worker"),
                   ""};
  }
  if (measured_beside > 0)
    return Blocker{BlockerCode::kHostMeasures, "the workers that are free wait until measuring on their hosts is over", ""};
  return Blocker{BlockerCode::kWorkersBusy,
                 absl::StrCat("all of the ", capable, " workers that could take it are at work for others, or their hosts' cores are"), ""};
}

}  // namespace

absl::string_view Name(BlockerCode code) {
  static constexpr absl::string_view kNames[] = {"NO_DEVICE",    "DEVICE_OFFLINE", "DEVICE_BUSY", "NO_WORKER", "WORKERS_BUSY",
                                                 "DATA_MISSING", "HOST_MEASURES",  "PAUSED",      "RETRYING",  "DISK_FULL"};
  return kNames[static_cast<size_t>(code)];
}

Blocker DiskBlocker(const absl::Status& status) {
  return {BlockerCode::kDiskFull,
          absl::StrCat("the coordinator's disk is full; what is done is kept by who did it, and goes on when there is room. ",
                       status.message()),
          ""};
}

std::vector<Blocker> BlockersOf(const State& state, const Scheduler& scheduler, absl::Duration now, const SearchState& search) {
  const SearchRecord& record = search.record;
  if (IsTerminal(record.phase)) return {};
  if (record.paused) {
    return {{BlockerCode::kPaused, absl::StrCat("paused by a user in ", Name(record.phase), ": hanas resume searches/", record.id), ""}};
  }
  const Waiting waiting = WaitingOf(state, scheduler, search);
  if (waiting.worked_on) return {};
  std::vector<Blocker> blockers;
  const auto add = [&](std::optional<Blocker> blocker) {
    // Two targets may wait for one device.
    const auto same = [&](const Blocker& other) { return other.text == blocker->text; };
    if (blocker.has_value() && std::none_of(blockers.begin(), blockers.end(), same)) blockers.push_back(*std::move(blocker));
  };
  const absl::Span<const TargetSpec> targets = TargetsOf(*search.job);
  for (size_t target = 0; target < targets.size(); ++target) {
    const bool missing = record.phase == SearchPhase::kPending && FindTargetAgent(state, targets[target]) == nullptr;
    if (missing || waiting.for_device.contains(target)) add(DeviceBlocker(state, scheduler, now, search, target));
  }
  if (waiting.for_worker) add(WorkerBlocker(state, scheduler, now, search));
  if (waiting.paused != nullptr) {
    add(Blocker{BlockerCode::kHostMeasures,
                absl::StrCat(ActivityOf(*waiting.paused), " pauses, because something measures on its worker's host"),
                absl::StrCat("workers/", waiting.paused->party)});
  }
  if (waiting.retrying != nullptr) {
    const TaskRecord& task = *waiting.retrying;
    add(Blocker{BlockerCode::kRetrying,
                absl::StrCat(ActivityOf(task), " failed ", task.failures, " of ", kMaxFailures, " times and is tried again: ", task.error),
                absl::StrCat("tasks/", task.id)});
  }
  return blockers;
}

}  // namespace hanas::coordinator
