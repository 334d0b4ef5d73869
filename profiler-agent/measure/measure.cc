// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/measure/measure.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/statistics/statistics.h"
#include "profiler-agent/measure/slices.h"
#include "profiler-agent/measure/visit.h"

namespace hanas {
namespace {

constexpr double kFinalQuantile = 0.25;
constexpr int kStepPasses = 21;

absl::Status BadOption(absl::string_view field, absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat("measure options: expected ", field, " ", expected));
}

/// The final statistic over rounds of one of a visit's times; rounds that lack it are left out.
double Final(const std::vector<VisitRow>& rows, double VisitRow::* time) {
  std::vector<double> values;
  for (const VisitRow& row : rows) {
    if (row.*time > 0) values.push_back(row.*time);
  }
  return values.empty() ? 0 : Quantile(values, kFinalQuantile);
}

absl::Status InJob(const absl::Status& status, absl::string_view job) {
  absl::Status named(status.code(), absl::StrCat("measure ", job, ": ", status.message()));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) { named.SetPayload(url, payload); });
  return named;
}

struct PreparedNetwork {
  std::unique_ptr<NetworkInstance> network;
  std::vector<float> image;
};

absl::StatusOr<std::vector<PreparedNetwork>> Prepare(absl::Span<const NetworkJob> jobs) {
  std::vector<PreparedNetwork> prepared;
  for (const NetworkJob& job : jobs) {
    absl::StatusOr<std::unique_ptr<NetworkInstance>> network = job.prepare();
    if (!network.ok()) return InJob(network.status(), job.name);
    std::vector<float> image((*network)->input_size());
    for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i % 17) / 8 - 1;
    prepared.push_back({*std::move(network), std::move(image)});
  }
  return prepared;
}

NetworkStatistics Summarise(const SliceRunner& runner, size_t index) {
  const std::vector<VisitRow> rows = runner.Rows(index);
  NetworkStatistics statistics{.p50_us = Final(rows, &VisitRow::flushed_us),
                               .p90_us = Final(rows, &VisitRow::hot_us),
                               .p99_us = Final(rows, &VisitRow::p99_us),
                               .cv = runner.Cv(index),
                               .num_rounds = static_cast<int>(rows.size())};
  statistics.noisy = runner.Noisy(index);
  for (const VisitRow& row : rows) statistics.samples += row.samples;
  return statistics;
}

}  // namespace

