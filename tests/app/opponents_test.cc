// SPDX-License-Identifier: Apache-2.0
// Plain networks that a search is compared with: which are chosen, what they get, and whole searches with them.

#include "coordinator/driver/opponents.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "coordinator/judging/compute.h"
#include "coordinator/reporting/conclusions.h"
#include "core/base/bounds.h"
#include "tests/app/disturbed_run.h"
#include "tests/app/search_run.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::vector<OpponentCandidate> Candidates(const std::vector<double>& latencies_us, size_t first_kept = 0, size_t num_kept = 100) {
  std::vector<OpponentCandidate> candidates;
  for (size_t i = 0; i < latencies_us.size(); ++i) candidates.push_back({latencies_us[i], i >= first_kept && i < first_kept + num_kept});
  return candidates;
}

TEST(ChooseOpponentsTest, TakesTheWidestThatIsAsFastAsEachMember) {
  EXPECT_THAT(ChooseOpponents(Candidates({10, 20, 40, 80}), {25, 80}), ElementsAre(1, 3));
  EXPECT_THAT(ChooseOpponents(Candidates({10, 30, 20, 80}), {25}), ElementsAre(2)) << "whatever is slower and narrower";
  EXPECT_THAT(ChooseOpponents(Candidates({10, 20, 40, 80}), {5}), ElementsAre(0)) << "none is so fast: the narrowest";
}

TEST(ChooseOpponentsTest, KeepsTheLimits) {
  EXPECT_THAT(ChooseOpponents(Candidates({10, 20, 40, 80}, 0, 2), {100}), ElementsAre(1));
  EXPECT_THAT(ChooseOpponents(Candidates({10, 20, 40, 80}, 1, 2), {5}), ElementsAre(1)) << "the narrowest that keeps them";
  EXPECT_THAT(ChooseOpponents(Candidates({10, 20}, 0, 0), {100}), IsEmpty());
  EXPECT_THAT(ChooseOpponents({}, {100}), IsEmpty());
}

TEST(ChooseOpponentsTest, AreDistinctAndAsManyAsMembersOrFewer) {
  EXPECT_THAT(ChooseOpponents(Candidates({10, 20, 40, 80}), {45, 41}), ElementsAre(2, 3)) << "one of them on the other side";
  EXPECT_THAT(ChooseOpponents(Candidates({10, 20, 40, 80}), {45, 41, 42}), ElementsAre(1, 2, 3)) << "then the wider one";
  EXPECT_THAT(ChooseOpponents(Candidates({10, 20, 40}), {5, 5}), ElementsAre(0, 1));
  EXPECT_THAT(ChooseOpponents(Candidates({10, 20}), {1, 2, 3, 4}), ElementsAre(0, 1));
  EXPECT_THAT(ChooseOpponents(Candidates({10, 20, 40, 80}, 1, 2), {45, 41, 42}), ElementsAre(1, 2)) << "free, and within the limits";
}

TEST(StepsForTest, AreWhatTheSecondsAllow) {
  EXPECT_EQ(StepsFor(100, 640, 64), 1000);
  EXPECT_EQ(StepsFor(100, 645, 64), 1007);
  EXPECT_EQ(StepsFor(0.01, 640, 64), 1);
  EXPECT_EQ(StepsFor(100, 0, 64), 1);
  EXPECT_EQ(StepsFor(1e12, 1e9, 2), bounds::kMaxSteps);
}

SearchJob FamilyJob() {
  SearchJob job = TinyJob();
  job.references = ReferencesKind::kFamily;
  return job;
}

std::vector<MemberRecord> OpponentsOf(const SearchRecord& record) {
  std::vector<MemberRecord> opponents;
  for (const MemberRecord& member : record.members) {
    if (member.opponent.has_value()) opponents.push_back(member);
  }
  return opponents;
}

size_t CountOf(const std::vector<MemberRecord>& opponents, const std::string& family) {
  return static_cast<size_t>(
      std::count_if(opponents.begin(), opponents.end(), [&](const MemberRecord& member) { return member.opponent->family == family; }));
}

TEST(FamilySearchTest, ComparesMembersWithPlainNetworks) {
  SearchRun run(FamilyJob());
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  const std::vector<MemberRecord> opponents = OpponentsOf(record);
  EXPECT_EQ(CountOf(opponents, "dense"), 4u);
  EXPECT_EQ(CountOf(opponents, "mbconv"), 4u);
  EXPECT_EQ(CountOf(opponents, "all-in"), 1u);
  EXPECT_THAT(record.members, SizeIs(4 + 9));
  ASSERT_TRUE(record.compute_seconds.has_value());
  EXPECT_GT(*record.compute_seconds, 20) << "a second for each task of the supernet, and more";
  std::set<std::string> ids;
  for (const MemberRecord& opponent : opponents) {
    EXPECT_TRUE(ids.insert(opponent.id).second) << opponent.id;
    EXPECT_TRUE(opponent.reference);
    EXPECT_EQ(opponent.training, TrainingKind::kAlone);
    const double share = opponent.id == "all-in" ? *record.compute_seconds : *record.compute_seconds / 4;
    EXPECT_EQ(opponent.steps, StepsFor(share, /*images_per_second=*/500, FamilyJob().training.batch_size)) << opponent.id;
  }
  EXPECT_TRUE(ids.contains("dense-1"));
  EXPECT_TRUE(ids.contains("mbconv-4"));
}

