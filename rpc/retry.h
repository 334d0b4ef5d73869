// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_RETRY_H_
#define HANAS_RPC_RETRY_H_

#include <cstdint>
#include <functional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/counter_random.h"
#include "rpc/clock.h"

namespace hanas::rpc {

/// Whether the same call may well succeed a little later: UNAVAILABLE (AIP-194), and a disk that is full over there. Every other status is
/// an answer.
bool IsTemporary(const absl::Status& status);

/// Exponential back-off with jitter.
struct RetryPolicy {
  absl::Duration initial_backoff = absl::Milliseconds(100);
  absl::Duration max_backoff = absl::Seconds(2);
  double multiplier = 1.6;
  double jitter = 0.2;                               // each wait is scaled by a factor from 1 - jitter to 1 + jitter
  absl::Duration give_up_after = absl::Seconds(60);  // since the first attempt
  uint64_t seed = 1;                                 // of the jitter
};

/// The waits of one sequence of attempts. Thread-compatible.
class Backoff {
 public:
  explicit Backoff(const RetryPolicy& policy) : policy_(policy), random_(policy.seed, "rpc/backoff"), next_(policy.initial_backoff) {}

  absl::Duration Next();
  void Reset() { next_ = policy_.initial_backoff; }

 private:
  RetryPolicy policy_;
  CounterRandom random_;
  absl::Duration next_;
};

/// Calls `attempt` until what it returns is not temporary, `cancelled` (asked before each wait; may be empty) answers true, or the next
/// wait would end after policy.give_up_after. Returns the last status; on giving up its message says for how long it was tried.
absl::Status RetryTemporary(const RetryPolicy& policy, Clock& clock, absl::FunctionRef<absl::Status()> attempt,
                            const std::function<bool()>& cancelled = nullptr);

}  // namespace hanas::rpc

#endif  // HANAS_RPC_RETRY_H_
