// SPDX-License-Identifier: Apache-2.0
#include "coordinator/surrogate/candidate_scorer.h"
#include "config/presets.h"

#include <cmath>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "core/cost/cost.h"
#include "core/job/job_cost.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/random_job.h"
#include "tests/core/small_space.h"
#include "tests/surrogate/fake_latency.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr LatencyCalibration kCalibration = {.scale = 1.1, .offset_us = 3, .relative_error = 0.02, .num_pairs = 12};

void ExpectEqualsLowering(const Lowering& lowering, const BackendCaps& caps, uint64_t num_networks) {
  const LatencyTable table = FakeLatencyTable(lowering, caps);
  const auto scorer = CandidateScorer::Create(lowering, caps, &table, kCalibration);
  ASSERT_THAT(scorer, IsOk());
  for (uint64_t i = 0; i < num_networks; ++i) {
    CounterRandom random(3, "networks", i);
    const Architecture architecture = lowering.space().Random(random);
    const Graph graph = lowering.Lower(architecture);
    const ExecPlan plan = MakePlan(graph, caps);
    const Cost expected = NetworkCost(graph, plan);
    const double expected_sum = *SumOfOperators(plan, table);
    const CandidateCost cost = scorer->ScoreOne(architecture);
    const std::string name = lowering.space().ToReadable(architecture);
    EXPECT_EQ(cost.macs, expected.macs) << name;
    EXPECT_EQ(cost.parameters, expected.parameters) << name;
    EXPECT_EQ(cost.size_bytes, expected.size_bytes) << name;
    EXPECT_EQ(cost.peak_memory_bytes, expected.peak_memory_bytes) << name;
    EXPECT_NEAR(cost.sum_us, expected_sum, 1e-9 * expected_sum) << name;
    EXPECT_NEAR(cost.latency_us, 1.1 * expected_sum + 3, 1e-9 * expected_sum) << name;
  }
}

TEST(CandidateScorerTest, EqualsFullLowering) {
  const Lowering lowering(SmallConvnet());
  ExpectEqualsLowering(lowering, {.name = "plain", .native = EveryKindBut(OpKind::kHardSwish, ElementType::kInt8)}, 1500);
  ExpectEqualsLowering(lowering,
                       {.name = "rich",
                        .native = {{.compute = ElementType::kFloat16},
                                   {.compute = ElementType::kInt8},
                                   {.kind = OpKind::kFullyConnected, .compute = ElementType::kInt8, .weights = ElementType::kInt4}}},
                       1500);
}

TEST(CandidateScorerTest, EqualsFullLoweringOfMobileNetV3) {
  ExpectEqualsLowering(Lowering(ConvnetSpace::Define(config::SpecOf(config::FindPreset("mobilenet-v3-large").value())).value()),
                       {.name = "plain"}, 1);
}

TEST(CandidateScorerTest, NamesAMissingKey) {
  const Lowering lowering(SmallConvnet());
  const BackendCaps caps = {.name = "plain", .native = EveryKindBut(OpKind::kHardSwish, ElementType::kInt8)};
  const std::vector<OpKey> keys = EnumerateOpKeys(lowering, caps);
  LatencyTable table;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i == 10 || i == 20) continue;
    ASSERT_THAT(table.Insert(keys[i], {.flushed_us = 1, .hot_us = 1}), IsOk());
  }
  EXPECT_THAT(CandidateScorer::Create(lowering, caps, &table, {}),
              StatusIs(absl::StatusCode::kNotFound, AllOf(HasSubstr("none for 2 of them"), HasSubstr(ToString(keys[10])))));
}

TEST(CandidateScorerTest, WithoutATableTimesAreNotNumbers) {
  const Lowering lowering(SmallConvnet());
  const auto scorer = CandidateScorer::Create(lowering, {.name = "plain"}, nullptr, {});
  ASSERT_THAT(scorer, IsOk());
  const CandidateCost cost = scorer->ScoreOne(lowering.space().Largest({8, 8}));
  EXPECT_TRUE(std::isnan(cost.sum_us));
  EXPECT_TRUE(std::isnan(cost.latency_us));
  EXPECT_GT(cost.size_bytes, 0);
}

TEST(CandidateScorerTest, RefusesASpaceThatIsTooLarge) {
  const Lowering lowering(SmallConvnet());
  EXPECT_THAT(CandidateScorer::Create(lowering, {.name = "plain"}, nullptr, {}, 100),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("at most 100")));
}

TEST(CandidateScorerTest, TakesTheEntriesThatTheCostOfTheJobNames) {
  RandomJobs jobs(4, {.resolution = 24, .width = 24, .stages = 2, .depth = 4});
  for (int i = 0; i < 12; ++i) {
    const SearchJob job = jobs.Next();
    const absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(job.space);
    if (!space.ok()) continue;
    const Lowering lowering(*space);
    const JobCost cost = CostOf(job, lowering);
    if (cost.table_entries > 100'000) continue;
    const auto scorer = CandidateScorer::Create(lowering, {.name = "plain"}, nullptr, {});
    ASSERT_THAT(scorer, IsOk());
    EXPECT_EQ(scorer->num_entries(), cost.table_entries) << "job " << i;
    ExpectEqualsLowering(lowering, {.name = "plain"}, 50);
  }
}

TEST(CandidateScorerTest, EndsWhenItIsToldTo) {
  int asked = 0;
  EXPECT_THAT(CandidateScorer::Create(Lowering(SmallConvnet()), {.name = "plain"}, nullptr, {}, 1'000'000, [&] { return ++asked == 2; }),
              StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(asked, 2);
}

}  // namespace
}  // namespace hanas
