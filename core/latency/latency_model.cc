// SPDX-License-Identifier: Apache-2.0
#include "core/latency/latency_model.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace hanas {
namespace {

absl::Status NoRow(const OpKey& key) {
  return absl::NotFoundError(absl::StrCat("the latency table has no row for \"", ToString(key), "\""));
}

bool IsTime(double value_us) { return std::isfinite(value_us) && value_us > 0; }

}  // namespace

absl::Status LatencyTable::Insert(const OpKey& key, const LatencyRow& row) {
  if (!IsTime(row.flushed_us) || !IsTime(row.hot_us)) {
    return absl::InvalidArgumentError(absl::StrCat("expected finite times above 0 us, found flushed ", row.flushed_us, " and hot ",
                                                   row.hot_us, " for \"", ToString(key), "\""));
  }
  rows_[key] = row;
  return absl::OkStatus();
}

const LatencyRow* LatencyTable::Find(const OpKey& key) const {
  const auto found = rows_.find(key);
  return found == rows_.end() ? nullptr : &found->second;
}

std::vector<OpKey> LatencyTable::Missing(const std::vector<OpKey>& wanted) const {
  std::vector<OpKey> missing;
  for (const OpKey& key : wanted) {
    if (!rows_.contains(key)) missing.push_back(key);
  }
  return missing;
}

absl::StatusOr<double> SumOfOperators(const ExecPlan& plan, const LatencyTable& table) {
  double sum_us = 0;
  for (const ExecStep& step : plan.steps) {
    const LatencyRow* row = table.Find(step.key);
    if (row == nullptr) return NoRow(step.key);
    sum_us += row->flushed_us;
  }
  return sum_us;
}

double ApplyCalibration(double sum_us, const LatencyCalibration& calibration) { return calibration.scale * sum_us + calibration.offset_us; }

}  // namespace hanas
