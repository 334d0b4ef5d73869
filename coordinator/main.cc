// SPDX-License-Identifier: Apache-2.0
// hanas-coordinator: owns all state of searches, hands out tasks, answers users.

#include <sys/statvfs.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "coordinator/app/app.h"
#include "coordinator/app/executor.h"
#include "coordinator/app/loop.h"
#include "coordinator/clock/clock.h"
#include "coordinator/service/plain_networks.h"
#include "coordinator/service/search_convert.h"
#include "coordinator/service/services.h"
#include "coordinator/store/artifact_store.h"
#include "coordinator/store/measured_store.h"
#include "coordinator/store/rocksdb/rocksdb_store.h"
#include "core/base/error_reason.h"
#include "daemon/daemon.h"
#include "rpc/address.h"
#include "rpc/clock.h"
#include "rpc/files.h"
#include "rpc/process.h"
#include "rpc/server.h"
#include "rpc/token.h"
#include "telemetry/event_log.h"

#ifndef HANAS_VERSION
#define HANAS_VERSION "unknown"
#endif

namespace hanas::coordinator {
namespace {

using config::ProcessExit;
using telemetry::Metric;

constexpr absl::Duration kHealthInterval = absl::Seconds(1);
constexpr absl::Duration kUsageInterval = absl::Seconds(60);
constexpr absl::Duration kGrace = absl::Seconds(2);

struct MainOptions {
  std::string data_dir;
  rpc::ServerOptions server = {.listen = "127.0.0.1:7700"};
  std::string token_file;
  double lease_ttl_seconds = 15;
  daemon::DaemonOptions process = {.stop_timeout_seconds = 10};
};

void Describe(config::OptionTable& table, MainOptions& options) {
  table.Add({.name = "data-dir",
             .value = "DIRECTORY",
             .help = "The state: searches, results and artifacts. Made when missing; one coordinator at a time.",
             .required = true},
            &options.data_dir);
  table.Add(
      {.name = "listen",
       .value = "ADDRESS",
       .help = "Where clients, workers and agents connect: HOST:PORT, port 0 for any free one, or unix:/PATH, a socket that only this user "
               "reaches. On TCP every caller is asked for the token."},
      &options.server.listen);
  daemon::AddTokenOption(table, "File with the token that callers on TCP are asked for; made when missing.", options.token_file);
  table.Add({.name = "port-file", .value = "FILE", .help = "File that receives the port of --listen once the coordinator answers."},
            &options.server.port_file);
  table.Add({.name = "lease-ttl-seconds",
             .value = "SECONDS",
             .help = "For how long a silent worker or agent keeps its task before another gets it, from 1 to 3600."},
            &options.lease_ttl_seconds, 1, 3600);
  daemon::AddOptions(table, options.process);
  table.AddCheck("data-dir", [&options] { return daemon::CheckDirectoryCanBeMade(options.data_dir); });
  table.AddCheck("listen", [&options] {
    return rpc::ParseAddress(options.server.listen, rpc::AddressUse::kListen, options.process.insecure_listen).status();
  });
  table.AddCheck("port-file", [&options] {
    if (!options.server.port_file.empty() && absl::StartsWith(options.server.listen, "unix:"))
      return absl::InvalidArgumentError("expected none, since the Unix socket of --listen has no port; found one");
    return daemon::CheckFileCanBeWritten(options.server.port_file);
  });
}

ProcessExit ExitOfStore(const absl::Status& status) {
  if (HasReason(status, kDiskFull)) return ProcessExit::kDiskFull;
  switch (status.code()) {
    case absl::StatusCode::kDataLoss:
      return ProcessExit::kDamaged;
    case absl::StatusCode::kAborted:
      return ProcessExit::kInUse;
    case absl::StatusCode::kFailedPrecondition:
      return ProcessExit::kNewerState;
    default:
      return ProcessExit::kFailed;
  }
}

/// The room that the data take, looked up when a scrape asks and the last answer is old. Confined to scrapes, which come one at a time.
class DiskUsage {
 public:
  DiskUsage(std::string directory, std::string artifacts) : directory_(std::move(directory)), artifacts_(std::move(artifacts)) {}

  void Record(telemetry::Metrics& metrics) {
    struct statvfs info = {};
    if (::statvfs(directory_.c_str(), &info) == 0) {
      metrics.Set(Metric::kDataFreeBytes, {}, static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize));
    }
    const absl::Duration now = rpc::SystemClock().Now();
    if (now - walked_at_ < kUsageInterval) return;
    walked_at_ = now;
    double bytes = 0;
    double files = 0;
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator at(artifacts_, error), end; !error && at != end; at.increment(error)) {
      std::error_code vanished;
      if (!at->is_regular_file(vanished)) continue;
      const auto size = at->file_size(vanished);
      if (vanished) continue;
      bytes += static_cast<double>(size);
      ++files;
    }
    metrics.Set(Metric::kArtifactStoreBytes, {}, bytes);
    metrics.Set(Metric::kArtifactStoreFiles, {}, files);
  }

 private:
  const std::string directory_;
  const std::string artifacts_;
  absl::Duration walked_at_ = -absl::InfiniteDuration();
};

/// Sets the token that callers are asked for, where the system does not say who calls. Returns what they are asked for, for people.
absl::StatusOr<std::string> ChooseToken(const std::string& token_file, rpc::ServerOptions& server) {
  const absl::StatusOr<rpc::Address> listen = rpc::ParseAddress(server.listen, rpc::AddressUse::kListen, server.insecure_listen);
  if (!listen.ok()) return listen.status();
  if (listen->is_unix()) return "nothing, since only this user reaches the socket";
  const absl::StatusOr<rpc::TokenPlace> place = rpc::FindToken(token_file);
  if (!place.ok()) return place.status();
  absl::StatusOr<rpc::Secret> token = rpc::ReadOrMakeToken(*place);
  if (!token.ok()) return token.status();
  server.token = *std::move(token);
  return absl::StrCat("the token in ", place->ToString());
}

