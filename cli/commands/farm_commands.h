// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_FARM_COMMANDS_H_
#define HANAS_CLI_COMMANDS_FARM_COMMANDS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/commands/exit_code.h"
#include "cli/commands/output.h"
#include "hanas/v1/farm.pb.h"
#include "rpc/search_client.h"

namespace hanas::cli {

/// `hanas workers`.
ExitCode WorkersCommand(const RemoteOptions& remote, const std::string& filter);
/// `hanas devices`.
ExitCode DevicesCommand(const RemoteOptions& remote, const std::string& filter);
/// `hanas drain`: `name` is that of a worker or a device.
ExitCode DrainCommand(const RemoteOptions& remote, const std::string& name, bool drain);

/// `hanas health`: asks the coordinator, or, when `metrics_url` is given, /healthz below it. Prints one line; kUnreachable when nothing
/// answers in time, kUnhealthy when the answer is no.
ExitCode HealthCommand(const RemoteOptions& remote, const std::string& metrics_url);

/// Every page of those that `filter` holds for.
absl::StatusOr<std::vector<v1::Worker>> AllWorkers(rpc::SearchClient& client, const std::string& filter = "");
absl::StatusOr<std::vector<v1::Device>> AllDevices(rpc::SearchClient& client, const std::string& filter = "");

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_FARM_COMMANDS_H_
