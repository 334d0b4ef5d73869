// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/interrupt.h"

#include <atomic>
#include <csignal>
#include <initializer_list>

namespace hanas::cli {
namespace {

std::atomic<int> interrupts = 0;
static_assert(std::atomic<int>::is_always_lock_free, "the handler may use lock-free atomics only");

void OnSignal(int) { interrupts.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

void CatchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = &OnSignal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int NumInterrupts() { return interrupts.load(std::memory_order_relaxed); }

}  // namespace hanas::cli
