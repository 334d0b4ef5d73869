// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_RESULTS_H_
#define HANAS_CLI_COMMANDS_RESULTS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "proto/hanas/v1/search.pb.h"
#include "rpc/search_client.h"

namespace hanas::cli {

struct ResultOptions {
  std::vector<std::string> members;              // networks whose files to fetch; empty: all of the report
  std::function<bool()> cancelled;               // asked while files arrive; may be empty
  std::function<void(const std::string&)> said;  // called with each file that is there; may be empty
};

/// Writes what a search produced into `directory`: models/<network>.onnx and .hanas for the networks of the report, report.json (protobuf
/// JSON, default values included), front.svg. Files of the right digest that are there already are left alone. `report` gets the names of
/// the files, relative to the directory. Returns NOT_FOUND for a member that the report does not have, CANCELLED, and the statuses of
/// SearchClient::DownloadArtifact and of writing.
absl::Status WriteResults(rpc::SearchClient& client, const std::string& directory, v1::Report& report, const ResultOptions& options = {});

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_RESULTS_H_
