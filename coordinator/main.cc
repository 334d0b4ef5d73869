// SPDX-License-Identifier: Apache-2.0
// hanas-coordinator: owns all state of searches, hands out tasks, answers users.

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>

#include "absl/log/globals.h"
#include "absl/log/initialize.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "coordinator/app/app.h"
#include "coordinator/app/clock.h"
#include "coordinator/service/search_convert.h"
#include "coordinator/service/services.h"
#include "coordinator/store/artifact_store.h"
#include "coordinator/store/rocksdb/rocksdb_store.h"
#include "rpc/process.h"
#include "rpc/server.h"
#include "telemetry/event_log.h"

#ifndef HANAS_VERSION
#define HANAS_VERSION "unknown"
#endif

namespace hanas::coordinator {
namespace {

// Exit codes, after those of sysexits.h.
constexpr int kExitUsage = 64;
constexpr int kExitDamaged = 65;
constexpr int kExitUnavailable = 69;
constexpr int kExitDiskFull = 73;
constexpr int kExitInUse = 75;
constexpr int kExitNewerStore = 78;

constexpr absl::Duration kSweepInterval = absl::Milliseconds(500);

struct MainOptions {
  std::string data_dir;
  rpc::ServerOptions server;
  double lease_ttl_seconds = 15;
  bool die_with_parent = false;
};

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return kExitUsage;
    case absl::StatusCode::kDataLoss:
      return kExitDamaged;
    case absl::StatusCode::kResourceExhausted:
      return kExitDiskFull;
    case absl::StatusCode::kAborted:
      return kExitInUse;
    case absl::StatusCode::kFailedPrecondition:
      return kExitNewerStore;
    default:
      return kExitUnavailable;
  }
}

/// Moves searches on until the application is stopped.
void RunLoop(App& app, const std::atomic<bool>& stopping) {
  bool reported = false;
  while (!stopping) {
    app.WaitForChange(kSweepInterval);
    const absl::Status status = app.RunOnce();
    // A state that cannot be written or read is reported once, and tried again.
    if (!status.ok() && !reported) telemetry::LogEvent(telemetry::Severity::kError, "step_failed", {{"status", status.ToString()}});
    reported = !status.ok();
  }
}

/// Serves until SIGTERM or SIGINT, which are blocked in every thread.
absl::Status Serve(const MainOptions& options, const sigset_t& signals) {
  if (mkdir(options.data_dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return absl::InvalidArgumentError(absl::StrCat("--data-dir: expected to make ", options.data_dir, ": ", std::strerror(errno)));
  }
  const absl::StatusOr<std::unique_ptr<Store>> store = OpenRocksDbStore(absl::StrCat(options.data_dir, "/db"));
  if (!store.ok()) return store.status();
  const absl::StatusOr<std::unique_ptr<ArtifactStore>> artifacts = ArtifactStore::Open(absl::StrCat(options.data_dir, "/artifacts"));
  if (!artifacts.ok()) return artifacts.status();
  SystemClock clock;
  const absl::StatusOr<std::unique_ptr<App>> app =
      App::Create(store->get(), artifacts->get(), &clock, ParseSpec, {.lease_ttl = absl::Seconds(options.lease_ttl_seconds)});
  if (!app.ok()) return app.status();
  const std::unique_ptr<grpc::Service> searches = CreateSearchService(app->get());
  const std::unique_ptr<grpc::Service> tasks = CreateTaskService(app->get());
  const std::unique_ptr<grpc::Service> files = CreateArtifactService(app->get());
  const absl::StatusOr<std::unique_ptr<rpc::Server>> server =
      rpc::Server::Start(options.server, {searches.get(), tasks.get(), files.get()});
  if (!server.ok()) return server.status();
  telemetry::LogEvent(telemetry::Severity::kInfo, "listening",
                      {{"port", absl::StrCat((*server)->address().port)}, {"data_dir", options.data_dir}});

  std::atomic<bool> stopping = false;
  std::thread loop([&] { RunLoop(**app, stopping); });
  int signal = 0;
  sigwait(&signals, &signal);
  telemetry::LogEvent(telemetry::Severity::kInfo, "stopping", {{"signal", absl::StrCat(signal)}});
  stopping = true;
  (*app)->Stop();
  loop.join();
  (*server)->Shutdown();
  return (*store)->Close();
}

int Main(int argc, char** argv) {
  const int parent = getppid();
  MainOptions options;
  CLI::App flags("The HA-NAS coordinator: owns the state of searches, hands out tasks to workers and profiler-agents.",
                 "hanas-coordinator");
  flags.set_version_flag("--version", std::string(HANAS_VERSION));
  flags.add_option("--data-dir", options.data_dir, "directory of the state, made when missing")->required();
  flags.add_option("--listen", options.server.listen, "loopback address and port; port 0: any free one")->capture_default_str();
  flags.add_option("--port-file", options.server.port_file, "file that receives the port once the coordinator answers");
  flags.add_option("--lease-ttl-seconds", options.lease_ttl_seconds, "how long a silent holder keeps a task")
      ->capture_default_str()
      ->check(CLI::Range(1.0, 3600.0));
  flags.add_flag("--die-with-parent", options.die_with_parent, "end when the process that started this one ends");
  try {
    flags.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return flags.exit(error) == 0 ? 0 : kExitUsage;
  }
  absl::InitializeLog();
  absl::SetStderrThreshold(absl::LogSeverityAtLeast::kInfo);
  // Before any thread is started, so that only sigwait sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  absl::Status status = options.die_with_parent ? rpc::DieWithParent(parent) : absl::OkStatus();
  if (status.ok()) status = Serve(options, signals);
  if (status.ok()) return 0;
  std::fprintf(stderr, "hanas-coordinator: %s\n", std::string(status.message()).c_str());
  return ExitCodeOf(status);
}

}  // namespace
}  // namespace hanas::coordinator

int main(int argc, char** argv) { return hanas::coordinator::Main(argc, argv); }
