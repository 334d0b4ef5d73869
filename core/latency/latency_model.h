// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_LATENCY_LATENCY_MODEL_H_
#define HANAS_CORE_LATENCY_LATENCY_MODEL_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "core/plan/exec_plan.h"

namespace hanas {

/// One operator as measured on one device class: the 25th percentile over rounds of each round's median.
struct LatencyRow {
  double flushed_us = 0;  // caches flushed before each run: closest to its place in a network, the value that estimates use
  double hot_us = 0;      // back to back
  double cv = 0;          // standard deviation over mean, across rounds, of flushed_us
  int num_rounds = 0;
  bool noisy = false;  // cv above 2 % after the last round allowed
};

/// How the sum of rows becomes a network's latency: T = scale * sum + offset. `relative_error` is the standard deviation of
/// (measured - predicted) / measured on the networks used to fit; 0 pairs means uncalibrated.
struct LatencyCalibration {
  double scale = 1;
  double offset_us = 0;
  double relative_error = 0;
  int num_pairs = 0;
};

/// The latency lookup table of one device class and backend.
///
/// Thread-compatible.
class LatencyTable {
 public:
  /// Returns INVALID_ARGUMENT unless the row's times are finite and positive: a failed measurement is an error, never a zero.
  absl::Status Insert(const OpKey& key, const LatencyRow& row);
  const LatencyRow* Find(const OpKey& key) const;
  size_t size() const { return rows_.size(); }
  /// The keys of `wanted` that have no row.
  std::vector<OpKey> Missing(const std::vector<OpKey>& wanted) const;
  const absl::flat_hash_map<OpKey, LatencyRow>& rows() const { return rows_; }

 private:
  absl::flat_hash_map<OpKey, LatencyRow> rows_;
};

/// Sum over the steps of the plan, flushed, microseconds. Returns NOT_FOUND naming the first key without a row.
absl::StatusOr<double> SumOfOperators(const ExecPlan& plan, const LatencyTable& table);

/// scale * sum + offset.
double ApplyCalibration(double sum_us, const LatencyCalibration& calibration);

}  // namespace hanas

#endif  // HANAS_CORE_LATENCY_LATENCY_MODEL_H_
