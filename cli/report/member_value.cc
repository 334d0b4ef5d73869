// SPDX-License-Identifier: Apache-2.0
#include "cli/report/member_value.h"

namespace hanas::cli {

double ValueOf(const v1::Member& member, Quantity quantity) {
  switch (quantity) {
    case Quantity::kLatency:
      return member.latency_p50_us();
    case Quantity::kSize:
      return static_cast<double>(member.size_bytes());
    case Quantity::kPeakMemory:
      return static_cast<double>(member.peak_memory_bytes());
    case Quantity::kMacs:
      return static_cast<double>(member.macs());
    case Quantity::kParameters:
      return static_cast<double>(member.parameters());
    case Quantity::kAccuracy:
      return member.test_accuracy();
  }
  return 0;
}

}  // namespace hanas::cli
