// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "absl/status/status_matchers.h"
#include "coordinator/search/hypervolume.h"
#include "coordinator/search/non_dominated_sort.h"
#include "core/base/counter_random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Few levels give many ties and duplicates, many levels none.
std::vector<double> RandomPoints(CounterRandom& random, size_t n, size_t m, uint64_t levels) {
  std::vector<double> points(n * m);
  for (double& value : points) {
    value = static_cast<double>(random.UniformInt(levels));
    if (levels > 5 && random.Bernoulli(0.02)) value = random.Bernoulli(0.5) ? kNan : kInfinity;
  }
  return points;
}

absl::Span<const double> Row(const std::vector<double>& points, size_t m, size_t i) {
  return absl::MakeConstSpan(points).subspan(i * m, m);
}

/// The definition: peel fronts.
std::vector<int> SlowRanks(const std::vector<double>& points, size_t m) {
  const size_t n = points.size() / m;
  std::vector<int> ranks(n, -1);
  for (int rank = 0, left = static_cast<int>(n); left > 0; ++rank) {
    std::vector<size_t> front;
    for (size_t i = 0; i < n; ++i) {
      bool dominated = ranks[i] >= 0;
      for (size_t j = 0; j < n && !dominated; ++j) dominated = ranks[j] < 0 && Dominates(Row(points, m, j), Row(points, m, i));
      if (!dominated) front.push_back(i);
    }
    for (const size_t i : front) ranks[i] = rank;
    left -= static_cast<int>(front.size());
  }
  return ranks;
}

TEST(NonDominatedRanksTest, WorkedExample) { EXPECT_THAT(NonDominatedRanks({1, 5, 2, 3, 4, 4, 3, 3}, 2), ElementsAre(0, 0, 2, 1)); }

TEST(NonDominatedRanksTest, EdgeCases) {
  EXPECT_THAT(NonDominatedRanks({}, 2), ElementsAre());
  EXPECT_THAT(NonDominatedRanks({3, 1, 1, 2}, 1), ElementsAre(2, 0, 0, 1));
  EXPECT_THAT(NonDominatedRanks({1, 1, 1, 1, 1, 1}, 3), ElementsAre(0, 0));
  // NaN counts as +infinity.
  EXPECT_THAT(NonDominatedRanks({kNan, 1, 5, 1, kInfinity, 1}, 2), ElementsAre(1, 0, 1));
  EXPECT_THAT(NonDominatedRanks({kNan, kNan, 1, 1}, 2), ElementsAre(1, 0));
}

TEST(NonDominatedRanksTest, EqualsTheDefinition) {
  for (uint64_t trial = 0; trial < 400; ++trial) {
    CounterRandom random(11, "ranks", trial);
    const size_t m = 1 + random.UniformInt(5);
    const std::vector<double> points = RandomPoints(random, 1 + random.UniformInt(60), m, 2 + random.UniformInt(30));
    EXPECT_EQ(NonDominatedRanks(points, static_cast<int>(m)), SlowRanks(points, m)) << "trial " << trial;
  }
}

TEST(NonDominatedRanksTest, DoesNotDependOnTheOrderOfPoints) {
  for (uint64_t trial = 0; trial < 50; ++trial) {
    CounterRandom random(12, "permutation", trial);
    const size_t m = 2 + random.UniformInt(3);
    const size_t n = 40;
    const std::vector<double> points = RandomPoints(random, n, m, 12);
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), size_t{0});
    random.Shuffle(absl::MakeSpan(order));
    std::vector<double> shuffled;
    for (const size_t i : order)
      shuffled.insert(shuffled.end(), points.begin() + static_cast<ptrdiff_t>(i * m), points.begin() + static_cast<ptrdiff_t>((i + 1) * m));
    const std::vector<int> ranks = NonDominatedRanks(points, static_cast<int>(m));
    const std::vector<int> shuffled_ranks = NonDominatedRanks(shuffled, static_cast<int>(m));
    for (size_t i = 0; i < n; ++i) EXPECT_EQ(shuffled_ranks[i], ranks[order[i]]) << "trial " << trial;
  }
}

