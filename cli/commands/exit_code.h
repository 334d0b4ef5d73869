// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_EXIT_CODE_H_
#define HANAS_CLI_COMMANDS_EXIT_CODE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace hanas::cli {

/// What the program exits with; scripts may rely on these. Every command uses the same ones: ExitCodes() says what each means.
enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kData = 3,
  kInfeasible = 4,
  kDirectory = 5,
  kComponent = 6,
  kDiskFull = 7,
  kSearchFailed = 8,
  kUnreachable = 9,
  kNotFound = 10,
  kRefused = 11,
  kUnhealthy = 12,
  kDiffers = 13,
  kUnauthenticated = 14,
  kGuessing = 15,
  kInterrupted = 130,
  kReaderGone = 141,
};

struct ExitCodeMeaning {
  ExitCode code;
  std::string meaning;
};

/// The one table of exit codes, ascending, for help and documentation. Thread-safe.
const std::vector<ExitCodeMeaning>& ExitCodes();

/// By the reason of a status, then by its code. Thread-safe.
ExitCode ExitCodeOf(const absl::Status& status);

/// By the error code of a FAILED search ("INFEASIBLE_LIMITS"). Thread-safe.
ExitCode ExitCodeOfSearchError(absl::string_view error_code);

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_EXIT_CODE_H_
