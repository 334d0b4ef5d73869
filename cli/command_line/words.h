// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMAND_LINE_WORDS_H_
#define HANAS_CLI_COMMAND_LINE_WORDS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace CLI {
class App;
}

namespace hanas::cli {

// The words that a command line is made of, as read from its definition. Thread-safe.

/// What an argument of this type may be ("FORMAT": table, json, yaml, name); none for types of free text.
const std::vector<std::string>& WordsOfType(absl::string_view type);

inline constexpr char kDefaultCoordinator[] = "127.0.0.1:7700";
/// HANAS_COORDINATOR, else the default.
std::string CoordinatorOfEnvironment();
/// HANAS_INSECURE_CONNECT, else false. Returns INVALID_ARGUMENT when it is neither true nor false.
absl::StatusOr<bool> InsecureConnectOfEnvironment();

/// The verbs below `app` that are not hidden, in the order of definition.
std::vector<std::string> VerbsOf(const CLI::App& app);

/// "--out", "-o": every option of `app` in every spelling.
std::vector<std::string> FlagsOf(const CLI::App& app);

/// The verb that was parsed last, or `app` itself.
const CLI::App& LastParsed(const CLI::App& app);

/// "`hanas submit --help` says more".
std::string HelpHint(const CLI::App& app);

/// What the parser did not understand, with a suggestion: "unknown verb "runn" of hanas, did you mean "run"? …"; empty when it left
/// nothing over.
std::string DescribeLeftOver(const CLI::App& app);

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMAND_LINE_WORDS_H_
