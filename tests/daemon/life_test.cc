// SPDX-License-Identifier: Apache-2.0
// The three programs from start to SIGTERM: probes, metrics, logs, and how they end.
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/generic/generic_stub.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "core/lowering/lowering.h"
#include "core/plan/exec_plan.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "hanas/v1/search.grpc.pb.h"
#include "hanas/v1/task.grpc.pb.h"
#include "rpc/client.h"
#include "rpc/convert/device.h"
#include "rpc/convert/job.h"
#include "rpc/protocol.h"
#include "rpc/search_client.h"
#include "rpc/server.h"
#include "rpc/status.h"
#include "tests/core/small_space.h"
#include "tests/rpc/fake_artifact_service.h"
#include "tests/rpc/fake_task_service.h"
#include "tests/support/hostile_requests.h"
#include "tests/support/loopback.h"
#include "tests/support/program.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSubsetOf;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

/// Time series by name and labels.
std::map<std::string, double> Scrape(int port) {
  const std::string reply = HttpGet(port, "/metrics");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200"));
  std::map<std::string, double> series;
  const std::vector<std::string> lines = absl::StrSplit(reply.substr(reply.find("\r\n\r\n") + 4), '\n', absl::SkipEmpty());
  for (const std::string& line : lines) {
    if (absl::StartsWith(line, "#")) continue;
    const size_t space = line.rfind(' ');
    double value = 0;
    EXPECT_TRUE(absl::SimpleAtod(line.substr(space + 1), &value)) << line;
    EXPECT_TRUE(series.emplace(line.substr(0, space), value).second) << "twice: " << line;
  }
  return series;
}

/// promtool's opinion, where there is one.
void ExpectPromtoolAgrees(int port) {
  if (std::system("command -v promtool > /dev/null") != 0) return;
  const std::string reply = HttpGet(port, "/metrics");
  FILE* const promtool = popen("promtool check metrics", "w");
  ASSERT_NE(promtool, nullptr);
  const std::string text = reply.substr(reply.find("\r\n\r\n") + 4);
  EXPECT_EQ(fwrite(text.data(), 1, text.size(), promtool), text.size());
  EXPECT_EQ(pclose(promtool), 0);
}

/// The lines of a log, each of which must be one JSON object.
std::vector<std::map<std::string, std::string>> ParseLog(const std::string& log) {
  std::vector<std::map<std::string, std::string>> events;
  const std::vector<std::string> lines = absl::StrSplit(log, '\n', absl::SkipEmpty());
  for (const std::string& line : lines) {
    google::protobuf::Struct parsed;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(line, &parsed).ok()) << line;
    std::map<std::string, std::string> event;
    for (const auto& [name, value] : parsed.fields()) event[name] = value.string_value();
    for (const char* name : {"time", "severity", "event"}) EXPECT_TRUE(event.contains(name)) << line;
    events.push_back(std::move(event));
  }
  return events;
}

std::multiset<std::string> EventNames(const std::string& log) {
  std::multiset<std::string> names;
  for (const auto& event : ParseLog(log)) names.insert(event.at("event"));
  return names;
}

/// The program must answer probes whatever strangers send, and beside connections that they hold; it is alive at the end.
void ExpectServesBesideStrangers(int port) {
  for (const HostileRequest& request : HostileRequests()) {
    SCOPED_TRACE(request.name);
    Exchange(port, request.bytes);
  }
  std::vector<LoopbackConnection> held;
  for (const char* first_bytes : {"", "GET /healthz HTTP/1.1\r\n"}) {
    for (int i = 0; i < 100; ++i) {
      held.emplace_back(port);
      held.back().Send(first_bytes);
    }
  }
  for (const char* path : {"/healthz", "/readyz", "/metrics"}) EXPECT_THAT(HttpGet(port, path), StartsWith("HTTP/1.1 200")) << path;
}

