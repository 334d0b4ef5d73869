// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CONFIG_PROCESS_EXIT_CODE_H_
#define HANAS_CONFIG_PROCESS_EXIT_CODE_H_

#include <array>

#include "absl/strings/string_view.h"

namespace hanas::config {

/// What coordinator, worker and profiler-agent exit with; supervisors and scripts may rely on these. A second SIGTERM or SIGINT ends a
/// process at once with 128 + the signal's number.
enum class ProcessExit : int {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kRefused = 3,
  kCannotListen = 4,
  kInUse = 5,
  kNewerState = 6,
  kDiskFull = 7,
  kDamaged = 8,
  kStopTimeout = 9,
  kUnauthenticated = 10,
  kNameInUse = 11,
};

struct ProcessExitRow {
  ProcessExit code;
  absl::string_view meaning;
  bool restart_helps;  // a supervisor may try again; else somebody must change something first
};

inline constexpr std::array<ProcessExitRow, 12> kProcessExits = {{
    {ProcessExit::kOk, "stopped by SIGTERM or SIGINT: work is done or handed back, everything is flushed", true},
    {ProcessExit::kFailed, "failed otherwise; the last line of the log says how", true},
    {ProcessExit::kUsage, "the command line, the environment or the configuration file is wrong", false},
    {ProcessExit::kRefused,
     "the coordinator refused this worker or agent for good: for its name, its version or what it offers, or because a newer instance took "
     "its name",
     false},
    {ProcessExit::kCannotListen, "cannot listen: the port is taken, or the address is not of this machine", true},
    {ProcessExit::kInUse, "another process uses the data directory, or the state directory", true},
    {ProcessExit::kNewerState, "the state was written by another version, newer or too old", false},
    {ProcessExit::kDiskFull, "the disk of the data directory is full", false},
    {ProcessExit::kDamaged, "the state is damaged", false},
    {ProcessExit::kStopTimeout, "stopping took longer than --stop-timeout-seconds; a lease that was held expires", true},
    {ProcessExit::kUnauthenticated, "the coordinator asks for a token, and there is none here, or another one", false},
    {ProcessExit::kNameInUse, "another worker or agent, with another key, uses the name", false},
}};

}  // namespace hanas::config

#endif  // HANAS_CONFIG_PROCESS_EXIT_CODE_H_
