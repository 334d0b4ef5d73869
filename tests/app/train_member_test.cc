// SPDX-License-Identifier: Apache-2.0
// A network of the front that others deserved the long training more than, trained on after all when a user asks for it.

#include "coordinator/state/train_member.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "coordinator/reporting/report_data.h"
#include "core/base/error_reason.h"
#include "tests/app/search_run.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::SizeIs;

SearchJob JobWithFinal() {
  SearchJob job = TinyJob();
  job.final = {.members = 1, .steps = 6};
  return job;
}

std::vector<std::string> SetAside(const SearchRecord& record) {
  std::vector<std::string> ids;
  for (const MemberRecord& member : record.members) {
    if (member.set_aside) ids.push_back(member.id);
  }
  return ids;
}

const MemberRecord& MemberNamed(const SearchRecord& record, const std::string& id) {
  return *std::find_if(record.members.begin(), record.members.end(), [&](const MemberRecord& member) { return member.id == id; });
}

TEST(TrainMemberTest, ItIsTrainedVerifiedAndReportedAndTheOthersStayAsTheyAre) {
  SearchRun run(JobWithFinal());
  const SearchRecord before = run.Finish();
  const std::string member = SetAside(before).at(0);
  const size_t said = run.Events("member").size();
  const absl::StatusOr<SearchSnapshot> asked = run.app().TrainMember(run.id(), "", member, 9);
  ASSERT_THAT(asked, IsOk());
  EXPECT_EQ(asked->record.phase, SearchPhase::kVerifying);
  EXPECT_EQ(asked->record.end_time_us, 0);
  EXPECT_THAT(run.app().GetReport(run.id()), StatusIs(absl::StatusCode::kFailedPrecondition));

  const SearchRecord after = run.Finish();
  ASSERT_EQ(after.phase, SearchPhase::kSucceeded) << after.error;
  EXPECT_EQ(MemberNamed(after, member).final_steps, 9);
  EXPECT_EQ(std::get<TrainWork>(run.Task("members/" + member + "/final/0")->task.work).total_steps, 9);
  EXPECT_THAT(SetAside(after), SizeIs(SetAside(before).size() - 1));
  const absl::StatusOr<ReportData> report = run.app().GetReport(run.id());
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->front, SizeIs(2));
  EXPECT_THAT(run.Events("member"), SizeIs(said + 1)) << "of the others it was said before";
  for (const MemberRecord& other : before.members) {
    if (other.id != member) {
      EXPECT_EQ(MemberNamed(after, other.id), other);
    }
  }
  EXPECT_EQ(after.phases.back().done, after.phases.back().total);
}

TEST(TrainMemberTest, StepsAreTheJobsUnlessTheyAreGivenAndAskingTwiceIsFine) {
  SearchRun run(JobWithFinal());
  const std::string member = SetAside(run.Finish()).at(0);
  ASSERT_THAT(run.app().TrainMember(run.id(), "", member, 0), IsOk());
  ASSERT_THAT(run.app().TrainMember(run.id(), "", member, 7), IsOk()) << "as when the first answer was lost";
  EXPECT_EQ(MemberNamed(run.Finish(), member).final_steps, JobWithFinal().final.steps);
  const absl::StatusOr<SearchSnapshot> again = run.app().TrainMember(run.id(), "", member, 7);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->record.phase, SearchPhase::kSucceeded);
}

TEST(TrainMemberTest, SeveralOneAfterTheOtherAndTheSearchIsDecidedTheSameOnceMore) {
  SearchRun run(JobWithFinal());
  const std::vector<std::string> members = SetAside(run.Finish());
  ASSERT_GE(members.size(), 2u);
  ASSERT_THAT(run.app().TrainMember(run.id(), "", members[1], 8), IsOk());
  run.Finish();
  ASSERT_THAT(run.app().TrainMember(run.id(), "", members[0], 5), IsOk());
  run.Finish();
  EXPECT_THAT(run.app().GetReport(run.id())->front, SizeIs(3));
  run.harness().Reopen();
  const absl::StatusOr<ReplayResult> replay = run.app().ReplaySearch(run.id());
  ASSERT_THAT(replay, IsOk());
  EXPECT_TRUE(replay->identical) << replay->difference;
}

