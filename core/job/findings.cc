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

double BalancedAccuracy(absl::Span<const int64_t> class_correct, absl::Span<const ClassPictures> classes) {
  if (class_correct.size() != classes.size()) return 0;
  double sum = 0;
  int64_t counted = 0;
  for (size_t i = 0; i < classes.size(); ++i) {
    if (classes[i].test == 0) continue;
    sum += static_cast<double>(class_correct[i]) / static_cast<double>(classes[i].test);
    ++counted;
  }
  return counted == 0 ? 0 : sum / static_cast<double>(counted);
}

}  // namespace hanas
