// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/surrogate_search.h"

#include <cmath>
#include <limits>
#include <vector>

#include "absl/status/status_matchers.h"
#include "coordinator/search/hypervolume.h"
#include "coordinator/search/non_dominated_sort.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/search/recorded_table.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class SurrogateSearchTest : public testing::Test {
 protected:
  SearchSpace space_ = TableSpace();
  RecordedTable table_{HANAS_SEARCH_TABLE};
  int scored_ = 0;
  BatchScorer scorer_ = [this](absl::Span<const Architecture> architectures, absl::Span<Evaluation> evaluations) {
    for (size_t i = 0; i < architectures.size(); ++i) evaluations[i] = table_.Evaluate(architectures[i], 900);
    scored_ += static_cast<int>(architectures.size());
  };
};

TEST_F(SurrogateSearchTest, SpendsItsBudgetOnDistinctNetworksAndIsRepeatable) {
  const std::vector<Architecture> initial = {space_.Largest({8, 8}), space_.Largest({8, 8})};
  const SurrogateSearchOptions options = {.seed = 4, .population = 30, .evaluations = 640};
  const auto result = RunSurrogateSearch(space_, scorer_, initial, options);
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->evaluations, 640);
  EXPECT_EQ(scored_, 640);
  EXPECT_THAT(result->population, SizeIs(30));
  EXPECT_FALSE(result->exhausted);
  for (const Individual& member : result->front) EXPECT_LE(member.evaluation.objectives[1], 900);
  EXPECT_EQ(RunSurrogateSearch(space_, scorer_, initial, options)->front, result->front);
  SurrogateSearchOptions other = options;
  other.round = 1;
  EXPECT_NE(RunSurrogateSearch(space_, scorer_, initial, other)->population, result->population);
}

TEST_F(SurrogateSearchTest, FindsNearlyTheWholeFrontOfTheTable) {
  const auto result = RunSurrogateSearch(space_, scorer_, {}, {.seed = 2, .population = 50, .evaluations = 1000});
  ASSERT_THAT(result, IsOk());
  ParetoFront best;
  for (const auto& [architecture, row] : table_.rows()) best.Insert({architecture, table_.Evaluate(architecture, 900)});
  EXPECT_GT(*Hypervolume(result->front, {0.3, 900}), 0.98 * *Hypervolume(best.members(), {0.3, 900}));
}

TEST_F(SurrogateSearchTest, StopsWhenTheSpaceIsExhausted) {
  const auto result = RunSurrogateSearch(space_, scorer_, {}, {.seed = 2, .population = 50, .evaluations = 1'000'000});
  ASSERT_THAT(result, IsOk());
  EXPECT_TRUE(result->exhausted);
  EXPECT_EQ(result->evaluations, 3456);
}

TEST_F(SurrogateSearchTest, RefusesBadArguments) {
  EXPECT_THAT(RunSurrogateSearch(space_, scorer_, {}, {.evaluations = 0}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("evaluations")));
  EXPECT_THAT(RunSurrogateSearch(space_, scorer_, {}, {.population = 1}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("population")));
  EXPECT_THAT(RunSurrogateSearch(space_, scorer_, {Architecture{}}, {}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("genes")));
  const BatchScorer nothing = [](absl::Span<const Architecture>, absl::Span<Evaluation>) {};
  EXPECT_THAT(RunSurrogateSearch(space_, nothing, {}, {}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("objectives, found 0")));
}

/// Stands for a network by its first gene alone.
Candidate At(uint8_t name, double x, double y, double uncertainty = 0, double violation = 0) {
  return {.individual = {.architecture = {.genes = {name}}, .evaluation = {.objectives = {x, y}, .violation = violation}},
          .uncertainty = uncertainty};
}
std::vector<int> Names(const std::vector<Architecture>& architectures) {
  std::vector<int> names;
  for (const Architecture& architecture : architectures) names.push_back(architecture.genes[0]);
  return names;
}

