// SPDX-License-Identifier: Apache-2.0
// What users and budgets do to a search that goes on: pause, resume, finish; and how a failed one is taken up again.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "coordinator/reporting/conclusions.h"
#include "core/base/error_reason.h"
#include "tests/app/search_run.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

SearchJob WithBudget(const BudgetSpec& budget) {
  SearchJob job = TinyJob();
  job.budget = budget;
  return job;
}

// ---- pause and resume ----

TEST(PauseTest, HandsLeasesBackAndGrantsNone) {
  SearchRun run;
  ASSERT_TRUE(run.UntilPhase(SearchPhase::kTraining));
  const GrantedTask granted = *run.harness().Lease(run.worker(), "1");
  EXPECT_EQ(run.app().Renew({AppHarness::HolderOf(granted), 1, 2})->instruction, LeaseInstruction::kContinue);
  ASSERT_THAT(run.app().PauseSearch(run.id()), IsOk());
  EXPECT_EQ(run.app().Renew({AppHarness::HolderOf(granted), 1, 2})->instruction, LeaseInstruction::kHandBack);
  ASSERT_THAT(run.app().Fail(AppHarness::HolderOf(granted), "HANDED_BACK", "", true), IsOk());
  EXPECT_FALSE(run.Turn());
  EXPECT_EQ(run.Record().phase, SearchPhase::kTraining);
  EXPECT_EQ(run.Task("train/0")->task.failures, 0);
  ASSERT_THAT(run.app().ResumeSearch(run.id()), IsOk());
  EXPECT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  EXPECT_THAT(run.Events("pause"), SizeIs(1));
  EXPECT_THAT(run.Events("resume"), SizeIs(1));
}

TEST(PauseTest, ResultsThatStillComeAreTakenAndNoStepFollows) {
  SearchRun run;
  ASSERT_TRUE(run.UntilPhase(SearchPhase::kTraining));
  const GrantedTask granted = *run.harness().Lease(run.worker(), "1");
  ASSERT_THAT(run.app().PauseSearch(run.id()), IsOk());
  ASSERT_THAT(run.harness().Complete(granted), IsOk());
  EXPECT_FALSE(run.Turn());
  EXPECT_EQ(run.Task("train/0")->task.state, TaskState::kDone);
  EXPECT_FALSE(run.Task("train/1").has_value());
}

TEST(PauseTest, SurvivesARestartAndItsSecondsCountNowhere) {
  SearchRun run;
  ASSERT_TRUE(run.UntilPhase(SearchPhase::kTraining));
  run.harness().clock().Advance(absl::Seconds(3));
  ASSERT_THAT(run.app().PauseSearch(run.id()), IsOk());
  run.harness().clock().Advance(absl::Hours(1));
  EXPECT_DOUBLE_EQ(run.Snapshot().spent.wall_seconds, 3);
  run.harness().Reopen();
  run.harness().clock().Advance(absl::Hours(1));
  EXPECT_TRUE(run.Record().paused);
  EXPECT_DOUBLE_EQ(run.Record().phases.back().seconds, 3);
  ASSERT_THAT(run.app().ResumeSearch(run.id()), IsOk());
  run.harness().clock().Advance(absl::Seconds(4));
  EXPECT_DOUBLE_EQ(run.Record().phases.back().seconds, 7);
}

TEST(PauseTest, TheSameSearchComesOut) {
  SearchRun undisturbed;
  const SearchRecord expected = undisturbed.Finish();
  SearchRun run;
  for (const SearchPhase phase : {SearchPhase::kProfiling, SearchPhase::kSampling, SearchPhase::kSearching, SearchPhase::kVerifying}) {
    ASSERT_TRUE(run.UntilPhase(phase));
    ASSERT_THAT(run.app().PauseSearch(run.id()), IsOk());
    run.Turn();
    ASSERT_THAT(run.app().ResumeSearch(run.id()), IsOk());
  }
  const SearchRecord record = run.Finish();
  EXPECT_EQ(record.targets, expected.targets);
  EXPECT_EQ(record.members, expected.members);
}

