// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/front_index.h"

#include <limits>
#include <set>
#include <vector>

#include "coordinator/search/hypervolume.h"
#include "core/base/counter_random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

std::set<size_t> Ids(const FrontIndex& front) {
  std::set<size_t> ids;
  for (const FrontIndex::Member& member : front.members()) ids.insert(member.id);
  return ids;
}

/// Objectives on a coarse grid, so that many are equal.
FrontIndex::Objectives Draw(size_t num_objectives, uint64_t index) {
  CounterRandom random(1, "front", index);
  FrontIndex::Objectives objectives;
  for (size_t i = 0; i < num_objectives; ++i) objectives.push_back(static_cast<double>(random.UniformInt(8)));
  return objectives;
}

TEST(FrontIndexTest, HoldsWhatAParetoFrontHolds) {
  for (const size_t num_objectives : {1, 2, 3, 4}) {
    FrontIndex index;
    ParetoFront front;
    for (uint64_t i = 0; i < 300; ++i) {
      const FrontIndex::Objectives objectives = Draw(num_objectives, i);
      const bool inserted = index.Insert(i, objectives);
      EXPECT_EQ(inserted, front.Insert({Architecture{}, {.objectives = objectives}})) << i;
      EXPECT_EQ(index.Contains(i), inserted);
      ASSERT_EQ(index.members().size(), front.members().size());
    }
    std::multiset<std::vector<double>> found;
    std::multiset<std::vector<double>> expected;
    for (const FrontIndex::Member& member : index.members()) found.emplace(member.objectives.begin(), member.objectives.end());
    for (const Individual& individual : front.members())
      expected.emplace(individual.evaluation.objectives.begin(), individual.evaluation.objectives.end());
    EXPECT_EQ(found, expected);
  }
}

TEST(FrontIndexTest, OfEqualsTheFirstStaysAndWhatIsNotANumberIsNoMember) {
  FrontIndex front;
  EXPECT_TRUE(front.Insert(1, {1, 2}));
  EXPECT_FALSE(front.Insert(2, {1, 2}));
  EXPECT_FALSE(front.Insert(3, {std::numeric_limits<double>::quiet_NaN(), 0}));
  EXPECT_TRUE(front.Insert(4, {1, 1}));
  EXPECT_THAT(Ids(front), testing::ElementsAre(4));
  front.Clear();
  EXPECT_THAT(Ids(front), testing::IsEmpty());
}

}  // namespace
}  // namespace hanas
