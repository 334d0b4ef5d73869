// SPDX-License-Identifier: Apache-2.0
#include "rpc/retry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"

namespace hanas::rpc {

bool IsTemporary(const absl::Status& status) { return absl::IsUnavailable(status) || HasReason(status, kDiskFull); }

absl::Duration Backoff::Next() {
  const double factor = 1 + policy_.jitter * (2 * random_.UniformDouble() - 1);
  const absl::Duration wait = next_ * factor;
  next_ = std::min(next_ * policy_.multiplier, policy_.max_backoff);
  return wait;
}

absl::Status RetryTemporary(const RetryPolicy& policy, Clock& clock, absl::FunctionRef<absl::Status()> attempt,
                            const std::function<bool()>& cancelled) {
  Backoff backoff(policy);
  const absl::Duration begin = clock.Now();
  while (true) {
    absl::Status status = attempt();
    if (!IsTemporary(status) || (cancelled && cancelled())) return status;
    const absl::Duration wait = backoff.Next();
    const absl::Duration elapsed = clock.Now() - begin;
    if (elapsed + wait > policy.give_up_after) {
      absl::Status given_up(status.code(), absl::StrCat(status.message(), " (tried for ", absl::FormatDuration(elapsed), ")"));
      return HasReason(status, kDiskFull) ? WithReason(std::move(given_up), kDiskFull) : given_up;
    }
    clock.Sleep(wait);
  }
}

}  // namespace hanas::rpc
