// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/measure/clock.h"

#include <sys/resource.h>
#include <time.h>

#include "absl/time/clock.h"

namespace hanas {
namespace {

int64_t Read(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

class RealClock : public MeasureClock {
 public:
  explicit RealClock(int whose) : whose_(whose) {}
  int64_t NowNanoseconds() override { return Read(CLOCK_MONOTONIC); }
  int64_t CpuNanoseconds() override { return Read(CLOCK_THREAD_CPUTIME_ID); }
  int64_t Interruptions() override {
    rusage usage{};
    return getrusage(static_cast<__rusage_who>(whose_), &usage) == 0 ? usage.ru_nivcsw : 0;
  }

 private:
  const int whose_;  // RUSAGE_THREAD or RUSAGE_SELF
};

class RealSleeper : public Sleeper {
 public:
  void Sleep(absl::Duration duration) override { absl::SleepFor(duration); }
};

}  // namespace

MeasureClock& SystemClock() {
  static auto* const kClock = new RealClock(RUSAGE_THREAD);
  return *kClock;
}

MeasureClock& SystemClockOfAllThreads() {
  static auto* const kClock = new RealClock(RUSAGE_SELF);
  return *kClock;
}

Sleeper& SystemSleeper() {
  static auto* const kSleeper = new RealSleeper();
  return *kSleeper;
}

}  // namespace hanas
