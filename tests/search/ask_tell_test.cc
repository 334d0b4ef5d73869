// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/ask_tell.h"

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/match.h"
#include "coordinator/search/algorithms.h"
#include "coordinator/search/nsga2.h"
#include "coordinator/search/random_search.h"
#include "coordinator/search/variation.h"
#include "core/job/search_job.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"
#include "tests/search/table_space.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// Cheap, and different for different networks.
Evaluation Fake(const Architecture& architecture) {
  double ones = 0;
  double position = 0;
  for (size_t i = 0; i < architecture.genes.size(); ++i) {
    ones += architecture.genes[i];
    position += static_cast<double>(i * architecture.genes[i]);
  }
  return {.objectives = {ones, -position}, .violation = 0};
}

/// The contract that every row of the table keeps.
class SearchAlgorithmTest : public testing::TestWithParam<AlgorithmRow> {
 protected:
  std::unique_ptr<SearchAlgorithm> Create(int window, uint64_t stream = 0) {
    return *GetParam().create(space_, {.seed = 7, .stream = stream, .population = 10, .window = window});
  }

  SearchSpace space_ = SmallSpace();
};

INSTANTIATE_TEST_SUITE_P(All, SearchAlgorithmTest, testing::ValuesIn(Algorithms().begin(), Algorithms().end()),
                         [](const auto& algorithm) { return std::string(algorithm.param.name); });

TEST(AlgorithmsTest, AreThoseThatJobsName) {
  std::vector<absl::string_view> names;
  for (const AlgorithmRow& row : Algorithms()) names.push_back(row.name);
  EXPECT_THAT(names, testing::ElementsAreArray(AlgorithmNames()));
  EXPECT_THAT(CreateAlgorithm("tea leaves", SmallSpace(), {}), StatusIs(absl::StatusCode::kNotFound, HasSubstr("expected one of nsga2, ")));
}

TEST_P(SearchAlgorithmTest, OtherStreamsOfOneSeedDrawOtherNetworks) {
  EXPECT_EQ(Create(4)->Ask(4).value(), Create(4)->Ask(4).value());
  EXPECT_NE(Create(4)->Ask(4).value(), Create(4, /*stream=*/1)->Ask(4).value());
}

TEST_P(SearchAlgorithmTest, ProposesDistinctCanonicalNetworks) {
  const std::unique_ptr<SearchAlgorithm> search = Create(4);
  absl::flat_hash_set<Architecture> seen;
  for (uint64_t sequence = 0; sequence < 300; ++sequence) {
    const auto asked = search->Ask(1);
    ASSERT_THAT(asked, IsOk());
    ASSERT_THAT(*asked, SizeIs(1));
    EXPECT_EQ((*asked)[0].sequence, sequence);
    Architecture architecture = (*asked)[0].architecture;
    ASSERT_THAT(space_.CheckArchitecture(architecture), IsOk());
    space_.Canonicalise(architecture);
    EXPECT_EQ(architecture, (*asked)[0].architecture);
    EXPECT_TRUE(seen.insert(architecture).second) << "sequence " << sequence;
    ASSERT_THAT(search->Tell({Result{sequence, architecture, Fake(architecture)}}), IsOk());
  }
}

TEST_P(SearchAlgorithmTest, WindowLimitsWhatIsInFlight) {
  const std::unique_ptr<SearchAlgorithm> search = Create(4);
  const std::vector<Proposal> first = *search->Ask(100);
  EXPECT_THAT(first, SizeIs(4));
  EXPECT_THAT(*search->Ask(1), SizeIs(0));
  ASSERT_THAT(search->Tell({Result{0, first[0].architecture, Fake(first[0].architecture)}}), IsOk());
  EXPECT_THAT(*search->Ask(100), SizeIs(1));
  EXPECT_EQ(search->num_asked(), 5);
  EXPECT_EQ(search->num_told(), 1);
}

// Asking early or late, in big or small batches, changes nothing: the window alone decides what a proposal sees.
TEST_P(SearchAlgorithmTest, ProposalsDoNotDependOnWhenTheyAreAsked) {
  const auto run = [&](uint64_t seed) {
    const std::unique_ptr<SearchAlgorithm> search = Create(6);
    CounterRandom random(seed, "schedule");
    std::vector<Proposal> all;
    while (search->num_told() < 120) {
      const std::vector<Proposal> asked = *search->Ask(static_cast<int>(random.UniformInt(8)));
      all.insert(all.end(), asked.begin(), asked.end());
      for (uint64_t i = random.UniformInt(4); i > 0 && search->num_told() < all.size() && search->num_told() < 120; --i) {
        const Proposal& next = all[search->num_told()];
        EXPECT_THAT(search->Tell({Result{next.sequence, next.architecture, Fake(next.architecture)}}), IsOk());
      }
    }
    all.resize(120);
    return all;
  };
  const std::vector<Proposal> expected = run(0);
  for (uint64_t seed = 1; seed < 6; ++seed) EXPECT_EQ(run(seed), expected) << "schedule " << seed;
}

