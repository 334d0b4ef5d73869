// SPDX-License-Identifier: Apache-2.0
#include "telemetry/metrics.h"

namespace hanas::telemetry {
namespace {

class DroppedMetrics final : public Metrics {
 public:
  void Add(Metric, Labels, double) override {}
  void Set(Metric, Labels, double) override {}
  void Observe(Metric, Labels, double) override {}
};

}  // namespace

Metrics& NoMetrics() {
  static DroppedMetrics* const kNone = new DroppedMetrics();
  return *kNone;
}

}  // namespace hanas::telemetry
