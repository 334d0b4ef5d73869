// SPDX-License-Identifier: Apache-2.0
#include "daemon/daemon.h"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "absl/log/initialize.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/error_reason.h"
#include "rpc/address.h"
#include "rpc/files.h"
#include "rpc/process.h"
#include "telemetry/event_log.h"

#ifndef HANAS_BUILD_TYPE
#define HANAS_BUILD_TYPE "unknown"
#endif

namespace hanas::daemon {
namespace {

namespace fs = std::filesystem;
using config::ProcessExit;
using telemetry::LogEvent;
using telemetry::Severity;

constexpr absl::string_view kOff = "off";
constexpr int kMaxPid = 1 << 22;  // of Linux
/// A request for work waits at the coordinator for 20 s.
constexpr absl::Duration kAnsweredWithin = absl::Seconds(45);

bool MayWrite(const std::string& path) { return ::access(path.c_str(), W_OK | X_OK) == 0; }

absl::Status Expected(absl::string_view what, const std::string& path, absl::string_view found) {
  return absl::InvalidArgumentError(absl::StrCat("expected ", what, ", found ", path, ", ", found));
}

std::string ParentOf(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

Severity LevelOf(const std::string& level) {
  return level == "error" ? Severity::kError : level == "warning" ? Severity::kWarning : Severity::kInfo;
}

std::string ExitCodesHelp() {
  std::string text = "\nExit status:\n";
  for (const config::ProcessExitRow& row : config::kProcessExits)
    absl::StrAppend(&text, "  ", static_cast<int>(row.code), "  ", row.meaning, "\n");
  absl::StrAppend(&text, "  128 + signal  ended at once, by a second SIGTERM or SIGINT\n");
  return text;
}

std::string VersionText(const ProgramVersion& version) {
  std::string text = absl::StrCat(version.name, " ", version.version, " (", HANAS_BUILD_TYPE, ")\n");
  for (const auto& [name, library] : rpc::LibraryVersions()) absl::StrAppend(&text, name, " ", library, "\n");
  for (const auto& [name, library] : version.libraries()) absl::StrAppend(&text, name, " ", library, "\n");
  return text;
}

}  // namespace

absl::Status CheckDirectoryCanBeMade(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error))
    return MayWrite(path) ? absl::OkStatus() : Expected("a directory to write to", path, "which is not writable");
  if (fs::exists(path, error)) return Expected("a directory", path, "which is a file");
  const std::string parent = ParentOf(path);
  if (!fs::is_directory(parent, error)) return Expected("a directory, or a name in one that exists", path, "whose parent does not exist");
  return MayWrite(parent) ? absl::OkStatus() : Expected("a directory that can be made", path, "whose parent is not writable");
}

absl::Status CheckDirectoryIsReadable(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error))
    return Expected("a directory", path, fs::exists(path, error) ? "which is a file" : "which does not exist");
  return ::access(path.c_str(), R_OK | X_OK) == 0 ? absl::OkStatus() : Expected("a readable directory", path, "which is not");
}

absl::Status CheckFileCanBeWritten(const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  std::error_code error;
  if (fs::is_directory(path, error)) return Expected("a file", path, "which is a directory");
  if (!fs::is_directory(ParentOf(path), error)) return Expected("a file in a directory that exists", path, "whose directory does not");
  return MayWrite(ParentOf(path)) ? absl::OkStatus() : Expected("a file that can be written", path, "whose directory is not writable");
}

void AddOptions(config::OptionTable& table, DaemonOptions& options) {
  table.Add({.name = "http-listen",
             .value = "HOST:PORT",
             .help = "Where /metrics, /healthz and /readyz are answered; port 0: any free one, which the log names; off: nowhere."},
            &options.http_listen);
  table.Add({.name = "http-port-file", .value = "FILE", .help = "File that receives the port of --http-listen once it answers."},
            &options.http_port_file);
  table.Add({.name = "insecure-listen",
             .help = "Allows listening on other addresses than loopback. There is no TLS: whoever is on the way reads everything, the "
                     "coordinator's token too, and the port of --http-listen answers everybody."},
            &options.insecure_listen);
  table.AddChoice({.name = "log-format", .help = "Form of the log on standard error, one event a line."}, &options.log_format,
                  {"text", "json"});
  table.AddChoice({.name = "log-level", .help = "The least severe events that are written."}, &options.log_level,
                  {"info", "warning", "error"});
  table.Add({.name = "stop-timeout-seconds",
             .value = "SECONDS",
             .help = "How long stopping may take after SIGTERM or SIGINT before the process gives up and ends, from 1 to 3600."},
            &options.stop_timeout_seconds, 1, 3600);
  table.Add({.name = "die-with-parent",
             .value = "PID",
             .help = "Ends when the process of this number ends, which must be the one that started this one. 0: does not."},
            &options.die_with_parent, 0, kMaxPid);
  table.AddCheck("http-listen", [&options] {
    if (options.http_listen == kOff) return absl::OkStatus();
    return rpc::ParseAddress(options.http_listen, rpc::AddressUse::kListenTcp, options.insecure_listen).status();
  });
  table.AddCheck("http-port-file", [&options] { return CheckFileCanBeWritten(options.http_port_file); });
}

