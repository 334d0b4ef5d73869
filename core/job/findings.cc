// SPDX-License-Identifier: Apache-2.0
#include "core/job/findings.h"

#include <algorithm>

namespace hanas {

double LargestTestShare(absl::Span<const ClassPictures> classes) {
  int64_t largest = 0;
  int64_t all = 0;
  for (const ClassPictures& each : classes) {
    largest = std::max(largest, each.test);
    all += each.test;
  }
  return all > 0 ? static_cast<double>(largest) / static_cast<double>(all) : 1;
}

}  // namespace hanas