TEST(TrainMemberTest, CancellingGivesUpOnlyWhatIsNotVerified) {
  SearchRun run(JobWithFinal());
  const SearchRecord before = run.Finish();
  const std::vector<std::string> members = SetAside(before);
  ASSERT_GE(members.size(), 2u);
  ASSERT_THAT(run.app().TrainMember(run.id(), "", members[1], 8), IsOk());
  const SearchRecord with_one = run.Finish();
  ASSERT_THAT(run.app().TrainMember(run.id(), "", members[0], 5), IsOk());
  run.Hold("bind");
  while (run.Turn()) {
  }
  const GrantedTask held = *run.harness().Lease(run.worker(), "1");
  const absl::StatusOr<SearchSnapshot> cancelled = run.app().CancelSearch(run.id());
  ASSERT_THAT(cancelled, IsOk());
  EXPECT_EQ(cancelled->record.phase, SearchPhase::kSucceeded);
  EXPECT_EQ(cancelled->record.members, with_one.members);
  EXPECT_FALSE(run.Task("members/" + members[0] + "/final/0").has_value());
  EXPECT_THAT(run.app().Renew({AppHarness::HolderOf(held), 1, 2}), StatusIs(absl::StatusCode::kNotFound)) << "the holder stops";
  EXPECT_THAT(run.app().GetReport(run.id())->front, SizeIs(2));
  run.harness().Reopen();
  EXPECT_EQ(run.Record().members, with_one.members) << "also after a restart";
  run.Mend();
  run.Connect("2");
  ASSERT_THAT(run.app().TrainMember(run.id(), "", members[0], 4), IsOk()) << "anew";
  EXPECT_EQ(MemberNamed(run.Finish(), members[0]).final_steps, 4);
  EXPECT_TRUE(run.app().ReplaySearch(run.id())->identical);
}

TEST(TrainMemberTest, OneThatFailsIsLeftOutAndTheSearchStaysSuccessful) {
  SearchRun run(JobWithFinal());
  const std::string member = SetAside(run.Finish()).at(0);
  ASSERT_THAT(run.app().TrainMember(run.id(), "", member, 0), IsOk());
  run.Fail("final", "WORKER_FAILED", /*retryable=*/false);
  const SearchRecord after = run.Finish();
  EXPECT_EQ(after.phase, SearchPhase::kSucceeded);
  EXPECT_THAT(after.left_out, SizeIs(1));
  EXPECT_THAT(run.app().GetReport(run.id())->front, SizeIs(1));
  EXPECT_TRUE(run.app().ReplaySearch(run.id())->identical);
  run.Mend();
  ASSERT_THAT(run.app().TrainMember(run.id(), "", member, 3), IsOk()) << "anew";
  const SearchRecord mended = run.Finish();
  EXPECT_THAT(mended.left_out, SizeIs(0));
  EXPECT_EQ(MemberNamed(mended, member).final_steps, 3);
  EXPECT_THAT(run.app().GetReport(run.id())->front, SizeIs(2));
  EXPECT_TRUE(run.app().ReplaySearch(run.id())->identical);
}

TEST(TrainMemberTest, CancellingNeverTakesASuccessAway) {
  SearchRun run(JobWithFinal());
  const std::string member = SetAside(run.Finish()).at(0);
  ASSERT_THAT(run.app().TrainMember(run.id(), "", member, 0), IsOk());
  run.Hold("verify");
  while (run.Turn()) {
  }
  const std::optional<GrantedTask> verifying = run.harness().Lease(run.agent(), "1");
  ASSERT_TRUE(verifying.has_value());
  ASSERT_THAT(run.app().PauseSearch(run.id()), IsOk());
  ASSERT_THAT(run.harness().Complete(*verifying), IsOk()) << "results that still come are taken";
  const absl::StatusOr<SearchSnapshot> cancelled = run.app().CancelSearch(run.id());
  ASSERT_THAT(cancelled, IsOk());
  EXPECT_EQ(cancelled->record.phase, SearchPhase::kSucceeded);
  EXPECT_THAT(run.app().GetReport(run.id())->front, SizeIs(2)) << "it was verified";
}

