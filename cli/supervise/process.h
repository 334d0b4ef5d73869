// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_SUPERVISE_PROCESS_H_
#define HANAS_CLI_SUPERVISE_PROCESS_H_

#include <string>
#include <vector>

#include "cli/supervise/supervisor.h"

namespace hanas::cli {

/// posix_spawn: nothing is forked from a process that may hold threads and locks. A child has a process group of its own, so that Ctrl-C on
/// a terminal reaches only us; default signals; /dev/null as standard input; our environment with `extra_environment` ("NAME=value") on
/// top.
///
/// Thread-compatible.
class ProcessSpawner : public Spawner {
 public:
  explicit ProcessSpawner(std::vector<std::string> extra_environment = {}) : extra_environment_(std::move(extra_environment)) {}

  absl::StatusOr<pid_t> Spawn(const ChildSpec& spec) override;
  std::optional<ChildExit> Poll(pid_t pid) override;
  void Signal(pid_t pid, int signal) override;

 private:
  std::vector<std::string> extra_environment_;
};

/// The folder of the running program. Returns the errno's status when /proc is not there.
absl::StatusOr<std::string> ProgramDirectory();

}  // namespace hanas::cli

#endif  // HANAS_CLI_SUPERVISE_PROCESS_H_
