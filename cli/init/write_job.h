// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_INIT_WRITE_JOB_H_
#define HANAS_CLI_INIT_WRITE_JOB_H_

#include <string>

#include "cli/init/choose_job.h"

namespace hanas::cli {

/// The draft as a job file, with its reasons as comments above the keys. config::JobFile reads back the job of the draft. `command` is how
/// to run it. Thread-safe.
std::string WriteJob(const DraftJob& draft, const std::string& command);

}  // namespace hanas::cli

#endif  // HANAS_CLI_INIT_WRITE_JOB_H_
