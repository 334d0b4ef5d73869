// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/results.h"

#include <google/protobuf/util/json_util.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/report/report_svg.h"
#include "rpc/server.h"

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

absl::Status Download(rpc::SearchClient& client, const std::string& directory, v1::Member& member) {
  const std::string stem = absl::StrCat("models/", FileStem(member.id()));
  if (!member.onnx_sha256().empty()) {
    member.set_onnx_file(stem + ".onnx");
    if (absl::Status status = client.DownloadArtifact(member.onnx_sha256(), absl::StrCat(directory, "/", member.onnx_file())); !status.ok())
      return status;
  }
  if (!member.model_sha256().empty()) {
    member.set_model_file(stem + ".hanas");
    if (absl::Status status = client.DownloadArtifact(member.model_sha256(), absl::StrCat(directory, "/", member.model_file()));
        !status.ok())
      return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReportToJson(const v1::Report& report) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(report, &json, options);
  if (!status.ok()) return absl::InternalError(absl::StrCat("the report could not be written as JSON: ", std::string(status.message())));
  return json;
}

absl::Status WriteResults(rpc::SearchClient& client, const std::string& directory, v1::Report& report) {
  std::error_code error;
  std::filesystem::create_directories(directory + "/models", error);
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot make ", directory, "/models"));
  for (v1::Member& member : *report.mutable_front()) {
    if (absl::Status status = Download(client, directory, member); !status.ok()) return status;
  }
  for (v1::Member& member : *report.mutable_references()) {
    if (absl::Status status = Download(client, directory, member); !status.ok()) return status;
  }
  const absl::StatusOr<std::string> json = ReportToJson(report);
  if (!json.ok()) return json.status();
  if (absl::Status status = rpc::WriteFileAtomically(directory + "/report.json", *json); !status.ok()) return status;
  return rpc::WriteFileAtomically(directory + "/front.svg", RenderFrontSvg(report));
}

}  // namespace hanas::cli