TEST(ConstrainedRanksTest, FeasibleFirstThenByViolation) {
  EXPECT_THAT(ConstrainedRanks({9, 9, 1, 1, 0, 0, 2, 2, 0, 0}, 2, {0, 0, 0.5, 0.1, 0.5}), ElementsAre(1, 0, 3, 2, 3));
  EXPECT_THAT(ConstrainedRanks({1, 1, 1}, 1, {kNan, 7, -1}), ElementsAre(2, 1, 0));
}

TEST(ConstrainedRanksTest, AgreesWithConstrainedDomination) {
  CounterRandom random(13, "constrained");
  std::vector<Individual> individuals(60);
  for (Individual& individual : individuals) {
    individual.evaluation.objectives = {static_cast<double>(random.UniformInt(9)), static_cast<double>(random.UniformInt(9))};
    individual.evaluation.violation = random.Bernoulli(0.5) ? 0 : static_cast<double>(random.UniformInt(5));
  }
  const std::vector<int> ranks = ConstrainedRanks(individuals);
  for (size_t i = 0; i < individuals.size(); ++i) {
    int highest = -1;
    for (size_t j = 0; j < individuals.size(); ++j) {
      if (ConstrainedDominates(individuals[j].evaluation, individuals[i].evaluation)) highest = std::max(highest, ranks[j]);
    }
    EXPECT_EQ(ranks[i], highest + 1);
  }
}

TEST(CrowdingDistanceTest, WorkedExample) {
  // (0,4) (1,2) (2,1) (4,0): the inner gaps are 2/4 + 3/4 and 3/4 + 2/4.
  EXPECT_THAT(CrowdingDistances({0, 4, 1, 2, 2, 1, 4, 0}, 2, {0, 1, 2, 3}), ElementsAre(kInfinity, 1.25, 1.25, kInfinity));
}

TEST(CrowdingDistanceTest, SmallFrontsConstantsAndCopies) {
  EXPECT_THAT(CrowdingDistances({5, 5}, 2, {0}), ElementsAre(kInfinity));
  EXPECT_THAT(CrowdingDistances({0, 1, 1, 0}, 2, {0, 1}), ElementsAre(kInfinity, kInfinity));
  EXPECT_THAT(CrowdingDistances({0, 1, 1, 0, 0, 1}, 2, {0, 1, 2}), ElementsAre(kInfinity, kInfinity, 0));
  // The second objective is constant and the third has no finite range: neither separates.
  EXPECT_THAT(CrowdingDistances({0, 7, 1, 1, 7, kNan, 4, 7, 2}, 3, {0, 1, 2}), ElementsAre(kInfinity, 1, kInfinity));
}

TEST(CrowdingDistanceTest, DoesNotDependOnTheOrderOfDistinctPoints) {
  CounterRandom random(14, "crowding");
  std::vector<double> points;
  for (int i = 0; i < 30; ++i) {
    for (int k = 0; k < 3; ++k) points.push_back(random.UniformDouble());
  }
  std::vector<int> members(30);
  std::iota(members.begin(), members.end(), 0);
  const std::vector<double> distances = CrowdingDistances(points, 3, members);
  std::vector<int> shuffled = members;
  random.Shuffle(absl::MakeSpan(shuffled));
  const std::vector<double> shuffled_distances = CrowdingDistances(points, 3, shuffled);
  for (size_t i = 0; i < shuffled.size(); ++i) EXPECT_DOUBLE_EQ(shuffled_distances[i], distances[static_cast<size_t>(shuffled[i])]);
}

/// On integer points: counts the unit cells that some point dominates.
double CellCount(const std::vector<double>& points, size_t m, int reference) {
  std::vector<int> cell(m, 0);
  double count = 0;
  while (true) {
    for (size_t i = 0; i < points.size() / m; ++i) {
      bool inside = true;
      for (size_t k = 0; k < m; ++k) inside &= points[i * m + k] <= cell[k];
      if (inside) {
        ++count;
        break;
      }
    }
    size_t k = 0;
    while (k < m && ++cell[k] == reference) cell[k++] = 0;
    if (k == m) return count;
  }
}

