// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_MEASURE_VISIT_H_
#define HANAS_PROFILER_AGENT_MEASURE_VISIT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "profiler-agent/measure/measure.h"

namespace hanas {

/// Evicts caches by reading a buffer of its own, a line at a time. Thread-compatible.
class CacheFlusher {
 public:
  explicit CacheFlusher(int64_t bytes);
  void Flush();

 private:
  std::vector<uint64_t> buffer_;
  volatile uint64_t sink_ = 0;
};

/// What reading the clock twice costs, nanoseconds: subtracted from samples of one run.
int64_t ClockOverhead(MeasureClock& clock);

/// Tenth percentiles of one visit: warm-up, hot samples, flushed samples. Most of the samples of a shared host may be disturbed, and what
/// disturbs them differs from visit to visit; the fast ones repeat (docs/adr/0005).
absl::StatusOr<VisitRow> VisitOperator(OperatorInstance& op, const MeasureOptions& options, MeasureClock& clock, int64_t clock_overhead,
                                       CacheFlusher& flusher);

/// Quantiles of one visit over the samples without an involuntary context switch (over all when fewer than half are without).
absl::StatusOr<VisitRow> VisitNetwork(NetworkInstance& network, absl::Span<const float> image, const MeasureOptions& options,
                                      MeasureClock& clock);

/// Median time of each step over `passes` passes, microseconds.
absl::StatusOr<std::vector<double>> TimeSteps(NetworkInstance& network, absl::Span<const float> image, int passes, MeasureClock& clock);

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_MEASURE_VISIT_H_
