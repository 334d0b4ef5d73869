// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_APP_TASK_EVENTS_H_
#define HANAS_COORDINATOR_APP_TASK_EVENTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "coordinator/store/records.h"
#include "telemetry/event_log.h"
#include "telemetry/metrics.h"

namespace hanas::coordinator {

// What happens to tasks, as the log and the metrics tell it. Thread-safe.

/// "workers/3", "devices/4".
std::string PartyName(bool agent, uint64_t id);

/// One event with the task, its search, its last holder and its key, and `more`.
void LogTask(telemetry::Severity severity, absl::string_view event, const TaskRecord& task, std::vector<telemetry::Field> more = {});

/// Counts the evaluations that an outcome brought.
void CountEvaluations(const Outcome& outcome, telemetry::Metrics& metrics);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_APP_TASK_EVENTS_H_
