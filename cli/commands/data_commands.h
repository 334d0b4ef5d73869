// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_DATA_COMMANDS_H_
#define HANAS_CLI_COMMANDS_DATA_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/commands/exit_code.h"
#include "cli/commands/screen.h"
#include "cli/data/fetch.h"

namespace hanas::cli {

/// FetchDataset with a progress line; an interrupt ends it with CANCELLED.
absl::Status FetchWithProgress(const RemoteDataset& dataset, const std::string& to, Screen& screen);

/// Draws the stand-in data set into `to`: 60 000 and 10 000 images.
absl::Status DrawInto(const std::string& to, uint64_t seed);

/// `hanas data fetch`. `urls`, when not empty, replace the mirrors.
ExitCode FetchCommand(const std::string& name, const std::string& to, const std::vector<std::string>& urls);

/// `hanas data draw`.
ExitCode DrawCommand(const std::string& to, uint64_t seed);

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_DATA_COMMANDS_H_