TEST(FamilySearchTest, NothingOfTheMembersWaits) {
  SearchRun run(FamilyJob());
  run.Hold("opponents/");
  EXPECT_FALSE(run.UntilPhase(SearchPhase::kSucceeded));
  EXPECT_THAT(run.Events("member"), SizeIs(4)) << "all members are verified";
  EXPECT_THAT(OpponentsOf(run.Record()), IsEmpty());
  EXPECT_NE(run.Task("opponents/measure/0"), std::nullopt);
}

TEST(FamilySearchTest, TheReportSaysWhatTheMembersWon) {
  SearchRun run(FamilyJob());
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  const absl::StatusOr<ReportData> report = run.app().GetReport(run.id());
  ASSERT_THAT(report, IsOk());
  ASSERT_TRUE(report->family.has_value());
  const FamilyData& family = *report->family;
  EXPECT_THAT(family.families, ElementsAre("dense", "mbconv"));
  EXPECT_THAT(family.comparisons, SizeIs(2 * 4));
  EXPECT_THAT(family.volumes, SizeIs(3));
  for (const FrontVolume& volume : family.volumes) {
    EXPECT_GT(volume.hypervolume, 0) << volume.of;
    EXPECT_LT(volume.hypervolume, 1) << volume.of;
  }
  EXPECT_DOUBLE_EQ(family.compute.search_seconds(), *report->record.compute_seconds) << "what came later is not in it";
  EXPECT_GT(family.compute.opponents_seconds, 9) << "training, probing and exporting nine networks";
  for (const ReportMember& reference : report->references) {
    EXPECT_THAT(reference.text, StartsWith(reference.record.opponent->preset));
    EXPECT_GT(reference.cost.macs, 0);
    EXPECT_GT(reference.accuracy(), 0.5);
  }
  const std::vector<std::string> sentences = Conclusions(*report);
  EXPECT_THAT(sentences, Contains(HasSubstr("of the family dense (test-dense, scaled in width)")));
  EXPECT_THAT(sentences, Contains(HasSubstr("of the family mbconv")));
  EXPECT_THAT(sentences, Contains(StartsWith("All-in: one plain network")));
  EXPECT_THAT(sentences, Contains(HasSubstr("One search is one seed")));
  EXPECT_THAT(sentences, Contains(HasSubstr("which are not part of the search's")));
}

TEST(FamilySearchTest, OpponentsKeepTheLimits) {
  SearchRun free(FamilyJob());
  const SearchRecord without = free.Finish();
  const RangeRecord latency = without.targets[0].profile->ranges[IndexOf(Quantity::kLatency)];
  SearchJob job = FamilyJob();
  job.limits = {{.of = "latency", .at_most = latency.low + 0.5 * (latency.high - latency.low)}};
  SearchRun run(job);
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  const absl::StatusOr<ReportData> report = run.app().GetReport(run.id());
  ASSERT_THAT(report, IsOk());
  ASSERT_FALSE(report->references.empty());
  for (const ReportMember& reference : report->references) EXPECT_LE(reference.measured_us, job.limits[0].at_most) << reference.record.id;
}

TEST(FamilySearchTest, ShareWithTheMembersThatWereTrainedOn) {
  SearchJob job = FamilyJob();
  job.final = {.members = 2, .steps = 6};
  SearchRun run(job);
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  EXPECT_THAT(OpponentsOf(record), SizeIs(2 * 2 + 1)) << "as many of each family as were trained on";
  for (const MemberRecord& opponent : OpponentsOf(record)) {
    const double share = opponent.id == "all-in" ? *record.compute_seconds : *record.compute_seconds / 2;
    EXPECT_EQ(opponent.steps, StepsFor(share, /*images_per_second=*/500, job.training.batch_size)) << opponent.id;
  }
  const absl::StatusOr<ReportData> report = run.app().GetReport(run.id());
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->family->comparisons, SizeIs(2 * 2));
  EXPECT_THAT(report->set_aside, SizeIs(2));
}

TEST(FamilySearchTest, FinishingEndsItWithTheOpponentsThatAreVerified) {
  SearchRun run(FamilyJob());
  run.Hold("members/dense-1/train");
  EXPECT_FALSE(run.UntilPhase(SearchPhase::kSucceeded));
  ASSERT_THAT(run.app().FinishSearch(run.id()), IsOk());
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  EXPECT_FALSE(record.left_out.empty());
  for (const LeftOutRecord& left_out : record.left_out) EXPECT_EQ(left_out.error_code, "FINISHED_EARLY") << left_out.id;
  const absl::StatusOr<ReportData> report = run.app().GetReport(run.id());
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->front, SizeIs(4));
}

