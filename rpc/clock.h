// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_CLOCK_H_
#define HANAS_RPC_CLOCK_H_

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace hanas::rpc {

/// Monotonic time and waiting, so that leases and back-off are tested without sleeping. Wall-clock time is never used for logic.
///
/// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  /// Since an arbitrary start; never goes back.
  virtual absl::Duration Now() = 0;

  /// Waits until `condition` holds or `timeout` has passed; returns whether it holds. Requires that `mutex` is held by the caller.
  virtual bool AwaitWithTimeout(absl::Mutex& mutex, const absl::Condition& condition, absl::Duration timeout) = 0;

  /// Returns after `duration`.
  void Sleep(absl::Duration duration);
};

/// The system's; lives for ever.
Clock& SystemClock();

}  // namespace hanas::rpc

#endif  // HANAS_RPC_CLOCK_H_
