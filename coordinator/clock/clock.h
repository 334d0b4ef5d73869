// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_CLOCK_CLOCK_H_
#define HANAS_COORDINATOR_CLOCK_CLOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace hanas::coordinator {

/// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Time that only goes forward, from an arbitrary origin: what leases and durations are made of.
  virtual absl::Duration Monotonic() = 0;
  /// The time of day, for people to read. Data, never logic: it may jump.
  virtual absl::Time Wall() = 0;
};

/// The machine's clocks.
class SystemClock : public Clock {
 public:
  absl::Duration Monotonic() override;
  absl::Time Wall() override { return absl::Now(); }
};

/// Moves when told to. Its wall clock stands at noon of the first of January 2026 until it is set or moved.
class FakeClock : public Clock {
 public:
  absl::Duration Monotonic() override {
    absl::MutexLock lock(&mutex_);
    return now_;
  }
  absl::Time Wall() override {
    absl::MutexLock lock(&mutex_);
    return wall_;
  }
  void Advance(absl::Duration by) {
    absl::MutexLock lock(&mutex_);
    now_ += by;
    wall_ += by;
  }
  void SetWall(absl::Time wall) {
    absl::MutexLock lock(&mutex_);
    wall_ = wall;
  }

 private:
  absl::Mutex mutex_;
  absl::Duration now_ ABSL_GUARDED_BY(mutex_) = absl::Seconds(1000);
  absl::Time wall_ ABSL_GUARDED_BY(mutex_) = absl::FromUnixSeconds(1767268800);
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_CLOCK_CLOCK_H_
