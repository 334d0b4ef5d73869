// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_SHELL_WORD_H_
#define HANAS_CLI_COMMANDS_SHELL_WORD_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace hanas::cli {

// Command lines that people copy from a message into a shell. Thread-safe.

/// `text` as one word of a POSIX shell: as it is when no shell gives any of its characters a meaning, else in single quotes.
std::string ShellWord(absl::string_view text);

/// The words with spaces between them. Law: `sh -c` passes on exactly `words`, none of which may hold a NUL.
std::string ShellCommand(const std::vector<std::string>& words);

/// A path that no program takes for an option: "./-x" for "-x".
std::string PathArgument(absl::string_view path);

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_SHELL_WORD_H_
