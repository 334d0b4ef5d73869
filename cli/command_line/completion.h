// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMAND_LINE_COMPLETION_H_
#define HANAS_CLI_COMMAND_LINE_COMPLETION_H_

#include <string>

#include "absl/strings/string_view.h"

namespace CLI {
class App;
}

namespace hanas::cli {

/// The script that connects a shell ("bash", "zsh") to Complete. Thread-safe.
std::string CompletionScript(absl::string_view shell);

/// How the command line `line`, typed up to the cursor and beginning with the program, may go on. The first line of the answer says where
/// the rest comes from: "files" and "dirs" (the shell's own), or "words": the lines that follow. Names of searches, workers and devices are
/// asked of the coordinator that the line or HANAS_COORDINATOR names, for a second at most. Never fails: what is not known is not offered.
std::string Complete(const CLI::App& app, absl::string_view line);

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMAND_LINE_COMPLETION_H_
