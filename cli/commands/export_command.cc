// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <memory>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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

absl::StatusOr<std::vector<v1::Report>> Reports(rpc::SearchClient& client, const std::string& search, const std::string& target) {
  if (target.empty()) return AllReports(client, search);
  absl::StatusOr<v1::Report> report = client.GetReport(search, target);
  if (!report.ok()) return report.status();
  return std::vector<v1::Report>{*std::move(report)};
}

/// The report for programs, or the files: for people as they are found from here, as names within `out`.
absl::Status PrintExported(const v1::Report& report, const std::vector<std::string>& files, const std::string& out, OutputFormat format) {
  std::vector<std::string> names;
  for (const std::string& file : files) names.push_back(file.substr(out.size() + 1));
  return PrintResource(report, format, [&] { return absl::StrCat(absl::StrJoin(files, "\n"), "\n"); }, names);
}

}  // namespace

ExitCode ExportCommand(const RemoteOptions& remote, const ExportOptions& options) {
  const absl::StatusOr<std::string> name = ResourceName(options.name, {"searches"});
  if (!name.ok()) return Fail(name.status());
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = Connect(remote);
  if (!client.ok()) return Fail(client.status());
  absl::StatusOr<std::vector<v1::Report>> reports = Reports(**client, *name, options.target);
  if (!reports.ok()) return Fail(reports.status(), remote);
  if (reports->size() > 1 && !options.members.empty()) {
    Complain("--member: the search has several targets, and each has networks of its own; say which with --target");
    return ExitCode::kUsage;
  }
  if (reports->size() > 1 && (remote.output == OutputFormat::kJson || remote.output == OutputFormat::kYaml)) {
    Complain("--output: the search has several targets, and these formats have one report; say which with --target");
    return ExitCode::kUsage;
  }
  for (const v1::Report& report : *reports) {
    if (const absl::Status status = CheckFolder(DirectoryOf(report, options.out), report); !status.ok()) return Fail(status);
  }
  const TakeInterrupts taken(/*patience=*/1);
  (*client)->CancelWhen([] { return NumInterrupts() > 0; });
  std::vector<std::string> files;  // as they are printed
  for (v1::Report& report : *reports) {
    const std::string folder = DirectoryOf(report, options.out);
    const auto say = [&](const std::string& file) { files.push_back(absl::StrCat(folder, "/", file)); };
    const absl::Status status =
        WriteResults(**client, folder, report, {.members = options.members, .cancelled = [] { return NumInterrupts() > 0; }, .said = say});
    if (absl::IsCancelled(status)) {
      Complain("interrupted; the same command goes on from there");
      return ExitCode::kInterrupted;
    }
    if (!status.ok()) return Fail(status, remote);
    say("report.json");
    say("front.svg");
  }
  if (const absl::Status status = PrintExported(reports->front(), files, options.out, remote.output); !status.ok()) return Fail(status);
  return SayWarnings(*reports);
}

}  // namespace hanas::cli
