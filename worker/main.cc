// SPDX-License-Identifier: Apache-2.0
// hanas-worker: leases training tasks from a coordinator, does them on LibTorch, sends the results.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/processor.h"
#include "daemon/daemon.h"
#include "daemon/party_state.h"
#include "rpc/client.h"
#include "rpc/process.h"
#include "rpc/task_loop.h"
#include "telemetry/event_log.h"
#include "worker/service/artifact_cache.h"
#include "worker/service/dataset_store.h"
#include "worker/service/worker_executor.h"
#include "worker/torch/create_engine.h"

namespace hanas {
namespace {

using config::ProcessExit;

constexpr int64_t kCacheBytes = int64_t{1} << 30;

struct Flags {
  daemon::ConnectOptions connect;
  daemon::PartyOptions party = {.kind = "workers", .name = "worker-1"};
  std::string data;
  std::string cache;
  int threads = 1;
  std::string device = "auto";
  daemon::DaemonOptions process;
};

std::string DefaultCache() {
  if (const char* home = std::getenv("XDG_CACHE_HOME"); home != nullptr && *home != '\0') return absl::StrCat(home, "/hanas/worker");
  if (const char* user = std::getenv("HOME"); user != nullptr && *user != '\0') return absl::StrCat(user, "/.cache/hanas/worker");
  return "";
}

void Describe(config::OptionTable& table, Flags& flags) {
  daemon::AddOptions(table, flags.connect);
  daemon::AddOptions(table, "Name of this worker, its own at the coordinator: 1 to 63 letters, digits, '-', '_' or '.'.", flags.party);
  table.Add({.name = "data",
             .value = "DIRECTORY",
             .help = "Holds the data sets, each in a directory of its name; tasks on others go to other workers.",
             .variable = "HANAS_DATA_DIR"},
            &flags.data);
  table.Add({.name = "cache",
             .value = "DIRECTORY",
             .help = "For recent checkpoints, at most 1 GiB; one worker each.",
             .default_text = "$XDG_CACHE_HOME/hanas/worker"},
            &flags.cache);
  table.Add({.name = "threads",
             .value = "N",
             .help = "Threads of the tensor library, from 1 to 1024. Results repeat to the bit with 1, on the CPU."},
            &flags.threads, 1, 1024);
  table.Add({.name = "device",
             .value = "DEVICE",
             .help = "Where networks are trained and scored: cpu, cuda or cuda:N; auto: the first GPU that LibTorch can use, else cpu.",
             .default_text = "auto"},
            &flags.device);
  daemon::AddOptions(table, flags.process);
  table.AddCheck("data", [&flags] { return flags.data.empty() ? absl::OkStatus() : daemon::CheckDirectoryIsReadable(flags.data); });
  table.AddCheck("cache", [&flags] {
    if (!flags.cache.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError("expected a directory, found none: neither XDG_CACHE_HOME nor HOME is set");
  });
}

/// Spinning OpenMP threads of two processes slow each other by an order of magnitude, and the library reads this when it is loaded.
void EnsurePassiveWaiting(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  setenv("OMP_WAIT_POLICY", "passive", 0);
  execv("/proc/self/exe", argv);
  std::cerr << "hanas-worker: cannot restart with OMP_WAIT_POLICY=passive; going on without\n";
}

int Run(const Flags& flags) {
  const std::unique_ptr<telemetry::PrometheusMetrics> metrics = daemon::MakeMetrics(telemetry::kWorker, HANAS_VERSION);
  const auto channel = rpc::CreateChannel(flags.connect.coordinator,
                                          {.insecure_connect = flags.connect.insecure_connect, .token_file = flags.connect.token_file});
  if (!channel.ok()) return daemon::Fail(ProcessExit::kUsage, channel.status());
  const absl::StatusOr<daemon::PartyState> state = daemon::OpenPartyState(flags.party);
  if (!state.ok()) return daemon::Fail(daemon::ExitOfPartyState(state.status()), state.status());
  const auto tasks = v1::TaskService::NewStub(*channel);
  const auto store = v1::ArtifactService::NewStub(*channel);

  rpc::TaskLoop* running = nullptr;
  rpc::RetryPolicy transfers;
  transfers.give_up_after = absl::Minutes(15);
  rpc::ArtifactClient client(
      store.get(), transfers, &rpc::SystemClock(), [&running] { return running != nullptr && running->stopping(); }, metrics.get());
  auto cache = ArtifactCache::Create(&client, flags.cache, kCacheBytes);
  if (!cache.ok())
    return daemon::Fail(ProcessExit::kUsage, absl::Status(cache.status().code(), absl::StrCat("--cache: ", cache.status().message())));
  DatasetStore datasets(flags.data, flags.threads);
  const absl::StatusOr<std::string> device = ResolveTorchDevice(flags.device);
  if (!device.ok())
    return daemon::Fail(ProcessExit::kUsage, absl::Status(device.status().code(), absl::StrCat("--device: ", device.status().message())));
  const auto engine = CreateTorchEngine({.num_threads = flags.threads, .device = *device});
  WorkerExecutor executor(engine.get(), &*cache, &datasets, metrics.get());

  rpc::TaskLoopOptions options;
  options.metrics = metrics.get();
  options.party.set_name(flags.party.name);
  options.party.set_key(state->key().bytes());
  options.party.set_instance_id(rpc::MakeInstanceId());
  options.party.set_host_id(rpc::HostId());
  options.party.set_version(HANAS_VERSION);
  options.party.mutable_worker()->set_threads(flags.threads);
  options.party.mutable_worker()->set_multiplies_bf16(MultipliesBf16(*device));
  for (const DatasetStore::Held& held : datasets.List()) {
    options.party.mutable_worker()->add_datasets(held.name);
    options.party.mutable_worker()->add_dataset_digests(held.digest);
  }
  rpc::TaskLoop loop(std::move(options), tasks.get(), &executor);
  running = &loop;
  const rpc::StopSignals signals([&loop] { loop.RequestStop(); }, absl::Seconds(flags.process.stop_timeout_seconds),
                                 static_cast<int>(ProcessExit::kStopTimeout));
  const auto operations = daemon::StartOperations(flags.process, metrics.get(), daemon::ReadyWhileAnswered(&loop, metrics.get()));
  if (!operations.ok()) return daemon::Fail(ProcessExit::kCannotListen, operations.status());
  telemetry::LogEvent(telemetry::Severity::kInfo, "started",
                      {{"name", flags.party.name},
                       {"coordinator", flags.connect.coordinator},
                       {"version", HANAS_VERSION},
                       {"libtorch", TorchVersion()},
                       {"threads", absl::StrCat(flags.threads)},
                       {"device", *device},
                       {"data", flags.data}});
  const absl::Status status = loop.Run();
  running = nullptr;
  if (!status.ok()) return daemon::Fail(daemon::ExitOfLoop(status), status);
  telemetry::LogEvent(telemetry::Severity::kInfo, "stopped", {{"name", flags.party.name}});
  return static_cast<int>(ProcessExit::kOk);
}

int Main(int argc, char** argv) {
  Flags flags;
  flags.cache = DefaultCache();
  config::OptionTable table({.name = "hanas-worker",
                             .variable_prefix = "HANAS_WORKER_",
                             .summary =
                                 "Trains, evaluates and binds networks for a HA-NAS coordinator: it leases one task at a time and sends "
                                 "back what came of it. It listens to nobody but probes.",
                             .example = "hanas-worker --coordinator 127.0.0.1:7700 --data /srv/datasets --name worker-1"});
  Describe(table, flags);
  const daemon::ProgramVersion version = {"hanas-worker", HANAS_VERSION,
                                          [] { return std::vector<std::pair<std::string, std::string>>{{"LibTorch", TorchVersion()}}; }};
  if (const std::optional<ProcessExit> ended = daemon::Begin(table, flags.process, version, argc, argv)) return static_cast<int>(*ended);
  return Run(flags);
}

}  // namespace
}  // namespace hanas

int main(int argc, char** argv) {
  hanas::EnsurePassiveWaiting(argv);
  return hanas::Main(argc, argv);
}
