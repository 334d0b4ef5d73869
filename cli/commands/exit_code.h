// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_EXIT_CODE_H_
#define HANAS_CLI_COMMANDS_EXIT_CODE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace hanas::cli {

/// What the program exits with; scripts may rely on these.
enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,      // anything without a code of its own
  kUsage = 2,       // the command line or the job file is wrong
  kData = 3,        // a data set is missing, damaged or does not fit the job
  kInfeasible = 4,  // no network of the space keeps the limits
  kDirectory = 5,   // the output directory is in use or belongs to another job
  kComponent = 6,   // a process of ours keeps failing
  kDiskFull = 7,
  kSearchFailed = 8,  // the search itself failed or was cancelled
  kUnreachable = 9,   // no coordinator answers
  kInterrupted = 130,
};

/// The table above for --help.
inline constexpr char kExitCodesHelp[] =
    "Exit status:\n"
    "  0    done\n"
    "  1    failed otherwise\n"
    "  2    the command line or the job file is wrong\n"
    "  3    a data set is missing, damaged or does not fit the job\n"
    "  4    no network of the space keeps the limits\n"
    "  5    the output directory is in use, or belongs to another job\n"
    "  6    a process (coordinator, worker, profiler-agent) keeps failing\n"
    "  7    the disk is full\n"
    "  8    the search failed or was cancelled\n"
    "  9    no coordinator answers\n"
    "  130  interrupted; nothing is lost, the same command resumes";

/// By the reason of a status, then by its code.
ExitCode ExitCodeOf(const absl::Status& status);

/// By the error code of a FAILED search ("INFEASIBLE_LIMITS").
ExitCode ExitCodeOfSearchError(absl::string_view error_code);

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_EXIT_CODE_H_
