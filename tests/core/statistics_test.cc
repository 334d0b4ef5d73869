// SPDX-License-Identifier: Apache-2.0
#include "core/statistics/statistics.h"

#include <cmath>
#include <limits>
#include <vector>

#include "core/base/counter_random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

using ::testing::ElementsAre;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The definition, pair by pair.
double SlowTauB(const std::vector<double>& a, const std::vector<double>& b) {
  double concordant = 0, discordant = 0, tied_a = 0, tied_b = 0, all = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      ++all;
      if (a[i] == a[j]) ++tied_a;
      if (b[i] == b[j]) ++tied_b;
      if (a[i] == a[j] || b[i] == b[j]) continue;
      ((a[i] < a[j]) == (b[i] < b[j]) ? concordant : discordant) += 1;
    }
  }
  return (concordant - discordant) / std::sqrt((all - tied_a) * (all - tied_b));
}

TEST(StatisticsTest, MeanAndSpread) {
  EXPECT_DOUBLE_EQ(Mean({1, 2, 6}), 3);
  EXPECT_DOUBLE_EQ(StandardDeviation({2, 4, 4, 4, 5, 5, 7, 9}), std::sqrt(32.0 / 7));
  EXPECT_DOUBLE_EQ(CoefficientOfVariation({9, 10, 11}), 0.1);
  EXPECT_TRUE(std::isnan(Mean({})));
  EXPECT_TRUE(std::isnan(StandardDeviation({1})));
  EXPECT_TRUE(std::isnan(CoefficientOfVariation({-1, 1})));
}

TEST(StatisticsTest, QuantilesInterpolateLikeNumpy) {
  EXPECT_DOUBLE_EQ(Quantile({4, 1, 3, 2}, 0.25), 1.75);
  EXPECT_DOUBLE_EQ(Quantile({4, 1, 3, 2}, 0), 1);
  EXPECT_DOUBLE_EQ(Quantile({4, 1, 3, 2}, 1), 4);
  EXPECT_DOUBLE_EQ(Median({5, 1, 3}), 3);
  EXPECT_DOUBLE_EQ(QuantileOfSorted({1, 2, 3, 4}, 0.9), 3.7);
  EXPECT_EQ(Quantile({1, kInfinity}, 0), 1);
  EXPECT_TRUE(std::isnan(Quantile({}, 0.5)));
  EXPECT_TRUE(std::isnan(Quantile({1, kNan}, 0.5)));
  EXPECT_TRUE(std::isnan(Quantile({1, 2}, 1.5)));
}

TEST(StatisticsTest, RanksShareTies) { EXPECT_THAT(AverageRanks({10, 30, 10, 20}), ElementsAre(1.5, 4, 1.5, 3)); }

TEST(StatisticsTest, RankCorrelationOfKnownCases) {
  EXPECT_DOUBLE_EQ(KendallTauB({1, 2, 3}, {10, 20, 30}), 1);
  EXPECT_DOUBLE_EQ(KendallTauB({1, 2, 3}, {3, 2, 1}), -1);
  EXPECT_DOUBLE_EQ(KendallTauB({12, 2, 1, 12, 2}, {1, 4, 7, 1, 0}), -0.47140452079103173);  // scipy.stats.kendalltau's example
  EXPECT_DOUBLE_EQ(SpearmanRho({1, 2, 3, 4, 5}, {5, 6, 7, 8, 7}), 0.8207826816681233);      // scipy.stats.spearmanr's example
}

TEST(StatisticsTest, RankCorrelationUndefinedIsNan) {
  for (const auto& correlation : {KendallTauB, SpearmanRho}) {
    EXPECT_TRUE(std::isnan(correlation({1}, {1})));
    EXPECT_TRUE(std::isnan(correlation({1, 2}, {1, 2, 3})));
    EXPECT_TRUE(std::isnan(correlation({1, 1, 1}, {1, 2, 3})));
    EXPECT_TRUE(std::isnan(correlation({1, kNan}, {1, 2})));
  }
}

TEST(StatisticsTest, FastTauEqualsItsDefinition) {
  for (uint64_t trial = 0; trial < 200; ++trial) {
    CounterRandom random(7, "tau", trial);
    const size_t n = 2 + random.UniformInt(60);
    const uint64_t levels = 2 + random.UniformInt(20);
    std::vector<double> a(n), b(n);
    for (size_t i = 0; i < n; ++i) {
      a[i] = static_cast<double>(random.UniformInt(levels));
      b[i] = static_cast<double>(random.UniformInt(levels));
    }
    const double expected = SlowTauB(a, b);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(KendallTauB(a, b))) << "trial " << trial;
    } else {
      EXPECT_NEAR(KendallTauB(a, b), expected, 1e-12) << "trial " << trial;
    }
  }
}

}  // namespace
}  // namespace hanas
