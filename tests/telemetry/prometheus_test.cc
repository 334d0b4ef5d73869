// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "telemetry/prometheus/http_server.h"
#include "telemetry/prometheus/prometheus_metrics.h"

namespace hanas::telemetry {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// What a server on loopback answers to these bytes.
std::string Exchange(int port, const std::string& request) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  std::string reply;
  char buffer[4096];
  for (ssize_t n = 0; (n = recv(fd, buffer, sizeof(buffer), 0)) > 0;) reply.append(buffer, static_cast<size_t>(n));
  close(fd);
  return reply;
}
std::string Get(int port, const std::string& path) { return Exchange(port, absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\n\r\n")); }

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

TEST(HttpServerTest, AnswersScrapesAndProbes) {
  const auto metrics = PrometheusMetrics::Create(kWorker);
  std::atomic<bool> wedged = false;
  const auto server = HttpServer::Start("127.0.0.1", 0, OperationsHandlers(metrics.get(), [&] {
                                          return wedged ? absl::UnavailableError("the loop has not moved for 12s") : absl::OkStatus();
                                        }));
  ASSERT_THAT(server, IsOk());
  const int port = (*server)->port();
  EXPECT_THAT(Get(port, "/metrics"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"), HasSubstr("\nhanas_ready 1\n")));
  EXPECT_THAT(Get(port, "/readyz"), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("\r\n\r\nok\n")));
  wedged = true;
  EXPECT_THAT(Get(port, "/readyz"), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("the loop has not moved for 12s")));
  EXPECT_THAT(Get(port, "/healthz"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Get(port, "/metrics"), HasSubstr("\nhanas_ready 0\n"));
}

TEST(HttpServerTest, RefusesWhatItDoesNotServe) {
  const auto server = HttpServer::Start("localhost", 0, {{"/healthz", [] { return HttpReply{.body = "ok\n"}; }}});
  ASSERT_THAT(server, IsOk());
  EXPECT_THAT(Get((*server)->port(), "/etc/passwd"), AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("expected one of /healthz")));
  EXPECT_THAT(Exchange((*server)->port(), "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(Exchange((*server)->port(), "nonsense\r\n\r\n"), Not(HasSubstr("200 OK")));
}

TEST(HttpServerTest, SaysWhereItCannotListen) {
  const auto first = HttpServer::Start("127.0.0.1", 0, {});
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(HttpServer::Start("127.0.0.1", (*first)->port(), {}),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr(absl::StrCat("127.0.0.1:", (*first)->port()))));
}

}  // namespace
}  // namespace hanas::telemetry
