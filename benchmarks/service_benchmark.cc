// SPDX-License-Identifier: Apache-2.0
// What the coordinator serves on this machine: a real server on loopback with RocksDB on the disk, next to what the disk itself can do.
//
//   service_benchmark [DIRECTORY]     a directory on the disk to be measured; the default is below TMPDIR or /tmp

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "absl/base/log_severity.h"
#include "absl/log/check.h"
#include "absl/log/globals.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/barrier.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "benchmarks/service_harness.h"
#include "coordinator/app/app.h"
#include "coordinator/store/codec/record_codec.h"
#include "coordinator/store/memory_store.h"
#include "coordinator/store/record_key.h"
#include "coordinator/store/rocksdb/rocksdb_store.h"
#include "core/base/counter_random.h"
#include "rpc/convert/job.h"
#include "telemetry/event_log.h"
#include "tests/app/fake_evaluator.h"
#include "tests/core/small_space.h"

namespace hanas::coordinator {
namespace {

constexpr absl::Duration kMeasured = absl::Seconds(5);

SearchJob Job() {
  SearchJob job = {.name = "benchmark", .seed = 7};
  job.dataset = {.name = "none", .directory = "none", .validation_images = 1000};
  job.space = SmallSpaceSpec();
  return job;
}

// ---- stores that were written before ----

void Put(std::vector<StoreChange>& batch, const RecordKey& key, const AnyRecord& record) {
  batch.push_back({EncodeKey(key), SerialiseRecord(record)});
}

/// A search in `phase` with `tasks` of evaluation, of `per_task` networks each, all ready.
void WriteSearch(const std::string& directory, SearchPhase phase, int tasks, int per_task) {
  std::filesystem::create_directories(directory);
  const auto store = OpenRocksDbStore(directory + "/db").value();
  SearchJob job = Job();
  job.sampling.networks = std::max(8, tasks * per_task);
  const SearchSpace space = ConvnetSpace::Define(job.space).value().space();
  std::vector<StoreChange> batch;
  SearchRecord search = {.id = 1, .request_id = "prepared", .spec = rpc::ToProto(job).SerializeAsString(), .job_digest = JobDigest(job)};
  search.phase = phase;
  search.phases = {{.phase = phase}};
  search.num_events = 1;
  Put(batch, {RecordKind::kSearch, 0, 1}, search);
  Put(batch, {RecordKind::kEvent, 1, 1}, EventRecord{1, 1, phase, "phase", "prepared"});
  for (int i = 0; i < tasks; ++i) {
    TaskRecord task = {.id = static_cast<uint64_t>(i) + 2, .search = 1, .key = absl::StrCat("sample/", i)};
    EvaluateWork work;
    for (int n = 0; n < per_task; ++n) {
      CounterRandom random(7, "benchmark", static_cast<uint64_t>(i) * static_cast<uint64_t>(per_task) + static_cast<uint64_t>(n));
      work.architectures.push_back(space.Random(random));
      work.graph_digests.emplace_back(32, 'a');
    }
    task.work = work;
    Put(batch, {RecordKind::kTask, 1, task.id}, task);
  }
  Put(batch, {RecordKind::kCounter}, CounterRecord{static_cast<uint64_t>(tasks) + 10});
  CHECK_OK(store->Write(batch));
  CHECK_OK(store->Close());
}

// ---- what is measured ----

/// Appends of 512 bytes, each synced: what one record after another would cost.
double DiskSyncsPerSecond(const std::string& directory) {
  const std::string path = directory + "/probe";
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  CHECK_GE(file, 0);
  const std::string record(512, 'x');
  Latencies latencies;
  const absl::Time end = absl::Now() + absl::Seconds(2);
  const absl::Time begin = absl::Now();
  while (absl::Now() < end) {
    const absl::Time before = absl::Now();
    CHECK_EQ(write(file, record.data(), record.size()), static_cast<ssize_t>(record.size()));
    CHECK_EQ(fdatasync(file), 0);
    latencies.Add(absl::Now() - before);
  }
  const double rate = static_cast<double>(latencies.size()) / absl::ToDoubleSeconds(absl::Now() - begin);
  close(file);
  Print("disk: synced appends of 512 bytes", rate, "1/s");
  Print("disk: p99 of one", latencies.Quantile(0.99), "ms");
  return rate;
}

/// `body(client, number)` on `clients` threads with a channel each, for kMeasured; returns calls per second. As fast as it goes, or, with
/// `per_second`, as many in all, evenly: then a latency counts from when the call was due, so that a stall counts for all that it delays.
double Load(const std::string& address, int clients, Latencies& latencies, const std::function<void(Client&, int, int)>& body,
            double per_second = 0) {
  std::vector<std::thread> threads;
  std::atomic<bool> stop = false;
  absl::Barrier ready(clients + 1);
  std::atomic<int64_t> calls = 0;
  for (int number = 0; number < clients; ++number) {
    threads.emplace_back([&, number] {
      Client client(address);
      CHECK(client.channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(30)));
      ready.Block();
      const absl::Time first = absl::Now();
      for (int i = 0; !stop; ++i) {
        absl::Time before = absl::Now();
        if (per_second > 0) {
          before = first + absl::Seconds((i * clients + number) / per_second);
          absl::SleepFor(before - absl::Now());
        }
        body(client, number, i);
        latencies.Add(absl::Now() - before);
        ++calls;
      }
    });
  }
  ready.Block();
  const absl::Time begin = absl::Now();
  absl::SleepFor(kMeasured);
  stop = true;
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  const double rate = static_cast<double>(calls) / seconds;
  for (std::thread& thread : threads) thread.join();
  return rate;
}

void Submits(const std::string& directory, double syncs) {
  constexpr int kClients = 64;
  constexpr double kTarget = 2000;
  const v1::SearchSpec spec = rpc::ToProto(Job());
  const auto submit = [&](Client& client, int number, int i) {
    v1::CreateSearchRequest request;
    *request.mutable_spec() = spec;
    request.set_request_id(absl::StrCat(number, "-", i));
    v1::Search search;
    grpc::ClientContext context;
    const grpc::Status status = client.searches->CreateSearch(&context, request, &search);
    CHECK(status.ok()) << status.error_message();
  };
  {
    Coordinator coordinator(directory + "/paced");
    Latencies paced;
    Print("submits, 64 clients, 2 000 a second asked", Load(coordinator.address(), kClients, paced, submit, kTarget), "1/s");
    Print("submits at that rate: p99", paced.Quantile(0.99), "ms", 25);
    Print("submits at that rate: p50", paced.Quantile(0.50), "ms");
  }
  Coordinator coordinator(directory + "/submits");
  Latencies latencies;
  const double rate = Load(coordinator.address(), kClients, latencies, submit);
  Print("submits as fast as they go, 64 clients", rate, "1/s", kTarget, true);
  Print("submits as fast as they go: p99", latencies.Quantile(0.99), "ms");
  Print("submits as fast as they go: p50", latencies.Quantile(0.50), "ms");
  Print("submits per synced append of the disk", rate / syncs, "x");
}

void Leases(const std::string& directory) {
  WriteSearch(directory + "/leases", SearchPhase::kSampling, 40000, 1);
  Coordinator coordinator(directory + "/leases");
  Latencies latencies;
  std::vector<std::string> parties(32);
  const double rate = Load(coordinator.address(), 32, latencies, [&](Client& client, int number, int) {
    std::string& party = parties[static_cast<size_t>(number)];
    if (party.empty()) party = client.Register(absl::StrCat("worker-", number), /*agent=*/false);
    const v1::LeaseTaskResponse leased = client.Lease(party, 10);
    CHECK(leased.has_task()) << "more tasks are needed";
    auto request = HeldBy<v1::CompleteTaskRequest>(party, leased.task());
    v1::Accuracy& accuracy = *request.mutable_evaluate()->add_accuracies();
    accuracy.set_correct(1);
    accuracy.set_images(1000);
    v1::CompleteTaskResponse response;
    grpc::ClientContext context;
    const grpc::Status status = client.tasks->CompleteTask(&context, request, &response);
    CHECK(status.ok()) << status.error_message();
  });
  Print("leases granted and completed, 32 workers", rate, "1/s", 1500, true);
  Print("leases: p99 of grant and completion", latencies.Quantile(0.99), "ms");
}

/// From the hand-back that makes a task ready to the idle worker that has it.
void IdleLatency(const std::string& directory) {
  WriteSearch(directory + "/idle", SearchPhase::kSampling, 1, 1);
  Coordinator coordinator(directory + "/idle");
  Client clients[2] = {Client(coordinator.address()), Client(coordinator.address())};
  const std::string parties[2] = {clients[0].Register("a", false), clients[1].Register("b", false)};
  Latencies latencies;
  v1::Task held = clients[0].Lease(parties[0], 10).task();
  for (int i = 0; i < 500; ++i) {
    const int from = i % 2;
    const int to = 1 - from;
    absl::Time received;
    v1::Task next;
    std::thread idle([&] {
      next = clients[to].Lease(parties[to], 10).task();
      received = absl::Now();
    });
    absl::SleepFor(absl::Milliseconds(2));  // until the request waits there
    auto request = HeldBy<v1::FailTaskRequest>(parties[from], held);
    request.set_code("HANDED_BACK");
    v1::FailTaskResponse response;
    grpc::ClientContext context;
    const absl::Time sent = absl::Now();
    CHECK(clients[from].tasks->FailTask(&context, request, &response).ok());
    idle.join();
    latencies.Add(received - sent);
    held = next;
  }
  Print("idle worker: p99 until it has new work", latencies.Quantile(0.99), "ms", 20);
  Print("idle worker: p50", latencies.Quantile(0.50), "ms");
}

double ResidentKilobytes(pid_t process) {
  std::ifstream status(absl::StrCat("/proc/", process, "/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::strtod(line.c_str() + 6, nullptr);
  }
  return 0;
}

/// An agent that waits for work and watches a search: two idle streams on a connection of its own.
struct Agent : grpc::ClientReadReactor<v1::SearchEvent> {
  void Watch(const std::string& search) {
    watch.set_name(search);
    client->searches->async()->WatchSearch(&watching, &watch, this);
    StartRead(&event);
    StartCall();
  }
  void OnReadDone(bool ok) override {
    if (ok) StartRead(&event);
  }
  void OnDone(const grpc::Status&) override { watched.Notify(); }

  std::unique_ptr<Client> client;
  std::string party;
  grpc::ClientContext polling;
  grpc::ClientContext watching;
  v1::LeaseTaskRequest request;
  v1::LeaseTaskResponse response;
  v1::WatchSearchRequest watch;
  v1::SearchEvent event;
  absl::Notification polled;
  absl::Notification watched;
};

/// The server in a process of its own, so that its memory is its own.
void AttachedAgents(const std::string& directory, const std::string& program) {
  constexpr int kAgents = 200;
  const std::string port_file = directory + "/port";
  std::filesystem::create_directories(directory + "/agents");
  const pid_t server = fork();
  if (server == 0) {
    execl(program.c_str(), program.c_str(), "--serve", (directory + "/agents").c_str(), port_file.c_str(), nullptr);
    _exit(127);
  }
  std::string port;
  while (port.empty()) {
    absl::SleepFor(absl::Milliseconds(20));
    std::ifstream(port_file) >> port;
  }
  const std::string address = "127.0.0.1:" + port;
  Client submitter(address);
  v1::CreateSearchRequest create;
  *create.mutable_spec() = rpc::ToProto(Job());
  v1::Search search;
  grpc::ClientContext context;
  CHECK(submitter.searches->CreateSearch(&context, create, &search).ok());
  std::vector<std::unique_ptr<Agent>> agents;
  const auto attach = [&](int count) {
    for (int i = 0; i < count; ++i) {
      auto agent = std::make_unique<Agent>();
      agent->client = std::make_unique<Client>(address);
      agent->party = agent->client->Register(absl::StrCat("agent-", agents.size()), /*agent=*/true);
      agent->request.set_party(agent->party);
      agent->request.set_instance_id("1");
      agent->request.set_wait_seconds(30);
      agent->client->tasks->async()->LeaseTask(&agent->polling, &agent->request, &agent->response,
                                               [agent = agent.get()](const grpc::Status&) { agent->polled.Notify(); });
      agent->Watch(search.name());
      agents.push_back(std::move(agent));
    }
    absl::SleepFor(absl::Seconds(3));
  };
  attach(20);  // pools and arenas that exist once
  const double before = ResidentKilobytes(server);
  attach(kAgents);
  const double after = ResidentKilobytes(server);
  int threads = 0;
  for ([[maybe_unused]] const auto& thread : std::filesystem::directory_iterator(absl::StrCat("/proc/", server, "/task"))) ++threads;
  Print("200 agents: memory each (connection, poll, watch)", (after - before) / kAgents, "KiB");
  Print("200 agents: memory per idle stream", (after - before) / kAgents / 2, "KiB", 64);
  Print("200 agents: threads of the coordinator", threads, "");
  for (const auto& agent : agents) {
    agent->polling.TryCancel();
    agent->watching.TryCancel();
    agent->polled.WaitForNotification();
    agent->watched.WaitForNotification();
  }
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
}

/// A search that evaluated 100 000 networks, decided by the application itself and answered by a table; then written to the disk.
void WriteLargeSearch(const std::string& directory) {
  SearchJob job = Job();
  job.training.steps = 2;
  job.sampling = {.networks = 100'000, .validation_images = 1000, .calibration_images = 32};
  job.measure = {.rounds = 5, .max_rounds = 5, .calibration_networks = 10, .held_out_networks = 6};
  const auto memory = MemoryStore::Open(std::make_shared<MemoryDisk>()).value();
  const auto artifacts = ArtifactStore::Open(directory + "/artifacts").value();
  SystemClock clock;
  const auto app = App::Create(memory.get(), artifacts.get(), &clock, [&](absl::string_view) { return job; }).value();
  const FakeEvaluator evaluator(artifacts.get(), job);
  const uint64_t worker = app->Register({.name = "worker", .instance = "i", .host = "a", .datasets = {"none"}}).value().id;
  const uint64_t agent =
      app->Register(
             {.agent = true, .name = "local", .instance = "i", .host = "b", .device = {.device = "local"}, .caps = FakeEvaluator::Caps()})
          .value()
          .id;
  const uint64_t search = app->CreateSearch("large", rpc::ToProto(Job()).SerializeAsString(), job).value().record.id;
  while (app->GetSearch(search).value().record.phase < SearchPhase::kSearching) {
    CHECK_OK(app->RunOnce());
    for (const uint64_t party : {worker, agent}) {
      while (const std::optional<GrantedTask> granted = app->LeaseTask(party, "i", absl::ZeroDuration()).value())
        CHECK_OK(app->Complete({party, "i", granted->task.id, granted->task.fencing_token}, evaluator.Answer(*granted)));
    }
  }
  std::vector<StoreChange> batch;
  std::vector<StoreRecord> records = memory->Load().value();
  for (StoreRecord& record : records) batch.push_back({std::move(record.key), std::move(record.value)});
  const auto store = OpenRocksDbStore(directory + "/db").value();
  CHECK_OK(store->Write(batch));
  CHECK_OK(store->Close());
}

void LargeSearch(const std::string& directory) {
  std::filesystem::create_directories(directory + "/large");
  WriteLargeSearch(directory + "/large");
  const absl::Time begin = absl::Now();
  Coordinator coordinator(directory + "/large");
  Client client(coordinator.address());
  v1::ListSearchesRequest list;
  v1::ListSearchesResponse searches;
  grpc::ClientContext listing;
  CHECK(client.searches->ListSearches(&listing, list, &searches).ok());
  Print("cold start, 100 000 evaluated candidates", absl::ToDoubleSeconds(absl::Now() - begin), "s", 1);
  const std::string name = searches.searches(0).name();
  Latencies pages;
  Latencies fronts;
  for (int i = 0; i <= 50; ++i) {
    v1::ListCandidatesRequest request;
    request.set_parent(name);
    request.set_page_size(1000);
    v1::ListCandidatesResponse page;
    grpc::ClientContext paging;
    const absl::Time before = absl::Now();
    const grpc::Status status = client.searches->ListCandidates(&paging, request, &page);
    CHECK(status.ok()) << status.error_message();
    const absl::Duration first = absl::Now() - before;
    CHECK_EQ(page.candidates_size(), 1000);
    CHECK_GE(page.total(), 99'000);
    v1::GetFrontRequest front;
    front.set_name(name);
    v1::GetFrontResponse members;
    grpc::ClientContext fronting;
    const absl::Time middle = absl::Now();
    CHECK(client.searches->GetFront(&fronting, front, &members).ok());
    if (i == 0) {
      Print("candidates: the first page after a start", absl::ToDoubleMilliseconds(first), "ms");
      continue;
    }
    pages.Add(first);
    fronts.Add(absl::Now() - middle);
  }
  Print("candidates: page of 1 000 of 100 000, p50", pages.Quantile(0.5), "ms", 10);
  Print("candidates: front of 100 000, p50", fronts.Quantile(0.5), "ms", 10);
}

/// Renewals of one search while the steps of another are computed from half a million candidates.
void RenewalsDuringSteps(const std::string& directory) {
  std::filesystem::create_directories(directory + "/renewals");
  SearchJob job = Job();
  job.training.steps = 4;
  job.sampling = {.networks = 16, .validation_images = 1000, .calibration_images = 32};
  job.evolution = {.rounds = 2, .evaluations_per_round = 10, .population = 64, .surrogate_evaluations = 500'000};
  job.measure = {.rounds = 5, .max_rounds = 5, .calibration_networks = 10, .held_out_networks = 6};
  const auto store = OpenRocksDbStore(directory + "/renewals/db").value();
  const auto artifacts = ArtifactStore::Open(directory + "/renewals/artifacts").value();
  SystemClock clock;
  const auto app = App::Create(store.get(), artifacts.get(), &clock, [&](absl::string_view) { return job; }).value();
  const FakeEvaluator evaluator(artifacts.get(), job);
  std::atomic<bool> stop = false;
  double longest_step_ms = 0;
  std::thread loop([&] {
    while (!stop) {
      app->WaitForChange(absl::Milliseconds(500));
      const absl::Time begin = absl::Now();
      CHECK_OK(app->RunOnce());
      longest_step_ms = std::max(longest_step_ms, absl::ToDoubleMilliseconds(absl::Now() - begin));
    }
  });
  const auto party = [&](const std::string& name, bool agent) {
    PartyRecord record = {.agent = agent, .name = name, .instance = "i", .host = "host of " + name};
    if (!agent) record.datasets = {"none"};
    if (agent) record.device = {.device = name};
    if (agent) record.caps = FakeEvaluator::Caps();
    return app->Register(record).value().id;
  };
  const uint64_t holder = party("holder", false);
  const uint64_t worker = party("worker", false);
  const uint64_t agent = party("local", true);
  const auto answer = [&](uint64_t who) {
    const std::optional<GrantedTask> granted = app->LeaseTask(who, "i", absl::Milliseconds(20)).value();
    if (!granted.has_value()) return;
    CHECK_OK(app->Complete({who, "i", granted->task.id, granted->task.fencing_token}, evaluator.Answer(*granted)));
  };
  CHECK_OK(app->CreateSearch("held", "spec", job));
  std::optional<GrantedTask> held;
  while (!held.has_value()) {
    answer(agent);
    held = app->LeaseTask(holder, "i", absl::ZeroDuration()).value();
  }
  job.seed = 99;  // another supernet, so that it does not wait for the task that is held
  const uint64_t search = app->CreateSearch("stepping", "spec", job).value().record.id;
  Latencies latencies;
  std::thread renewing([&] {
    while (!stop) {
      const absl::Time begin = absl::Now();
      CHECK_OK(app->Renew({{holder, "i", held->task.id, held->task.fencing_token}, 0, 1, "", false}));
      latencies.Add(absl::Now() - begin);
      absl::SleepFor(absl::Milliseconds(1));
    }
  });
  while (app->GetSearch(search).value().record.phase < SearchPhase::kVerifying) {
    answer(worker);
    answer(agent);
  }
  stop = true;
  loop.join();
  renewing.join();
  Print("longest step of a search", longest_step_ms, "ms");
  Print("renewals meanwhile: longest", latencies.Quantile(1), "ms");
  Print("renewals meanwhile: p99", latencies.Quantile(0.99), "ms");
}

int Main(int argc, char** argv) {
  absl::SetMinLogLevel(absl::LogSeverityAtLeast::kError);
  absl::SetStderrThreshold(absl::LogSeverityAtLeast::kError);
  telemetry::StartLog(telemetry::LogFormat::kText, telemetry::Severity::kError);
  if (argc == 4 && std::strcmp(argv[1], "--serve") == 0) {
    const Coordinator coordinator(argv[2], argv[3]);
    while (true) pause();
  }
  // What begins with -- is for programs of Google Benchmark, which run beside this one.
  const bool given = argc > 1 && std::strncmp(argv[1], "--", 2) != 0;
  std::string directory = (given ? std::filesystem::path(argv[1]) : std::filesystem::temp_directory_path()) / "hanas-service-XXXXXX";
  CHECK(mkdtemp(directory.data()) != nullptr) << "cannot make " << directory;
  AttachedAgents(directory, "/proc/self/exe");
  const double syncs = DiskSyncsPerSecond(directory);
  Submits(directory, syncs);
  Leases(directory);
  IdleLatency(directory);
  RenewalsDuringSteps(directory);
  LargeSearch(directory);
  std::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace hanas::coordinator

int main(int argc, char** argv) { return hanas::coordinator::Main(argc, argv); }
