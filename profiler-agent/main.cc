// SPDX-License-Identifier: Apache-2.0
// hanas-profiler-agent: leases measuring tasks from a coordinator and measures on this machine, each job in a child process of its own.
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/bounds.h"
#include "core/base/plain_name.h"
#include "daemon/daemon.h"
#include "daemon/party_state.h"
#include "profiler-agent/backends/backends.h"
#include "profiler-agent/device/host_probe.h"
#include "profiler-agent/measure/child.h"
#include "profiler-agent/runtime/onnxruntime/onnx_network.h"
#include "profiler-agent/service/agent_executor.h"
#include "profiler-agent/service/child_jobs.h"
#include "rpc/client.h"
#include "rpc/convert/device.h"
#include "rpc/process.h"
#include "rpc/task_loop.h"
#include "telemetry/event_log.h"

namespace hanas {
namespace {

using config::ProcessExit;

struct Flags {
  daemon::ConnectOptions connect;
  daemon::PartyOptions party = {.kind = "agents", .name = "local"};
  std::string kind;  // empty: the name
  std::string backend = std::string(Backends().front().name);
  int threads = 1;
  daemon::DaemonOptions process;
};

void Describe(config::OptionTable& table, Flags& flags) {
  daemon::AddOptions(table, flags.connect);
  daemon::AddOptions(
      table, "Name of the device, which jobs give as their target; its own at the coordinator: 1 to 63 letters, digits, '-', '_' or '.'.",
      flags.party);
  table.Add({.name = "kind",
             .value = "NAME",
             .help = "Kind of the device, which jobs may give as their target instead of the name of one device of it; empty: its name."},
            &flags.kind);
  table.AddCheck("kind", [&flags] { return flags.kind.empty() ? absl::OkStatus() : CheckPlainName(flags.kind); });
  std::vector<std::string> backends;
  for (const Backend& backend : Backends()) backends.emplace_back(backend.name);
  table.AddChoice({.name = "backend", .help = "Runtime that this agent measures with, which jobs give as target.backend."}, &flags.backend,
                  std::move(backends));
  table.Add({.name = "threads",
             .value = "N",
             .help = absl::StrCat("Threads that execute together whatever is timed, operators, networks and exported files, from 1 to ",
                                  bounds::kMaxDeviceThreads,
                                  " and at most the processors that this process may use. Another number is another device class, with "
                                  "latencies of its own.")},
            &flags.threads, 1, bounds::kMaxDeviceThreads);
  table.AddCheck("threads", [&flags] {
    const size_t cpus = AllowedCpus().size();
    if (static_cast<size_t>(flags.threads) <= cpus) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("expected at most ", cpus, ", the processors that this process may use, found ", flags.threads));
  });
  daemon::AddOptions(table, flags.process);
}

v1::Party PartyOf(const Flags& flags, const rpc::Secret& key, const BackendCaps& caps) {
  const HostIdentity host = HostProbe().Identify();
  v1::Party party;
  party.set_name(flags.party.name);
  party.set_key(key.bytes());
  party.set_instance_id(rpc::MakeInstanceId());
  party.set_host_id(rpc::HostId());
  party.set_version(HANAS_VERSION);
  v1::DeviceContext& device = *party.mutable_agent()->mutable_device();
  device.set_device(flags.kind.empty() ? flags.party.name : flags.kind);
  device.set_host(host.hostname);
  device.set_cpu(host.cpu_model);
  device.set_isa(host.isa);
  device.set_backend(caps.name);
  device.set_backend_version(caps.version);
  device.set_threads(flags.threads);
  device.set_governor(host.governor);
  *party.mutable_agent()->mutable_caps() = rpc::ToProto(caps);
  return party;
}

int Run(const Flags& flags) {
  const std::unique_ptr<telemetry::PrometheusMetrics> metrics = daemon::MakeMetrics(telemetry::kAgent, HANAS_VERSION);
  const auto channel = rpc::CreateChannel(flags.connect.coordinator,
                                          {.insecure_connect = flags.connect.insecure_connect, .token_file = flags.connect.token_file});
  if (!channel.ok()) return daemon::Fail(ProcessExit::kUsage, channel.status());
  const absl::StatusOr<daemon::PartyState> state = daemon::OpenPartyState(flags.party);
  if (!state.ok()) return daemon::Fail(daemon::ExitOfPartyState(state.status()), state.status());
  const absl::StatusOr<Backend> backend = FindBackend(flags.backend);
  if (!backend.ok()) return daemon::Fail(ProcessExit::kUsage, backend.status());
  const auto runtime = backend->probe();
  if (!runtime.ok()) return daemon::Fail(ProcessExit::kFailed, runtime.status());
  const BackendCaps caps = (*runtime)->caps();
  const auto tasks = v1::TaskService::NewStub(*channel);
  const auto store = v1::ArtifactService::NewStub(*channel);
  rpc::TaskLoop* running = nullptr;
  rpc::RetryPolicy transfers;
  transfers.give_up_after = absl::Minutes(15);
  rpc::ArtifactClient artifacts(
      store.get(), transfers, &rpc::SystemClock(), [&running] { return running != nullptr && running->stopping(); }, metrics.get());
  AgentExecutor executor(caps, &artifacts, RunChildOptions().program, metrics.get(), {.num_threads = flags.threads});
  rpc::TaskLoopOptions options;
  options.metrics = metrics.get();
  options.party = PartyOf(flags, state->key(), caps);
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
                       {"backend", caps.name},
                       {"backend_version", caps.version},
                       {"isa", caps.isa},
                       {"threads", absl::StrCat(flags.threads)}});
  const absl::Status status = loop.Run();
  running = nullptr;
  if (!status.ok()) return daemon::Fail(daemon::ExitOfLoop(status), status);
  telemetry::LogEvent(telemetry::Severity::kInfo, "stopped", {{"name", flags.party.name}});
  return static_cast<int>(ProcessExit::kOk);
}

std::vector<std::pair<std::string, std::string>> Libraries() {
  std::vector<std::pair<std::string, std::string>> libraries;
  for (const Backend& backend : Backends()) {
    const auto runtime = backend.probe();
    libraries.emplace_back(backend.name, runtime.ok() ? (*runtime)->caps().version : std::string(runtime.status().message()));
  }
  libraries.emplace_back("ONNX Runtime", OnnxRuntimeVersion());
  return libraries;
}

int Main(int argc, char** argv) {
  Flags flags;
  config::OptionTable table({.name = "hanas-profiler-agent",
                             .variable_prefix = "HANAS_AGENT_",
                             .summary =
                                 "Measures operators and networks on this machine for a HA-NAS coordinator, each job in a child process "
                                 "with limits on time and memory. It dials out and listens to nobody but probes; it executes a closed set "
                                 "of operators, never code from elsewhere.",
                             .example = "hanas-profiler-agent --coordinator 127.0.0.1:7700 --name pi5-a"});
  Describe(table, flags);
  if (const std::optional<ProcessExit> ended =
          daemon::Begin(table, flags.process, {"hanas-profiler-agent", HANAS_VERSION, &Libraries}, argc, argv)) {
    return static_cast<int>(*ended);
  }
  return Run(flags);
}

}  // namespace
}  // namespace hanas

int main(int argc, char** argv) {
  if (hanas::IsChild(argc, argv)) return hanas::ChildMain(argc, argv, hanas::AgentChildHandlers());
  return hanas::Main(argc, argv);
}