TEST(HypervolumeTest, WorkedExamples) {
  EXPECT_THAT(Hypervolume({1, 2, 2, 1}, {3, 3}), IsOkAndHolds(3));
  EXPECT_THAT(Hypervolume(absl::Span<const double>(), {3, 3}), IsOkAndHolds(0));
  EXPECT_THAT(Hypervolume({3, 0, 0, 3, kNan, 0, kInfinity, 0}, {3, 3}), IsOkAndHolds(0));
  EXPECT_THAT(Hypervolume({0, 0, 0}, {2, 3, 4}), IsOkAndHolds(24));
  EXPECT_THAT(Hypervolume({1, 4, 2}, {5}), IsOkAndHolds(4));
}

TEST(HypervolumeTest, EqualsCounting) {
  for (uint64_t trial = 0; trial < 200; ++trial) {
    CounterRandom random(15, "hypervolume", trial);
    const size_t m = 1 + random.UniformInt(4);
    const int reference = m == 4 ? 5 : 8;
    std::vector<double> points(m * (1 + random.UniformInt(14)));
    for (double& value : points) value = static_cast<double>(random.UniformInt(static_cast<uint64_t>(reference) + 2));
    EXPECT_THAT(Hypervolume(points, std::vector<double>(m, reference)), IsOkAndHolds(DoubleNear(CellCount(points, m, reference), 1e-9)))
        << "trial " << trial;
  }
}

TEST(HypervolumeTest, RefusesWhatHasNoVolume) {
  EXPECT_THAT(Hypervolume({1, 2, 3}, {4, 4}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("rows of 2 objectives")));
  EXPECT_THAT(Hypervolume({1, 2}, {4, kInfinity}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("finite reference")));
  EXPECT_THAT(Hypervolume({1, -kInfinity}, {4, 4}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("-infinity")));
}

TEST(ParetoFrontTest, HoldsTheFirstFrontWhateverTheOrder) {
  for (uint64_t trial = 0; trial < 50; ++trial) {
    CounterRandom random(16, "front", trial);
    std::vector<Individual> individuals(40);
    for (Individual& individual : individuals) {
      individual.evaluation.objectives = {static_cast<double>(random.UniformInt(12)), static_cast<double>(random.UniformInt(12))};
      individual.evaluation.violation = random.Bernoulli(0.2) ? 1 : 0;
    }
    std::vector<absl::InlinedVector<double, 4>> expected;
    const std::vector<int> ranks = ConstrainedRanks(individuals);
    for (size_t i = 0; i < ranks.size(); ++i) {
      if (ranks[i] == 0) expected.push_back(individuals[i].evaluation.objectives);
    }
    std::sort(expected.begin(), expected.end());
    expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
    for (int order = 0; order < 3; ++order) {
      random.Shuffle(absl::MakeSpan(individuals));
      ParetoFront front;
      for (const Individual& individual : individuals) front.Insert(individual);
      std::vector<absl::InlinedVector<double, 4>> held;
      for (const Individual& member : front.members()) held.push_back(member.evaluation.objectives);
      EXPECT_EQ(held, expected) << "trial " << trial;
    }
  }
}

TEST(ParetoFrontTest, RefusesFailures) {
  ParetoFront front;
  EXPECT_FALSE(front.Insert({.evaluation = {.objectives = {1, kNan}, .violation = 0}}));
  EXPECT_FALSE(front.Insert({.evaluation = {.objectives = {1, 1}, .violation = kNan}}));
  EXPECT_FALSE(front.Insert({}));
  EXPECT_TRUE(front.Insert({.evaluation = {.objectives = {1, 1}, .violation = 0}}));
  EXPECT_FALSE(front.Insert({.evaluation = {.objectives = {1, 1}, .violation = 0}}));
}

}  // namespace
}  // namespace hanas
