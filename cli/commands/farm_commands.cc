// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/farm_commands.h"

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/commands/remote.h"
#include "cli/data/http_probe.h"
#include "cli/report/resource_text.h"

namespace hanas::cli {
namespace {

constexpr int kPageSize = 1000;

/// A probe that got no answer, in the words of `health`.
ExitCode Unhealthy(const std::string& who, const absl::Status& status) {
  if (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)) {
    Complain(absl::StrCat(who, " does not answer: ", status.message()));
    return ExitCode::kUnreachable;
  }
  if (absl::IsInvalidArgument(status)) return Fail(status);
  Complain(absl::StrCat(who, " is not serving: ", status.message()));
  return ExitCode::kUnhealthy;
}

}  // namespace

absl::StatusOr<std::vector<v1::Worker>> AllWorkers(rpc::SearchClient& client, const std::string& filter) {
  std::vector<v1::Worker> workers;
  const absl::Status status = ForEachPage([&](const std::string& token) { return client.ListWorkers(kPageSize, token, filter); },
                                          [&](v1::ListWorkersResponse page) {
                                            for (v1::Worker& worker : *page.mutable_workers()) workers.push_back(std::move(worker));
                                            return true;
                                          });
  if (!status.ok()) return status;
  return workers;
}

absl::StatusOr<std::vector<v1::Device>> AllDevices(rpc::SearchClient& client, const std::string& filter) {
  std::vector<v1::Device> devices;
  const absl::Status status = ForEachPage([&](const std::string& token) { return client.ListDevices(kPageSize, token, filter); },
                                          [&](v1::ListDevicesResponse page) {
                                            for (v1::Device& device : *page.mutable_devices()) devices.push_back(std::move(device));
                                            return true;
                                          });
  if (!status.ok()) return status;
  return devices;
}

ExitCode WorkersCommand(const RemoteOptions& remote, const std::string& filter) {
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = Connect(remote);
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<std::vector<v1::Worker>> workers = AllWorkers(**client, filter);
  if (!workers.ok()) return Fail(workers.status(), remote);
  v1::ListWorkersResponse all;
  std::vector<std::string> names;
  for (const v1::Worker& worker : *workers) {
    *all.add_workers() = worker;
    names.push_back(worker.name());
  }
  const absl::Status status = PrintResource(all, remote.output, [&] { return RenderWorkers(*workers, StandardPalette()); }, names);
  return status.ok() ? ExitCode::kOk : Fail(status);
}

ExitCode DevicesCommand(const RemoteOptions& remote, const std::string& filter) {
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = Connect(remote);
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<std::vector<v1::Device>> devices = AllDevices(**client, filter);
  if (!devices.ok()) return Fail(devices.status(), remote);
  v1::ListDevicesResponse all;
  std::vector<std::string> names;
  for (const v1::Device& device : *devices) {
    *all.add_devices() = device;
    names.push_back(device.name());
  }
  const absl::Status status = PrintResource(all, remote.output, [&] { return RenderDevices(*devices, StandardPalette()); }, names);
  return status.ok() ? ExitCode::kOk : Fail(status);
}

ExitCode DrainCommand(const RemoteOptions& remote, const std::string& name, bool drain) {
  const absl::StatusOr<std::string> party = ResourceName(name, {"workers", "devices"});
  if (!party.ok()) return Fail(party.status());
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = Connect(remote);
  if (!client.ok()) return Fail(client.status());
  if (const absl::Status status = (*client)->SetDrain(*party, drain); !status.ok()) return Fail(status, remote);
  Print(absl::StrCat(*party, drain ? " hands its task back at the next step boundary and gets no more\n" : " gets work again\n"));
  return ExitCode::kOk;
}

ExitCode HealthCommand(const RemoteOptions& remote, const std::string& metrics_url) {
  if (!metrics_url.empty()) {
    const std::string url =
        absl::EndsWith(metrics_url, "/healthz") ? metrics_url : absl::StrCat(absl::StripSuffix(metrics_url, "/"), "/healthz");
    if (const absl::Status status = ProbeHttp(url, absl::Seconds(remote.timeout_seconds)); !status.ok()) return Unhealthy(url, status);
    Print(absl::StrCat(url, " is healthy\n"));
    return ExitCode::kOk;
  }
  const std::string who = absl::StrCat("the coordinator at ", remote.coordinator);
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = Connect(remote);
  if (!client.ok()) return Fail(client.status());
  if (const absl::Status status = (*client)->CheckHealth(); !status.ok()) return Unhealthy(who, status);
  Print(absl::StrCat(who, " is serving\n"));
  return ExitCode::kOk;
}

}  // namespace hanas::cli
