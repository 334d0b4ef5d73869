// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_RESULTS_H_
#define HANAS_CLI_COMMANDS_RESULTS_H_

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/commands/exit_code.h"
#include "hanas/v1/search.pb.h"
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

/// The reports of a search that is done, one for each of its targets. Returns SearchClient::GetReport's statuses.
absl::StatusOr<std::vector<v1::Report>> AllReports(rpc::SearchClient& client, const std::string& search);

/// Where in `directory` the results of a report go: into targets/<name> for a target that has a name, else into `directory` itself.
std::string DirectoryOf(const v1::Report& report, const std::string& directory);

/// Says on standard error what speaks against the reports: the texts of their warnings, without those about members that others dominate,
/// which are for readers of a report, and without the codes in `said`; what is true of all, because it is of the data set, once. kGuessing
/// when no network of a front is better than guessing, else kOk.
ExitCode SayWarnings(const std::vector<v1::Report>& reports, std::set<std::string> said = {});

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_RESULTS_H_
