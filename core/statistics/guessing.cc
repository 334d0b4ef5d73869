// SPDX-License-Identifier: Apache-2.0
#include "core/statistics/guessing.h"

#include <cmath>

namespace hanas {

bool IsBetterThanGuessing(int64_t correct, int64_t images, double largest_share) {
  constexpr double kSigmas = 2;
  const auto n = static_cast<double>(images);
  return static_cast<double>(correct) > n * largest_share + kSigmas * std::sqrt(n * largest_share * (1 - largest_share));
}

}  // namespace hanas
