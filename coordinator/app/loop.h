// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_APP_LOOP_H_
#define HANAS_COORDINATOR_APP_LOOP_H_

#include <atomic>
#include <cstdint>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/app/app.h"
#include "coordinator/clock/clock.h"
#include "telemetry/metrics.h"

namespace hanas::coordinator {

/// A loop that has not come round for so long is wedged.
inline constexpr absl::Duration kWedgedAfter = absl::Seconds(10);

/// The thread that moves an application on: it expires leases, advances searches and records the gauges, and knows whether it moves.
///
/// Borrows its arguments. ready() is thread-safe; the rest is for the owner. Stop the application before the loop: what waits in it must
/// return.
class Loop {
 public:
  Loop(App* app, Clock* clock, telemetry::Metrics* metrics) : app_(app), clock_(clock), metrics_(metrics) { Beat(); }
  ~Loop() { Stop(); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void Start();
  /// Returns when the run in progress has ended. Idempotent.
  void Stop();

  /// UNAVAILABLE while the loop is wedged, or the state cannot be written or read. Never blocks.
  absl::Status ready() const;

 private:
  void Run();
  void Beat() { beat_ms_ = absl::ToInt64Milliseconds(clock_->Monotonic()); }

  App* const app_;
  Clock* const clock_;
  telemetry::Metrics* const metrics_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> failing_ = false;
  std::atomic<int64_t> beat_ms_ = 0;  // when a run ended last
  std::thread thread_;
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_APP_LOOP_H_