TEST(FamilySearchTest, OneThatCannotBeTrainedIsLeftOut) {
  for (const char* key : {"opponents/dense-2/probe", "members/dense-2/train", "members/dense-2/bind", "members/dense-2/verify"}) {
    SearchRun run(FamilyJob());
    run.Fail(key, "WORKER_FAILED", /*retryable=*/false);
    const SearchRecord record = run.Finish();
    ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << key << ": " << record.error;
    ASSERT_THAT(record.left_out, SizeIs(1)) << key;
    EXPECT_EQ(record.left_out[0].id, "dense-2");
    const absl::StatusOr<ReportData> report = run.app().GetReport(run.id());
    ASSERT_THAT(report, IsOk());
    EXPECT_THAT(report->references, SizeIs(8));
    ASSERT_THAT(report->left_out, SizeIs(1));
    EXPECT_THAT(report->left_out[0].text, StartsWith("test-dense x"));
    const absl::StatusOr<ReplayResult> replay = run.app().ReplaySearch(run.id());
    ASSERT_THAT(replay, IsOk());
    EXPECT_TRUE(replay->identical) << replay->difference;
  }
}

TEST(FamilySearchTest, WhatCouldNotBeMeasuredIsNotChosen) {
  SearchRun run(FamilyJob());
  run.Fail("opponents/measure/", "DEVICE_FAILED", /*retryable=*/false);
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  EXPECT_THAT(OpponentsOf(record), IsEmpty());
  const absl::StatusOr<ReportData> report = run.app().GetReport(run.id());
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(Conclusions(*report), Contains(HasSubstr("There is no plain network to compare with")));
}

TEST(FamilySearchTest, IsReplayed) {
  SearchRun run(FamilyJob());
  run.Hold("members/mbconv-1/train/1");
  EXPECT_FALSE(run.UntilPhase(SearchPhase::kSucceeded));
  const auto replay_of = [&] { return run.app().ReplaySearch(run.id()); };
  ASSERT_THAT(replay_of(), IsOk());
  EXPECT_TRUE(replay_of()->identical) << replay_of()->difference;
  run.Mend();
  run.Connect("2");
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  ASSERT_THAT(replay_of(), IsOk());
  EXPECT_TRUE(replay_of()->identical) << replay_of()->difference;
}

TEST(FamilySearchTest, OrderAndKillsChangeNothing) {
  const SearchRecord first = RunDisturbed(FamilyJob(), {}).record;
  ASSERT_EQ(first.phase, SearchPhase::kSucceeded) << first.error;
  for (const auto& [order, kills] : {std::pair(uint64_t{2}, 0), std::pair(uint64_t{3}, 50)}) {
    const SearchRecord other = RunDisturbed(FamilyJob(), {.order = order, .max_kills = kills, .kill_probability = 0.2}).record;
    EXPECT_EQ(other.members, first.members) << "order " << order;
    EXPECT_EQ(other.compute_seconds, first.compute_seconds) << "order " << order;
  }
}

TEST(FamilySearchTest, OneNetworkIsTrainedOnceForTwoTargets) {
  SearchJob job = FamilyJob();
  job.targets = {{.name = "narrow", .device = "board"}, {.name = "wide", .device = "server", .threads = 2}};
  SearchRun run(job);
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  size_t shared = 0;
  for (size_t i = 0; i < record.members.size(); ++i) {
    const MemberRecord& member = record.members[i];
    if (!member.opponent.has_value() || member.target != 1) continue;
    for (size_t j = 0; j < i; ++j) {
      const MemberRecord& other = record.members[j];
      const bool same =
          other.target == 0 && other.opponent.has_value() && other.opponent->space == member.opponent->space && other.steps == member.steps;
      if (!same) continue;
      EXPECT_GE(member.trained_as, 0) << member.id;
      ++shared;
    }
    EXPECT_EQ(run.Task("targets/wide/members/" + member.id + "/bind").has_value(), member.trained_as < 0) << member.id;
    EXPECT_NE(run.Task("targets/wide/members/" + member.id + "/verify"), std::nullopt) << member.id;
  }
  EXPECT_GT(shared, 0u) << "all-in at least, which no limit bounds";
  for (const char* target : {"narrow", "wide"}) {
    const absl::StatusOr<ReportData> report = run.app().GetReport(run.id(), target);
    ASSERT_THAT(report, IsOk());
    EXPECT_THAT(report->references, SizeIs(9)) << target;
  }
  const absl::StatusOr<ReplayResult> replay = run.app().ReplaySearch(run.id());
  ASSERT_THAT(replay, IsOk());
  EXPECT_TRUE(replay->identical) << replay->difference;
}

TEST(FamilySearchTest, ASearchWithoutThemHasNoComparisons) {
  SearchRun run;
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  EXPECT_EQ(run.Record().compute_seconds, std::nullopt);
  EXPECT_EQ(run.Task("opponents/measure/0"), std::nullopt);
  EXPECT_FALSE(run.app().GetReport(run.id())->family.has_value());
}

}  // namespace
}  // namespace hanas::coordinator
