// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMAND_LINE_REFERENCE_H_
#define HANAS_CLI_COMMAND_LINE_REFERENCE_H_

#include <string>

namespace CLI {
class App;
}

namespace hanas::cli {

/// docs/cli.md: every verb with its arguments and example, the exit codes, the environment. Pure. Thread-safe.
std::string ReferencePage(const CLI::App& app);

/// The table of exit codes for a terminal. Thread-safe.
std::string ExitCodesText();

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMAND_LINE_REFERENCE_H_
