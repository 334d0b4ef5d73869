// SPDX-License-Identifier: Apache-2.0
// Searches for several targets at once: what they share, and that each gets a front of its own.

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status_matchers.h"
#include "tests/app/disturbed_run.h"
#include "tests/app/search_run.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

/// A device of one thread that is fast with small integers, and one of two that is not (FakeEvaluator).
SearchJob TwoTargets() {
  SearchJob job = TinyJob();
  job.targets = {{.name = "narrow", .device = "board"}, {.name = "wide", .device = "server", .threads = 2}};
  return job;
}

std::vector<std::string> KeysOf(SearchRun& run) {
  std::vector<std::string> keys;
  for (const TaskRecord& task : run.Tasks()) keys.push_back(task.key);
  return keys;
}
int CountWith(const std::vector<std::string>& keys, const std::string& part) {
  return static_cast<int>(std::count_if(keys.begin(), keys.end(), [&](const std::string& key) { return absl::StrContains(key, part); }));
}

TEST(TargetsTest, ShareSupernetAndSamplesAndEachGetsAFront) {
  SearchRun run(TwoTargets());
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  ASSERT_THAT(record.targets, SizeIs(2));
  EXPECT_EQ(record.targets[0].agent, "board");
  EXPECT_EQ(record.targets[1].agent, "server");
  for (const TargetRecord& target : record.targets) EXPECT_THAT(target.rounds, SizeIs(2));
  EXPECT_NE(record.targets[0].profile, record.targets[1].profile);

  const std::vector<std::string> keys = KeysOf(run);
  SearchRun alone;
  EXPECT_EQ(alone.Finish().phase, SearchPhase::kSucceeded);
  for (const char* shared : {"sample/", "round/0/predictor", "verify/images"})
    EXPECT_EQ(CountWith(keys, shared), CountWith(KeysOf(alone), shared)) << shared;
  const auto is_of_supernet = [](const std::string& key) { return absl::StartsWith(key, "train/"); };
  EXPECT_EQ(std::count_if(keys.begin(), keys.end(), is_of_supernet), 20) << "one supernet";
  EXPECT_GT(CountWith(keys, "targets/narrow/profile/operators/"), 0);
  EXPECT_GT(CountWith(keys, "targets/wide/profile/operators/"), 0);

  const absl::StatusOr<ReportData> narrow = run.app().GetReport(run.id(), "narrow");
  const absl::StatusOr<ReportData> wide = run.app().GetReport(run.id(), "wide");
  ASSERT_THAT(narrow, IsOk());
  ASSERT_THAT(wide, IsOk());
  EXPECT_EQ(narrow->target().device.device, "board");
  EXPECT_EQ(wide->target().device.threads, 2);
  for (const ReportData* report : {&*narrow, &*wide}) {
    EXPECT_THAT(report->front, SizeIs(4));
    EXPECT_THAT(report->references, SizeIs(3));
    EXPECT_LT(report->latency.held_out.mape, 0.05) << "its own calibration";
  }
  EXPECT_NE(narrow->references[0].measured_us, wide->references[0].measured_us) << "the same network on two devices";
}

TEST(TargetsTest, TheSameNetworkIsTrainedOnceAndMeasuredOnEach) {
  SearchRun run(TwoTargets());
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  const std::vector<std::string> keys = KeysOf(run);
  for (const char* reference : {"largest-8bit", "middle-8bit", "middle-8bit-long"}) {
    EXPECT_EQ(CountWith(keys, absl::StrCat("targets/narrow/members/", reference, "/bind")), 1);
    EXPECT_EQ(CountWith(keys, absl::StrCat("targets/wide/members/", reference, "/bind")), 0);
    EXPECT_EQ(CountWith(keys, absl::StrCat("targets/wide/members/", reference, "/train")), 0);
    EXPECT_EQ(CountWith(keys, absl::StrCat("targets/wide/members/", reference, "/verify")), 1);
  }
  absl::flat_hash_set<Architecture> distinct;
  for (const MemberRecord& member : record.members) {
    if (!member.reference) distinct.insert(member.architecture);
  }
  const auto binds_member = [](const std::string& key) {
    return absl::StrContains(key, "/members/member-") && absl::EndsWith(key, "/bind");
  };
  EXPECT_EQ(std::count_if(keys.begin(), keys.end(), binds_member), static_cast<int64_t>(distinct.size()));
  EXPECT_FALSE(run.app().GetReport(run.id(), "wide")->references[0].bound.onnx.empty());
}

TEST(TargetsTest, OrderAndKillsChangeNothing) {
  const SearchRecord first = RunDisturbed(TwoTargets(), {}).record;
  ASSERT_EQ(first.phase, SearchPhase::kSucceeded) << first.error;
  for (const auto& [order, kills] : {std::pair(uint64_t{2}, 0), std::pair(uint64_t{3}, 40)}) {
    const SearchRecord other = RunDisturbed(TwoTargets(), {.order = order, .max_kills = kills}).record;
    EXPECT_EQ(other.targets, first.targets) << "order " << order;
    EXPECT_EQ(other.members, first.members) << "order " << order;
  }
}

