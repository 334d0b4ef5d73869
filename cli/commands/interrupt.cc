// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <initializer_list>

#include "absl/strings/string_view.h"
#include "cli/commands/exit_code.h"

namespace hanas::cli {
namespace {

std::atomic<int> interrupts = 0;
static_assert(std::atomic<int>::is_always_lock_free, "the handler may use lock-free atomics only");

std::atomic<int> patience = 0;

void OnSignal(int) {
  if (interrupts.fetch_add(1, std::memory_order_relaxed) < patience.load(std::memory_order_relaxed)) return;
  // Only functions that are safe in a handler. Nothing is lost with buffers: what they held was not written, and the reader is told.
  constexpr absl::string_view kSaid = "hanas: interrupted\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kSaid.data(), kSaid.size());
  ::_exit(static_cast<int>(ExitCode::kInterrupted));
}

}  // namespace

void CatchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = &OnSignal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction inherited = {};
    // What was ignored before, as under nohup, stays ignored.
    if (sigaction(signal, nullptr, &inherited) == 0 && inherited.sa_handler == SIG_IGN) continue;
    sigaction(signal, &action, nullptr);
  }
  std::signal(SIGPIPE, SIG_IGN);
}

int NumInterrupts() { return interrupts.load(std::memory_order_relaxed); }

TakeInterrupts::TakeInterrupts(int allowed) { patience.store(allowed, std::memory_order_relaxed); }
TakeInterrupts::~TakeInterrupts() { patience.store(0, std::memory_order_relaxed); }

}  // namespace hanas::cli
