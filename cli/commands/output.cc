// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/json_to_yaml.h"
#include "core/base/error_reason.h"
#include "core/base/text.h"
#include "rpc/json.h"

namespace hanas::cli {
namespace {

/// A pipe or socket whose other end is closed.
bool ReaderIsGone() {
  pollfd descriptor{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  return ::poll(&descriptor, 1, 0) > 0 && (descriptor.revents & (POLLERR | POLLNVAL)) != 0;
}

/// The first error of writing to standard output; 0: none that was seen.
int& OutputError() {
  static int error = 0;
  return error;
}

void NoteOutput(bool written) {
  if (!written && OutputError() == 0) OutputError() = errno;
}

}  // namespace

void Print(absl::string_view text) { NoteOutput(std::fwrite(text.data(), 1, text.size(), stdout) == text.size()); }

void Complain(absl::string_view text) {
  FlushOutput();
  std::fprintf(stderr, "hanas: %s\n", Printable(text).c_str());
}

void FlushOutput() { NoteOutput(std::fflush(stdout) == 0); }

bool OutputBroken() { return std::ferror(stdout) != 0; }

ExitCode FinishOutput() {
  FlushOutput();
  if (!OutputBroken()) return ExitCode::kOk;
  if (OutputError() == EPIPE || ReaderIsGone()) return ExitCode::kReaderGone;
  return Fail(ErrnoStatus(OutputError() == 0 ? EIO : OutputError(), "cannot write the output"));
}

Palette StandardPalette() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return Palette(isatty(STDOUT_FILENO) == 1 && (no_color == nullptr || *no_color == '\0') && terminal != nullptr &&
                 absl::string_view(terminal) != "dumb");
}

absl::Status PrintResource(const google::protobuf::Message& message, OutputFormat format, const std::function<std::string()>& table,
                           const std::vector<std::string>& names) {
  switch (format) {
    case OutputFormat::kTable:
      Print(table());
      return absl::OkStatus();
    case OutputFormat::kName:
      for (const std::string& name : names) Print(absl::StrCat(name, "\n"));
      return absl::OkStatus();
    case OutputFormat::kJson:
    case OutputFormat::kYaml:
      break;
  }
  const absl::StatusOr<std::string> json = rpc::ToJson(message, /*pretty=*/true);
  return json.ok() ? PrintJson(*json, format) : json.status();
}

absl::Status PrintJson(const std::string& json, OutputFormat format) {
  absl::StatusOr<std::string> text = json;
  if (format == OutputFormat::kYaml) text = config::JsonToYaml(json);
  if (!text.ok()) return text.status();
  Print(*text);
  if (!absl::EndsWith(*text, "\n")) Print("\n");
  return absl::OkStatus();
}

absl::StatusOr<std::string> ResourceName(absl::string_view text, const std::vector<std::string>& collections) {
  for (const std::string& collection : collections) {
    absl::string_view id = text;
    const bool prefixed = absl::StartsWith(id, collection + "/");
    if (prefixed) id.remove_prefix(collection.size() + 1);
    uint64_t number = 0;
    if ((prefixed || collections.size() == 1) && !id.empty() && id[0] >= '1' && id[0] <= '9' && absl::SimpleAtoi(id, &number))
      return absl::StrCat(collection, "/", number);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("expected a name such as ", absl::StrJoin(collections, "/7 or "), "/7, found \"", text, "\""));
}

ExitCode Fail(const absl::Status& status) {
  Complain(status.message());
  return ExitCodeOf(status);
}

ExitCode Fail(const absl::Status& status, const RemoteOptions& remote) {
  if (absl::IsUnavailable(status) && ReasonOf(status).empty()) {
    Complain(absl::StrCat("no coordinator answers at ", remote.coordinator,
                          "; start one (hanas-coordinator), or name another with --coordinator or HANAS_COORDINATOR (", status.message(),
                          ")"));
  } else if (absl::IsDeadlineExceeded(status)) {
    Complain(absl::StrCat("the coordinator at ", remote.coordinator, " did not answer within ", remote.timeout_seconds,
                          " s; it may be down or busy (--timeout waits longer)"));
  } else if (absl::IsUnimplemented(status)) {
    Complain(absl::StrCat("the program at ", remote.coordinator, " does not know this request: it is an older coordinator, or none"));
  } else {
    Complain(status.message());
  }
  return ExitCodeOf(status);
}

}  // namespace hanas::cli
