// SPDX-License-Identifier: Apache-2.0
// Which networks of a front are trained on: objectives are latency and error, both to be small.
#include "coordinator/driver/finalists.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/app/app_fixture.h"
#include "tests/app/search_run.h"

namespace hanas::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr size_t kError = 1;

/// Of as many MACs as its latency, unless told otherwise.
Contender Network(uint8_t name, double latency, double error, double macs = 0) {
  return {.network = {.architecture = {.genes = {name}}, .evaluation = {.objectives = {latency, error}}},
          .macs = macs > 0 ? macs : latency};
}

// Going from 0 to 2 costs little latency and wins much; from 2 to 4 it is the other way round: 2 is the knee. 3 is worse than 2 in both.
std::vector<Contender> Bend() {
  return {Network(0, 10, 0.40), Network(1, 15, 0.25), Network(2, 20, 0.13), Network(3, 60, 0.14), Network(4, 100, 0.10)};
}

TEST(FinalistsTest, TheMostAccurateThenTheKnee) {
  EXPECT_THAT(ChooseFinalists(Bend(), kError, /*tolerance=*/0, 1), ElementsAre(4));
  EXPECT_THAT(ChooseFinalists(Bend(), kError, 0, 2), ElementsAre(4, 2));
}

TEST(FinalistsTest, ThenTheOtherEndAndWhatIsFarFromThem) {
  EXPECT_THAT(ChooseFinalists(Bend(), kError, 0, 4), ElementsAre(4, 2, 0, 1));
  EXPECT_THAT(ChooseFinalists(Bend(), kError, 0, 9), SizeIs(5));
}

TEST(FinalistsTest, AmongNetworksThatChanceCannotTellApartTheLargestIsTakenAlsoWhenDominated) {
  // Two tiny networks are a little ahead of one that is four times as large, and of a larger one that is far behind.
  const std::vector<Contender> contenders = {Network(0, 40, 0.150, 700), Network(1, 40, 0.150, 710), Network(2, 160, 0.158, 2800),
                                             Network(3, 200, 0.300, 4000)};
  EXPECT_THAT(ChooseFinalists(contenders, kError, /*tolerance=*/0.01, 1), ElementsAre(2));
  EXPECT_THAT(ChooseFinalists(contenders, kError, 0.01, 2), ElementsAre(2, 0)) << "then the knee of the front";
  EXPECT_THAT(ChooseFinalists(contenders, kError, 0, 1), ElementsAre(1)) << "of equal ones the larger";
}

TEST(FinalistsTest, OneThatIsOutsideTheToleranceIsNotTakenForItsSize) {
  const std::vector<Contender> contenders = {Network(0, 40, 0.150, 700), Network(1, 160, 0.161, 2800)};
  EXPECT_THAT(ChooseFinalists(contenders, kError, /*tolerance=*/0.01, 1), ElementsAre(0));
  EXPECT_THAT(ChooseFinalists(contenders, kError, 0.012, 1), ElementsAre(1));
}

TEST(FinalistsTest, TheKneeIsNotTakenTwice) {
  // 1 is as accurate as 2 within chance, larger, and the knee.
  const std::vector<Contender> contenders = {Network(0, 10, 0.30), Network(1, 20, 0.105, 500), Network(2, 100, 0.10),
                                             Network(3, 22, 0.104)};
  EXPECT_THAT(ChooseFinalists(contenders, kError, /*tolerance=*/0.01, 2), ElementsAre(1, 0)) << "what is next to the knee is no second";
}

TEST(FinalistsTest, TheThirdIsFarFromBoth) {
  // The fastest one is an end of the front, and nearly the same as the knee.
  const std::vector<Contender> contenders = {Network(0, 10, 0.125), Network(1, 12, 0.120), Network(2, 60, 0.110), Network(3, 100, 0.100)};
  EXPECT_THAT(ChooseFinalists(contenders, kError, /*tolerance=*/0, 3), ElementsAre(3, 1, 2));
}