TEST(PauseTest, ASearchThatIsOverCannotBePaused) {
  SearchRun run;
  run.Finish();
  EXPECT_THAT(run.app().PauseSearch(run.id()), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("SUCCEEDED")));
  EXPECT_THAT(run.app().ResumeSearch(run.id()), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("SUCCEEDED")));
  EXPECT_THAT(run.app().PauseSearch(77), StatusIs(absl::StatusCode::kNotFound, HasSubstr("searches/77")));
}

// ---- a failed search ----

TEST(ResumeTest, GoesOnWhereItFailedAndRepeatsNothingDone) {
  SearchRun run;
  run.Fail("sample/1");
  ASSERT_EQ(run.Finish().phase, SearchPhase::kFailed);
  EXPECT_EQ(run.Record().error_code, "WORKER_FAILED");
  EXPECT_THAT(run.Record().error, "it broke (evaluating networks, after 3 attempts)");
  const int64_t trained = run.Task("train/5")->task.attempt;
  run.Mend();
  run.harness().Reopen();
  const absl::StatusOr<SearchSnapshot> resumed = run.app().ResumeSearch(run.id());
  ASSERT_THAT(resumed, IsOk());
  EXPECT_EQ(resumed->record.phase, SearchPhase::kSampling);
  EXPECT_EQ(resumed->record.error, "");
  EXPECT_EQ(run.Task("sample/1")->task.failures, 0);
  EXPECT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  EXPECT_EQ(run.Task("train/5")->task.attempt, trained);
}

TEST(ResumeTest, ItsFailedTaskGetsThreeAttemptsAnew) {
  SearchRun run;
  run.Fail("train/2");
  ASSERT_EQ(run.Finish().phase, SearchPhase::kFailed);
  ASSERT_THAT(run.app().ResumeSearch(run.id()), IsOk());
  ASSERT_EQ(run.Finish().phase, SearchPhase::kFailed);
  EXPECT_EQ(run.Task("train/2")->task.attempt, 2 * kMaxFailures);
}

TEST(ResumeTest, InfeasibleLimitsStayFinal) {
  SearchJob job = TinyJob();
  job.limits = {{.of = "latency", .at_most = 1}};
  SearchRun run(job);
  ASSERT_EQ(run.Finish().error_code, "INFEASIBLE_LIMITS");
  const absl::Status status = run.app().ResumeSearch(run.id()).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("change the job")));
  EXPECT_TRUE(HasReason(status, "INFEASIBLE_LIMITS"));
}

TEST(ResumeTest, ACancelledSearchStaysCancelled) {
  SearchRun run;
  ASSERT_THAT(run.app().CancelSearch(run.id()), IsOk());
  EXPECT_THAT(run.app().ResumeSearch(run.id()), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("CANCELLED")));
}

// ---- members that fail ----

TEST(LeftOutTest, AMemberThatFailsIsReportedAndTheOthersSucceed) {
  SearchRun run;
  run.Fail("members/member-2/bind", "EXPORT_FAILED", /*retryable=*/false);
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  ASSERT_THAT(run.Events("left_out"), SizeIs(1));
  EXPECT_THAT(run.Events("left_out")[0].text, "member-2 is left out: it broke (exporting member-2, after 1 attempt)");
  const absl::StatusOr<ReportData> report = run.app().GetReport(run.id());
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->front, SizeIs(3));
  EXPECT_THAT(report->references, SizeIs(3));
  ASSERT_THAT(report->left_out, SizeIs(1));
  EXPECT_EQ(report->left_out[0].member.id, "member-2");
  EXPECT_EQ(report->left_out[0].record.error_code, "EXPORT_FAILED");
}

TEST(LeftOutTest, GetsItsAttemptsFirst) {
  SearchRun run;
  run.Fail("members/member-1/train/0");
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  EXPECT_EQ(run.Task("members/member-1/train/0")->task.attempt, kMaxFailures);
  EXPECT_FALSE(run.Task("members/member-1/bind").has_value());
}