TEST(TargetsTest, ReplayDecidesTheSame) {
  SearchRun run(TwoTargets());
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  const absl::StatusOr<ReplayResult> replay = run.app().ReplaySearch(run.id());
  ASSERT_THAT(replay, IsOk());
  EXPECT_TRUE(replay->identical) << replay->difference;
}

TEST(TargetsTest, ALimitHoldsForTheTargetThatItNames) {
  SearchRun free(TwoTargets());
  const std::vector<TargetRecord> targets = free.Finish().targets;
  const RangeRecord latency = targets[1].profile->ranges[IndexOf(Quantity::kLatency)];
  const double limit_us = latency.low + 0.3 * (latency.high - latency.low);
  SearchJob job = TwoTargets();
  job.limits = {{.of = "latency", .target = "wide", .at_most = limit_us}};
  SearchRun run(job);
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  EXPECT_EQ(record.targets[0].profile->share_within_limits, 1);
  EXPECT_LT(record.targets[1].profile->share_within_limits, 1);
  const absl::StatusOr<ReportData> wide = run.app().GetReport(run.id(), "wide");
  ASSERT_THAT(wide, IsOk());
  ASSERT_THAT(wide->front, Not(IsEmpty()));
  for (const ReportMember& member : wide->front) EXPECT_LE(member.measured_us, limit_us * 1.02) << member.record.id;
  EXPECT_THAT(run.app().GetReport(run.id(), "narrow")->goals.limits, IsEmpty());
}

TEST(TargetsTest, WhatOneTargetCannotKeepIsSaidInWordsThatWork) {
  SearchJob job = TwoTargets();
  job.limits = {{.of = "latency", .target = "wide", .at_most = 1}};
  SearchRun run(job);
  const SearchRecord record = run.Finish();
  EXPECT_EQ(record.phase, SearchPhase::kFailed);
  EXPECT_EQ(record.error_code, "INFEASIBLE_LIMITS");
  EXPECT_THAT(record.error, AllOf(HasSubstr("on server"), HasSubstr("limits: [{of: latency, target: wide, at_most: ")));
  EXPECT_EQ(record.phases.back().phase, SearchPhase::kProfiling) << "nothing was trained";

  job.limits = {{.of = "latency", .at_most = 1}};  // of each
  SearchRun both(job);
  EXPECT_THAT(both.Finish().error, HasSubstr("the nearest that can be kept: limits.latency: "));
  job.targets.resize(1);  // a list of one is a list: a target beside it would be refused
  SearchRun listed(job);
  EXPECT_THAT(listed.Finish().error, HasSubstr("the nearest that can be kept: limits.latency: "));
}

TEST(TargetsTest, WaitsForAllDevicesAndSaysForWhich) {
  AppHarness harness(TwoTargets());
  harness.AddWorker("worker", "i", "host-w");
  harness.AddAgent("i", "host-a", "board");
  harness.AddAgent("i", "host-b", "server", 1);  // another number of threads than the target's
  const uint64_t search = harness.Submit();
  ASSERT_THAT(harness.app().RunOnce(), IsOk());
  const SearchSnapshot waiting = harness.app().GetSearch(search).value();
  EXPECT_EQ(waiting.record.phase, SearchPhase::kPending);
  ASSERT_THAT(waiting.blockers, SizeIs(1));
  EXPECT_THAT(waiting.blockers[0].text, AllOf(HasSubstr("\"server\" measures with xnnpack and 1 thread"), HasSubstr("--threads 2")));
  harness.AddAgent("ii", "host-b", "server", 2);
  ASSERT_THAT(harness.app().RunOnce(), IsOk());
  EXPECT_EQ(harness.app().GetSearch(search)->record.phase, SearchPhase::kProfiling);
}

TEST(TargetsTest, TwoTargetsOnOneDeviceMeasureItsOperatorsOnce) {
  SearchJob job = TinyJob();
  job.targets = {{.name = "usual"}, {.name = "worst", .statistic = LatencyStatistic::kP99}};
  SearchRun run(job);
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  const std::vector<std::string> keys = KeysOf(run);
  EXPECT_GT(CountWith(keys, "targets/usual/profile/operators/"), 0);
  EXPECT_EQ(CountWith(keys, "targets/worst/profile/operators/"), 0);
  const double usual = run.app().GetReport(run.id(), "usual")->references[0].measured_us;
  EXPECT_DOUBLE_EQ(run.app().GetReport(run.id(), "worst")->references[0].measured_us, 1.2 * usual) << "p99 for p50";
  EXPECT_TRUE(run.app().ReplaySearch(run.id())->identical);
}

