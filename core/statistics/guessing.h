// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_STATISTICS_GUESSING_H_
#define HANAS_CORE_STATISTICS_GUESSING_H_

#include <cstdint>

namespace hanas {

/// Whether `correct` of `images` is more than somebody gets who always answers with the most frequent class, whose share of the images is
/// `largest_share`: by more than two binomial standard deviations, which chance exceeds once in 44 tries. False without images. With C
/// classes of one size the share is 1 / C. Pure.
bool IsBetterThanGuessing(int64_t correct, int64_t images, double largest_share);

}  // namespace hanas

#endif  // HANAS_CORE_STATISTICS_GUESSING_H_