TEST(LeftOutTest, ReferencesMayAllFail) {
  SearchRun run;
  run.Fail("8bit");
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  const absl::StatusOr<ReportData> report = run.app().GetReport(run.id());
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->references, IsEmpty());
  EXPECT_THAT(report->left_out, SizeIs(3));
}

TEST(LeftOutTest, FailsWhenNoMemberIsLeftAndCanBeResumed) {
  SearchRun run;
  run.Fail("members/member-", "DEVICE_FAILED");
  ASSERT_EQ(run.Finish().phase, SearchPhase::kFailed);
  EXPECT_EQ(run.Record().error_code, "DEVICE_FAILED");
  EXPECT_THAT(run.Record().error, "no member is left to report: it broke (fine-tuning member-1, after 3 attempts)");
  run.Mend();
  ASSERT_THAT(run.app().ResumeSearch(run.id()), IsOk());
  EXPECT_THAT(run.Record().left_out, IsEmpty());
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  EXPECT_THAT(run.app().GetReport(run.id())->front, SizeIs(4));
}

// ---- finish and budgets ----

TEST(FinishTest, BeforeAnythingIsEvaluatedThereIsNothingToVerify) {
  SearchRun run;
  ASSERT_TRUE(run.UntilPhase(SearchPhase::kTraining));
  EXPECT_THAT(run.app().FinishSearch(run.id()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("nothing to verify in TRAINING")));
}

TEST(FinishTest, InSamplingVerifiesTheBestSample) {
  SearchRun run;
  run.Hold("sample/1");
  EXPECT_FALSE(run.UntilPhase(SearchPhase::kSearching));
  ASSERT_THAT(run.app().FinishSearch(run.id()), IsOk());
  run.Mend();
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  EXPECT_EQ(run.Task("sample/1")->task.state, TaskState::kCancelled);
  EXPECT_THAT(run.Record().targets[0].rounds, IsEmpty());
  const absl::StatusOr<ReportData> report = run.app().GetReport(run.id());
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->predictor_networks, 0);
  EXPECT_THAT(Conclusions(*report), Contains("The search was finished early (asked by a user): this is the best it had found."));
}

TEST(FinishTest, KeepsWhatTheRoundUnderWayHasEvaluated) {
  SearchRun run;
  run.Hold("round/1/evaluate/1");
  EXPECT_FALSE(run.UntilPhase(SearchPhase::kVerifying));
  ASSERT_THAT(run.Record().targets[0].rounds, SizeIs(1));
  const int64_t before = run.app().ListCandidates(run.id(), 0, 1)->total;
  EXPECT_EQ(before, 16 + 10 + 8);
  ASSERT_THAT(run.app().PauseSearch(run.id()), IsOk());
  ASSERT_THAT(run.app().FinishSearch(run.id()), IsOk());  // a paused search goes on
  ASSERT_THAT(run.app().FinishSearch(run.id()), IsOk());
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  EXPECT_THAT(run.Record().targets[0].rounds, SizeIs(1));
  EXPECT_EQ(run.app().ListCandidates(run.id(), 0, 1)->total, before);
  EXPECT_THAT(run.app().GetReport(run.id())->front, SizeIs(4));
  EXPECT_THAT(run.Events("finish"), SizeIs(1));
}

TEST(FinishTest, TheHolderOfACancelledTaskIsTurnedAway) {
  SearchRun run;
  run.Hold("round/0/evaluate/0");
  EXPECT_FALSE(run.UntilPhase(SearchPhase::kVerifying));
  const GrantedTask held = *run.harness().Lease(run.worker(), "1");
  ASSERT_THAT(run.app().FinishSearch(run.id()), IsOk());
  EXPECT_TRUE(HasReason(run.harness().Complete(held), "STALE_LEASE"));
}