absl::Status MeasureOptions::Validate() const {
  constexpr int kMostRounds = 1000;
  if (rounds < 1 || rounds > kMostRounds) return BadOption("rounds", absl::StrCat("from 1 to 1000, found ", rounds));
  if (max_rounds < rounds || max_rounds > kMostRounds)
    return BadOption("max_rounds", absl::StrCat("from rounds to 1000, found ", max_rounds));
  if (!(target_cv > 0)) return BadOption("target_cv", absl::StrCat("above 0, found ", target_cv));
  if (!(negligible_us >= 0)) return BadOption("negligible_us", absl::StrCat("of at least 0, found ", negligible_us));
  if (!(canary_tolerance > 0) || !(cool_down_above >= canary_tolerance))
    return BadOption("cool_down_above", "at least canary_tolerance, and that above 0");
  if (max_slice_repeats < 0 || max_slice_repeats > kMostRounds)
    return BadOption("max_slice_repeats", absl::StrCat("from 0 to 1000, found ", max_slice_repeats));
  if (min_samples < 3 || min_network_samples < 3) return BadOption("min_samples", "and min_network_samples of at least 3");
  if (flush_bytes < 0 || flush_bytes > (int64_t{1} << 30))
    return BadOption("flush_bytes", absl::StrCat("from 0 to 2^30, found ", flush_bytes));
  for (const absl::Duration time :
       {first_cool_down, slice, operator_warm_up, operator_hot, operator_flushed, min_sample, network_warm_up, network_time}) {
    if (time <= absl::ZeroDuration() || time > absl::Minutes(10)) return BadOption("durations", "above 0 and at most 10 minutes");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<OperatorInstance>> MakeCanary(DeviceRuntime& runtime) {
  return runtime.PrepareOperator({.kind = OpKind::kConv2d, .input = {1, 28, 28, 64}, .output_channels = 128, .kernel = 1});
}

absl::StatusOr<OperatorMeasurement> MeasureOperators(DeviceRuntime& runtime, absl::Span<const OpKey> keys, const MeasureOptions& options,
                                                     const MeasureEnvironment& environment, const RoundCallback& on_round,
                                                     absl::Span<const Round> done) {
  if (absl::Status status = options.Validate(); !status.ok()) return status;
  SliceRunner runner(keys.size(), options, environment);
  if (absl::Status status = runner.Resume(done); !status.ok()) return status;
  CacheFlusher flusher(options.flush_bytes);
  const int64_t overhead = ClockOverhead(*environment.clock);
  // Prepared anew for every visit: memory stays small, and each round sees other addresses.
  const auto visit = [&](int index) -> absl::StatusOr<VisitRow> {
    const OpKey& key = keys[static_cast<size_t>(index)];
    absl::StatusOr<std::unique_ptr<OperatorInstance>> op = runtime.PrepareOperator(key);
    if (!op.ok()) return op.status();
    absl::StatusOr<VisitRow> row = VisitOperator(**op, options, *environment.clock, overhead, flusher);
    if (!row.ok()) return InJob(row.status(), ToString(key));
    return row;
  };
  if (absl::Status status = runner.Run(visit, on_round); !status.ok()) return status;
  OperatorMeasurement measurement{.state = runner.state()};
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::vector<VisitRow> rows = runner.Rows(i);
    measurement.rows.push_back({.flushed_us = Final(rows, &VisitRow::flushed_us),
                                .hot_us = Final(rows, &VisitRow::hot_us),
                                .cv = runner.Cv(i),
                                .num_rounds = static_cast<int>(rows.size()),
                                .noisy = runner.Noisy(i)});
  }
  return measurement;
}

absl::StatusOr<NetworkMeasurement> MeasureNetworks(absl::Span<const NetworkJob> networks, const MeasureOptions& options,
                                                   const MeasureEnvironment& environment, const RoundCallback& on_round,
                                                   absl::Span<const Round> done) {
  if (absl::Status status = options.Validate(); !status.ok()) return status;
  SliceRunner runner(networks.size(), options, environment);
  if (absl::Status status = runner.Resume(done); !status.ok()) return status;
  absl::StatusOr<std::vector<PreparedNetwork>> prepared = Prepare(networks);
  if (!prepared.ok()) return prepared.status();
  const auto visit = [&](int index) -> absl::StatusOr<VisitRow> {
    PreparedNetwork& item = (*prepared)[static_cast<size_t>(index)];
    absl::StatusOr<VisitRow> row = VisitNetwork(*item.network, item.image, options, *environment.clock);
    if (!row.ok()) return InJob(row.status(), networks[static_cast<size_t>(index)].name);
    return row;
  };
  if (absl::Status status = runner.Run(visit, on_round); !status.ok()) return status;
  NetworkMeasurement measurement{.state = runner.state()};
  for (size_t i = 0; i < networks.size(); ++i) {
    NetworkStatistics statistics = Summarise(runner, i);
    PreparedNetwork& item = (*prepared)[i];
    if (item.network->num_steps() > 0) {
      absl::StatusOr<std::vector<double>> steps = TimeSteps(*item.network, item.image, kStepPasses, *environment.clock);
      if (!steps.ok()) return InJob(steps.status(), networks[i].name);
      statistics.step_us = *std::move(steps);
    }
    measurement.rows.push_back(std::move(statistics));
  }
  return measurement;
}

}  // namespace hanas
