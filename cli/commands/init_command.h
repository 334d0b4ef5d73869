// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_INIT_COMMAND_H_
#define HANAS_CLI_COMMANDS_INIT_COMMAND_H_

#include <string>

#include "cli/commands/exit_code.h"
#include "cli/init/choose_job.h"

namespace hanas::cli {

struct InitOptions {
  std::string data;  // empty: HANAS_DATA_DIR, else the current directory
  std::string out = "job.yaml";
  int minutes = kUsualMinutes;  // that the search is to take, about
  bool force = false;           // writes over a file
};

/// `hanas init`: looks at the data and at this machine, says what it found, and writes a job with the reasons for its values.
ExitCode InitCommand(const InitOptions& options);

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_INIT_COMMAND_H_
