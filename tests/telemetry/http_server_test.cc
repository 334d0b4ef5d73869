// SPDX-License-Identifier: Apache-2.0
// The operations port as strangers meet it: what it answers, and that nobody can take it away from the others.
#include "telemetry/prometheus/http_server.h"

#include <sys/resource.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "telemetry/prometheus/prometheus_metrics.h"
#include "tests/support/hostile_requests.h"
#include "tests/support/loopback.h"

namespace hanas::telemetry {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Lt;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

const char kHealthy[] = "HTTP/1.1 200 OK\r\n";
/// No client is closed for its slowness within a test.
constexpr HttpLimits kPatient = {.patience = absl::Minutes(10)};
constexpr HttpLimits kImpatient = {.patience = absl::Milliseconds(50)};

std::map<std::string, HttpHandler> Probe() {
  return {{"/healthz", [] { return HttpReply{.body = "ok\n"}; }}};
}

/// Of /healthz alone.
std::unique_ptr<HttpServer> StartProbe(const HttpLimits& limits = {}) {
  auto server = HttpServer::Start("127.0.0.1", 0, Probe(), limits);
  EXPECT_THAT(server, IsOk());
  return *std::move(server);
}

std::vector<LoopbackConnection> Connect(int port, int count, const std::string& first_bytes) {
  std::vector<LoopbackConnection> connections;
  for (int i = 0; i < count; ++i) {
    connections.emplace_back(port);
    connections.back().Send(first_bytes);
  }
  return connections;
}

// ---- what is served ----

TEST(HttpServerTest, AnswersScrapesAndProbes) {
  const auto metrics = PrometheusMetrics::Create(kWorker);
  std::atomic<bool> wedged = false;
  const auto server = HttpServer::Start("127.0.0.1", 0, OperationsHandlers(metrics.get(), [&] {
                                          return wedged ? absl::UnavailableError("the loop has not moved for 12s") : absl::OkStatus();
                                        }));
  ASSERT_THAT(server, IsOk());
  const int port = (*server)->port();
  EXPECT_THAT(HttpGet(port, "/metrics"),
              AllOf(StartsWith(kHealthy), HasSubstr("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
                    HasSubstr("\r\nCache-Control: no-store\r\n"), HasSubstr("\nhanas_ready 1\n")));
  EXPECT_THAT(HttpGet(port, "/readyz"), AllOf(StartsWith(kHealthy), HasSubstr("\r\n\r\nok\n")));
  wedged = true;
  EXPECT_THAT(HttpGet(port, "/readyz"), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("the loop has not moved for 12s")));
  EXPECT_THAT(HttpGet(port, "/healthz"), StartsWith(kHealthy));
  EXPECT_THAT(HttpGet(port, "/metrics"), HasSubstr("\nhanas_ready 0\n"));
}

TEST(HttpServerTest, HeadHasNoBody) {
  const auto server = StartProbe();
  EXPECT_THAT(Exchange(server->port(), "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
              AllOf(StartsWith(kHealthy), HasSubstr("\r\nContent-Length: 3\r\n"), Not(HasSubstr("ok"))));
}

TEST(HttpServerTest, RefusesWhatItDoesNotServe) {
  const auto server = StartProbe();
  EXPECT_THAT(HttpGet(server->port(), "/etc/passwd"), AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("expected one of /healthz\n")));
  EXPECT_THAT(Exchange(server->port(), "DELETE /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("\r\nAllow: GET, HEAD\r\n"), HasSubstr("expected GET or HEAD\n")));
}

TEST(HttpServerTest, ListensOnNamesAndOnAddressesOfBothFamilies) {
  for (const char* host : {"localhost", "0.0.0.0", "::"}) {
    const auto server = HttpServer::Start(host, 0, Probe());
    ASSERT_THAT(server, IsOk());
    EXPECT_THAT(HttpGet((*server)->port(), "/healthz"), StartsWith(kHealthy)) << host;
  }
}

TEST(HttpServerTest, SaysWhereAndWhyItCannotListen) {
  const auto first = StartProbe();
  EXPECT_THAT(HttpServer::Start("127.0.0.1", first->port(), {}),
              StatusIs(absl::StatusCode::kUnavailable,
                       absl::StrCat("cannot listen on http://127.0.0.1:", first->port(), ": Address already in use")));
  EXPECT_THAT(HttpServer::Start("2001:db8::1", 80, {}),
              StatusIs(absl::StatusCode::kUnavailable, StartsWith("cannot listen on http://[2001:db8::1]:80: ")));
}

// ---- what strangers send ----

class HostileRequestTest : public ::testing::TestWithParam<HostileRequest> {};

TEST_P(HostileRequestTest, IsAnsweredOrClosedAndTheNextOneIsServed) {
  const auto server = StartProbe();
  const std::string reply = Exchange(server->port(), GetParam().bytes);
  if (GetParam().status != nullptr) {
    EXPECT_THAT(reply.substr(0, 13), MatchesRegex(absl::StrCat("HTTP/1\\.[01] (", GetParam().status, ") "))) << reply.substr(0, 300);
  } else {
    EXPECT_THAT(reply, AnyOf(IsEmpty(), StartsWith("HTTP/1.1 4"), StartsWith("HTTP/1.0 4"))) << reply.substr(0, 300);
  }
  EXPECT_THAT(HttpGet(server->port(), "/healthz"), StartsWith(kHealthy));
}

INSTANTIATE_TEST_SUITE_P(Requests, HostileRequestTest, ::testing::ValuesIn(HostileRequests()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(HostileClientTest, ResetsAreSurvived) {
  const auto server = StartProbe();
  for (const char* bytes :
       {"", "GET /hea", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "POST /healthz HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"}) {
    LoopbackConnection connection(server->port());
    connection.Send(bytes);
    connection.Reset();
  }
  EXPECT_THAT(HttpGet(server->port(), "/healthz"), StartsWith(kHealthy));
}

TEST(HostileClientTest, DamagedRequestsOfAllSortsAreSurvived) {
  const auto server = StartProbe();
  const std::string request =
      "GET http://x/healthz?a=%41 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc";
  for (size_t i = 0; i < request.size(); ++i) {
    LoopbackConnection connection(server->port());
    std::string damaged = request;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    connection.Send(damaged);
    connection.AwaitReadable(0);
  }
  EXPECT_THAT(HttpGet(server->port(), "/healthz"), StartsWith(kHealthy));
}

// ---- who takes what ----

class SilentConnectionsTest : public ::testing::TestWithParam<const char*> {};

TEST_P(SilentConnectionsTest, ProbesAreAnsweredBesideTwoHundred) {
  const auto server = StartProbe(kPatient);
  auto held = Connect(server->port(), 200, GetParam());
  EXPECT_THAT(HttpGet(server->port(), "/healthz"), StartsWith(kHealthy));
  for (LoopbackConnection& connection : held) EXPECT_FALSE(connection.AwaitReadable(0)) << "it was closed for another";
}

// The oldest are closed for the one that asks.
TEST_P(SilentConnectionsTest, ProbesAreAnsweredBesideMoreThanTheLimit) {
  HttpLimits limits = kPatient;
  limits.connections = 20;
  const auto server = StartProbe(limits);
  auto held = Connect(server->port(), 30, GetParam());
  EXPECT_THAT(HttpGet(server->port(), "/healthz"), StartsWith(kHealthy));
  EXPECT_THAT(held.front().ReadToEnd(), IsEmpty());
  EXPECT_FALSE(held.back().AwaitReadable(0));
}

TEST_P(SilentConnectionsTest, AreClosedWhenPatienceEnds) {
  const auto server = StartProbe(kImpatient);
  for (LoopbackConnection& connection : Connect(server->port(), 3, GetParam())) EXPECT_THAT(connection.ReadToEnd(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(FirstBytes, SilentConnectionsTest,
                         ::testing::Values("", "G", "GET /healthz HTTP/1.1\r\n", "GET /healthz HTTP/1.1\r\nHost: x\r\nX: "));

TEST(HttpLimitsTest, HalfOfTheFilesAreLeftToTheProcess) {
  rlimit files = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
  const rlimit few = {80, files.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto server = StartProbe(kPatient);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
  auto held = Connect(server->port(), 60, "");
  EXPECT_THAT(HttpGet(server->port(), "/healthz"), StartsWith(kHealthy));
  EXPECT_THAT(held.front().ReadToEnd(), IsEmpty());
  EXPECT_FALSE(held[held.size() - 35].AwaitReadable(0));
}

TEST(HttpLimitsTest, AByteNowAndThenProlongsNothing) {
  const auto server = StartProbe(kImpatient);
  LoopbackConnection slow(server->port());
  slow.Send("GET /healthz HTTP/1.1\r\nHost: x\r\nX: ");
  while (!slow.AwaitReadable(5)) slow.Send("a");
  EXPECT_THAT(slow.ReadToEnd(), IsEmpty());  // closed for the time it took, not answered 431 for the bytes it sent
}

TEST(HttpLimitsTest, AClientThatDoesNotReadIsClosed) {
  constexpr size_t kBytes = 32 << 20;  // more than the kernel buffers
  const auto server =
      HttpServer::Start("127.0.0.1", 0, {{"/large", [] { return HttpReply{.body = std::string(kBytes, 'a')}; }}}, kImpatient);
  ASSERT_THAT(server, IsOk());
  LoopbackConnection deaf((*server)->port());
  deaf.Send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(deaf.AwaitReadable(-1));
  // One that comes after it, and is closed after it.
  LoopbackConnection((*server)->port()).ReadToEnd();
  EXPECT_THAT(deaf.ReadToEnd(), SizeIs(Lt(kBytes)));
}

/// A handler that a test lets go, and that counts its calls.
struct Gate {
  HttpReply Pass() {
    if (++calls == 1) entered.Notify();
    open.WaitForNotification();
    ++ended;
    return {.body = "through\n"};
  }

  std::atomic<int> calls = 0;
  std::atomic<int> ended = 0;
  absl::Notification entered;
  absl::Notification open;
};

TEST(SlowHandlerTest, HoldsUpNobodyWhoAsksForAnotherPath) {
  Gate gate;
  std::map<std::string, HttpHandler> handlers = Probe();
  handlers["/metrics"] = [&gate] { return gate.Pass(); };
  const auto server = HttpServer::Start("127.0.0.1", 0, handlers);
  ASSERT_THAT(server, IsOk());
  LoopbackConnection scrape((*server)->port());
  scrape.Send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  gate.entered.WaitForNotification();
  EXPECT_THAT(HttpGet((*server)->port(), "/healthz"), StartsWith(kHealthy));
  EXPECT_FALSE(scrape.AwaitReadable(0));
  gate.open.Notify();
  EXPECT_THAT(scrape.ReadToEnd(), AllOf(StartsWith(kHealthy), HasSubstr("through\n")));
}

TEST(SlowHandlerTest, ManyWhoAskShareACall) {
  constexpr int kAskers = 20;
  Gate gate;
  const auto server = HttpServer::Start("127.0.0.1", 0, {{"/metrics", [&gate] { return gate.Pass(); }}});
  ASSERT_THAT(server, IsOk());
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  auto scrapes = Connect((*server)->port(), 1, request);
  gate.entered.WaitForNotification();
  for (LoopbackConnection& more : Connect((*server)->port(), kAskers, request)) scrapes.push_back(std::move(more));
  EXPECT_THAT(HttpGet((*server)->port(), "/nothing"), StartsWith("HTTP/1.1 404"));  // it came after them, so they are all waiting
  gate.open.Notify();
  for (LoopbackConnection& scrape : scrapes) EXPECT_THAT(scrape.ReadToEnd(), HasSubstr("through\n"));
  EXPECT_THAT(gate.calls, Lt(kAskers));
}

// The probe is answered beside more scrapes than there may be connections: the oldest make room.
TEST(SlowHandlerTest, ACrowdThatWaitsForItKeepsNobodyOut) {
  Gate gate;
  std::map<std::string, HttpHandler> handlers = Probe();
  handlers["/metrics"] = [&gate] { return gate.Pass(); };
  HttpLimits limits = kPatient;
  limits.connections = 20;
  const auto server = HttpServer::Start("127.0.0.1", 0, handlers, limits);
  ASSERT_THAT(server, IsOk());
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  auto scrapes = Connect((*server)->port(), 1, request);
  gate.entered.WaitForNotification();
  for (LoopbackConnection& more : Connect((*server)->port(), 50, request)) scrapes.push_back(std::move(more));
  EXPECT_THAT(HttpGet((*server)->port(), "/healthz"), StartsWith(kHealthy));
  EXPECT_THAT(scrapes.front().ReadToEnd(), IsEmpty());
  gate.open.Notify();
  EXPECT_THAT(scrapes.back().ReadToEnd(), HasSubstr("through\n"));
}

TEST(SlowHandlerTest, ManyAtOnceAreAllAnswered) {
  const auto server = StartProbe(kPatient);
  for (LoopbackConnection& probe : Connect(server->port(), 300, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")) {
    EXPECT_THAT(probe.ReadToEnd(), StartsWith(kHealthy));
  }
}

TEST(SlowHandlerTest, OneWhoLeavesMeanwhileIsForgotten) {
  Gate gate;
  const auto server = HttpServer::Start("127.0.0.1", 0, {{"/metrics", [&gate] { return gate.Pass(); }}});
  ASSERT_THAT(server, IsOk());
  LoopbackConnection scrape((*server)->port());
  scrape.Send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  gate.entered.WaitForNotification();
  scrape.Reset();
  gate.open.Notify();
  EXPECT_THAT(HttpGet((*server)->port(), "/nothing"), StartsWith("HTTP/1.1 404"));
}

TEST(SlowHandlerTest, IsWaitedForWhenTheServerStops) {
  Gate gate;
  auto server = HttpServer::Start("127.0.0.1", 0, {{"/metrics", [&gate] { return gate.Pass(); }}});
  ASSERT_THAT(server, IsOk());
  auto scrapes = Connect((*server)->port(), 1, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  gate.entered.WaitForNotification();
  scrapes.push_back(std::move(Connect((*server)->port(), 1, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").front()));
  int ended_before = 0;
  std::thread stop([&] {
    server->reset();
    ended_before = gate.ended;
  });
  gate.open.Notify();
  stop.join();
  EXPECT_EQ(ended_before, gate.calls) << "a call went on after the server was gone";
  for (LoopbackConnection& scrape : scrapes) scrape.ReadToEnd();  // closed: it ends
}

}  // namespace
}  // namespace hanas::telemetry
