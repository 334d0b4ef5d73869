// SPDX-License-Identifier: Apache-2.0
#include "coordinator/calibration/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "absl/status/status_matchers.h"
#include "core/base/counter_random.h"
#include "core/lowering/lowering.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// measured = scale * sum + offset, times 1 + noise * normal; sums from 500 to 5000.
std::vector<CalibrationPair> Pairs(int count, double scale, double offset_us, double noise, uint64_t index = 0) {
  CounterRandom random(8, "pairs", index);
  std::vector<CalibrationPair> pairs;
  for (int i = 0; i < count; ++i) {
    const double sum_us = 500 + 4500 * random.UniformDouble();
    pairs.push_back({sum_us, (scale * sum_us + offset_us) * (1 + noise * random.Normal())});
  }
  return pairs;
}

TEST(FitCalibrationTest, ScaleOnlyBelowEightPairs) {
  const auto fit = FitCalibration(Pairs(7, 1.2, 0, 0));
  ASSERT_THAT(fit, IsOk());
  EXPECT_NEAR(fit->calibration.scale, 1.2, 1e-12);
  EXPECT_EQ(fit->calibration.offset_us, 0);
  EXPECT_EQ(fit->calibration.num_pairs, 7);
  EXPECT_NEAR(fit->calibration.relative_error, 0, 1e-12);
  EXPECT_EQ(FitCalibration(Pairs(7, 1.2, 200, 0))->calibration.offset_us, 0);
}

TEST(FitCalibrationTest, OffsetFromEightPairs) {
  const auto exact = FitCalibration(Pairs(8, 1.2, 100, 0), {.offset_ridge = 0});
  ASSERT_THAT(exact, IsOk());
  EXPECT_NEAR(exact->calibration.scale, 1.2, 1e-9);
  EXPECT_NEAR(exact->calibration.offset_us, 100, 1e-6);
  // The ridge pulls towards the pure ratio.
  const auto ridged = FitCalibration(Pairs(8, 1.2, 100, 0), {.offset_ridge = 0.05});
  ASSERT_THAT(ridged, IsOk());
  EXPECT_GT(ridged->calibration.offset_us, 0);
  EXPECT_LT(ridged->calibration.offset_us, 100);
  EXPECT_GT(ridged->calibration.scale, 1.2);
}

// Relative residuals: a small network counts as much as a large one.
TEST(FitCalibrationTest, SmallNetworksCountAsMuchAsLargeOnes) {
  const auto fit = FitCalibration(std::vector<CalibrationPair>{{100, 110}, {10'000, 9'000}});
  ASSERT_THAT(fit, IsOk());
  EXPECT_NEAR(std::abs(fit->residuals[0]), std::abs(fit->residuals[1]), 0.02);
}

TEST(FitCalibrationTest, RelativeErrorPredictsHeldOutError) {
  double expected = 0;
  double found = 0;
  for (uint64_t trial = 0; trial < 40; ++trial) {
    const auto fit = FitCalibration(Pairs(12, 1.1, 60, 0.02, 2 * trial));
    ASSERT_THAT(fit, IsOk());
    expected += fit->calibration.relative_error / 40;
    found += EvaluateCalibration(fit->calibration, Pairs(50, 1.1, 60, 0.02, 2 * trial + 1)).mape * std::sqrt(M_PI / 2) / 40;  // of a normal
  }
  EXPECT_NEAR(expected / found, 1, 0.15);
}

TEST(FitCalibrationTest, FewPairsPromiseLittle) {
  EXPECT_EQ(FitCalibration(Pairs(1, 1.1, 0, 0))->calibration.relative_error, 0.1);
  EXPECT_EQ(FitCalibration(Pairs(2, 1.1, 0, 0))->calibration.relative_error, 0.1);
}

TEST(FitCalibrationTest, RejectsOutliers) {
  std::vector<CalibrationPair> pairs = Pairs(20, 1.2, 50, 0.01);
  pairs[3].measured_us *= 1.5;
  pairs[11].measured_us *= 0.6;
  const auto fit = FitCalibration(pairs);
  ASSERT_THAT(fit, IsOk());
  EXPECT_EQ(fit->num_rejected, 2);
  EXPECT_EQ(fit->calibration.num_pairs, 18);
  EXPECT_NEAR(fit->calibration.scale, 1.2, 0.02);
  EXPECT_LT(fit->calibration.relative_error, 0.02);
  ASSERT_THAT(fit->residuals, SizeIs(20));
  EXPECT_GT(fit->residuals[3], 0.3);
  EXPECT_EQ(FitCalibration(pairs, {.rejection_sigmas = 0})->num_rejected, 0);
  EXPECT_EQ(FitCalibration(Pairs(20, 1.2, 50, 0))->num_rejected, 0);
}

TEST(FitCalibrationTest, UsesTheLastPairs) {
  std::vector<CalibrationPair> pairs = Pairs(30, 2, 0, 0);
  const std::vector<CalibrationPair> recent = Pairs(6, 1, 0, 0);
  pairs.insert(pairs.end(), recent.begin(), recent.end());
  EXPECT_NEAR(FitCalibration(pairs, {.max_pairs = 6})->calibration.scale, 1, 1e-12);
}

TEST(FitCalibrationTest, IdenticalPairsFallBackToTheRatio) {
  const auto fit = FitCalibration(std::vector<CalibrationPair>(10, {1000, 1100}), {.offset_ridge = 0});
  ASSERT_THAT(fit, IsOk());
  EXPECT_NEAR(fit->calibration.scale * 1000 + fit->calibration.offset_us, 1100, 1e-6);
  EXPECT_EQ(fit->calibration.offset_us, 0);
}

