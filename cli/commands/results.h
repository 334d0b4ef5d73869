// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_RESULTS_H_
#define HANAS_CLI_COMMANDS_RESULTS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/hanas/v1/search.pb.h"
#include "rpc/search_client.h"

namespace hanas::cli {

/// Writes what a search produced into `directory`: models/<network>.onnx and .hanas for every network of the report, report.json (protobuf
/// JSON, default values included), front.svg. `report` gets the names of the files, relative to the directory.
absl::Status WriteResults(rpc::SearchClient& client, const std::string& directory, v1::Report& report);

/// The report as protobuf JSON.
absl::StatusOr<std::string> ReportToJson(const v1::Report& report);

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_RESULTS_H_