TEST_P(SearchAlgorithmTest, RefusesResultsThatDoNotFit) {
  const std::unique_ptr<SearchAlgorithm> search = Create(4);
  const std::vector<Proposal> asked = *search->Ask(2);
  const Evaluation evaluation = {.objectives = {1, 2}, .violation = 0};
  EXPECT_THAT(search->Tell({Result{1, asked[1].architecture, evaluation}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("sequence 0, found 1")));
  EXPECT_THAT(search->Tell({Result{0, asked[1].architecture, evaluation}}), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("sequence 0")));
  EXPECT_THAT(search->Tell({Result{0, asked[0].architecture, {}}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found 0, sequence 0")));
  ASSERT_THAT(search->Tell({Result{0, asked[0].architecture, evaluation}}), IsOk());
  EXPECT_THAT(search->Tell({Result{1, asked[1].architecture, {.objectives = {1}, .violation = 0}}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected 2 objectives, found 1")));
  ASSERT_THAT(search->Tell({Result{1, asked[1].architecture, evaluation}}), IsOk());
  EXPECT_THAT(search->Tell({Result{2, asked[1].architecture, evaluation}}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("sequence 2")));
  EXPECT_EQ(search->num_told(), 2);
  EXPECT_THAT(search->Ask(-1), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found -1")));
}

TEST_P(SearchAlgorithmTest, SaysWhenTheSpaceIsExhausted) {
  SpaceSpec spec = TableSpaceSpec();
  spec.resolutions = {16};
  spec.stages[0].depths = {1};
  spec.stages[0].blocks.resize(1);
  const SearchSpace tiny = ConvnetSpace::Define(spec).value().space();  // 128 networks
  const std::unique_ptr<SearchAlgorithm> search = *GetParam().create(tiny, {.seed = 7, .population = 10, .window = 5});
  absl::flat_hash_set<Architecture> seen;
  absl::Status ended = absl::OkStatus();
  for (int i = 0; i < 1000 && ended.ok(); ++i) {
    const auto asked = search->Ask(3);
    ended = asked.status();
    if (!asked.ok()) break;
    for (const Proposal& proposal : *asked) {
      seen.insert(proposal.architecture);
      ASSERT_THAT(search->Tell({Result{proposal.sequence, proposal.architecture, Fake(proposal.architecture)}}), IsOk());
    }
  }
  EXPECT_THAT(ended, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("128")));
  EXPECT_TRUE(search->exhausted());
  EXPECT_THAT(seen, SizeIs(128));
}

TEST(ReplayTest, RefusesTheResultsOfAnotherSeed) {
  const SearchSpace space = SmallSpace();
  const auto first = *CreateRandomSearch(space, {.seed = 1, .window = 1});
  const std::vector<Proposal> asked = *first->Ask(1);
  const std::vector<Result> results = {{0, asked[0].architecture, Fake(asked[0].architecture)}};
  EXPECT_THAT(Replay(results, *(*CreateRandomSearch(space, {.seed = 1, .window = 1}))), IsOk());
  EXPECT_THAT(Replay(results, *(*CreateRandomSearch(space, {.seed = 2, .window = 1}))), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(ResultsInOrderTest, HoldsBackAndDropsRepeats) {
  ResultsInOrder results;
  results.Add({.sequence = 2});
  EXPECT_THAT(results.Take(), SizeIs(0));
  results.Add({.sequence = 0});
  results.Add({.sequence = 0});
  EXPECT_THAT(results.Take(), SizeIs(1));
  results.Add({.sequence = 0});
  results.Add({.sequence = 1});
  EXPECT_THAT(results.Take(), SizeIs(2));
  EXPECT_EQ(results.next_sequence(), 3);
}

TEST(Nsga2Test, InitialNetworksComeFirstAndOptionsAreChecked) {
  const SearchSpace space = SmallSpace();
  const Architecture largest = space.Largest({8, 8});
  const auto search = CreateNsga2(space, {.population = 10, .window = 3, .initial = {largest, largest, space.Smallest({8, 8})}});
  ASSERT_THAT(search, IsOk());
  const std::vector<Proposal> asked = *(*search)->Ask(2);
  EXPECT_EQ(asked[0].architecture, largest);
  EXPECT_EQ(asked[1].architecture, space.Smallest({8, 8}));
  EXPECT_THAT(CreateNsga2(space, {.population = 1}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("population: expected 2 to 100000, found 1")));
  EXPECT_THAT(CreateNsga2(space, {.window = 0}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("window: expected 1 or more, found 0")));
  EXPECT_THAT(CreateNsga2(space, {.crossover_probability = 1.5}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("crossover_probability")));
  EXPECT_THAT(CreateNsga2(space, {.mutation_probability = -1}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("mutation_probability")));
  EXPECT_THAT(CreateNsga2(space, {.max_attempts = 0}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("max_attempts")));
  EXPECT_THAT(CreateNsga2(space, {.initial = {Architecture{}}}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("genes")));
}

TEST(VariationTest, MutantsDifferAndChildrenInheritBlocks) {
  const ConvnetSpace family = SmallConvnet();
  const SearchSpace& space = family.space();
  const Variation variation(space);
  for (uint64_t trial = 0; trial < 500; ++trial) {
    CounterRandom random(21, "variation", trial);
    const Architecture a = space.Random(random);
    const Architecture b = space.Random(random);
    const Architecture mutant = variation.Mutate(a, 0.05, random);
    EXPECT_NE(mutant, a);
    Architecture canonical = mutant;
    space.Canonicalise(canonical);
    EXPECT_EQ(canonical, mutant);
    const Architecture child = variation.Crossover(a, b, random);
    ASSERT_THAT(space.CheckArchitecture(child), IsOk());
    for (const Unit& unit : family.units()) {
      if (!absl::StartsWith(unit.name, "stages.") || !SearchSpace::Hold(child, unit.present_if)) continue;
      const auto genes_of = [&](const Architecture& parent) {
        std::vector<uint8_t> choices;  // without the first, the width, which is the stage's
        for (size_t i = 1; i < unit.genes.size(); ++i) choices.push_back(parent.genes[static_cast<size_t>(unit.genes[i])]);
        return choices;
      };
      EXPECT_TRUE(genes_of(child) == genes_of(a) || genes_of(child) == genes_of(b)) << "trial " << trial;
    }
  }
}

/// A network of no family: a layer that is plain or split, the split one into parts, with a group of genes of its own.
SearchSpace SplitSpace() {
  std::vector<Gene> genes = {{.name = "kind", .group = "layer", .choices = {std::string("plain"), std::string("split")}},
                             {.name = "parts", .group = "parts", .choices = {int64_t{2}, int64_t{4}, int64_t{8}}, .active_if = {{0, 0b10}}},
                             {.name = "shuffle", .group = "parts", .choices = {false, true}, .active_if = {{1, 0b110}}}};
  return SearchSpace::Create("split", std::move(genes), Digest{}).value();
}

TEST(VariationTest, WhatAMutationMakesAriseIsDrawn) {
  const SearchSpace space = SplitSpace();
  const Variation variation(space);
  std::set<std::vector<uint8_t>> mutants;
  for (uint64_t trial = 0; trial < 200; ++trial) {
    CounterRandom random(22, "variation", trial);
    mutants.insert(variation.Mutate({.genes = {0, 0, 0}}, 0, random).genes);
  }
  EXPECT_THAT(mutants,
              testing::UnorderedElementsAre(std::vector<uint8_t>{1, 0, 0}, std::vector<uint8_t>{1, 1, 0}, std::vector<uint8_t>{1, 1, 1},
                                            std::vector<uint8_t>{1, 2, 0}, std::vector<uint8_t>{1, 2, 1}));
}

TEST(VariationTest, AGroupThatOneParentHasComesFromThere) {
  const SearchSpace space = SplitSpace();
  const Variation variation(space);
  const Architecture plain = {.genes = {0, 0, 0}};
  const Architecture split = {.genes = {1, 2, 1}};
  std::set<Architecture> children;
  for (uint64_t trial = 0; trial < 50; ++trial) {
    CounterRandom random(23, "variation", trial);
    children.insert(variation.Crossover(plain, split, random));
  }
  EXPECT_THAT(children, testing::UnorderedElementsAre(plain, split));
}

}  // namespace
}  // namespace hanas
