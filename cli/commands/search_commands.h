// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_SEARCH_COMMANDS_H_
#define HANAS_CLI_COMMANDS_SEARCH_COMMANDS_H_

#include <string>

#include "cli/commands/exit_code.h"

namespace hanas::cli {

/// `hanas submit`: prints the name of the search. Submitting the same job twice gives the same search.
ExitCode SubmitCommand(const std::string& coordinator, const std::string& job_path);
/// `hanas show`: a search, or all of them when `name` is empty; the report when it has succeeded, and its files when `out` is given.
ExitCode ShowCommand(const std::string& coordinator, const std::string& name, const std::string& out);
/// `hanas watch`: follows a search until it ends or an interrupt.
ExitCode WatchCommand(const std::string& coordinator, const std::string& name, bool plain);
/// `hanas cancel`.
ExitCode CancelCommand(const std::string& coordinator, const std::string& name);
/// `hanas validate`: reads a job and describes its space.
ExitCode ValidateCommand(const std::string& job_path);

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_SEARCH_COMMANDS_H_
