// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/feasibility.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/status/status_matchers.h"
#include "core/cost/cost.h"
#include "core/lowering/lowering.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/search/recorded_table.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

enum Cost : int { kLatency, kSize, kError };

class FeasibilityTest : public testing::Test {
 protected:
  SearchSpace space_ = TableSpace();
  RecordedTable table_{HANAS_SEARCH_TABLE};
  BatchCostScorer scorer_ = [this](absl::Span<const Architecture> architectures, absl::Span<CostVector> costs) {
    for (size_t i = 0; i < architectures.size(); ++i) {
      const TableRow& row = table_.rows().at(architectures[i]);
      costs[i] = {row.latency_us, row.size_bytes, row.error};
    }
  };

  template <typename Value>
  double Least(Value value) const {
    double least = std::numeric_limits<double>::infinity();
    for (const auto& [architecture, row] : table_.rows()) least = std::min(least, value(row));
    return least;
  }
};

TEST_F(FeasibilityTest, FindsAWitness) {
  const std::vector<CostLimit> limits = {{"latency", kLatency, 300}, {"size", kSize, 25'000}};
  const auto report = FindFeasibility(space_, scorer_, limits, {});
  ASSERT_THAT(report, IsOk());
  EXPECT_TRUE(report->feasible);
  EXPECT_EQ(report->ToString(), "");
  EXPECT_LE(table_.rows().at(report->witness).latency_us, 300);
  EXPECT_LE(table_.rows().at(report->witness).size_bytes, 25'000);
}

TEST_F(FeasibilityTest, NamesTheNearestFeasibleValueOfALimitThatNothingMeets) {
  const auto report = FindFeasibility(space_, scorer_, std::vector<CostLimit>{{"latency", kLatency, 40}, {"size", kSize, 30'000}}, {});
  ASSERT_THAT(report, IsOk());
  EXPECT_FALSE(report->feasible);
  const double expected = Least([](const TableRow& row) { return row.size_bytes <= 30'000 ? row.latency_us : 1e9; });
  EXPECT_DOUBLE_EQ(report->findings[0].nearest_feasible, expected);
  EXPECT_FALSE(report->findings[0].met_alone);
  EXPECT_TRUE(report->findings[1].met_alone);
  EXPECT_THAT(report->ToString(), HasSubstr("latency: limit 40 cannot be met; the nearest feasible value found is 95.776"));
}

TEST_F(FeasibilityTest, NamesBothWhenLimitsExcludeEachOther) {
  // Each is met by some network, together by none: accuracy costs time.
  const std::vector<CostLimit> limits = {{"latency", kLatency, 120}, {"error", kError, 0.15}};
  const auto report = FindFeasibility(space_, scorer_, limits, {});
  ASSERT_THAT(report, IsOk());
  ASSERT_FALSE(report->feasible);
  EXPECT_TRUE(report->findings[0].met_alone);
  EXPECT_TRUE(report->findings[1].met_alone);
  // Found by descent, so near the best, not the best by proof.
  const double latency = Least([](const TableRow& row) { return row.error <= 0.15 ? row.latency_us : 1e9; });
  EXPECT_LE(report->findings[0].nearest_feasible, 1.05 * latency);
  EXPECT_GE(report->findings[0].nearest_feasible, latency);
  EXPECT_THAT(report->ToString(), HasSubstr("together with the other limits"));
}

TEST_F(FeasibilityTest, EndsWithinItsBudget) {
  const std::vector<CostLimit> limits = {{"latency", kLatency, 1}, {"size", kSize, 1}};
  const auto report = FindFeasibility(space_, scorer_, limits, {.max_evaluations = 100});
  ASSERT_THAT(report, IsOk());
  EXPECT_FALSE(report->feasible);
  EXPECT_LE(report->evaluations, 5 * 100);
}

TEST_F(FeasibilityTest, RefusesBadLimits) {
  EXPECT_THAT(FindFeasibility(space_, scorer_, std::vector<CostLimit>{{"latency", kLatency, 0}}, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("limits.latency: expected a limit above 0, found 0")));
  EXPECT_THAT(FindFeasibility(space_, scorer_, std::vector<CostLimit>{{"power", 7, 1}}, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("limits.power: expected a cost index below 3, found 7")));
  EXPECT_THAT(ReachableRanges(space_, scorer_, {.max_evaluations = 1}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("max_evaluations")));
}

TEST_F(FeasibilityTest, RangesAreThoseOfTheTable) {
  const auto ranges = ReachableRanges(space_, scorer_, {});
  ASSERT_THAT(ranges, IsOk());
  ASSERT_EQ(ranges->size(), 3U);
  EXPECT_DOUBLE_EQ((*ranges)[kLatency].min, Least([](const TableRow& row) { return row.latency_us; }));
  EXPECT_DOUBLE_EQ((*ranges)[kLatency].max, -Least([](const TableRow& row) { return -row.latency_us; }));
  EXPECT_DOUBLE_EQ((*ranges)[kSize].min, Least([](const TableRow& row) { return row.size_bytes; }));
  EXPECT_DOUBLE_EQ((*ranges)[kSize].max, -Least([](const TableRow& row) { return -row.size_bytes; }));
  EXPECT_EQ(table_.rows().at((*ranges)[kLatency].max_architecture).latency_us, (*ranges)[kLatency].max);
}

TEST_F(FeasibilityTest, ShareKeptIsThatOfRandomNetworks) {
  const ShareKept all = EstimateShareKept(space_, scorer_, {}, 1, 2500);
  EXPECT_EQ(all.sampled, 2500);
  EXPECT_EQ(all.kept, 2500);
  const ShareKept none = EstimateShareKept(space_, scorer_, std::vector<CostLimit>{{"latency", kLatency, 1}}, 1, 100);
  EXPECT_EQ(none.fraction(), 0);
  const ShareKept some = EstimateShareKept(space_, scorer_, std::vector<CostLimit>{{"latency", kLatency, 600}}, 1, 2000);
  EXPECT_GT(some.fraction(), 0.2);
  EXPECT_LT(some.fraction(), 0.8);
}

}  // namespace
}  // namespace hanas
