// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/exit_code.h"

#include <string>

#include "absl/strings/match.h"
#include "core/base/error_reason.h"

namespace hanas::cli {

const std::vector<ExitCodeMeaning>& ExitCodes() {
  static const auto* const kTable = new std::vector<ExitCodeMeaning>{
      {ExitCode::kOk, "done; for `health`: it serves; for `watch`: the search succeeded"},
      {ExitCode::kFailed, "failed otherwise"},
      {ExitCode::kUsage, "the command line or the job file is wrong"},
      {ExitCode::kData, "a data set is missing, damaged or does not fit the job"},
      {ExitCode::kInfeasible, "no network of the space keeps the limits"},
      {ExitCode::kDirectory, "the output directory is in use, or belongs to another job"},
      {ExitCode::kComponent, "a process (coordinator, worker, profiler-agent) keeps failing"},
      {ExitCode::kDiskFull, "the disk is full"},
      {ExitCode::kSearchFailed, "the search failed or was cancelled"},
      {ExitCode::kUnreachable, "no coordinator answers, or not in time"},
      {ExitCode::kNotFound, "there is no search, task, worker, device or network of that name"},
      {ExitCode::kRefused,
       "not in this state: for instance the report of a search that is not done, or a file that `hanas init` would write over"},
      {ExitCode::kUnhealthy, "it answers, and says that it does not serve"},
      {ExitCode::kDiffers, "the replay came out differently"},
      {ExitCode::kUnauthenticated, "the coordinator asks for a token, and there is none here, or another one"},
      {ExitCode::kGuessing, "the search is done and its files are written, but no network is better than guessing"},
      {ExitCode::kInterrupted, "interrupted; nothing is lost, the same command goes on"},
      {ExitCode::kReaderGone, "whoever read the output went away (`hanas list | head -1`)"},
  };
  return *kTable;
}

ExitCode ExitCodeOf(const absl::Status& status) {
  if (absl::IsUnauthenticated(status)) return ExitCode::kUnauthenticated;
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
    case absl::StatusCode::kCancelled:
      return ExitCode::kInterrupted;
    case absl::StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
      return ExitCode::kRefused;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kUnreachable;
    default:
      return ExitCode::kFailed;
  }
}

ExitCode ExitCodeOfSearchError(absl::string_view error_code) {
  if (absl::StrContains(error_code, "INFEASIBLE")) return ExitCode::kInfeasible;
  if (error_code == kDiskFull) return ExitCode::kDiskFull;
  if (absl::StartsWith(error_code, "DATA")) return ExitCode::kData;
  return ExitCode::kSearchFailed;
}

}  // namespace hanas::cli
