// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <memory>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "cli/commands/interrupt.h"
#include "cli/commands/remote.h"
#include "cli/commands/results.h"
#include "cli/commands/search_commands.h"
#include "core/base/error_reason.h"
#include "rpc/json.h"

namespace hanas::cli {
namespace {

/// Returns FAILED_PRECONDITION with OTHER_JOB when the folder holds the report of another job: its files would be mixed with ours.
absl::Status CheckFolder(const std::string& folder, const v1::Report& report) {
  std::ifstream file(folder + "/report.json");
  if (!file) return absl::OkStatus();
  std::stringstream text;
  text << file.rdbuf();
  v1::Report there;
  const bool ours = rpc::FromJson(text.str(), there).ok();
  if (ours && there.job_digest() == report.job_digest()) return absl::OkStatus();
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat(folder, "/report.json is ", ours ? "that of another job" : "no report of ours",
                                                 "; give another --out, or remove it")),
      "OTHER_JOB");
}

}  // namespace

ExitCode ExportCommand(const RemoteOptions& remote, const ExportOptions& options) {
  const absl::StatusOr<std::string> name = ResourceName(options.name, {"searches"});
  if (!name.ok()) return Fail(name.status());
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = Connect(remote);
  if (!client.ok()) return Fail(client.status());
  absl::StatusOr<v1::Report> report = (*client)->GetReport(*name);
  if (!report.ok()) return Fail(report.status(), remote);
  if (const absl::Status status = CheckFolder(options.out, *report); !status.ok()) return Fail(status);
  const TakeInterrupts taken(/*patience=*/1);
  (*client)->CancelWhen([] { return NumInterrupts() > 0; });
  std::vector<std::string> files;
  const absl::Status status = WriteResults(**client, options.out, *report,
                                           {.members = options.members,
                                            .cancelled = [] { return NumInterrupts() > 0; },
                                            .said = [&](const std::string& file) { files.push_back(file); }});
  if (absl::IsCancelled(status)) {
    Complain("interrupted; the same command goes on from there");
    return ExitCode::kInterrupted;
  }
  if (!status.ok()) return Fail(status, remote);
  files.insert(files.end(), {"report.json", "front.svg"});
  const absl::Status printed = PrintResource(
      *report, remote.output,
      [&] {
        std::string lines;
        for (const std::string& file : files) absl::StrAppend(&lines, options.out, "/", file, "\n");
        return lines;
      },
      files);
  return printed.ok() ? SayWarnings(*report) : Fail(printed);
}

}  // namespace hanas::cli
