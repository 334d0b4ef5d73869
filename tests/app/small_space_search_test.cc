// SPDX-License-Identifier: Apache-2.0
// Spaces of fewer networks than a predictor needs.

#include <set>
#include <string>
#include <tuple>

#include "absl/strings/match.h"
#include "coordinator/reporting/conclusions.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/app/search_run.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

/// A space of `resolutions` times `kernels` networks.
SearchJob JobOf(std::vector<int> resolutions, std::vector<int> kernels) {
  SearchJob job = TinyJob();
  job.space.resolutions = std::move(resolutions);
  job.space.stem.precisions = {{8, 8}};
  job.space.stages = {{.widths = {8}, .depths = {1}, .stride = 2, .blocks = {{.kernels = std::move(kernels), .expansions = {2}}}}};
  job.space.head = {.widths = {16}};
  job.sampling.networks = 10;
  job.evolution.rounds = 1;
  job.evolution.evaluations_per_round = 4;
  job.references = ReferencesKind::kNone;
  return job;
}

class SmallSpaceSearchTest : public testing::TestWithParam<std::tuple<int, Screening>> {};

TEST_P(SmallSpaceSearchTest, EveryNetworkIsEvaluatedAndMeasuredOnce) {
  const auto [networks, screening] = GetParam();
  SearchJob job = networks == 1 ? JobOf({16}, {3}) : networks == 4 ? JobOf({16, 24}, {3, 5}) : JobOf({16, 20, 24}, {1, 3, 5, 7});
  job.screening = screening;
  SearchRun run(job);
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;

  const absl::StatusOr<CandidatePage> page = run.app().ListCandidates(run.id(), 0, 1000);
  ASSERT_THAT(page, IsOk());
  std::set<Architecture> evaluated;
  for (const CandidateRow& candidate : page->candidates) evaluated.insert(candidate.architecture);
  EXPECT_EQ(evaluated.size(), static_cast<size_t>(networks));
  EXPECT_THAT(page->candidates, SizeIs(networks));
  EXPECT_EQ(run.Task("sample/0"), std::nullopt);
  EXPECT_EQ(run.Task("round/0/predictor"), std::nullopt);
  EXPECT_THAT(run.Events("round"), SizeIs(1));
  EXPECT_THAT(run.Events("round")[0].text,
              HasSubstr(absl::StrCat("every network that the space has was evaluated and measured, ", networks)));

  const absl::StatusOr<ReportData> report = run.app().GetReport(run.id());
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->front, Not(IsEmpty()));
  EXPECT_EQ(report->predictor_networks, 0);
  EXPECT_THAT(Conclusions(*report), testing::Contains(HasSubstr("no predictor was needed")));
}

INSTANTIATE_TEST_SUITE_P(Networks, SmallSpaceSearchTest,
                         testing::Combine(testing::Values(1, 4, 12), testing::Values(Screening::kSupernet, Screening::kAlone)));

TEST(SmallSpaceSearchTest, EachTargetMeasuresAllNetworksAndTheyAreEvaluatedOnce) {
  SearchJob job = JobOf({16, 20}, {1, 3});
  job.targets = {{.name = "narrow", .device = "board"}, {.name = "wide", .device = "server"}};
  SearchRun run(job);
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  for (const char* target : {"narrow", "wide"}) {
    const absl::StatusOr<CandidatePage> page = run.app().ListCandidates(run.id(), 0, 1000, target);
    ASSERT_THAT(page, absl_testing::IsOk());
    EXPECT_EQ(page->total, 4);
    for (const CandidateRow& row : page->candidates) EXPECT_TRUE(row.latency_measured) << target;
    EXPECT_TRUE(run.app().GetReport(run.id(), target)->searched_whole);
  }
}

TEST(SmallSpaceSearchTest, AnotherNetworkThanTheJobAsksForIsSampled) {
  SearchJob job = JobOf({16, 20, 24}, {1, 3, 5, 7});
  job.evolution.evaluations_per_round = 1;  // 10 samples and 1 more, of 12
  SearchRun run(job);
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  EXPECT_NE(run.Task("sample/predictor"), std::nullopt);
}

}  // namespace
}  // namespace hanas::coordinator
