// SPDX-License-Identifier: Apache-2.0
#include "coordinator/clock/clock.h"

#include <chrono>

namespace hanas::coordinator {

absl::Duration SystemClock::Monotonic() { return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()); }

}  // namespace hanas::coordinator