class LifeTest : public ::testing::Test {
 protected:
  LifeTest() { std::filesystem::create_directories(root_ / "data"); }
  ~LifeTest() override { std::filesystem::remove_all(root_); }

  std::string Path(const std::string& name) const { return (root_ / name).string(); }
  /// From a port file, after the log said that the port answers.
  int PortOf(const std::string& name) const {
    int port = 0;
    std::ifstream(Path(name)) >> port;
    EXPECT_GT(port, 0);
    return port;
  }
  std::vector<std::string> Common() const {
    return {"--log-format", "json", "--http-port-file", Path("http"), "--die-with-parent", absl::StrCat(getpid())};
  }
  static std::vector<std::string> With(std::vector<std::string> some, const std::vector<std::string>& more) {
    some.insert(some.end(), more.begin(), more.end());
    return some;
  }

  static void ExpectPrivate(const std::string& path) {
    EXPECT_EQ(static_cast<int>(std::filesystem::status(path).permissions() & static_cast<std::filesystem::perms>(077)), 0) << path;
  }

  const std::filesystem::path root_ = std::filesystem::path(::testing::TempDir()) / absl::StrCat("hanas-life-", ::getpid());
};

// A parent that dies while its child is being loaded leaves it to somebody else, whom the child would take for its parent.
TEST_F(LifeTest, AProgramThatSomebodyElseStartedEndsAtOnce) {
  const std::vector<std::string> somebody = {"--die-with-parent", "1"};
  const std::vector<std::string> party = With({"--coordinator", "127.0.0.1:1", "--name", "orphan"}, somebody);
  const std::vector<std::pair<std::string, std::vector<std::string>>> programs = {
      {"hanas-coordinator", With({"--data-dir", Path("state"), "--listen", "127.0.0.1:0"}, somebody)},
      {"hanas-worker", With({"--data", Path("data")}, party)},
      {"hanas-profiler-agent", party}};
  for (const auto& [name, arguments] : programs) {
    Program program(ProgramPath(name), arguments);
    EXPECT_EQ(program.Wait(), 1) << name << ": " << program.output();
    EXPECT_THAT(program.output(), HasSubstr("the process that started this one is gone")) << name;
  }
}

// ---- coordinator ----

class CoordinatorLifeTest : public LifeTest {
 protected:
  std::vector<std::string> Arguments() const {
    return With({"--data-dir", Path("state"), "--listen", "127.0.0.1:0", "--port-file", Path("port")}, Common());
  }
};

