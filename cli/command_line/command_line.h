// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMAND_LINE_COMMAND_LINE_H_
#define HANAS_CLI_COMMAND_LINE_COMMAND_LINE_H_

#include <memory>
#include <string>
#include <vector>

#include "cli/commands/exit_code.h"

namespace CLI {
class App;
}

namespace hanas::cli {

/// The command line: every verb, its arguments, its help. The help, the page docs/cli.md and the completion of shells are all read from the
/// one definition here.
///
/// Confined to one thread; used once.
class CommandLine {
 public:
  CommandLine();
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// Reads the arguments and runs the verb that they name. Prints what there is to say, help included. Requires CatchInterrupts.
  ExitCode Run(int argc, const char* const* argv);

  /// The definitions, for those who read them. Borrowed.
  const CLI::App& app() const;

 private:
  struct State;
  ExitCode PrintHelp(const std::vector<std::string>& words);

  std::unique_ptr<State> state_;
};

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMAND_LINE_COMMAND_LINE_H_