TEST(FinalistsTest, WhatKeepsTheLimitsComesFirst) {
  std::vector<Contender> contenders = Bend();
  contenders[4].network.evaluation.violation = 0.5;
  EXPECT_THAT(ChooseFinalists(contenders, kError, 0, 1), ElementsAre(2));
  EXPECT_THAT(ChooseFinalists(contenders, kError, /*tolerance=*/0.05, 1), ElementsAre(3)) << "the largest of those within them";
  for (Contender& contender : contenders) contender.network.evaluation.violation = 1;
  contenders[0].network.evaluation.violation = 0.1;
  EXPECT_THAT(ChooseFinalists(contenders, kError, 0, 1), ElementsAre(0)) << "the one that comes closest";
  EXPECT_THAT(ChooseFinalists(contenders, kError, /*tolerance=*/1, 1), ElementsAre(0)) << "whatever the others' sizes";
}

TEST(FinalistsTest, TheFavouriteIsWhateverObjectiveTheJobHas) {
  EXPECT_THAT(ChooseFinalists(Bend(), /*favourite=*/0, 0, 1), ElementsAre(0));
  EXPECT_THAT(ChooseFinalists({Network(7, 1, 1)}, kError, 0, 3), ElementsAre(0));
  EXPECT_THAT(ChooseFinalists({}, kError, 0, 3), IsEmpty());
  EXPECT_THAT(ChooseFinalists(Bend(), kError, 0, 0), IsEmpty());
  EXPECT_THAT(ChooseFinalists({Network(1, 5, 0.5), Network(2, 5, 0.5)}, kError, 0, 2), UnorderedElementsAre(0, 1));
}

// ---- in a search ----

constexpr int64_t kFinalSteps = 6;

SearchJob JobWithFinal() {
  SearchJob job = TinyJob();
  job.final = {.members = 2, .steps = kFinalSteps};
  return job;
}

/// Ids of the members that are reported, and those that are not.
std::pair<std::vector<std::string>, std::vector<std::string>> Decided(const SearchRecord& record) {
  std::pair<std::vector<std::string>, std::vector<std::string>> ids;
  for (const MemberRecord& member : record.members) {
    if (!member.reference) (member.set_aside ? ids.second : ids.first).push_back(member.id);
  }
  return ids;
}

TEST(FinalTest, TheBestOfTheFrontAreTrainedOnAndTheOthersReportedAsTheyAre) {
  SearchRun run(JobWithFinal());
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  const auto [reported, set_aside] = Decided(record);
  EXPECT_THAT(reported, SizeIs(2));
  EXPECT_THAT(set_aside, SizeIs(2));
  double best = 0;
  for (const MemberRecord& member : record.members) {
    if (member.reference) continue;
    EXPECT_EQ(member.fine_tuned.images, JobWithFinal().dataset.validation_images) << "all of them, not those of sampling";
    EXPECT_EQ(member.final_steps, member.set_aside ? 0 : kFinalSteps) << member.id;
    EXPECT_EQ(run.Task("members/" + member.id + "/final/0").has_value(), !member.set_aside) << member.id;
    EXPECT_EQ(run.Task("members/" + member.id + "/bind").has_value(), !member.set_aside) << member.id;
    best = std::max(best, member.fine_tuned.fraction());
  }
  const absl::StatusOr<ReportData> report = run.app().GetReport(run.id());
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_THAT(report->front, SizeIs(2));
  ASSERT_THAT(report->set_aside, SizeIs(2));
  EXPECT_THAT(report->references, SizeIs(3));
  // Two standard deviations of the difference of two accuracies on so many images: chance makes no larger one.
  const double tolerance = 2 * std::sqrt(2 * best * (1 - best) / JobWithFinal().dataset.validation_images);
  EXPECT_TRUE(std::any_of(report->front.begin(), report->front.end(),
                          [&](const ReportMember& member) { return member.record.fine_tuned.fraction() >= best - tolerance; }));
  EXPECT_FALSE(report->set_aside[0].text.empty());
  ASSERT_THAT(run.Events("final"), SizeIs(1));
  EXPECT_THAT(run.Events("final")[0].text,
              testing::ContainsRegex(
                  "trained on: member-[1-4] .* for 6 steps, member-[1-4] .* for 6 steps; chosen from 4 by 1000 validation images"));
  EXPECT_EQ(record.phases.back().done, record.phases.back().total);
}

