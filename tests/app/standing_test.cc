// SPDX-License-Identifier: Apache-2.0
#include "coordinator/judging/standing.h"

#include <cmath>
#include <optional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/judging/compute.h"
#include "coordinator/judging/goals.h"

namespace hanas::coordinator {
namespace {

const std::vector<Standing>& Family() {
  static const auto* const kFamily = new std::vector<Standing>{{100, 0.80, 0.004}, {400, 0.90, 0.003}, {900, 0.92, 0.002}};
  return *kFamily;
}

TEST(IsOutsideNoiseTest, IsMoreThanTwoStandardDeviationsInEitherDirection) {
  EXPECT_FALSE(IsOutsideNoise(0.5, 0.25)) << "two, and no more";
  EXPECT_FALSE(IsOutsideNoise(-0.5, 0.25));
  EXPECT_TRUE(IsOutsideNoise(0.51, 0.25));
  EXPECT_TRUE(IsOutsideNoise(-0.51, 0.25));
  EXPECT_FALSE(IsOutsideNoise(0, 0)) << "no difference is claimed as one";
}

TEST(AccuracyAtTest, IsLinearInTheLogarithmOfLatency) {
  const FamilyAccuracy half = AccuracyAt(Family(), 200);
  EXPECT_EQ(half.basis, FamilyBasis::kInterpolated);
  EXPECT_NEAR(half.accuracy, 0.85, 1e-12);
  EXPECT_NEAR(half.stddev, std::hypot(0.002, 0.0015), 1e-12);
  EXPECT_NEAR(AccuracyAt(Family(), 600).accuracy, 0.91, 1e-12);
}

TEST(AccuracyAtTest, IsTheNetworksOwnAtItsLatency) {
  EXPECT_EQ(AccuracyAt(Family(), 100), (FamilyAccuracy{FamilyBasis::kInterpolated, 0.80, 0.004}));
  EXPECT_EQ(AccuracyAt(Family(), 400), (FamilyAccuracy{FamilyBasis::kInterpolated, 0.90, 0.003}));
  EXPECT_EQ(AccuracyAt(Family(), 900), (FamilyAccuracy{FamilyBasis::kInterpolated, 0.92, 0.002}));
}

TEST(AccuracyAtTest, SaysWhenNoneIsAsFast) {
  EXPECT_EQ(AccuracyAt(Family(), 99.9), FamilyAccuracy{});
  EXPECT_EQ(AccuracyAt({}, 100).basis, FamilyBasis::kNoneAsFast);
}

TEST(AccuracyAtTest, BeyondTheSlowestIsTheSlowest) {
  EXPECT_EQ(AccuracyAt(Family(), 5000), (FamilyAccuracy{FamilyBasis::kSlowest, 0.92, 0.002}));
}

TEST(AccuracyAtTest, NetworksThatNobodyWouldTakePlayNoPart) {
  EXPECT_EQ(AccuracyAt({{100, 0.90, 0.003}, {400, 0.85, 0.003}}, 200), (FamilyAccuracy{FamilyBasis::kSlowest, 0.90, 0.003}));
  const std::vector<Standing> same_speed = {{100, 0.80, 0.004}, {100, 0.82, 0.004}, {400, 0.90, 0.003}};
  EXPECT_EQ(AccuracyAt(same_speed, 100).accuracy, 0.82);
}

TEST(CornerTest, IsTheLimitsElseALittleMoreThanTheWorst) {
  const VolumeCorner worst = CornerOf({}, Family());
  EXPECT_NEAR(worst.latency_us, 990, 1e-9);
  EXPECT_NEAR(worst.error, 0.22, 1e-12);
  const std::vector<CostLimit> limits = {{.name = "latency", .cost = static_cast<int>(IndexOf(Quantity::kLatency)), .limit = 500},
                                         {.name = "size", .cost = static_cast<int>(IndexOf(Quantity::kSize)), .limit = 7}};
  EXPECT_EQ(CornerOf(limits, Family()).latency_us, 500);
  EXPECT_NEAR(CornerOf(limits, Family()).error, 0.22, 1e-12);
}

TEST(DominatedShareTest, IsOfTheBoxUpToTheCorner) {
  // One network in the middle of both: a quarter. A second one adds half of the width at the height that is left.
  EXPECT_NEAR(DominatedShare(std::vector<Standing>{{50, 0.9, 0}}, {100, 0.2}), 0.25, 1e-12);
  EXPECT_NEAR(DominatedShare(std::vector<Standing>{{50, 0.9, 0}, {75, 0.95, 0}}, {100, 0.2}), 0.25 + 0.25 * 0.25, 1e-12);
  EXPECT_EQ(DominatedShare(std::vector<Standing>{{150, 0.9, 0}}, {100, 0.2}), 0) << "slower than the corner";
  EXPECT_EQ(DominatedShare({}, {100, 0.2}), 0);
  EXPECT_EQ(DominatedShare(std::vector<Standing>{{50, 1, 0}}, {100, 0}), 0) << "a box without height";
}

TEST(BreakEvenTest, SpreadsWhatIsSharedOverTheTargets) {
  EXPECT_EQ(BreakEvenTargets(/*shared=*/600, /*per target=*/400, /*one network=*/1000), 1);
  EXPECT_EQ(BreakEvenTargets(600, 400, 700), 2);
  EXPECT_EQ(BreakEvenTargets(600, 400, 500), 6);
  EXPECT_EQ(BreakEvenTargets(0, 400, 500), 1);
  EXPECT_EQ(BreakEvenTargets(600, 400, 400), std::nullopt) << "a target alone costs as much";
}

}  // namespace
}  // namespace hanas::coordinator
