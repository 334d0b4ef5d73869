// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/results.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands/output.h"
#include "cli/report/report_svg.h"
#include "config/spelling.h"
#include "core/base/error_reason.h"
#include "core/base/plain_name.h"
#include "core/job/findings.h"
#include "rpc/files.h"
#include "rpc/json.h"

namespace hanas::cli {
namespace {

/// A network's id as part of a file name; ids come from the coordinator.
std::string FileStem(const std::string& id) {
  std::string stem = id.substr(0, 100);
  for (char& c : stem) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') c = '_';
  }
  return stem.empty() ? "network" : stem;
}

absl::Status Download(rpc::SearchClient& client, const std::string& directory, const std::string& sha256, const std::string& file,
                      const ResultOptions& options) {
  const absl::Status status = client.DownloadArtifact(sha256, absl::StrCat(directory, "/", file), {}, options.cancelled);
  if (status.ok() && options.said) options.said(file);
  return status;
}

absl::Status Download(rpc::SearchClient& client, const std::string& directory, v1::Member& member, const ResultOptions& options) {
  const auto& wanted = options.members;
  if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), member.id()) == wanted.end()) return absl::OkStatus();
  const std::string stem = absl::StrCat("models/", FileStem(member.id()));
  if (!member.onnx_sha256().empty()) {
    member.set_onnx_file(stem + ".onnx");
    if (absl::Status status = Download(client, directory, member.onnx_sha256(), member.onnx_file(), options); !status.ok()) return status;
  }
  if (!member.model_sha256().empty()) {
    member.set_model_file(stem + ".hanas");
    if (absl::Status status = Download(client, directory, member.model_sha256(), member.model_file(), options); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckMembers(const v1::Report& report, const std::vector<std::string>& members) {
  std::vector<std::string> known;
  for (const v1::Member& member : report.front()) known.push_back(member.id());
  for (const v1::Member& member : report.references()) known.push_back(member.id());
  for (const std::string& member : members) {
    if (std::find(known.begin(), known.end(), member) != known.end()) continue;
    const std::string closest = config::ClosestWord(member, known);
    return absl::NotFoundError(absl::StrCat(
        "--member: there is no network \"", member, "\" in the report; ",
        closest.empty() ? absl::StrCat("there are ", absl::StrJoin(known, ", ")) : absl::StrCat("did you mean \"", closest, "\"?")));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteResults(rpc::SearchClient& client, const std::string& directory, v1::Report& report, const ResultOptions& options) {
  if (absl::Status status = CheckMembers(report, options.members); !status.ok()) return status;
  std::error_code error;
  std::filesystem::create_directories(directory + "/models", error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("cannot make ", directory, "/models"));
  for (v1::Member& member : *report.mutable_front()) {
    if (absl::Status status = Download(client, directory, member, options); !status.ok()) return status;
  }
  for (v1::Member& member : *report.mutable_references()) {
    if (absl::Status status = Download(client, directory, member, options); !status.ok()) return status;
  }
  const absl::StatusOr<std::string> json = rpc::ToJson(report, /*pretty=*/true);
  if (!json.ok()) return json.status();
  if (absl::Status status = rpc::WriteFileAtomically(directory + "/report.json", *json); !status.ok()) return status;
  return rpc::WriteFileAtomically(directory + "/front.svg", RenderFrontSvg(report));
}

absl::StatusOr<std::vector<v1::Report>> AllReports(rpc::SearchClient& client, const std::string& search) {
  absl::StatusOr<v1::Report> first = client.GetReport(search);
  if (!first.ok()) return first.status();
  const std::vector<std::string> targets(first->targets().begin(), first->targets().end());
  std::vector<v1::Report> reports = {*std::move(first)};
  for (size_t i = 1; i < targets.size(); ++i) {
    absl::StatusOr<v1::Report> next = client.GetReport(search, targets[i]);
    if (!next.ok()) return next.status();
    reports.push_back(*std::move(next));
  }
  return reports;
}

std::string DirectoryOf(const v1::Report& report, const std::string& directory) {
  if (report.target().empty()) return directory;
  // A name that is no plain one did not pass the door of a coordinator of ours.
  return absl::StrCat(directory, "/targets/", IsPlainName(report.target()) ? report.target() : FileStem(report.target()));
}

ExitCode SayWarnings(const std::vector<v1::Report>& reports, std::set<std::string> said) {
  ExitCode code = ExitCode::kOk;
  for (const v1::Report& report : reports) {
    std::set<std::string> said_here;
    for (const v1::Warning& warning : report.warnings()) {
      if (warning.code() == kNoBetterThanGuessing && warning.members_size() == report.front_size()) code = ExitCode::kGuessing;
      if (warning.code() == kDominatedMember || said.contains(warning.code())) continue;
      const bool of_all = warning.members().empty();
      const std::string target = report.target().empty() || of_all ? "" : absl::StrCat(report.target(), ": ");
      Complain(absl::StrCat("warning: ", target, warning.text(), " (", warning.code(), ")"));
      if (of_all) said_here.insert(warning.code());
    }
    said.merge(said_here);
  }
  return code;
}

}  // namespace hanas::cli
