// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_INTERRUPT_H_
#define HANAS_CLI_COMMANDS_INTERRUPT_H_

namespace hanas::cli {

/// Counts SIGINT, SIGTERM and SIGHUP from now on, and ignores SIGPIPE. The first of them ends the process with ExitCode::kInterrupted there
/// and then, wherever it waits or computes, unless a TakeInterrupts is alive: what is on disk is always whole or resumable. Call it before
/// any thread is started.
void CatchInterrupts();

/// How many came. Thread-safe.
int NumInterrupts();

/// While one is alive, somebody looks at NumInterrupts and ends in an orderly way; only an interrupt after `patience` of them ends the
/// process. Not nested.
class TakeInterrupts {
 public:
  explicit TakeInterrupts(int patience);
  ~TakeInterrupts();
  TakeInterrupts(const TakeInterrupts&) = delete;
  TakeInterrupts& operator=(const TakeInterrupts&) = delete;
};

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_INTERRUPT_H_
