// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/measure/visit.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/statistics/statistics.h"

namespace hanas {
namespace {

constexpr int kMinWarmUpRuns = 3;
constexpr int kMaxRuns = 200'000;   // of one loop, whatever the clock says
constexpr int64_t kLongFactor = 8;  // a loop ends at this many times its time even with few samples …
constexpr int kFewSamples = 3;      // … but never with fewer than these

/// Whether a sampling loop goes on.
bool Wants(int samples, int64_t elapsed, int min_samples, int64_t time) {
  if (samples < kFewSamples) return true;
  if (samples >= kMaxRuns || elapsed >= kLongFactor * time) return false;
  return samples < min_samples || elapsed < time;
}

/// Runs until warm; the mean time of the runs after the first, nanoseconds.
template <typename Run>
absl::StatusOr<int64_t> WarmUp(Run run, int64_t time, MeasureClock& clock) {
  if (absl::Status status = run(); !status.ok()) return status;
  const int64_t begin = clock.NowNanoseconds();
  int runs = 0;
  int64_t elapsed = 0;
  while ((runs + 1 < kMinWarmUpRuns || elapsed < time) && runs < kMaxRuns) {
    if (absl::Status status = run(); !status.ok()) return status;
    ++runs;
    elapsed = clock.NowNanoseconds() - begin;
  }
  return elapsed / runs;
}

/// The tenth percentile, as the mean of the samples around it: a quantile itself is a multiple of the clock's tick, which is several per
/// cent of a short operator on some machines. Requires samples.
double TenthPercentile(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const auto at = [&](double fraction) { return static_cast<size_t>(std::ceil(fraction * static_cast<double>(samples.size()))); };
  const size_t begin = std::min(at(0.05), samples.size() - 1);
  const size_t end = std::max(at(0.15), begin + 1);
  return Mean(absl::MakeConstSpan(samples).subspan(begin, end - begin));
}

double Microseconds(double nanoseconds) { return std::max(nanoseconds, 1.0) / 1000; }

}  // namespace

CacheFlusher::CacheFlusher(int64_t bytes) : buffer_(static_cast<size_t>(bytes) / sizeof(uint64_t), 1) {}

void CacheFlusher::Flush() {
  constexpr size_t kLine = 64 / sizeof(uint64_t);
  uint64_t sum = 0;
  for (size_t i = 0; i < buffer_.size(); i += kLine) sum += buffer_[i];
  sink_ = sum;
}

int64_t ClockOverhead(MeasureClock& clock) {
  std::vector<double> differences;
  for (int i = 0; i < 501; ++i) {
    const int64_t begin = clock.NowNanoseconds();
    differences.push_back(static_cast<double>(clock.NowNanoseconds() - begin));
  }
  return static_cast<int64_t>(Median(differences));
}

absl::StatusOr<VisitRow> VisitOperator(OperatorInstance& op, const MeasureOptions& options, MeasureClock& clock, int64_t clock_overhead,
                                       CacheFlusher& flusher) {
  const absl::StatusOr<int64_t> one_run = WarmUp([&] { return op.Run(); }, absl::ToInt64Nanoseconds(options.operator_warm_up), clock);
  if (!one_run.ok()) return one_run.status();
  const int64_t group = std::clamp<int64_t>(absl::ToInt64Nanoseconds(options.min_sample) / std::max<int64_t>(*one_run, 1), 1, 1000);

  std::vector<double> hot;
  const int64_t hot_begin = clock.NowNanoseconds();
  for (int64_t now = hot_begin;
       Wants(static_cast<int>(hot.size()), now - hot_begin, options.min_samples, absl::ToInt64Nanoseconds(options.operator_hot));) {
    const int64_t begin = clock.NowNanoseconds();
    for (int64_t i = 0; i < group; ++i) {
      if (absl::Status status = op.Run(); !status.ok()) return status;
    }
    now = clock.NowNanoseconds();
    hot.push_back(static_cast<double>(now - begin - clock_overhead) / static_cast<double>(group));
  }

  std::vector<double> flushed;
  const int64_t flushed_begin = clock.NowNanoseconds();
  for (int64_t now = flushed_begin; Wants(static_cast<int>(flushed.size()), now - flushed_begin, options.min_samples,
                                          absl::ToInt64Nanoseconds(options.operator_flushed));) {
    flusher.Flush();
    clock.NowNanoseconds();  // its page and code are no part of the operator
    const int64_t begin = clock.NowNanoseconds();
    if (absl::Status status = op.Run(); !status.ok()) return status;
    now = clock.NowNanoseconds();
    flushed.push_back(static_cast<double>(now - begin - clock_overhead));
  }
  const auto samples = static_cast<int64_t>(hot.size() + flushed.size());
  return VisitRow{.flushed_us = Microseconds(TenthPercentile(std::move(flushed))),
                  .hot_us = Microseconds(TenthPercentile(std::move(hot))),
                  .samples = samples};
}

absl::StatusOr<VisitRow> VisitNetwork(NetworkInstance& network, absl::Span<const float> image, const MeasureOptions& options,
                                      MeasureClock& clock) {
  const absl::StatusOr<int64_t> warm = WarmUp([&] { return network.Run(image); }, absl::ToInt64Nanoseconds(options.network_warm_up), clock);
  if (!warm.ok()) return warm.status();
  std::vector<double> all;
  std::vector<double> undisturbed;
  const int64_t visit_begin = clock.NowNanoseconds();
  int64_t interruptions = clock.Interruptions();
  for (int64_t now = visit_begin; Wants(static_cast<int>(all.size()), now - visit_begin, options.min_network_samples,
                                        absl::ToInt64Nanoseconds(options.network_time));) {
    const int64_t begin = clock.NowNanoseconds();
    if (absl::Status status = network.Run(image); !status.ok()) return status;
    now = clock.NowNanoseconds();
    all.push_back(static_cast<double>(now - begin));
    const int64_t after = clock.Interruptions();
    if (after == interruptions) undisturbed.push_back(all.back());
    interruptions = after;
  }
  std::vector<double>& samples = undisturbed.size() * 2 >= all.size() ? undisturbed : all;
  std::sort(samples.begin(), samples.end());
  return VisitRow{.flushed_us = Microseconds(QuantileOfSorted(samples, 0.5)),
                  .hot_us = Microseconds(QuantileOfSorted(samples, 0.9)),
                  .p99_us = Microseconds(QuantileOfSorted(samples, 0.99)),
                  .samples = static_cast<int64_t>(samples.size())};
}

absl::StatusOr<std::vector<double>> TimeSteps(NetworkInstance& network, absl::Span<const float> image, int passes, MeasureClock& clock) {
  std::vector<std::vector<double>> times(static_cast<size_t>(network.num_steps()));
  for (int pass = 0; pass < passes; ++pass) {
    int64_t before = clock.NowNanoseconds();
    const absl::Status status = network.RunSteps(image, [&](int step) {
      const int64_t now = clock.NowNanoseconds();
      times[static_cast<size_t>(step)].push_back(static_cast<double>(now - before));
      before = now;
    });
    if (!status.ok()) return status;
  }
  std::vector<double> medians;
  for (const std::vector<double>& step : times) medians.push_back(Microseconds(Median(step)));
  return medians;
}

}  // namespace hanas
