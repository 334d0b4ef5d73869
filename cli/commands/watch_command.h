// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_WATCH_COMMAND_H_
#define HANAS_CLI_COMMANDS_WATCH_COMMAND_H_

#include <cstdint>
#include <string>

#include "cli/commands/exit_code.h"
#include "cli/commands/output.h"
#include "rpc/search_client.h"

namespace hanas::cli {

struct WatchOptions {
  std::string name;
  int64_t after = 0;  // sequence number of the last event that is known already
  bool plain = false;
  double give_up_seconds = 300;  // without an answer of the coordinator; 0: never
};

/// `hanas watch`: follows a search to its end, over restarts of the coordinator. Requires CatchInterrupts.
ExitCode WatchCommand(const RemoteOptions& remote, const WatchOptions& options);

/// The same with a client that is there; `name` is that of a search.
ExitCode Follow(rpc::SearchClient& client, const RemoteOptions& remote, const WatchOptions& options);

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_WATCH_COMMAND_H_
