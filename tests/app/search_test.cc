// SPDX-License-Identifier: Apache-2.0
// The whole life of a search, driven by a fake evaluator: to its end, to the same end after kills and in any order, and to a refusal.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "coordinator/reporting/conclusions.h"
#include "tests/app/app_fixture.h"
#include "tests/app/disturbed_run.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::SizeIs;

DisturbedEnding RunSearch(uint64_t order, int max_kills, const SearchJob& job = TinyJob()) {
  return RunDisturbed(job, {.order = order, .max_kills = max_kills});
}

TEST(SearchTest, ReachesAMeasuredFront) {
  const DisturbedEnding ending = RunSearch(1, 0);
  ASSERT_EQ(ending.record.phase, SearchPhase::kSucceeded) << ending.record.error;
  EXPECT_THAT(ending.record.targets[0].rounds, SizeIs(2));
  EXPECT_THAT(ending.record.members, SizeIs(4 + 3));
  EXPECT_GT(ending.record.targets[0].profile->operator_keys, 0);
  for (const MemberRecord& member : ending.record.members) EXPECT_GT(member.predicted_us, 0) << member.id;
}

TEST(SearchTest, OrderOfCompletionChangesNothing) {
  const DisturbedEnding first = RunSearch(1, 0);
  for (const uint64_t order : {2, 3, 4}) EXPECT_EQ(RunSearch(order, 0), first) << "order " << order;
}

TEST(SearchTest, FiftyKillsChangeNothing) {
  const DisturbedEnding undisturbed = RunSearch(1, 0);
  const DisturbedEnding killed = RunSearch(5, 50);
  EXPECT_EQ(killed.kills, 50);
  EXPECT_EQ(killed, undisturbed);
}

TEST(SearchTest, AnotherSeedIsAnotherSearch) {
  SearchJob job = TinyJob();
  job.seed = 8;
  EXPECT_FALSE(RunSearch(1, 0, job) == RunSearch(1, 0));
}

TEST(SearchTest, LimitsThatNothingMeetsEndBeforeTraining) {
  SearchJob job = TinyJob();
  job.limits = {{.of = "latency", .at_most = 1}};
  const DisturbedEnding ending = RunSearch(1, 0, job);
  EXPECT_EQ(ending.record.phase, SearchPhase::kFailed);
  EXPECT_EQ(ending.record.error_code, "INFEASIBLE_LIMITS");
  EXPECT_THAT(ending.record.error, HasSubstr("the nearest that can be kept: target.limits.latency: "));
  EXPECT_EQ(ending.record.phases.back().phase, SearchPhase::kProfiling);
}

TEST(SearchTest, LimitsThatNeedNoMeasurementAreLookedAtBeforeTheFirst) {
  SearchJob job = TinyJob();
  job.limits = {{.of = "size", .at_most = 10}, {.of = "latency", .at_most = 1e6}};
  const DisturbedEnding ending = RunSearch(1, 0, job);
  EXPECT_EQ(ending.record.phase, SearchPhase::kFailed);
  EXPECT_EQ(ending.record.error_code, "INFEASIBLE_LIMITS");
  EXPECT_THAT(ending.record.error, HasSubstr("the nearest that can be kept: target.limits.size: "));
  EXPECT_THAT(ending.record.error, testing::Not(HasSubstr("latency")));
  EXPECT_FALSE(ending.record.targets[0].profile.has_value());
  EXPECT_EQ(ending.record.phases.back().total, 0) << "nothing was asked of the device";
}

TEST(SearchTest, KeepsALatencyLimit) {
  SearchJob job = TinyJob();
  const DisturbedEnding free = RunSearch(1, 0);
  const RangeRecord latency = free.record.targets[0].profile->ranges[IndexOf(Quantity::kLatency)];
  const double limit_us = latency.low + 0.3 * (latency.high - latency.low);
  job.limits = {{.of = "latency", .at_most = limit_us}};
  const DisturbedEnding ending = RunSearch(1, 0, job);
  ASSERT_EQ(ending.record.phase, SearchPhase::kSucceeded) << ending.record.error;
  EXPECT_LT(ending.record.targets[0].profile->share_within_limits, 1);
  for (const MemberRecord& member : ending.record.members) {
    if (member.reference) continue;
    EXPECT_LE(member.predicted_us, limit_us * 1.02) << member.id;
  }
}

