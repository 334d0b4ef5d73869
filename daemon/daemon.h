// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_DAEMON_DAEMON_H_
#define HANAS_DAEMON_DAEMON_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config/process/exit_code.h"
#include "config/process/option_table.h"
#include "rpc/task_loop.h"
#include "telemetry/prometheus/http_server.h"
#include "telemetry/prometheus/prometheus_metrics.h"

namespace hanas::daemon {

// What the main functions of coordinator, worker and profiler-agent have in common: options, versions, log, operations port, exit codes.

struct DaemonOptions {
  std::string http_listen = "127.0.0.1:0";  // "off": none
  std::string http_port_file;
  bool insecure_listen = false;
  std::string log_format = "text";
  std::string log_level = "info";
  double stop_timeout_seconds = 20;
  int die_with_parent = 0;  // its process id, as the parent knows it: what getppid() says may be a stranger's already; 0: lives on
};

/// Adds the common options and their checks. Borrows `options`.
void AddOptions(config::OptionTable& table, DaemonOptions& options);

/// The options of a process that dials a coordinator.
struct ConnectOptions {
  std::string coordinator;
  bool insecure_connect = false;
  std::string token_file;
};
void AddOptions(config::OptionTable& table, ConnectOptions& options);
/// The option --token-file, with `help` for what this process does with it. Borrows `token_file`.
void AddTokenOption(config::OptionTable& table, std::string help, std::string& token_file);

// Checks of paths. Return INVALID_ARGUMENT saying what was expected and what was found.
/// A directory that is there and may be written, or that can be made in one that is.
absl::Status CheckDirectoryCanBeMade(const std::string& path);
absl::Status CheckDirectoryIsReadable(const std::string& path);
/// A file that can be written into its directory; empty: none.
absl::Status CheckFileCanBeWritten(const std::string& path);

struct ProgramVersion {
  std::string name;     // "hanas-worker"
  std::string version;  // of HA-NAS
  /// Of the libraries that matter for what this program does, beyond those that every program has. Called for --version only.
  std::function<std::vector<std::pair<std::string, std::string>>()> libraries;
};

/// Handles the command line to the point where the process is to work: prints help, versions, the checked configuration, mistakes and
/// warnings; starts the log; ties the process to its parent when asked. From then on every file and directory that the process makes is its
/// user's alone, whatever the umask was. Returns the exit status when there is nothing more to do. To be
/// called first, by the main thread.
std::optional<config::ProcessExit> Begin(config::OptionTable& table, const DaemonOptions& options, const ProgramVersion& version, int argc,
                                         char** argv);

/// The metrics of a process, with those that every process has. Never null.
std::unique_ptr<telemetry::PrometheusMetrics> MakeMetrics(telemetry::Process process, const std::string& version);

/// Serves /metrics, /healthz and /readyz where the options say, logs where, and writes the port file. Null when the options say "off".
/// Borrows `metrics`. Returns HttpServer's statuses, and the errno's when the port file cannot be written.
absl::StatusOr<std::unique_ptr<telemetry::HttpServer>> StartOperations(const DaemonOptions& options, telemetry::PrometheusMetrics* metrics,
                                                                       std::function<absl::Status()> ready);

/// The readiness of a process that leases tasks: the coordinator has answered lately. It also records for how long it has not, at each
/// scrape. Borrows its arguments.
std::function<absl::Status()> ReadyWhileAnswered(const rpc::TaskLoop* loop, telemetry::PrometheusMetrics* metrics);

/// The exit status of a worker or agent whose task loop ended with `status`.
config::ProcessExit ExitOfLoop(const absl::Status& status);

/// Says why the process ends, in the log; returns `code` as main's.
int Fail(config::ProcessExit code, const absl::Status& status);

}  // namespace hanas::daemon

#endif  // HANAS_DAEMON_DAEMON_H_
