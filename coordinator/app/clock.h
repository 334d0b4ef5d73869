// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_APP_CLOCK_H_
#define HANAS_COORDINATOR_APP_CLOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace hanas::coordinator {

/// Time that only goes forward, from an arbitrary origin: what leases and durations are made of. Wall clocks are never logic. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Duration Monotonic() = 0;
};

/// The machine's monotonic clock.
class SystemClock : public Clock {
 public:
  absl::Duration Monotonic() override;
};

/// Moves when told to.
class FakeClock : public Clock {
 public:
  absl::Duration Monotonic() override {
    absl::MutexLock lock(&mutex_);
    return now_;
  }
  void Advance(absl::Duration by) {
    absl::MutexLock lock(&mutex_);
    now_ += by;
  }

 private:
  absl::Mutex mutex_;
  absl::Duration now_ ABSL_GUARDED_BY(mutex_) = absl::Seconds(1000);
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_APP_CLOCK_H_