TEST(SearchTest, OptimisesWhatTheJobAsksFor) {
  for (const std::vector<ObjectiveSpec>& objectives :
       {std::vector<ObjectiveSpec>{{"accuracy"}}, {{"accuracy"}, {"size"}}, {{"size"}, {"accuracy"}, {"latency"}, {"peak_memory"}}}) {
    SearchJob job = TinyJob();
    job.objectives = objectives;
    const DisturbedEnding ending = RunSearch(1, 0, job);
    ASSERT_EQ(ending.record.phase, SearchPhase::kSucceeded) << ending.record.error;
    EXPECT_THAT(ending.record.members, SizeIs(4 + 3));
    EXPECT_GT(ending.record.targets[0].rounds.back().hypervolume, 0);
    EXPECT_LE(ending.record.targets[0].rounds.back().hypervolume, 1);
    EXPECT_EQ(RunSearch(2, 10, job), ending) << "whatever the order of completion, and with kills";
  }
}

TEST(SearchTest, RoundsAreDrivenByTheAlgorithmThatTheJobNames) {
  SearchJob job = TinyJob();
  job.evolution.algorithm = "random";
  const DisturbedEnding ending = RunSearch(1, 0, job);
  ASSERT_EQ(ending.record.phase, SearchPhase::kSucceeded) << ending.record.error;
  EXPECT_EQ(RunSearch(2, 10, job), ending) << "whatever the order of completion, and with kills";
  EXPECT_NE(RunSearch(1, 0).record.targets[0].rounds, ending.record.targets[0].rounds) << "other networks than NSGA-II finds";
}

TEST(SearchTest, KeepsLimitsOfAnyQuantity) {
  SearchJob job = TinyJob();
  job.objectives = {{"latency"}};
  job.limits = {{.of = "accuracy", .at_least = 0.3}, {.of = "parameters", .at_most = 0.9, .than = "largest-8bit"}};
  const DisturbedEnding ending = RunSearch(1, 0, job);
  ASSERT_EQ(ending.record.phase, SearchPhase::kSucceeded) << ending.record.error;
  EXPECT_LT(ending.record.targets[0].profile->share_within_limits, 1);
  for (const MemberRecord& member : ending.record.members) {
    if (member.reference) continue;
    EXPECT_GE(member.shared.fraction(), 0.3) << member.id;
  }
}

TEST(SearchTest, WithoutReferencesAndRounds) {
  SearchJob job = TinyJob();
  job.references = ReferencesKind::kNone;
  job.evolution.rounds = 0;
  const DisturbedEnding ending = RunSearch(1, 0, job);
  ASSERT_EQ(ending.record.phase, SearchPhase::kSucceeded) << ending.record.error;
  EXPECT_THAT(ending.record.members, SizeIs(4));
}

TEST(SearchTest, WhoIsTrainedOnDependsOnNoOrder) {
  SearchJob job = TinyJob();
  job.final = {.members = 2, .steps = 6};
  const DisturbedEnding ending = RunSearch(1, 0, job);
  ASSERT_EQ(ending.record.phase, SearchPhase::kSucceeded) << ending.record.error;
  EXPECT_EQ(RunSearch(2, 20, job), ending) << "whatever the order of completion, and with kills";
}

TEST(SearchTest, ReportHasWhatWasMeasured) {
  AppHarness harness;
  const uint64_t worker = harness.AddWorker("a", "i", "host-a");
  const uint64_t agent = harness.AddAgent("i", "host-c");
  const uint64_t search = harness.Submit();
  EXPECT_THAT(harness.app().GetReport(search), StatusIs(absl::StatusCode::kFailedPrecondition));
  for (int i = 0; i < 1000; ++i) {
    ASSERT_THAT(harness.app().RunOnce(), StatusIs(absl::StatusCode::kOk));
    for (const uint64_t party : {worker, agent}) {
      const std::optional<GrantedTask> granted = harness.Lease(party, "i");
      if (!granted.has_value()) continue;
      ASSERT_THAT(harness.Complete(*granted), StatusIs(absl::StatusCode::kOk));
    }
  }
  const absl::StatusOr<ReportData> report = harness.app().GetReport(search);
  ASSERT_THAT(report, StatusIs(absl::StatusCode::kOk));
  ASSERT_THAT(report->front, SizeIs(4));
  EXPECT_THAT(report->references, SizeIs(3));
  for (size_t i = 1; i < report->front.size(); ++i) EXPECT_LE(report->front[i - 1].measured_us, report->front[i].measured_us);
  EXPECT_LT(report->latency.held_out.mape, 0.05);
  EXPECT_EQ(report->test_images, 10000);
  EXPECT_FALSE(Conclusions(*report).empty());
  EXPECT_FALSE(report->comparisons.empty());
  // Of each chain of training only the last checkpoints are kept; what the report names is there.
  for (const ReportMember& member : report->front) EXPECT_TRUE(harness.artifacts().Contains(member.bound.onnx.sha256));
}

}  // namespace
}  // namespace hanas::coordinator
