// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_LOCAL_RUN_H_
#define HANAS_CLI_COMMANDS_LOCAL_RUN_H_

#include <optional>
#include <string>

#include "cli/commands/exit_code.h"
#include "core/job/search_job.h"

namespace hanas::cli {

/// What `hanas run` was asked for.
struct RunOptions {
  std::string job_path;
  std::string out;
  std::string data;                          // empty: HANAS_DATA_DIR, else fetched
  bool drawn_data = false;                   // a drawn set instead of the job's
  int workers = 0;                           // 0: DefaultWorkers()
  std::optional<ReferencesKind> references;  // in place of the job's
  std::string train_on;                      // a network of the front that was set aside; empty: none
  bool plain = false;
  bool quiet = false;
};

/// How many workers `hanas run` starts unless it is told: one for each processor.
int DefaultWorkers();
/// The directory below which data sets are looked for: `given`, else HANAS_DATA_DIR; "" without both.
std::string DataRoot(const std::string& given);
/// The command that says the same, for a shell.
std::string RunCommandLine(const RunOptions& options);

/// `hanas run`: supervises a coordinator, workers and one profiler-agent on this machine until the search is over, shows its progress, and
/// writes its results. Says on the screen all there is to say. Requires CatchInterrupts. Call it from the main thread: the children die
/// with it.
ExitCode RunLocally(const RunOptions& options);

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_LOCAL_RUN_H_
