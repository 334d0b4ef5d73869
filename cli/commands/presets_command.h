// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_PRESETS_COMMAND_H_
#define HANAS_CLI_COMMANDS_PRESETS_COMMAND_H_

#include <string>

#include "cli/commands/exit_code.h"

namespace hanas::cli {

/// `hanas presets`: without a name a table of the spaces that `space: {preset: ...}` can name; with one, that space as a job would write
/// it.
ExitCode PresetsCommand(const std::string& name);

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_PRESETS_COMMAND_H_
