// SPDX-License-Identifier: Apache-2.0
// What the application says about itself in numbers.
#include <map>
#include <utility>

#include "coordinator/app/app.h"

namespace hanas::coordinator {

void App::CountLease(absl::string_view event, uint64_t id) {
  const TaskRecord* task = ledger_.decided().FindTask(id);
  options_.metrics->Count(telemetry::Metric::kLeases, {event, task == nullptr ? telemetry::kOtherLabel : KindOf(task->work).name});
}

void App::RecordGauges(telemetry::Metrics& metrics) {
  absl::MutexLock lock(&mutex_);
  const absl::Duration now = clock_->Monotonic();
  counts_.Record(metrics, now);
  std::map<uint64_t, bool> holders;  // party: paused
  for (const auto& [id, lease] : scheduler_.leases()) holders[lease.party] = lease.paused;
  std::map<std::pair<absl::string_view, absl::string_view>, double> parties;
  for (const absl::string_view party : {"worker", "device"}) {
    for (const absl::string_view state : {"idle", "working", "waiting", "offline"}) parties[{party, state}] = 0;
  }
  for (const auto& [id, party] : ledger_.decided().parties) {
    const auto holder = holders.find(id);
    const bool offline = scheduler_.SilentFor(id, now) >= kAbsentAfter;
    const absl::string_view busy = holder == holders.end() ? "idle" : holder->second ? "waiting" : "working";
    ++parties[{party.agent ? "device" : "worker", offline ? "offline" : busy}];
  }
  for (const auto& [labels, count] : parties) metrics.Set(telemetry::Metric::kParties, {labels.first, labels.second}, count);
}

}  // namespace hanas::coordinator
