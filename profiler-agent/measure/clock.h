// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_MEASURE_CLOCK_H_
#define HANAS_PROFILER_AGENT_MEASURE_CLOCK_H_

#include <cstdint>

#include "absl/time/time.h"

namespace hanas {

/// Monotonic time of the measuring thread, and how often it was interrupted.
class MeasureClock {
 public:
  virtual ~MeasureClock() = default;
  virtual int64_t NowNanoseconds() = 0;
  /// CPU time of the calling thread.
  virtual int64_t CpuNanoseconds() = 0;
  /// Involuntary context switches so far, of the calling thread unless said otherwise.
  virtual int64_t Interruptions() = 0;
};

/// Waits; tests record instead.
class Sleeper {
 public:
  virtual ~Sleeper() = default;
  virtual void Sleep(absl::Duration duration) = 0;
};

/// The real ones; live for ever. Thread-safe.
MeasureClock& SystemClock();
/// The same, but with the interruptions of all threads of the process: of work that they share, each waits for all.
MeasureClock& SystemClockOfAllThreads();
Sleeper& SystemSleeper();

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_MEASURE_CLOCK_H_