TEST(BudgetTest, EvaluationsCutTheLastRoundAndFinish) {
  SearchRun run(WithBudget({.max_evaluations = 14}));
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  EXPECT_THAT(run.Record().targets[0].rounds, ElementsAre(Field(&RoundRecord::evaluations, 26), Field(&RoundRecord::evaluations, 30)));
  EXPECT_EQ(run.Snapshot().spent.evaluations, 14);
  // The job's two rounds are over as the budget is.
  EXPECT_FALSE(run.Record().finishing);
}

TEST(BudgetTest, EvaluationsThatAreSpentAllowNoRound) {
  SearchRun run(WithBudget({.max_evaluations = 10}));
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  EXPECT_THAT(run.Record().targets[0].rounds, SizeIs(1));
  EXPECT_TRUE(run.Record().finishing);
  ASSERT_THAT(run.Events("finish"), SizeIs(1));
  EXPECT_EQ(run.Events("finish")[0].text, "budget.max_evaluations of 10 was reached: verifying the best so far");
  EXPECT_THAT(Conclusions(*run.app().GetReport(run.id())), Contains(HasSubstr("budget.max_evaluations of 10 was reached")));
}

TEST(BudgetTest, DeviceTimeIsLookedAtBeforeEachRound) {
  SearchRun run(WithBudget({.max_device_seconds = 1}));
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  EXPECT_THAT(run.Record().targets[0].rounds, IsEmpty());
  EXPECT_EQ(run.Record().finish_reason, "budget.max_device_seconds of 1 s was reached");
}

TEST(BudgetTest, WallTimeFinishesWhatHasEvaluated) {
  SearchRun run(WithBudget({.max_wall_seconds = 100}));
  run.Hold("round/0/evaluate/1");
  EXPECT_FALSE(run.UntilPhase(SearchPhase::kVerifying));
  run.harness().clock().Advance(absl::Seconds(5));
  run.Turn();
  EXPECT_FALSE(run.Record().finishing);
  ASSERT_THAT(run.app().PauseSearch(run.id()), IsOk());
  run.harness().clock().Advance(absl::Seconds(1000));
  run.Turn();
  EXPECT_FALSE(run.Record().finishing);  // paused time does not count
  ASSERT_THAT(run.app().ResumeSearch(run.id()), IsOk());
  run.harness().clock().Advance(absl::Seconds(96));
  run.Turn();
  EXPECT_TRUE(run.Record().finishing);
  EXPECT_EQ(run.Record().finish_reason, "budget.max_wall_seconds of 100 s was reached");
  run.Connect("2");
  EXPECT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
}

TEST(BudgetTest, WallTimeBeforeAnyEvaluationEndsInFailure) {
  SearchRun run(WithBudget({.max_wall_seconds = 100}));
  ASSERT_TRUE(run.UntilPhase(SearchPhase::kTraining));
  run.harness().clock().Advance(absl::Seconds(101));
  run.Turn();
  EXPECT_EQ(run.Record().phase, SearchPhase::kFailed);
  EXPECT_EQ(run.Record().error_code, "BUDGET_SPENT");
  EXPECT_THAT(run.Record().error, HasSubstr("budget.max_wall_seconds of 100 s was reached in TRAINING"));
  EXPECT_THAT(run.app().ResumeSearch(run.id()), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("change the job")));
}

// ---- times ----

TEST(TimesTest, AreOfTheWallClockAndOutliveARestart) {
  SearchRun run;
  const int64_t created = run.Record().create_time_us;
  EXPECT_EQ(created, absl::ToUnixMicros(run.harness().clock().Wall()));
  EXPECT_EQ(run.Record().end_time_us, 0);
  run.harness().clock().SetWall(run.harness().clock().Wall() - absl::Hours(1));  // the clock was moved back
  run.Finish();
  run.harness().Reopen();
  EXPECT_EQ(run.Record().create_time_us, created);
  EXPECT_EQ(run.Record().end_time_us, absl::ToUnixMicros(run.harness().clock().Wall()));
}

}  // namespace
}  // namespace hanas::coordinator
