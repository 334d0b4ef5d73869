// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_OUTPUT_H_
#define HANAS_CLI_COMMANDS_OUTPUT_H_

#include <google/protobuf/message.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/commands/exit_code.h"
#include "cli/report/palette.h"

namespace hanas::cli {

/// For people, for programs (the resource as protobuf JSON, default values included; YAML with the same content), or names only.
enum class OutputFormat : int { kTable = 0, kJson, kYaml, kName };

/// Where a command that asks a coordinator finds it, how long it waits for each answer, and how it prints.
struct RemoteOptions {
  std::string coordinator;
  bool insecure_connect = false;  // allows a coordinator on another machine
  std::string token_file;         // as in rpc::ChannelOptions
  double timeout_seconds = 30;
  OutputFormat output = OutputFormat::kTable;
};

/// Standard output. Nothing reports an error of writing: OutputBroken says so afterwards. Confined to the main thread.
void Print(absl::string_view text);
/// Prints "hanas: <text>" to standard error.
void Complain(absl::string_view text);

/// Hands what was printed so far to whoever reads it.
void FlushOutput();

/// Whether something could not be written to standard output.
bool OutputBroken();
/// Writes out what is buffered. kOk, or why it could not be written: kReaderGone, or the code of the error, said on standard error.
ExitCode FinishOutput();

/// Colours when standard output is a terminal that has them and NO_COLOR is not set (no-color.org).
Palette StandardPalette();

/// Prints a resource: `table` is called for kTable, `names` are printed for kName.
absl::Status PrintResource(const google::protobuf::Message& message, OutputFormat format, const std::function<std::string()>& table,
                           const std::vector<std::string>& names);

/// Prints JSON as it is, or as YAML. Requires kJson or kYaml.
absl::Status PrintJson(const std::string& json, OutputFormat format);

/// "searches/7" of "searches/7" or "7". Returns INVALID_ARGUMENT for anything else: what was expected and found.
absl::StatusOr<std::string> ResourceName(absl::string_view text, const std::vector<std::string>& collections);

/// Says what is wrong with a status of the coordinator and what to do, and returns its exit code.
ExitCode Fail(const absl::Status& status, const RemoteOptions& remote);
/// The same for a status that no coordinator is the reason of.
ExitCode Fail(const absl::Status& status);

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_OUTPUT_H_