/// Serves until SIGTERM or SIGINT; returns the exit status.
int Serve(const MainOptions& options) {
  const std::unique_ptr<telemetry::PrometheusMetrics> metrics = daemon::MakeMetrics(telemetry::kCoordinator, HANAS_VERSION);
  absl::Notification stop;
  const rpc::StopSignals signals([&stop] { stop.Notify(); }, absl::Seconds(options.process.stop_timeout_seconds),
                                 static_cast<int>(ProcessExit::kStopTimeout));

  const absl::StatusOr<bool> tightened = rpc::MakePrivateDirectory(options.data_dir);
  if (!tightened.ok())
    return daemon::Fail(ProcessExit::kFailed,
                        absl::Status(tightened.status().code(), absl::StrCat("--data-dir: ", tightened.status().message())));
  if (*tightened) telemetry::LogEvent(telemetry::Severity::kWarning, "directory_tightened", {{"directory", options.data_dir}});
  const absl::StatusOr<std::unique_ptr<Store>> opened = OpenRocksDbStore(absl::StrCat(options.data_dir, "/db"));
  if (!opened.ok()) return daemon::Fail(ExitOfStore(opened.status()), opened.status());
  const std::string artifact_directory = absl::StrCat(options.data_dir, "/artifacts");
  const absl::StatusOr<std::unique_ptr<ArtifactStore>> artifacts = ArtifactStore::Open(artifact_directory);
  if (!artifacts.ok()) return daemon::Fail(ExitOfStore(artifacts.status()), artifacts.status());
  SystemClock clock;
  MeasuredStore store(opened->get(), &clock, metrics.get());
  ThreadExecutor executor;
  const absl::StatusOr<std::unique_ptr<App>> app = App::Create(&store, artifacts->get(), &clock, ParseSpec,
                                                               {.lease_ttl = absl::Seconds(options.lease_ttl_seconds),
                                                                .metrics = metrics.get(),
                                                                .plain = PlainNetworksOfPresets(),
                                                                .executor = &executor});
  if (!app.ok()) return daemon::Fail(ExitOfStore(app.status()), app.status());
  Loop loop(app->get(), &clock, metrics.get());

  DiskUsage usage(options.data_dir, artifact_directory);
  metrics->AddCollector([&usage](telemetry::Metrics& into) { usage.Record(into); });
  absl::StatusOr<std::unique_ptr<telemetry::HttpServer>> operations =
      daemon::StartOperations(options.process, metrics.get(), [&loop] { return loop.ready(); });
  if (!operations.ok()) return daemon::Fail(ProcessExit::kCannotListen, operations.status());

  const std::unique_ptr<grpc::Service> searches = CreateSearchService(app->get());
  const std::unique_ptr<grpc::Service> tasks = CreateTaskService(app->get());
  const std::unique_ptr<grpc::Service> files = CreateArtifactService(app->get());
  const std::unique_ptr<grpc::Service> farm = CreateFarmService(app->get());
  rpc::ServerOptions server_options = options.server;
  server_options.insecure_listen = options.process.insecure_listen;
  server_options.metrics = metrics.get();
  const absl::StatusOr<std::string> asks_for = ChooseToken(options.token_file, server_options);
  if (!asks_for.ok()) return daemon::Fail(ProcessExit::kUsage, asks_for.status());
  const absl::StatusOr<std::unique_ptr<rpc::Server>> server =
      rpc::Server::Start(server_options, {searches.get(), tasks.get(), files.get(), farm.get()});
  if (!server.ok()) return daemon::Fail(ProcessExit::kCannotListen, server.status());
  telemetry::LogEvent(
      telemetry::Severity::kInfo, "listening",
      {{"address", (*server)->address().ToString()}, {"asks_for", *asks_for}, {"data_dir", options.data_dir}, {"version", HANAS_VERSION}});

  loop.Start();
  while (!stop.WaitForNotificationWithTimeout(kHealthInterval)) (*server)->SetServing(loop.ready().ok());
  // Watches and waiting lease requests end, then the calls in progress, then the loop; nothing uses the store after it.
  (*app)->Stop();
  (*server)->Shutdown(kGrace);
  loop.Stop();
  operations->reset();
  if (const absl::Status status = store.Close(); !status.ok()) return daemon::Fail(ExitOfStore(status), status);
  telemetry::LogEvent(telemetry::Severity::kInfo, "stopped", {{"data_dir", options.data_dir}});
  return static_cast<int>(ProcessExit::kOk);
}

int Main(int argc, char** argv) {
  MainOptions options;
  config::OptionTable table(
      {.name = "hanas-coordinator",
       .variable_prefix = "HANAS_COORDINATOR_",
       .summary = "Owns the state of searches, hands out tasks to workers and profiler-agents, answers users. It needs one "
                  "directory and one port; workers and agents dial in.",
       .example = "hanas-coordinator --data-dir /var/lib/hanas --listen 127.0.0.1:7700 --http-listen 127.0.0.1:7701"});
  Describe(table, options);
  const daemon::ProgramVersion version = {"hanas-coordinator", HANAS_VERSION,
                                          [] { return std::vector<std::pair<std::string, std::string>>{{"RocksDB", RocksDbVersion()}}; }};
  if (const std::optional<ProcessExit> ended = daemon::Begin(table, options.process, version, argc, argv)) return static_cast<int>(*ended);
  return Serve(options);
}

}  // namespace
}  // namespace hanas::coordinator

int main(int argc, char** argv) { return hanas::coordinator::Main(argc, argv); }
