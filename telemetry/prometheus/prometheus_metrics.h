// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TELEMETRY_PROMETHEUS_PROMETHEUS_METRICS_H_
#define HANAS_TELEMETRY_PROMETHEUS_PROMETHEUS_METRICS_H_

#include <functional>
#include <memory>
#include <string>

#include "telemetry/metrics.h"

namespace hanas::telemetry {

/// The metrics of one process, in Prometheus's text format.
///
/// Thread-safe.
class PrometheusMetrics : public Metrics {
 public:
  /// Metrics of the table that `process` does not record are dropped. Of the others every series whose labels have listed values is there
  /// from the start, at 0.
  static std::unique_ptr<PrometheusMetrics> Create(Process process);

  /// Has `collect` record what is looked up only when somebody asks: called before each scrape, one scrape at a time. What it uses must
  /// outlive the scrapes.
  virtual void AddCollector(std::function<void(Metrics&)> collect) = 0;

  /// Everything, as text (version 0.0.4).
  virtual std::string Scrape() = 0;
};

/// Records the process_* metrics of this process, from /proc/self.
void CollectProcessMetrics(Metrics& metrics);

}  // namespace hanas::telemetry

#endif  // HANAS_TELEMETRY_PROMETHEUS_PROMETHEUS_METRICS_H_