TEST(TrainMemberTest, ASearchThatStillTrainsSeveralIsDecidedTheSameOnceMore) {
  SearchRun run(JobWithFinal());
  const std::vector<std::string> members = SetAside(run.Finish());
  ASSERT_GE(members.size(), 2u);
  run.Hold("final");
  ASSERT_THAT(run.app().TrainMember(run.id(), "", members[0], 5), IsOk());
  ASSERT_THAT(run.app().TrainMember(run.id(), "", members[1], 5), IsOk());
  while (run.Turn()) {
  }
  const absl::StatusOr<ReplayResult> replay = run.app().ReplaySearch(run.id());
  ASSERT_THAT(replay, IsOk());
  EXPECT_TRUE(replay->identical) << replay->difference;
}

TEST(TrainMemberTest, EachTargetHasItsOwnMembersAndANetworkIsTrainedOnceForBoth) {
  SearchJob job = JobWithFinal();
  job.targets = {job.target, job.target};
  job.targets[0].name = "small";
  job.targets[1].name = "large";
  SearchRun run(job);
  const SearchRecord before = run.Finish();
  ASSERT_EQ(before.phase, SearchPhase::kSucceeded) << before.error;
  for (const MemberRecord& member : before.members) {
    if (!member.set_aside) continue;
    const std::string& target = job.targets[member.target].name;
    ASSERT_THAT(run.app().TrainMember(run.id(), target, member.id, 7), IsOk()) << target << " " << member.id;
    run.Turn();
    ASSERT_THAT(run.app().CancelSearch(run.id()), IsOk());
    ASSERT_EQ(run.Record().members, before.members) << target << " " << member.id;
    EXPECT_TRUE(run.app().ReplaySearch(run.id())->identical);
  }
  for (const MemberRecord& member : before.members) {
    if (!member.set_aside) continue;
    ASSERT_THAT(run.app().TrainMember(run.id(), job.targets[member.target].name, member.id, 7), IsOk());
    ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  }
  EXPECT_THAT(SetAside(run.Record()), SizeIs(0));
  const absl::StatusOr<ReplayResult> replay = run.app().ReplaySearch(run.id());
  ASSERT_THAT(replay, IsOk());
  EXPECT_TRUE(replay->identical) << replay->difference;
}

TEST(TrainMemberTest, WhatCannotBeTrainedOnIsRefusedByName) {
  SearchRun run(JobWithFinal());
  const auto refusal = [&](uint64_t search, const std::string& target, const std::string& member) {
    return run.app().TrainMember(search, target, member, 3).status();
  };
  ASSERT_TRUE(run.UntilPhase(SearchPhase::kVerifying));
  EXPECT_TRUE(HasReason(refusal(run.id(), "", "member-1"), kSearchNotSucceeded)) << refusal(run.id(), "", "member-1");
  const SearchRecord record = run.Finish();
  EXPECT_TRUE(HasReason(refusal(run.id() + 100, "", "member-1"), kSearchNotFound));
  const absl::Status unknown = refusal(run.id(), "", "member-77");
  EXPECT_TRUE(HasReason(unknown, kMemberNotFound));
  EXPECT_THAT(unknown.message(), HasSubstr(SetAside(record).at(0))) << "those that there are";
  EXPECT_TRUE(HasReason(refusal(run.id(), "phone", SetAside(record).at(0)), kMemberNotFound)) << "no such target";
  for (const MemberRecord& member : record.members) {
    if (member.set_aside) continue;
    EXPECT_TRUE(HasReason(refusal(run.id(), "", member.id), member.reference ? kMemberNotFound : kMemberTrained)) << member.id;
  }
  EXPECT_EQ(run.Record(), record) << "nothing changed";
}

}  // namespace
}  // namespace hanas::coordinator
