// SPDX-License-Identifier: Apache-2.0
// Searches on the recorded table: quality against random search, and repeatability across kills.
#include "tests/search/recorded_table.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "coordinator/search/ask_tell.h"
#include "coordinator/search/hypervolume.h"
#include "coordinator/search/nsga2.h"
#include "coordinator/search/random_search.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::testing::SizeIs;

class RecordedTableTest : public testing::Test {
 protected:
  SearchSpace space_ = TableSpace();
  RecordedTable table_{HANAS_SEARCH_TABLE};

  std::unique_ptr<SearchAlgorithm> Nsga2(uint64_t seed, int window) const {
    return *CreateNsga2(space_, {.seed = seed, .population = 20, .window = window});
  }

  /// Evaluates in order, all told at once.
  std::vector<Result> Run(SearchAlgorithm& search, size_t evaluations, double latency_limit_us = 0) const {
    std::vector<Result> results;
    while (results.size() < evaluations) {
      const std::vector<Proposal> asked = *search.Ask(static_cast<int>(evaluations - results.size()));
      for (const Proposal& proposal : asked) {
        results.push_back({proposal.sequence, proposal.architecture, table_.Evaluate(proposal.architecture, latency_limit_us)});
        EXPECT_THAT(search.Tell({results.back()}), IsOk());
      }
    }
    return results;
  }

  static std::vector<Individual> FrontOf(const std::vector<Result>& results) {
    ParetoFront front;
    for (const Result& result : results) front.Insert({result.architecture, result.evaluation});
    return front.members();
  }

  static double Volume(const std::vector<Result>& results) { return *Hypervolume(FrontOf(results), RecordedTable::Reference()); }
};

TEST_F(RecordedTableTest, HoldsEveryNetworkOfTheSpace) {
  ASSERT_THAT(table_.rows(), SizeIs(3456));
  for (const auto& [architecture, row] : table_.rows()) ASSERT_THAT(space_.CheckArchitecture(architecture), IsOk());
}

TEST_F(RecordedTableTest, Nsga2BeatsRandomSearchAtEqualEvaluations) {
  double nsga2_total = 0;
  double random_total = 0;
  int wins = 0;
  constexpr int kSeeds = 20;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const double nsga2 = Volume(Run(*Nsga2(seed, 8), 200));
    const double random = Volume(Run(*(*CreateRandomSearch(space_, {.seed = seed, .window = 8})), 200));
    nsga2_total += nsga2;
    random_total += random;
    wins += nsga2 > random ? 1 : 0;
  }
  std::vector<Result> all;
  for (const auto& [architecture, row] : table_.rows()) all.push_back({0, architecture, table_.Evaluate(architecture)});
  const double best = Volume(all);
  RecordProperty("nsga2_share_of_best", std::to_string(nsga2_total / kSeeds / best));
  RecordProperty("random_share_of_best", std::to_string(random_total / kSeeds / best));
  std::printf("hypervolume after 200 of 3456 networks, mean of %d seeds: nsga2 %.4f, random %.4f of the table's; nsga2 ahead on %d seeds\n",
              kSeeds, nsga2_total / kSeeds / best, random_total / kSeeds / best, wins);
  EXPECT_EQ(wins, kSeeds);
}

TEST_F(RecordedTableTest, LimitsAreKept) {
  const double limit_us = 300;
  for (const Individual& member : FrontOf(Run(*Nsga2(3, 8), 200, limit_us))) EXPECT_LE(member.evaluation.objectives[1], limit_us);
}

TEST_F(RecordedTableTest, SameSeedSameFrontBitForBit) {
  EXPECT_EQ(FrontOf(Run(*Nsga2(5, 8), 300)), FrontOf(Run(*Nsga2(5, 8), 300)));
  EXPECT_NE(FrontOf(Run(*Nsga2(5, 8), 300)), FrontOf(Run(*Nsga2(6, 8), 300)));
}

// A coordinator that is killed again and again, with evaluations in flight that finish in any order: what was acknowledged is in
// `recorded`, everything else is lost.
TEST_F(RecordedTableTest, FiftyKillsChangeNothing) {
  constexpr size_t kEvaluations = 400;
  constexpr int kKills = 50;
  constexpr int kWindow = 8;
  const std::vector<Result> expected = Run(*Nsga2(9, kWindow), kEvaluations);

  CounterRandom random(1, "kills");
  std::vector<size_t> cuts;
  for (int i = 0; i < kKills; ++i) cuts.push_back(random.UniformInt(kEvaluations));
  std::sort(cuts.begin(), cuts.end());
  cuts.push_back(kEvaluations);

  std::vector<Result> recorded;
  for (const size_t cut : cuts) {
    const std::unique_ptr<SearchAlgorithm> search = Nsga2(9, kWindow);
    ASSERT_THAT(Replay(recorded, *search), IsOk());
    std::vector<Proposal> in_flight;
    while (recorded.size() < cut) {
      const std::vector<Proposal> asked = *search->Ask(kWindow);
      in_flight.insert(in_flight.end(), asked.begin(), asked.end());
      ResultsInOrder arrivals;
      random.Shuffle(absl::MakeSpan(in_flight));
      std::vector<Result> ready;
      for (const Proposal& proposal : in_flight) {
        // Sequences restart at 0 in a fresh ResultsInOrder; shift to those that are still to come.
        arrivals.Add({proposal.sequence - search->num_told(), proposal.architecture, table_.Evaluate(proposal.architecture)});
      }
      const uint64_t told = search->num_told();
      for (Result& result : arrivals.Take()) {
        result.sequence += told;
        if (recorded.size() == cut) break;
        ASSERT_THAT(search->Tell({result}), IsOk());
        recorded.push_back(result);
      }
      std::erase_if(in_flight, [&](const Proposal& proposal) { return proposal.sequence < search->num_told(); });
    }
  }
  ASSERT_THAT(recorded, SizeIs(kEvaluations));
  for (size_t i = 0; i < kEvaluations; ++i) EXPECT_EQ(recorded[i].architecture, expected[i].architecture) << "sequence " << i;
  EXPECT_EQ(FrontOf(recorded), FrontOf(expected));
}

}  // namespace
}  // namespace hanas
