// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TELEMETRY_METRICS_H_
#define HANAS_TELEMETRY_METRICS_H_

#include <initializer_list>

#include "absl/strings/string_view.h"
#include "telemetry/metric_table.h"

namespace hanas::telemetry {

/// Where numbers about this process go. Code that counts something borrows one; telemetry/prometheus has the implementation that answers
/// scrapes, NoMetrics() drops everything. `labels` are the values of the metric's labels, in the table's order; there must be as many. A
/// value that the table does not allow is recorded as "other". Recording what another process kind records is dropped.
///
/// Thread-safe; cheap enough for every call and every step.
class Metrics {
 public:
  using Labels = std::initializer_list<absl::string_view>;

  virtual ~Metrics() = default;
  /// To a counter, or to a gauge (then `amount` may be negative).
  virtual void Add(Metric metric, Labels labels, double amount) = 0;
  /// A gauge. A counter too, when what is counted is counted elsewhere (the kernel's CPU time): it must not fall.
  virtual void Set(Metric metric, Labels labels, double value) = 0;
  /// One value of a histogram.
  virtual void Observe(Metric metric, Labels labels, double value) = 0;

  void Count(Metric metric, Labels labels = {}) { Add(metric, labels, 1); }
};

/// Drops everything; never destroyed.
Metrics& NoMetrics();

}  // namespace hanas::telemetry

#endif  // HANAS_TELEMETRY_METRICS_H_
