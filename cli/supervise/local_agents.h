// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_SUPERVISE_LOCAL_AGENTS_H_
#define HANAS_CLI_SUPERVISE_LOCAL_AGENTS_H_

#include <string>
#include <vector>

#include "core/job/search_job.h"

namespace hanas::cli {

/// The target.device of a job for this machine.
inline constexpr char kLocalDevice[] = "local";

/// A profiler-agent of this machine, of the kind kLocalDevice. One process measures with one runtime and one number of threads.
struct LocalAgent {
  std::string process;  // "agent", and "agent-2" beside it
  std::string name;     // at the coordinator: "local", "local-2"
  std::string backend;
  int threads = 1;
};

/// Those that the job's targets on this machine ask for; one at least. Pure.
std::vector<LocalAgent> AgentsFor(const SearchJob& job);

/// The job with the numerics that the workers of a run on this machine do best, where it leaves them open: no worker has registered when it
/// is submitted that the coordinator could ask.
SearchJob ForThisProcessor(SearchJob job);

}  // namespace hanas::cli

#endif  // HANAS_CLI_SUPERVISE_LOCAL_AGENTS_H_
