// SPDX-License-Identifier: Apache-2.0
// hanas-worker: leases training tasks from a coordinator, does them on LibTorch, sends the results.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/log_severity.h"
#include "absl/log/globals.h"
#include "absl/log/initialize.h"
#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "rpc/client.h"
#include "rpc/process.h"
#include "rpc/task_loop.h"
#include "worker/service/artifact_cache.h"
#include "worker/service/dataset_store.h"
#include "worker/service/worker_executor.h"
#include "worker/torch/create_engine.h"

namespace {

// Documented in --help.
constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;
constexpr int kExitRefused = 3;
constexpr int64_t kCacheBytes = int64_t{1} << 30;

struct Flags {
  std::string coordinator;
  std::string name = "worker-1";
  std::string data;
  std::string cache;
  int threads = 1;
  bool die_with_parent = false;
};

/// Spinning OpenMP threads of two processes slow each other by an order of magnitude, and the library reads this when it is loaded.
void EnsurePassiveWaiting(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  setenv("OMP_WAIT_POLICY", "passive", 0);
  execv("/proc/self/exe", argv);
  std::cerr << "hanas-worker: cannot restart with OMP_WAIT_POLICY=passive; going on without\n";
}

int Usage(const std::string& message) {
  std::cerr << "hanas-worker: " << message << "\n";
  return kExitUsage;
}

int Run(const Flags& flags) {
  const auto channel = hanas::rpc::CreateChannel(flags.coordinator);
  if (!channel.ok()) return Usage(absl::StrCat("--coordinator: ", channel.status().message()));
  const auto tasks = hanas::v1::TaskService::NewStub(*channel);
  const auto store = hanas::v1::ArtifactService::NewStub(*channel);

  hanas::rpc::TaskLoop* running = nullptr;
  hanas::rpc::RetryPolicy transfers;
  transfers.give_up_after = absl::Minutes(15);
  hanas::rpc::ArtifactClient client(store.get(), transfers, &hanas::rpc::SystemClock(),
                                    [&running] { return running != nullptr && running->stopping(); });
  auto cache = hanas::ArtifactCache::Create(&client, flags.cache, kCacheBytes);
  if (!cache.ok()) return Usage(absl::StrCat("--cache: ", cache.status().message()));
  hanas::DatasetStore datasets(flags.data);
  const auto engine = hanas::CreateTorchEngine({.num_threads = flags.threads});
  hanas::WorkerExecutor executor(engine.get(), &*cache, &datasets);

  hanas::rpc::TaskLoopOptions options;
  options.party.set_name(flags.name);
  options.party.set_instance_id(hanas::rpc::MakeInstanceId());
  options.party.set_host_id(hanas::rpc::HostId());
  options.party.set_version(HANAS_VERSION);
  options.party.mutable_worker()->set_threads(flags.threads);
  for (const std::string& name : datasets.List()) options.party.mutable_worker()->add_datasets(name);
  hanas::rpc::TaskLoop loop(std::move(options), tasks.get(), &executor);
  running = &loop;
  const hanas::rpc::StopSignals signals([&loop] { loop.RequestStop(); });
  LOG(INFO) << "hanas-worker " << HANAS_VERSION << " on LibTorch " << hanas::TorchVersion() << ", " << flags.threads
            << " thread(s), data in " << (flags.data.empty() ? "no directory" : flags.data);
  const absl::Status status = loop.Run();
  running = nullptr;
  if (status.ok()) return 0;
  std::cerr << "hanas-worker: the coordinator at " << flags.coordinator << " refused this worker: " << status.message() << "\n";
  return kExitRefused;
}

}  // namespace

int main(int argc, char** argv) {
  const int parent = getppid();
  EnsurePassiveWaiting(argv);
  Flags flags;
  if (const char* home = std::getenv("XDG_CACHE_HOME"); home != nullptr && *home != '\0') {
    flags.cache = absl::StrCat(home, "/hanas/worker");
  } else if (const char* user = std::getenv("HOME"); user != nullptr && *user != '\0') {
    flags.cache = absl::StrCat(user, "/.cache/hanas/worker");
  }
  CLI::App app("Trains, evaluates and binds networks for a HA-NAS coordinator.", "hanas-worker");
  app.footer("Exit status: 0 stopped by SIGTERM or SIGINT after handing back its task; 1 failure; 2 usage; 3 refused by the coordinator.");
  app.set_version_flag("--version", absl::StrCat("hanas-worker ", HANAS_VERSION));
  app.add_option("--coordinator", flags.coordinator, "Where the coordinator listens, HOST:PORT on this machine")->required();
  app.add_option("--name", flags.name, "Name of this worker; a second one with it takes over")->capture_default_str();
  app.add_option("--data", flags.data, "Directory that holds the data sets")->envname("HANAS_DATA_DIR")->check(CLI::ExistingDirectory);
  app.add_option("--cache", flags.cache, "Directory for recent checkpoints, one worker each")->capture_default_str();
  app.add_option("--threads", flags.threads, "Threads of the tensor library; results repeat to the bit with 1")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_flag("--die-with-parent", flags.die_with_parent, "End when the process that started this one ends");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (flags.cache.empty()) return Usage("--cache: expected a directory, found none (neither XDG_CACHE_HOME nor HOME is set)");
  absl::InitializeLog();
  absl::SetStderrThreshold(absl::LogSeverityAtLeast::kInfo);
  if (flags.die_with_parent) {
    if (const absl::Status status = hanas::rpc::DieWithParent(parent); !status.ok()) {
      std::cerr << "hanas-worker: --die-with-parent: " << status.message() << "\n";
      return kExitFailure;
    }
  }
  return Run(flags);
}