void AddOptions(config::OptionTable& table, ConnectOptions& options) {
  table.Add(
      {.name = "coordinator", .value = "ADDRESS", .help = "Where the coordinator listens: HOST:PORT, or unix:/PATH.", .required = true},
      &options.coordinator);
  table.Add(
      {.name = "insecure-connect",
       .help = "Allows a coordinator on another machine. There is no TLS: whoever is on the way reads and changes everything, and learns "
               "the token."},
      &options.insecure_connect);
  AddTokenOption(table, "File with the coordinator's token, which a coordinator on TCP asks for.", options.token_file);
  table.AddCheck("coordinator", [&options] {
    return rpc::ParseAddress(options.coordinator, rpc::AddressUse::kConnect, options.insecure_connect).status();
  });
}

void AddTokenOption(config::OptionTable& table, std::string help, std::string& token_file) {
  table.Add({.name = "token-file",
             .value = "FILE",
             .help = absl::StrCat(help,
                                  " Nobody but its owner may read it. Without the option the token is that of the variable HANAS_TOKEN, "
                                  "else the user's own."),
             .default_text = "$XDG_STATE_HOME/hanas/token",
             .variable = "HANAS_TOKEN_FILE"},
            &token_file);
}

std::optional<ProcessExit> Begin(config::OptionTable& table, const DaemonOptions& options, const ProgramVersion& version, int argc,
                                 char** argv) {
  const absl::StatusOr<config::ParsedOptions> parsed = table.Parse(argc, argv, config::ProcessEnvironment());
  if (!parsed.ok()) {
    const std::vector<std::string> mistakes = absl::StrSplit(parsed.status().message(), '\n');
    for (const std::string& mistake : mistakes) std::cerr << version.name << ": " << mistake << "\n";
    return ProcessExit::kUsage;
  }
  switch (parsed->action) {
    case config::Action::kHelp:
      std::cout << table.Help() << ExitCodesHelp();
      return ProcessExit::kOk;
    case config::Action::kVersion:
      std::cout << VersionText(version);
      return ProcessExit::kOk;
    case config::Action::kReference:
      std::cout << table.Reference();
      return ProcessExit::kOk;
    case config::Action::kCheckConfig:
      for (const std::string& warning : parsed->warnings) std::cerr << version.name << ": warning: " << warning << "\n";
      std::cout << table.Effective();
      return ProcessExit::kOk;
    case config::Action::kRun:
      break;
  }
  std::signal(SIGPIPE, SIG_IGN);
  ::umask(S_IRWXG | S_IRWXO);
  absl::InitializeLog();
  telemetry::StartLog(options.log_format == "json" ? telemetry::LogFormat::kJson : telemetry::LogFormat::kText, LevelOf(options.log_level));
  rpc::LogGrpcMessages();
  for (const std::string& warning : parsed->warnings) LogEvent(Severity::kWarning, "environment", {{"message", warning}});
  if (options.die_with_parent != 0) {
    if (const absl::Status status = rpc::DieWithParent(options.die_with_parent); !status.ok()) {
      Fail(ProcessExit::kFailed, status);
      return ProcessExit::kFailed;
    }
  }
  return std::nullopt;
}

std::unique_ptr<telemetry::PrometheusMetrics> MakeMetrics(telemetry::Process process, const std::string& version) {
  std::unique_ptr<telemetry::PrometheusMetrics> metrics = telemetry::PrometheusMetrics::Create(process);
  metrics->Set(telemetry::Metric::kBuildInfo, {version, HANAS_BUILD_TYPE}, 1);
  metrics->AddCollector(&telemetry::CollectProcessMetrics);
  return metrics;
}

absl::StatusOr<std::unique_ptr<telemetry::HttpServer>> StartOperations(const DaemonOptions& options, telemetry::PrometheusMetrics* metrics,
                                                                       std::function<absl::Status()> ready) {
  if (options.http_listen == kOff) return nullptr;
  absl::StatusOr<rpc::Address> address = rpc::ParseAddress(options.http_listen, rpc::AddressUse::kListenTcp, options.insecure_listen);
  if (!address.ok()) return address.status();
  absl::StatusOr<std::unique_ptr<telemetry::HttpServer>> server =
      telemetry::HttpServer::Start(address->host, address->port, telemetry::OperationsHandlers(metrics, std::move(ready)));
  if (!server.ok()) return server.status();
  address->port = (*server)->port();
  LogEvent(Severity::kInfo, "http_started", {{"address", address->ToString()}});
  if (!options.http_port_file.empty()) {
    if (absl::Status status = rpc::WriteFileAtomically(options.http_port_file, absl::StrCat(address->port, "\n")); !status.ok())
      return status;
  }
  return server;
}

std::function<absl::Status()> ReadyWhileAnswered(const rpc::TaskLoop* loop, telemetry::PrometheusMetrics* metrics) {
  metrics->AddCollector(
      [loop](telemetry::Metrics& into) { into.Set(telemetry::Metric::kCoordinatorSilence, {}, absl::ToDoubleSeconds(loop->silence())); });
  return [loop] {
    const absl::Duration silence = loop->silence();
    if (silence < kAnsweredWithin) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("the coordinator has not answered for ", absl::FormatDuration(silence)));
  };
}

ProcessExit ExitOfLoop(const absl::Status& status) {
  if (status.ok()) return ProcessExit::kOk;
  if (absl::IsUnauthenticated(status)) return ProcessExit::kUnauthenticated;
  if (HasReason(status, kNameInUse)) return ProcessExit::kNameInUse;
  return rpc::IsRetryable(status) ? ProcessExit::kFailed : ProcessExit::kRefused;
}

int Fail(config::ProcessExit code, const absl::Status& status) {
  LogEvent(Severity::kError, "exit", {{"code", absl::StrCat(static_cast<int>(code))}, {"status", status.ToString()}});
  return static_cast<int>(code);
}

}  // namespace hanas::daemon
