// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "telemetry/prometheus/prometheus_metrics.h"

namespace hanas::telemetry {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(PrometheusTest, RecordsCountersGaugesAndHistograms) {
  const auto metrics = PrometheusMetrics::Create(kCoordinator);
  metrics->Count(Metric::kLeases, {"granted", "train"});
  metrics->Count(Metric::kLeases, {"granted", "train"});
  metrics->Set(Metric::kSearches, {"training"}, 3);
  metrics->Observe(Metric::kStoreWriteRecords, {}, 4);
  EXPECT_THAT(metrics->Scrape(),
              AllOf(HasSubstr("# TYPE hanas_leases_total counter\n"), HasSubstr("hanas_leases_total{event=\"granted\",kind=\"train\"} 2\n"),
                    HasSubstr("hanas_searches{phase=\"training\"} 3\n"), HasSubstr("hanas_store_write_records_bucket{le=\"5\"} 1\n"),
                    HasSubstr("hanas_store_write_records_bucket{le=\"2\"} 0\n")));
}

// An alert on the increase of a series that comes with its first event would miss that event.
TEST(PrometheusTest, SeriesOfListedLabelsBeginAtZero) {
  EXPECT_THAT(
      PrometheusMetrics::Create(kCoordinator)->Scrape(),
      AllOf(HasSubstr("hanas_searches{phase=\"failed\"} 0\n"), HasSubstr("hanas_leases_total{event=\"expired\",kind=\"train\"} 0\n"),
            HasSubstr("hanas_store_write_seconds_count{result=\"error\"} 0\n"), HasSubstr("hanas_artifact_store_bytes 0\n"),
            Not(HasSubstr("hanas_rpc_duration_seconds_count")), Not(HasSubstr("\"other\""))));
}

TEST(PrometheusTest, WhatOthersChooseAddsNoSeries) {
  const auto metrics = PrometheusMetrics::Create(kCoordinator);
  for (int i = 0; i < 1000; ++i) {
    metrics->Count(Metric::kLeases, {"granted", absl::StrCat("kind-", i)});
    metrics->Observe(Metric::kRpcSeconds, {absl::StrCat("/a/", i), "OK"}, 0.1);
  }
  const std::string text = metrics->Scrape();
  EXPECT_THAT(text, AllOf(HasSubstr("hanas_leases_total{event=\"granted\",kind=\"other\"} 1000\n"), Not(HasSubstr("kind-7"))));
  EXPECT_THAT(text, HasSubstr("hanas_rpc_duration_seconds_count{code=\"OK\",method=\"other\"} 936\n"));  // 64 have names
}

TEST(PrometheusTest, AnotherProcessesMetricsAreNotThere) {
  const auto metrics = PrometheusMetrics::Create(kAgent);
  metrics->Count(Metric::kTrainingSteps);
  EXPECT_THAT(metrics->Scrape(), AllOf(HasSubstr("hanas_canary_ratio"), Not(HasSubstr("hanas_training")), Not(HasSubstr("hanas_leases"))));
}

TEST(PrometheusTest, ProcessMetricsAreOfThisProcess) {
  const auto metrics = PrometheusMetrics::Create(kWorker);
  metrics->AddCollector(&CollectProcessMetrics);
  const std::string text = metrics->Scrape();
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  for (const std::string& line : lines) {
    for (const absl::string_view name : {"process_resident_memory_bytes ", "process_open_fds ", "process_start_time_seconds "}) {
      if (!absl::StartsWith(line, name)) continue;
      EXPECT_GT(std::stod(line.substr(name.size())), 1) << line;
    }
  }
  EXPECT_THAT(text, AllOf(HasSubstr("\nprocess_open_fds "), HasSubstr("\nprocess_cpu_seconds_total ")));
}

}  // namespace
}  // namespace hanas::telemetry
