// SPDX-License-Identifier: Apache-2.0
#include "core/statistics/guessing.h"

#include "gtest/gtest.h"

namespace hanas {
namespace {

TEST(GuessingTest, MoreThanTwoStandardDeviationsAboveTheMostFrequentClass) {
  // 200 images in two equal classes: 100 by guessing, with a standard deviation of 7.07.
  EXPECT_FALSE(IsBetterThanGuessing(94, 200, 0.5));
  EXPECT_FALSE(IsBetterThanGuessing(114, 200, 0.5));
  EXPECT_TRUE(IsBetterThanGuessing(115, 200, 0.5));
  // 10 000 images in ten: 1000 and 30.
  EXPECT_FALSE(IsBetterThanGuessing(1060, 10000, 0.1));
  EXPECT_TRUE(IsBetterThanGuessing(1061, 10000, 0.1));
  // One class alone cannot be told from anything; nothing is shown without images.
  EXPECT_FALSE(IsBetterThanGuessing(200, 200, 1));
  EXPECT_FALSE(IsBetterThanGuessing(0, 0, 0.5));
  // 390 of one class and 10 of another: always the first is no success.
  EXPECT_FALSE(IsBetterThanGuessing(390, 400, 0.975));
}

}  // namespace
}  // namespace hanas
