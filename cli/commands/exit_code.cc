// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/exit_code.h"

#include <string>

#include "absl/strings/match.h"
#include "core/base/error_reason.h"

namespace hanas::cli {

ExitCode ExitCodeOf(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  if (reason == "DIRECTORY_IN_USE" || reason == "OTHER_JOB" || reason == "NOT_A_RUN_DIRECTORY") return ExitCode::kDirectory;
  if (!reason.empty()) {
    const ExitCode by_reason = ExitCodeOfSearchError(reason);
    if (by_reason != ExitCode::kSearchFailed) return by_reason;
  }
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kInvalidArgument:
      return ExitCode::kUsage;
    case absl::StatusCode::kAborted:
      return ExitCode::kComponent;
    case absl::StatusCode::kResourceExhausted:
      return ExitCode::kDiskFull;
    case absl::StatusCode::kCancelled:
      return ExitCode::kInterrupted;
    case absl::StatusCode::kUnavailable:
      return ExitCode::kUnreachable;
    default:
      return ExitCode::kFailed;
  }
}

ExitCode ExitCodeOfSearchError(absl::string_view error_code) {
  if (absl::StrContains(error_code, "INFEASIBLE")) return ExitCode::kInfeasible;
  if (absl::StrContains(error_code, "DISK_FULL") || absl::StrContains(error_code, "NO_SPACE")) return ExitCode::kDiskFull;
  if (absl::StartsWith(error_code, "DATA")) return ExitCode::kData;
  return ExitCode::kSearchFailed;
}

}  // namespace hanas::cli
