// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_INTERRUPT_H_
#define HANAS_CLI_COMMANDS_INTERRUPT_H_

namespace hanas::cli {

/// Counts SIGINT, SIGTERM and SIGHUP from now on instead of dying of them, and ignores SIGPIPE. Call it before any thread is started.
void CatchInterrupts();

/// How many came. Thread-safe.
int NumInterrupts();

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_INTERRUPT_H_