TEST(FinalTest, FinalTrainingGoesOnFromTheFineTunedWeights) {
  SearchRun run(JobWithFinal());
  const SearchRecord record = run.Finish();
  const std::string winner = Decided(record).first.front();
  const TrainWork fine_tuning = std::get<TrainWork>(run.Task("members/" + winner + "/train/0")->task.work);
  const TrainWork final_training = std::get<TrainWork>(run.Task("members/" + winner + "/final/0")->task.work);
  EXPECT_EQ(final_training.total_steps, kFinalSteps);
  EXPECT_EQ(final_training.from_step, 0);
  EXPECT_EQ(final_training.kind, TrainingKind::kFinal);
  EXPECT_EQ(final_training.slice, fine_tuning.slice);
  EXPECT_NE(final_training.initial, fine_tuning.initial);
  EXPECT_FALSE(final_training.initial.empty());
}

TEST(FinalTest, OneThatFailsBeforeTheDecisionIsLeftOutOfIt) {
  SearchRun run(JobWithFinal());
  run.Fail("members/member-2/train", "WORKER_FAILED", /*retryable=*/false);
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  EXPECT_THAT(record.left_out, SizeIs(1));
  EXPECT_THAT(run.app().GetReport(run.id())->front, SizeIs(2));
  EXPECT_THAT(run.app().GetReport(run.id())->set_aside, SizeIs(1));
}

TEST(FinalTest, WhenAWinnerFailsTheNextBestTakesItsPlace) {
  SearchJob job = JobWithFinal();
  job.final.members = 1;
  SearchRun undisturbed(job);
  const std::string best = Decided(undisturbed.Finish()).first.front();
  SearchRun run(job);
  run.Fail("members/" + best + "/bind", "EXPORT_FAILED", /*retryable=*/false);
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  const absl::StatusOr<ReportData> report = run.app().GetReport(run.id());
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_THAT(report->front, SizeIs(1));
  EXPECT_NE(report->front[0].record.id, best);
  for (const ReportSetAside& other : report->set_aside)
    EXPECT_GE(report->front[0].record.fine_tuned.fraction(), other.member.fine_tuned.fraction());
  ASSERT_THAT(run.Events("final"), SizeIs(2));
  EXPECT_THAT(run.Events("final")[1].text, testing::HasSubstr(" is trained on instead"));
}

TEST(FinalTest, WithoutAnyMemberLeftTheSearchFailsAndCanGoOn) {
  SearchRun run(JobWithFinal());
  run.Fail("members/member-2/train", "WORKER_FAILED", /*retryable=*/false);  // before the decision
  run.Fail("/final/", "WORKER_FAILED", /*retryable=*/false);
  const SearchRecord record = run.Finish();
  EXPECT_EQ(record.phase, SearchPhase::kFailed);
  EXPECT_THAT(record.error, testing::HasSubstr("no member is left to report"));
  run.Mend();
  ASSERT_TRUE(run.app().ResumeSearch(run.id()).ok());
  const SearchRecord mended = run.Finish();
  EXPECT_EQ(mended.phase, SearchPhase::kSucceeded) << mended.error;
  EXPECT_THAT(Decided(mended).second, testing::ElementsAre("member-2")) << "who is trained on had been decided without it";
}

TEST(FinalTest, MoreFinalistsThanMembersAreAllOfThem) {
  SearchJob job = JobWithFinal();
  job.final.members = 50;
  SearchRun run(job);
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  EXPECT_THAT(Decided(record).first, SizeIs(4));
}

TEST(FinalTest, EvaluationsOfMembersAreNoCandidates) {
  SearchRun with(JobWithFinal());
  SearchRun without(TinyJob());
  with.Finish();
  without.Finish();
  EXPECT_EQ(with.app().ListCandidates(with.id(), 0, 1)->total, without.app().ListCandidates(without.id(), 0, 1)->total);
}

}  // namespace
}  // namespace hanas::coordinator
