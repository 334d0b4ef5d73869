// SPDX-License-Identifier: Apache-2.0
#include "coordinator/app/task_events.h"

#include "absl/strings/str_cat.h"

namespace hanas::coordinator {

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
  constexpr telemetry::Metric kMetric = telemetry::Metric::kEvaluations;
  if (const auto* evaluated = std::get_if<EvaluateOutcome>(&outcome)) {
    metrics.Add(kMetric, {"accuracy"}, static_cast<double>(evaluated->scores.size()));
  } else if (const auto* networks = std::get_if<MeasureNetworksOutcome>(&outcome)) {
    metrics.Add(kMetric, {"network_latency"}, static_cast<double>(networks->rows.size()));
  } else if (const auto* operators = std::get_if<MeasureOperatorsOutcome>(&outcome)) {
    metrics.Add(kMetric, {"operator_latency"}, static_cast<double>(operators->rows.size()));
  } else if (std::holds_alternative<VerifyOutcome>(outcome)) {
    metrics.Count(kMetric, {"model_file"});
  }
}

}  // namespace hanas::coordinator