TEST_F(CoordinatorLifeTest, ServesCountsLogsAndEndsItsWatches) {
  Program coordinator(ProgramPath("hanas-coordinator"), Arguments());
  ASSERT_TRUE(coordinator.AwaitOutput("\"listening\"")) << coordinator.output();
  const auto channel = rpc::CreateChannel(absl::StrCat("127.0.0.1:", PortOf("port")));
  ASSERT_THAT(channel, IsOk());
  const auto searches = v1::SearchService::NewStub(*channel);
  const auto tasks = v1::TaskService::NewStub(*channel);
  const int http = PortOf("http");

  SearchJob job = {.name = "tiny", .seed = 7};
  job.dataset = {.name = "fake", .directory = "fake", .validation_images = 1000};
  job.space = SmallSpaceSpec();
  v1::CreateSearchRequest create;
  *create.mutable_spec() = rpc::ToProto(job);
  v1::Search search;
  grpc::ClientContext create_context;
  ASSERT_THAT(rpc::FromGrpcStatus(searches->CreateSearch(&create_context, create, &search)), IsOk());
  v1::GetSearchRequest unknown;
  unknown.set_name("searches/999");
  grpc::ClientContext get_context;
  EXPECT_THAT(rpc::FromGrpcStatus(searches->GetSearch(&get_context, unknown, &search)), StatusIs(absl::StatusCode::kNotFound));
  v1::RegisterRequest party;
  party.mutable_party()->set_name("w");
  party.mutable_party()->set_instance_id("i");
  party.mutable_party()->set_key(std::string(32, 'k'));
  party.mutable_party()->set_host_id("h");
  party.mutable_party()->set_protocol_version(rpc::kProtocolVersion);
  party.mutable_party()->mutable_worker()->set_threads(1);
  v1::RegisterResponse registered;
  grpc::ClientContext register_context;
  ASSERT_THAT(rpc::FromGrpcStatus(tasks->Register(&register_context, party, &registered)), IsOk());

  // A watch that is open while the rest is looked at.
  grpc::ClientContext watch_context;
  v1::WatchSearchRequest watch;
  watch.set_name("searches/1");
  const auto list = [&] {
    v1::ListSearchesResponse response;
    grpc::ClientContext context;
    EXPECT_THAT(rpc::FromGrpcStatus(searches->ListSearches(&context, {}, &response)), IsOk());
    return response;
  };
  watch.set_name(list().searches(0).name());
  const auto stream = searches->WatchSearch(&watch_context, watch);
  v1::SearchEvent event;
  ASSERT_TRUE(stream->Read(&event));

  EXPECT_THAT(HttpGet(http, "/healthz"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(HttpGet(http, "/readyz"), StartsWith("HTTP/1.1 200"));
  const std::map<std::string, double> series = Scrape(http);
  EXPECT_EQ(series.at("hanas_ready"), 1);
  EXPECT_EQ(series.at("hanas_rpc_duration_seconds_count{code=\"OK\",method=\"SearchService/CreateSearch\"}"), 1);
  EXPECT_EQ(series.at("hanas_rpc_duration_seconds_count{code=\"NOT_FOUND\",method=\"SearchService/GetSearch\"}"), 1);
  EXPECT_EQ(series.at("hanas_rpc_in_progress{method=\"SearchService/WatchSearch\"}"), 1);
  EXPECT_GE(series.at("hanas_store_write_seconds_count{result=\"ok\"}"), 2);
  EXPECT_GT(series.at("hanas_store_written_bytes_total"), 0);
  EXPECT_GT(series.at("hanas_data_free_bytes"), 0);
  EXPECT_GT(series.at("process_resident_memory_bytes"), 1e6);
  EXPECT_LE(series.size(), 1000U);
  ExpectPromtoolAgrees(http);

  coordinator.Signal(SIGTERM);
  while (stream->Read(&event)) {
  }
  EXPECT_THAT(rpc::FromGrpcStatus(stream->Finish()), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(coordinator.Wait(), 0) << coordinator.output();
  const std::multiset<std::string> names = EventNames(coordinator.output());
  EXPECT_THAT((std::set<std::string>{"http_started", "listening", "party_registered", "stopping", "stopped"}), IsSubsetOf(names));
}

TEST_F(CoordinatorLifeTest, CallsThatNobodyServesAddNoSeries) {
  Program coordinator(ProgramPath("hanas-coordinator"), Arguments());
  ASSERT_TRUE(coordinator.AwaitOutput("\"listening\"")) << coordinator.output();
  const auto channel = rpc::CreateChannel(absl::StrCat("127.0.0.1:", PortOf("port")));
  ASSERT_THAT(channel, IsOk());
  grpc::GenericStub stub(*channel);
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    const grpc::Slice nothing("");
    const grpc::ByteBuffer request(&nothing, 1);
    grpc::ByteBuffer response;
    absl::Notification done;
    grpc::Status status;
    stub.UnaryCall(&context, absl::StrCat("/hanas.v1.SearchService/Method", i), {}, &request, &response, [&](grpc::Status answered) {
      status = std::move(answered);
      done.Notify();
    });
    done.WaitForNotification();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  }
  for (const auto& [name, value] : Scrape(PortOf("http"))) EXPECT_FALSE(absl::StrContains(name, "SearchService/Method")) << name;
  coordinator.Signal(SIGINT);
  EXPECT_EQ(coordinator.Wait(), 0);
}

TEST_F(CoordinatorLifeTest, StrangersOnTheOperationsPortDoNoHarm) {
  Program coordinator(ProgramPath("hanas-coordinator"), Arguments());
  ASSERT_TRUE(coordinator.AwaitOutput("\"listening\"")) << coordinator.output();
  ExpectServesBesideStrangers(PortOf("http"));
  coordinator.Signal(SIGTERM);
  EXPECT_EQ(coordinator.Wait(), 0) << coordinator.output();
}

TEST_F(CoordinatorLifeTest, EachFailureHasItsStatus) {
  Program first(ProgramPath("hanas-coordinator"), Arguments());
  ASSERT_TRUE(first.AwaitOutput("\"listening\"")) << first.output();
  Program same_state(ProgramPath("hanas-coordinator"), {"--data-dir", Path("state"), "--listen", "127.0.0.1:0"});
  EXPECT_EQ(same_state.Wait(), 5) << same_state.output();
  const std::string taken = absl::StrCat("127.0.0.1:", PortOf("port"));
  EXPECT_THAT(same_state.output(), HasSubstr(Path("state")));
  Program same_port(ProgramPath("hanas-coordinator"), {"--data-dir", Path("other"), "--listen", taken});
  EXPECT_EQ(same_port.Wait(), 4);
  EXPECT_THAT(same_port.output(), HasSubstr(taken));
  Program same_http(ProgramPath("hanas-coordinator"),
                    {"--data-dir", Path("other"), "--listen", "127.0.0.1:0", "--http-listen", absl::StrCat("127.0.0.1:", PortOf("http"))});
  EXPECT_EQ(same_http.Wait(), 4);
}

TEST_F(CoordinatorLifeTest, WhatItWritesIsItsUsersAlone) {
  std::filesystem::create_directories(Path("state"));
  std::filesystem::permissions(Path("state"), static_cast<std::filesystem::perms>(0755));
  const mode_t before = ::umask(0);
  Program coordinator(ProgramPath("hanas-coordinator"),
                      With({"--data-dir", Path("state"), "--listen", "unix:" + Path("socket")}, Common()));
  ::umask(before);
  ASSERT_TRUE(coordinator.AwaitOutput("\"listening\"")) << coordinator.output();
  EXPECT_THAT(EventNames(coordinator.output()), Contains("directory_tightened"));
  for (const char* name : {"state", "socket", "http"}) ExpectPrivate(Path(name));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(Path("state"))) ExpectPrivate(entry.path());
}

TEST_F(CoordinatorLifeTest, OnAUnixSocketItIsStartedAgainAfterAKillAndNeverTwice) {
  const std::string address = "unix:" + Path("socket");
  const std::vector<std::string> arguments = With({"--data-dir", Path("state"), "--listen", address}, Common());
  auto coordinator = std::make_unique<Program>(ProgramPath("hanas-coordinator"), arguments);
  ASSERT_TRUE(coordinator->AwaitOutput("\"listening\"")) << coordinator->output();
  Program second(ProgramPath("hanas-coordinator"), {"--data-dir", Path("other"), "--listen", address});
  EXPECT_EQ(second.Wait(), 4);
  EXPECT_THAT(second.output(), HasSubstr("in use"));
  const auto client = rpc::SearchClient::Create(address);
  ASSERT_THAT(client, IsOk());
  EXPECT_THAT((*client)->ListSearches(1, ""), IsOk());
  coordinator->Signal(SIGKILL);
  EXPECT_EQ(coordinator->Wait(), -SIGKILL);
  EXPECT_TRUE(std::filesystem::is_socket(Path("socket")));
  coordinator = std::make_unique<Program>(ProgramPath("hanas-coordinator"), arguments);
  ASSERT_TRUE(coordinator->AwaitOutput("\"listening\"")) << coordinator->output();
  // The first call may find only then that its connection ended with the process.
  if (const absl::Status first = (*client)->ListSearches(1, "").status(); !first.ok()) {
    EXPECT_THAT(first, StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_THAT((*client)->WaitUntilReady(absl::Seconds(30)), IsOk());
    EXPECT_THAT((*client)->ListSearches(1, ""), IsOk());
  }
  coordinator->Signal(SIGTERM);
  EXPECT_EQ(coordinator->Wait(), 0);
  EXPECT_FALSE(std::filesystem::exists(Path("socket")));
}

TEST_F(CoordinatorLifeTest, OnTcpItAsksForATokenThatItMadeAndNeverShows) {
  const std::string token_file = Path("secrets/token");
  Program coordinator(ProgramPath("hanas-coordinator"), With(Arguments(), {"--token-file", token_file}));
  ASSERT_TRUE(coordinator.AwaitOutput("\"listening\"")) << coordinator.output();
  ExpectPrivate(token_file);
  ExpectPrivate(Path("secrets"));
  const std::string address = absl::StrCat("127.0.0.1:", PortOf("port"));
  EXPECT_THAT((*rpc::SearchClient::Create(address, absl::Seconds(30), false, token_file))->ListSearches(1, ""), IsOk());
  // A worker and an agent of somebody else.
  std::ofstream(Path("another")) << std::string(64, '0');
  std::filesystem::permissions(Path("another"), static_cast<std::filesystem::perms>(0600));
  for (const char* name : {"hanas-worker", "hanas-profiler-agent"}) {
    Program party(ProgramPath(name), {"--coordinator", address, "--token-file", Path("another"), "--state-dir", Path("party")});
    EXPECT_EQ(party.Wait(), 10) << party.output();
    EXPECT_THAT(party.output(), HasSubstr(Path("another")));
    std::filesystem::permissions(Path("another"), static_cast<std::filesystem::perms>(0640));
    Program loose(ProgramPath(name), {"--coordinator", address, "--token-file", Path("another"), "--state-dir", Path("party")});
    EXPECT_EQ(loose.Wait(), 2) << loose.output();
    EXPECT_THAT(loose.output(), HasSubstr("0640"));
    std::filesystem::permissions(Path("another"), static_cast<std::filesystem::perms>(0600));
  }
  std::string token;
  std::ifstream(token_file) >> token;
  ASSERT_THAT(token, SizeIs(64));
  EXPECT_THAT(coordinator.output(), Not(HasSubstr(token)));
  std::ifstream command_line(absl::StrCat("/proc/", coordinator.pid(), "/cmdline"));
  EXPECT_THAT(std::string(std::istreambuf_iterator<char>(command_line), {}), Not(HasSubstr(token)));
}

TEST_F(CoordinatorLifeTest, ANameIsItsPartysOverAKillAndNobodyElses) {
  Program coordinator(ProgramPath("hanas-coordinator"),
                      With({"--data-dir", Path("state"), "--listen", "unix:" + Path("socket")}, Common()));
  ASSERT_TRUE(coordinator.AwaitOutput("\"listening\"")) << coordinator.output();
  const auto agent = [&](const std::string& state) {
    return std::make_unique<Program>(
        ProgramPath("hanas-profiler-agent"),
        std::vector<std::string>{"--coordinator", "unix:" + Path("socket"), "--name", "board", "--state-dir", Path(state)});
  };
  auto first = agent("mine");
  ASSERT_TRUE(first->AwaitOutput("registered")) << first->output();
  auto thief = agent("another");
  EXPECT_EQ(thief->Wait(), 11) << thief->output();
  EXPECT_THAT(thief->output(), HasSubstr("board"));
  auto twice = agent("mine");
  EXPECT_EQ(twice->Wait(), 5) << twice->output();
  EXPECT_THAT(twice->output(), HasSubstr(absl::StrCat("pid ", first->pid())));
  first->Signal(SIGKILL);
  EXPECT_EQ(first->Wait(), -SIGKILL);
  auto again = agent("mine");
  // At once: it waits for no lease to expire.
  EXPECT_TRUE(again->AwaitOutput("registered")) << again->output();
}

// ---- worker and agent ----

class PartyLifeTest : public LifeTest {
 protected:
  std::vector<std::string> Arguments() const { return With({"--coordinator", server_->address().ToString(), "--name", "p"}, Common()); }
  void AwaitLeaseRequest() {
    tasks_.Await([](const rpc::FakeTaskService::Log& log) { return log.leases > 0; });
  }
  static v1::Task NewTask() {
    v1::Task task;
    task.set_search("searches/4");
    task.mutable_lease()->set_task("tasks/5");
    task.mutable_lease()->set_fencing_token(9);
    task.mutable_lease()->set_ttl_seconds(15);
    return task;
  }

  rpc::FakeTaskService tasks_;
  rpc::FakeArtifactService artifacts_;
  std::unique_ptr<rpc::Server> server_ = *rpc::Server::Start({}, {&tasks_, &artifacts_});
};

TEST_F(PartyLifeTest, TheAgentHandsItsTaskBackOnSigterm) {
  Program agent(ProgramPath("hanas-profiler-agent"), Arguments());
  AwaitLeaseRequest();
  const absl::StatusOr<BackendCaps> caps = rpc::BackendCapsFromProto(tasks_.log().registrations[0].party().agent().caps());
  ASSERT_THAT(caps, IsOk());
  v1::Task task = NewTask();
  v1::MeasureOperatorsTask& measure = *task.mutable_measure_operators();
  for (const OpKey& key : EnumerateOpKeys(Lowering(SmallConvnet()), *caps)) measure.add_keys(ToString(key));
  measure.set_rounds(100);
  measure.set_max_rounds(100);
  tasks_.AddTask(task);
  tasks_.Await([](const rpc::FakeTaskService::Log& log) { return !log.rounds.empty(); });

  const int http = PortOf("http");
  EXPECT_THAT(HttpGet(http, "/readyz"), StartsWith("HTTP/1.1 200"));
  std::map<std::string, double> series = Scrape(http);
  EXPECT_EQ(series.at("hanas_task_in_progress{kind=\"measure_operators\"}"), 1);
  EXPECT_GE(series.at("hanas_measuring_rounds_total"), 1);
  EXPECT_LT(series.at("hanas_coordinator_silence_seconds"), 45);
  ExpectPromtoolAgrees(http);

  agent.Signal(SIGTERM);
  EXPECT_EQ(agent.Wait(), 0) << agent.output();
  ASSERT_THAT(tasks_.log().failures, SizeIs(1));
  EXPECT_EQ(tasks_.log().failures[0].code(), "HANDED_BACK");
  EXPECT_EQ(tasks_.log().failures[0].fencing_token(), 9U);
  const auto events = ParseLog(agent.output());
  EXPECT_THAT(events, Contains(AllOf(Contains(std::pair("event", "task_begins")), Contains(std::pair("search", "searches/4")),
                                     Contains(std::pair("task", "tasks/5")), Contains(std::pair("party", "workers/p")))));
  EXPECT_THAT(events, Contains(AllOf(Contains(std::pair("event", "task_ends")), Contains(std::pair("task", "tasks/5")),
                                     Contains(std::pair("result", "handed_back")))));
}

TEST_F(PartyLifeTest, TheWorkerCountsTasksAndStopsInOrder) {
  Program worker(ProgramPath("hanas-worker"), With(Arguments(), {"--cache", Path("cache"), "--data", Path("data")}));
  AwaitLeaseRequest();
  v1::Task task = NewTask();
  task.mutable_pack_images()->mutable_dataset()->set_name("nothing-of-that-name");
  tasks_.AddTask(task);
  tasks_.Await([](const rpc::FakeTaskService::Log& log) { return log.failures.size() == 1; });
  ASSERT_TRUE(worker.AwaitOutput("task_ends"));
  const int http = PortOf("http");
  const std::map<std::string, double> series = Scrape(http);
  EXPECT_EQ(series.at("hanas_task_attempts_total{kind=\"pack_images\",result=\"failed\"}"), 1);
  EXPECT_EQ(series.at("hanas_task_in_progress{kind=\"pack_images\"}"), 0);
  EXPECT_EQ(series.at("hanas_task_seconds_count{kind=\"pack_images\"}"), 1);
  EXPECT_EQ(series.at("hanas_training_steps_total"), 0);
  ExpectPromtoolAgrees(http);
  worker.Signal(SIGTERM);
  EXPECT_EQ(worker.Wait(), 0);
  EXPECT_THAT(ParseLog(worker.output()),
              Contains(AllOf(Contains(std::pair("event", "task_ends")), Contains(std::pair("search", "searches/4")),
                             Contains(std::pair("result", "failed")), Contains(std::pair("severity", "ERROR")))));
}

TEST_F(PartyLifeTest, StrangersOnTheAgentsOperationsPortDoNoHarm) {
  Program agent(ProgramPath("hanas-profiler-agent"), Arguments());
  AwaitLeaseRequest();
  ExpectServesBesideStrangers(PortOf("http"));
  agent.Signal(SIGTERM);
  EXPECT_EQ(agent.Wait(), 0) << agent.output();
}

// LibTorch's thread-local storage is part of every thread's stack: a library's small one would overflow in an error path.
TEST_F(PartyLifeTest, StrangersOnTheWorkersOperationsPortDoNoHarm) {
  Program worker(ProgramPath("hanas-worker"), With(Arguments(), {"--cache", Path("cache"), "--data", Path("data")}));
  AwaitLeaseRequest();
  ExpectServesBesideStrangers(PortOf("http"));
  worker.Signal(SIGTERM);
  EXPECT_EQ(worker.Wait(), 0) << worker.output();
}

TEST_F(PartyLifeTest, ACoordinatorThatIsAwayIsWrittenOnce) {
  tasks_.Change([](rpc::FakeTaskService::Script& script) { script.away = true; });
  Program agent(ProgramPath("hanas-profiler-agent"), Arguments());
  tasks_.Await([](const rpc::FakeTaskService::Log& log) { return log.registrations.size() >= 5; });
  agent.Signal(SIGTERM);
  EXPECT_EQ(agent.Wait(), 0) << agent.output();
  EXPECT_EQ(EventNames(agent.output()).count("cannot_register"), 1U) << agent.output();
}

TEST_F(PartyLifeTest, TheWorkerOffersWhatAJobCanNameAndNeighboursDoNotMatter) {
  for (const char* name : {"cifar10", "Geb\xc3\xa4ude", "Geb\xe4ude"}) std::filesystem::create_directories(Path("data") + "/" + name);
  Program worker(ProgramPath("hanas-worker"), With(Arguments(), {"--cache", Path("cache"), "--data", Path("data")}));
  AwaitLeaseRequest();
  EXPECT_THAT(tasks_.log().registrations[0].party().worker().datasets(), ElementsAre("Geb\xc3\xa4ude", "cifar10"));
  worker.Signal(SIGTERM);
  EXPECT_EQ(worker.Wait(), 0);
}

TEST_F(PartyLifeTest, ARefusalHasItsStatus) {
  tasks_.Change(
      [](rpc::FakeTaskService::Script& script) { script.registrations = {absl::InvalidArgumentError("party.name: expected another")}; });
  Program agent(ProgramPath("hanas-profiler-agent"), Arguments());
  EXPECT_EQ(agent.Wait(), 3);
  EXPECT_THAT(ParseLog(agent.output()), Contains(AllOf(Contains(std::pair("event", "exit")), Contains(std::pair("code", "3")))));
}

}  // namespace
}  // namespace hanas
