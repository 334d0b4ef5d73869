// SPDX-License-Identifier: Apache-2.0
// /healthz beside 200 connections that are silent, against /healthz alone: both in the same minute, in turns.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "telemetry/prometheus/http_server.h"
#include "tests/support/loopback.h"

namespace hanas {
namespace {

std::unique_ptr<telemetry::HttpServer> StartProbe() {
  auto server = telemetry::HttpServer::Start("127.0.0.1", 0, {{"/healthz", [] { return telemetry::HttpReply{.body = "ok\n"}; }}},
                                             {.patience = absl::Minutes(10)});
  CHECK_OK(server.status());
  return *std::move(server);
}

double MicrosecondsOfProbe(int port) {
  const auto begin = std::chrono::steady_clock::now();
  CHECK(absl::StartsWith(HttpGet(port, "/healthz"), "HTTP/1.1 200"));
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void BM_HealthzBesideSilentConnections(benchmark::State& state) {
  const auto alone = StartProbe();
  const auto crowded = StartProbe();
  std::vector<LoopbackConnection> silent;
  for (int64_t i = 0; i < state.range(0); ++i) silent.emplace_back(crowded->port());
  std::vector<double> alone_us;
  std::vector<double> crowded_us;
  for (auto _ : state) {
    alone_us.push_back(MicrosecondsOfProbe(alone->port()));
    crowded_us.push_back(MicrosecondsOfProbe(crowded->port()));
  }
  state.counters["alone_us"] = Median(alone_us);
  state.counters["beside_us"] = Median(crowded_us);
  state.counters["ratio"] = Median(crowded_us) / Median(alone_us);
  state.counters["longest_beside_us"] = *std::max_element(crowded_us.begin(), crowded_us.end());
}
BENCHMARK(BM_HealthzBesideSilentConnections)->Arg(200)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace hanas
