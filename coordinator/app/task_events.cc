// SPDX-License-Identifier: Apache-2.0
#include "coordinator/app/task_events.h"

#include <variant>

#include "absl/strings/str_cat.h"

namespace hanas::coordinator {
namespace {

/// As many as there are networks or operators in it; 1 of what is about a single one.
struct NumResults {
  template <typename T>
  size_t operator()(const T& outcome) const {
    if constexpr (requires { outcome.scores; }) {
      return outcome.scores.size();
    } else if constexpr (requires { outcome.rows; }) {
      return outcome.rows.size();
    } else {
      return 1;
    }
  }
};

}  // namespace

std::string PartyName(bool agent, uint64_t id) { return absl::StrCat(agent ? "devices/" : "workers/", id); }

void LogTask(telemetry::Severity severity, absl::string_view event, const TaskRecord& task, std::vector<telemetry::Field> more) {
  std::vector<telemetry::Field> fields = {{"search", absl::StrCat("searches/", task.search)},
                                          {"task", absl::StrCat("tasks/", task.id)},
                                          {"party", PartyName(IsMeasuring(task.work), task.party)},
                                          {"key", task.key}};
  fields.insert(fields.end(), more.begin(), more.end());
  telemetry::LogEvent(severity, event, fields);
}

void CountEvaluations(const Outcome& outcome, telemetry::Metrics& metrics) {
  const absl::string_view what = KindOf(outcome).counts_as;
  if (!what.empty()) metrics.Add(telemetry::Metric::kEvaluations, {what}, static_cast<double>(std::visit(NumResults(), outcome)));
}

}  // namespace hanas::coordinator
