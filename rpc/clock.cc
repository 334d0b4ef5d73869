// SPDX-License-Identifier: Apache-2.0
#include "rpc/clock.h"

#include <chrono>

#include "absl/base/no_destructor.h"

namespace hanas::rpc {
namespace {

class RealClock : public Clock {
 public:
  absl::Duration Now() override { return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()); }

  bool AwaitWithTimeout(absl::Mutex& mutex, const absl::Condition& condition, absl::Duration timeout) override {
    return mutex.AwaitWithTimeout(condition, timeout);
  }
};

}  // namespace

void Clock::Sleep(absl::Duration duration) {
  absl::Mutex mutex;
  absl::MutexLock lock(&mutex);
  bool never = false;
  AwaitWithTimeout(mutex, absl::Condition(&never), duration);
}

Clock& SystemClock() {
  static absl::NoDestructor<RealClock> clock;
  return *clock;
}

}  // namespace hanas::rpc
