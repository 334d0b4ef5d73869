// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_PARTIES_H_
#define HANAS_CLI_COMMANDS_PARTIES_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "rpc/search_client.h"

namespace hanas::cli {

/// How long the coordinator has not heard of each worker and device that ever registered, by name. Returns the client's statuses.
absl::StatusOr<std::map<std::string, double>> SilentSecondsOf(rpc::SearchClient& client);

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_PARTIES_H_
