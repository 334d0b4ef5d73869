// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_MEASURE_MEASURE_H_
#define HANAS_PROFILER_AGENT_MEASURE_MEASURE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/latency/latency_model.h"
#include "core/plan/op_key.h"
#include "profiler-agent/device/host_probe.h"
#include "profiler-agent/measure/clock.h"
#include "profiler-agent/runtime/runtime.h"

namespace hanas {

// The measuring protocol. Jobs are shuffled and interleaved over rounds; every visit warms up; a round's statistic of an operator is the
// 10th percentile of its samples, the final one the 25th percentile over rounds; a fixed canary kernel runs before and after every slice of
// a round (a slice is as many visits as take about a second): when it is more than 5 % slower than its baseline the slice is measured
// again, and above 10 % the host cools down first. Rounds are added while an operator's coefficient of variation across rounds exceeds 2 %.
//
// The caller runs this in a child process (measure/child.h) and streams the rounds out as they happen.

struct MeasureOptions {
  int rounds = 5;               // at least
  int max_rounds = 15;          // noisy operators and networks get more, up to this
  double target_cv = 0.02;      // across rounds; above it after max_rounds the row is `noisy` …
  double negligible_us = 0.03;  // … unless the standard deviation across rounds is below this, a few ticks of the clock
  uint64_t seed = 1;            // of the order

  double canary_tolerance = 0.05;                     // above: the slice is repeated
  double cool_down_above = 0.10;                      // above: sleep first
  int max_slice_repeats = 3;                          // then the slice is kept and marked disturbed
  absl::Duration first_cool_down = absl::Seconds(1);  // doubles for each repeat of a slice
  absl::Duration slice = absl::Seconds(1);

  // One visit of an operator.
  absl::Duration operator_warm_up = absl::Milliseconds(1);
  absl::Duration operator_hot = absl::Milliseconds(4);
  absl::Duration operator_flushed = absl::Milliseconds(8);
  int min_samples = 15;
  absl::Duration min_sample = absl::Microseconds(20);  // hot runs are grouped until a sample is this long
  /// Read between flushed runs: as much as the rest of a network touches, so that the caches hold what it leaves of them. The default is
  /// right for networks that live in the second-level cache: it evicts the first level only. Measured on 24 networks of 14 to 186 us:
  /// summed rows are within 2.5 % of the whole before any calibration, and a * sum + b within 0.9 % on networks not used to fit; with the
  /// second level evicted too (6 MiB) 93 % and 13 %. Networks of several megabytes want their own size here.
  int64_t flush_bytes = int64_t{64} << 10;

  // One visit of a network.
  absl::Duration network_warm_up = absl::Milliseconds(5);
  absl::Duration network_time = absl::Milliseconds(120);
  int min_network_samples = 20;

  /// Returns INVALID_ARGUMENT naming the field.
  absl::Status Validate() const;
};

/// What measuring needs from outside; borrowed.
struct MeasureEnvironment {
  MeasureClock* clock = &SystemClock();
  Sleeper* sleeper = &SystemSleeper();
  HostMonitor* host = nullptr;         // null: no readings
  OperatorInstance* canary = nullptr;  // null: no canary (MakeCanary makes the usual one)
  std::function<bool()> cancelled;     // asked between visits; empty: never
};
/// The canary: a float32 convolution of a few hundred microseconds. `runtime` should have one thread, however many those that are measured
/// have: the canary then takes as long on every host, long enough that handing out work is no part of it, and its tolerance means the same.
absl::StatusOr<std::unique_ptr<OperatorInstance>> MakeCanary(DeviceRuntime& runtime);

/// One visit. `index` is of the key or network in the call's list. The wire's RoundRow.
struct VisitRow {
  int index = 0;
  double flushed_us = 0;  // networks: p50
  double hot_us = 0;      // networks: p90
  double p99_us = 0;      // networks only; 0 in rows that come back from a store without it
  int64_t samples = 0;
};

/// Some visits of one round (a slice; together the slices of a round are the round), in the order they were made.
struct Round {
  int round = 0;  // from 0
  std::vector<VisitRow> rows;
  bool disturbed = false;   // the canary stayed slow after all repeats
  double canary_ratio = 1;  // over its baseline, the worse of before and after
};
using RoundCallback = std::function<absl::Status(const Round&)>;

/// What the whole job saw.
struct JobState {
  HostState host;
  double worst_canary_ratio = 1;
  int rejected_slices = 0;
  int disturbed_slices = 0;
  double seconds = 0;
};

struct OperatorMeasurement {
  std::vector<LatencyRow> rows;  // as the keys
  JobState state;
};

/// Measures every key. `done` are rounds of an earlier attempt (any slices of them): their visits are not repeated, and they count. Each
/// new slice goes to `on_round` as soon as it is accepted; its error ends the job.
///
/// Returns INVALID_ARGUMENT for bad options, keys that the runtime does not have (named) or rows of `done` that do not fit; CANCELLED;
/// INTERNAL naming the key whose operator failed.
absl::StatusOr<OperatorMeasurement> MeasureOperators(DeviceRuntime& runtime, absl::Span<const OpKey> keys, const MeasureOptions& options,
                                                     const MeasureEnvironment& environment, const RoundCallback& on_round,
                                                     absl::Span<const Round> done = {});

/// Statistics of a whole network, batch 1, input copy included, over undisturbed samples: samples during which no thread that the clock
/// counts was preempted, in slices that the canary accepted. Each is the 25th percentile over rounds of the round's own quantile.
struct NetworkStatistics {
  double p50_us = 0;
  double p90_us = 0;
  double p99_us = 0;
  double cv = 0;  // of p50 across rounds
  int num_rounds = 0;
  bool noisy = false;
  int64_t samples = 0;
  std::vector<double> step_us;  // in-situ time of each step, median of a few passes after the last round; empty without steps
};
struct NetworkMeasurement {
  std::vector<NetworkStatistics> rows;  // as the networks
  JobState state;
};

/// A network to measure. `name` is for messages; `prepare` is called once, when measuring begins.
struct NetworkJob {
  std::string name;
  std::function<absl::StatusOr<std::unique_ptr<NetworkInstance>>()> prepare;
};

/// As MeasureOperators. All networks are prepared before the first round and stay in memory.
absl::StatusOr<NetworkMeasurement> MeasureNetworks(absl::Span<const NetworkJob> networks, const MeasureOptions& options,
                                                   const MeasureEnvironment& environment, const RoundCallback& on_round,
                                                   absl::Span<const Round> done = {});

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_MEASURE_MEASURE_H_