TEST(FitCalibrationTest, RefusesBadPairsAndOptions) {
  EXPECT_THAT(FitCalibration({}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found none")));
  EXPECT_THAT(FitCalibration(std::vector<CalibrationPair>{{1, 1}, {0, 1}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("pairs[1].sum_us: expected a finite time above 0, found 0")));
  EXPECT_THAT(FitCalibration(std::vector<CalibrationPair>{{1, std::nan("")}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("pairs[0].measured_us")));
  EXPECT_THAT(FitCalibration(Pairs(3, 1, 0, 0), {.offset_ridge = -1}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("offset_ridge")));
}

TEST(EvaluateCalibrationTest, WorkedExample) {
  const LatencyCalibration calibration = {.scale = 1, .offset_us = 0};
  const CalibrationQuality quality =
      EvaluateCalibration(calibration, std::vector<CalibrationPair>{{96, 100}, {208, 200}, {276, 300}, {340, 400}});
  EXPECT_EQ(quality.num_pairs, 4);
  EXPECT_NEAR(quality.mape, (0.04 + 0.04 + 0.08 + 0.15) / 4, 1e-12);
  EXPECT_NEAR(quality.max_relative_error, 0.15, 1e-12);
  EXPECT_DOUBLE_EQ(quality.within_5_percent, 0.5);
  EXPECT_DOUBLE_EQ(quality.within_10_percent, 0.75);
  EXPECT_DOUBLE_EQ(quality.spearman, 1);
  EXPECT_TRUE(std::isnan(EvaluateCalibration(calibration, {}).mape));
}

TEST(ProbabilityWithinTest, IsNormal) {
  EXPECT_DOUBLE_EQ(ProbabilityWithin(100, 0.05, 100), 0.5);
  EXPECT_NEAR(ProbabilityWithin(100, 0.05, 105), 0.8413447461, 1e-9);
  EXPECT_NEAR(ProbabilityWithin(100, 0.05, 95), 0.1586552539, 1e-9);
  EXPECT_EQ(ProbabilityWithin(100, 0, 100), 1);
  EXPECT_EQ(ProbabilityWithin(101, 0, 100), 0);
  EXPECT_EQ(ProbabilityWithin(std::nan(""), 0.05, 100), 0);
  EXPECT_EQ(ProbabilityWithin(100, std::nan(""), 100), 0);
}

TEST(PredictionForTest, InvertsTheProbability) {
  for (const double probability : {0.05, 0.5, 0.9, 0.95, 0.99}) {
    EXPECT_NEAR(ProbabilityWithin(PredictionFor(12'000, 0.03, probability), 0.03, 12'000), probability, 1e-9);
  }
  EXPECT_NEAR(PredictionFor(12'000, 0, 0.95), 12'000, 1e-6);
  EXPECT_LT(PredictionFor(12'000, 0.03, 0.95), 12'000);
}

TEST(ChooseCalibrationNetworksTest, SpreadsOverLatencyAndCoversOperators) {
  const Lowering lowering(SmallConvnet());
  std::vector<CalibrationCandidate> candidates;
  for (uint64_t i = 0; i < 200; ++i) {
    CounterRandom random(4, "networks", i);
    ExecPlan plan = MakePlan(lowering.Lower(lowering.space().Random(random)), {.name = "plain"});
    double macs = 0;
    for (const ExecStep& step : plan.steps) macs += static_cast<double>(Macs(step.key));
    candidates.push_back({macs, std::move(plan)});
  }
  const std::vector<int> chosen = ChooseCalibrationNetworks(candidates, 8);
  ASSERT_THAT(chosen, SizeIs(8));
  EXPECT_THAT(std::set<int>(chosen.begin(), chosen.end()), SizeIs(8));
  std::vector<double> sorted;
  for (const CalibrationCandidate& candidate : candidates) sorted.push_back(candidate.predicted_us);
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(candidates[static_cast<size_t>(chosen.front())].predicted_us, sorted.front());
  EXPECT_EQ(candidates[static_cast<size_t>(chosen.back())].predicted_us, sorted.back());
  std::set<OpKind> kinds;
  std::set<int> kernels;
  for (size_t i = 0; i < chosen.size(); ++i) {
    const CalibrationCandidate& candidate = candidates[static_cast<size_t>(chosen[i])];
    for (const ExecStep& step : candidate.plan.steps) {
      kinds.insert(step.key.kind);
      kernels.insert(step.key.kernel);
    }
    if (i == 0) continue;
    // One in each sixth of the networks between the ends.
    const auto rank = std::lower_bound(sorted.begin(), sorted.end(), candidate.predicted_us) - sorted.begin();
    if (i + 1 < chosen.size()) {
      EXPECT_EQ((rank - 1) / 33, static_cast<ptrdiff_t>(i) - 1);
    }
  }
  EXPECT_THAT(kinds, SizeIs(7));
  EXPECT_TRUE(kernels.contains(5));
}

TEST(ChooseCalibrationNetworksTest, Few) {
  std::vector<CalibrationCandidate> candidates(3);
  candidates[0].predicted_us = 5;
  candidates[1].predicted_us = std::nan("");
  candidates[2].predicted_us = 1;
  EXPECT_THAT(ChooseCalibrationNetworks(candidates, 5), ElementsAre(2, 0, 1));
  EXPECT_THAT(ChooseCalibrationNetworks(candidates, 1), ElementsAre(0));
  EXPECT_THAT(ChooseCalibrationNetworks(candidates, 0), SizeIs(0));
  EXPECT_THAT(ChooseCalibrationNetworks({}, 4), SizeIs(0));
}

}  // namespace
}  // namespace hanas
