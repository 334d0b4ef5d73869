// SPDX-License-Identifier: Apache-2.0
// hanas-profiler-agent: leases measuring tasks from a coordinator and measures on this machine, each job in a child process of its own.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>

#include "absl/base/log_severity.h"
#include "absl/log/globals.h"
#include "absl/log/initialize.h"
#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "profiler-agent/device/host_probe.h"
#include "profiler-agent/measure/child.h"
#include "profiler-agent/runtime/xnnpack/xnnpack_runtime.h"
#include "profiler-agent/service/agent_executor.h"
#include "profiler-agent/service/child_jobs.h"
#include "rpc/client.h"
#include "rpc/convert/device.h"
#include "rpc/process.h"
#include "rpc/task_loop.h"

namespace {

// Documented in --help.
constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;
constexpr int kExitRefused = 3;

struct Flags {
  std::string coordinator;
  std::string name = "local";
  bool die_with_parent = false;
};

hanas::v1::Party PartyOf(const Flags& flags, const hanas::BackendCaps& caps) {
  const hanas::HostIdentity host = hanas::HostProbe().Identify();
  hanas::v1::Party party;
  party.set_name(flags.name);
  party.set_instance_id(hanas::rpc::MakeInstanceId());
  party.set_host_id(hanas::rpc::HostId());
  party.set_version(HANAS_VERSION);
  hanas::v1::DeviceContext& device = *party.mutable_agent()->mutable_device();
  device.set_device(flags.name);
  device.set_host(host.hostname);
  device.set_cpu(host.cpu_model);
  device.set_isa(host.isa);
  device.set_backend(caps.name);
  device.set_backend_version(caps.version);
  device.set_threads(1);
  device.set_governor(host.governor);
  *party.mutable_agent()->mutable_caps() = hanas::rpc::ToProto(caps);
  return party;
}

int Run(const Flags& flags) {
  const auto channel = hanas::rpc::CreateChannel(flags.coordinator);
  if (!channel.ok()) {
    std::cerr << "hanas-profiler-agent: --coordinator: " << channel.status().message() << "\n";
    return kExitUsage;
  }
  const auto runtime = hanas::CreateXnnpackRuntime();
  if (!runtime.ok()) {
    std::cerr << "hanas-profiler-agent: " << runtime.status().message() << "\n";
    return kExitFailure;
  }
  const hanas::BackendCaps caps = (*runtime)->caps();
  const auto tasks = hanas::v1::TaskService::NewStub(*channel);
  const auto store = hanas::v1::ArtifactService::NewStub(*channel);
  hanas::rpc::TaskLoop* running = nullptr;
  hanas::rpc::RetryPolicy transfers;
  transfers.give_up_after = absl::Minutes(15);
  hanas::rpc::ArtifactClient artifacts(store.get(), transfers, &hanas::rpc::SystemClock(),
                                       [&running] { return running != nullptr && running->stopping(); });
  hanas::AgentExecutor executor(caps, &artifacts);
  hanas::rpc::TaskLoopOptions options;
  options.party = PartyOf(flags, caps);
  hanas::rpc::TaskLoop loop(std::move(options), tasks.get(), &executor);
  running = &loop;
  const hanas::rpc::StopSignals signals([&loop] { loop.RequestStop(); });
  LOG(INFO) << "hanas-profiler-agent " << HANAS_VERSION << " measures " << flags.name << " with " << caps.name << " (" << caps.version
            << ", " << caps.isa << ")";
  const absl::Status status = loop.Run();
  running = nullptr;
  if (status.ok()) return 0;
  std::cerr << "hanas-profiler-agent: the coordinator at " << flags.coordinator << " refused this agent: " << status.message() << "\n";
  return kExitRefused;
}

}  // namespace

int main(int argc, char** argv) {
  if (hanas::IsChild(argc, argv)) return hanas::ChildMain(argc, argv, hanas::AgentChildHandlers());
  const int parent = getppid();
  Flags flags;
  CLI::App app("Measures operators and networks on this machine for a HA-NAS coordinator.", "hanas-profiler-agent");
  app.footer("Exit status: 0 stopped by SIGTERM or SIGINT after handing back its task; 1 failure; 2 usage; 3 refused by the coordinator.");
  app.set_version_flag("--version", absl::StrCat("hanas-profiler-agent ", HANAS_VERSION));
  app.add_option("--coordinator", flags.coordinator, "Where the coordinator listens, HOST:PORT on this machine")->required();
  app.add_option("--name", flags.name, "Name of the device; a second agent with it takes over")->capture_default_str();
  app.add_flag("--die-with-parent", flags.die_with_parent, "End when the process that started this one ends");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  absl::InitializeLog();
  absl::SetStderrThreshold(absl::LogSeverityAtLeast::kInfo);
  if (flags.die_with_parent) {
    if (const absl::Status status = hanas::rpc::DieWithParent(parent); !status.ok()) {
      std::cerr << "hanas-profiler-agent: --die-with-parent: " << status.message() << "\n";
      return kExitFailure;
    }
  }
  return Run(flags);
}