TEST(TargetsTest, CandidatesAreListedForEither) {
  SearchRun run(TwoTargets());
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  const CandidatePage narrow = run.app().ListCandidates(run.id(), 0, 1000, "narrow").value();
  const CandidatePage wide = run.app().ListCandidates(run.id(), 0, 1000, "wide").value();
  EXPECT_EQ(narrow.total, 16 + 2 * 2 * 10);
  ASSERT_EQ(narrow.candidates.size(), wide.candidates.size());
  int measured_on_both = 0;
  for (size_t i = 0; i < narrow.candidates.size(); ++i) {
    EXPECT_EQ(narrow.candidates[i].architecture, wide.candidates[i].architecture);
    EXPECT_NE(narrow.candidates[i].latency_us, wide.candidates[i].latency_us);
    measured_on_both += narrow.candidates[i].latency_measured && wide.candidates[i].latency_measured ? 1 : 0;
  }
  EXPECT_EQ(measured_on_both, 0) << "each has measured what it asked for";
  EXPECT_THAT(run.app().GetFront(run.id(), "wide").value(), Not(IsEmpty()));
  EXPECT_THAT(run.app().GetFront(run.id(), "watch"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("target: expected one of narrow, wide, found \"watch\"")));
  EXPECT_EQ(run.app().GetFront(run.id()).value().size(), run.app().GetFront(run.id(), "narrow").value().size());
}

TEST(TargetsTest, EachTrainsItsOwnBestOnAndSharesWhatIsTheSame) {
  SearchJob job = TwoTargets();
  job.final = {.members = 2, .steps = 6};
  SearchRun run(job);
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  absl::flat_hash_set<Architecture> winners;
  for (const MemberRecord& member : record.members) {
    if (!member.reference && !member.set_aside) winners.insert(member.architecture);
  }
  const std::vector<std::string> keys = KeysOf(run);
  const auto starts_final = [](const std::string& key) { return absl::StrContains(key, "/final/") && absl::EndsWith(key, "/0"); };
  EXPECT_EQ(std::count_if(keys.begin(), keys.end(), starts_final), static_cast<int64_t>(winners.size())) << "each network once";
  for (const char* const target : {"narrow", "wide"}) EXPECT_THAT(run.app().GetReport(run.id(), target)->front, SizeIs(2));
}

TEST(TargetsTest, AMemberThatOneDeviceCannotVerifyIsLeftOutThereOnly) {
  SearchRun run(TwoTargets());
  run.Fail("targets/wide/members/largest-8bit/verify", "DEVICE_FAILED", /*retryable=*/false);
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  ASSERT_THAT(record.left_out, SizeIs(1));
  EXPECT_EQ(record.left_out[0].target, 1);
  EXPECT_THAT(run.app().GetReport(run.id(), "narrow")->left_out, IsEmpty());
  EXPECT_THAT(run.app().GetReport(run.id(), "narrow")->references, SizeIs(3));
  EXPECT_THAT(run.app().GetReport(run.id(), "wide")->left_out, SizeIs(1));
  EXPECT_THAT(run.app().GetReport(run.id(), "wide")->references, SizeIs(2));
}

TEST(TargetsTest, WhatCannotBeTrainedIsLeftOutOfEach) {
  SearchRun run(TwoTargets());
  run.Fail("targets/narrow/members/largest-8bit/train", "WORKER_FAILED", /*retryable=*/false);
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  EXPECT_THAT(record.left_out, SizeIs(2));
}

TEST(TargetsTest, ATargetWithoutAnyMemberLeftFailsTheSearch) {
  SearchRun run(TwoTargets());
  run.Fail("targets/wide/members/member-", "DEVICE_FAILED", /*retryable=*/false);
  const SearchRecord record = run.Finish();
  EXPECT_EQ(record.phase, SearchPhase::kFailed);
  EXPECT_THAT(record.error, HasSubstr("wide: no member is left to report"));
  run.Mend();
  ASSERT_THAT(run.app().ResumeSearch(run.id()), IsOk());
  EXPECT_EQ(run.Finish().phase, SearchPhase::kSucceeded) << "a broken device can be mended";
}

TEST(TargetsTest, ABudgetOfEvaluationsIsForAllOfThem) {
  SearchJob job = TwoTargets();
  job.budget.max_evaluations = 15;
  SearchRun run(job);
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  EXPECT_EQ(run.Snapshot().spent.evaluations, 15);
  for (const auto& [target, share] : {std::pair("narrow", 8), std::pair("wide", 7)}) {
    const absl::StatusOr<CandidatePage> page = run.app().ListCandidates(run.id(), 0, 1000, target);
    ASSERT_THAT(page, IsOk());
    const auto is_measured = [](const CandidateRow& row) { return row.latency_measured; };
    EXPECT_EQ(std::count_if(page->candidates.begin(), page->candidates.end(), is_measured), share) << target;
  }
}

}  // namespace
}  // namespace hanas::coordinator