TEST(SelectForEvaluationTest, TakesTheEndsThenTheGaps) {
  const std::vector<Candidate> front = {At(0, 0, 10), At(1, 1, 9), At(2, 5, 5), At(3, 9, 1), At(4, 10, 0)};
  EXPECT_THAT(Names(SelectForEvaluation(front, {}, 3, 0)), ElementsAre(0, 4, 2));
  EXPECT_THAT(Names(SelectForEvaluation(front, {}, 1, 0)), ElementsAre(0));
  EXPECT_THAT(Names(SelectForEvaluation(front, {}, 99, 0)), SizeIs(5));
  EXPECT_THAT(SelectForEvaluation(front, {}, 0, 0), SizeIs(0));
}

TEST(SelectForEvaluationTest, ExploresWhatIsUncertain) {
  const std::vector<Candidate> front = {At(0, 0, 10, 0.1), At(1, 1, 9, 0.9), At(2, 5, 5, 0.2), At(3, 9, 1, std::nan("")),
                                        At(4, 10, 0, 0.3)};
  EXPECT_THAT(Names(SelectForEvaluation(front, {}, 4, 0.25)), ElementsAre(0, 4, 2, 1));
  EXPECT_THAT(Names(SelectForEvaluation(front, {}, 2, 1)), ElementsAre(1, 4));
}

TEST(SelectForEvaluationTest, NeverRepeatsAndPutsInfeasibleLast) {
  const std::vector<Candidate> candidates = {At(0, 0, 10), At(0, 0, 10), At(1, 10, 0), At(2, 11, 11), At(3, -1, -1, 0, 0.5)};
  const absl::flat_hash_set<Architecture> evaluated = {Architecture{.genes = {1}}};
  EXPECT_THAT(Names(SelectForEvaluation(candidates, evaluated, 9, 0)), ElementsAre(0, 2, 3));
}

std::vector<Individual> Individuals(const std::vector<Candidate>& candidates) {
  std::vector<Individual> individuals;
  for (const Candidate& candidate : candidates) individuals.push_back(candidate.individual);
  return individuals;
}

TEST(SelectSpreadTest, KeepsAwayFromWhatIsChosen) {
  const std::vector<Individual> front = Individuals({At(0, 0, 10), At(1, 1, 9), At(2, 5, 5), At(3, 9, 1), At(4, 10, 0)});
  EXPECT_THAT(SelectSpread(front, {}, 3), ElementsAre(0, 4, 2)) << "from nothing: the ends, then the gap";
  const std::vector<size_t> one_end = {4};
  EXPECT_THAT(SelectSpread(front, one_end, 3), ElementsAre(4, 0, 2));
  const std::vector<size_t> both_ends = {3, 1};
  EXPECT_THAT(SelectSpread(front, both_ends, 3), ElementsAre(3, 1, 2)) << "an end that is close to what is chosen comes later";
  EXPECT_THAT(SelectSpread(front, both_ends, 2), ElementsAre(3, 1));
  EXPECT_THAT(SelectSpread(front, both_ends, 1), ElementsAre(3, 1)) << "the first stay";
  EXPECT_THAT(SelectSpread(front, both_ends, 9), SizeIs(5));
  EXPECT_THAT(SelectSpread({}, {}, 3), SizeIs(0));
}

TEST(SelectSpreadTest, GoesFrontByFrontWhateverIsChosen) {
  // 3 and 4 are dominated by the others, and 4 is far from everything.
  const std::vector<Individual> networks = Individuals({At(0, 0, 10), At(1, 5, 5), At(2, 10, 0), At(3, 6, 6), At(4, 30, 30)});
  const std::vector<size_t> dominated = {3};
  EXPECT_THAT(SelectSpread(networks, dominated, 5), ElementsAre(3, 0, 2, 1, 4));
  const std::vector<size_t> whole_front = {0, 1, 2};
  EXPECT_THAT(SelectSpread(networks, whole_front, 4), ElementsAre(0, 1, 2, 3));
}

}  // namespace
}  // namespace hanas
