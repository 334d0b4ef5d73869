// SPDX-License-Identifier: Apache-2.0
#include "rpc/retry.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace hanas::rpc {

absl::Duration Backoff::Next() {
  const double factor = 1 + policy_.jitter * (2 * random_.UniformDouble() - 1);
  const absl::Duration wait = next_ * factor;
  next_ = std::min(next_ * policy_.multiplier, policy_.max_backoff);
  return wait;
}

absl::Status RetryUnavailable(const RetryPolicy& policy, Clock& clock, absl::FunctionRef<absl::Status()> attempt,
                              const std::function<bool()>& cancelled) {
  Backoff backoff(policy);
  const absl::Duration begin = clock.Now();
  while (true) {
    absl::Status status = attempt();
    if (!absl::IsUnavailable(status) || (cancelled && cancelled())) return status;
    const absl::Duration wait = backoff.Next();
    const absl::Duration elapsed = clock.Now() - begin;
    if (elapsed + wait > policy.give_up_after) {
      return absl::UnavailableError(absl::StrCat(status.message(), " (tried for ", absl::FormatDuration(elapsed), ")"));
    }
    clock.Sleep(wait);
  }
}

}  // namespace hanas::rpc
