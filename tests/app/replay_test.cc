// SPDX-License-Identifier: Apache-2.0
// A search decided once more from its recorded outcomes: the same, however it went, and another as soon as an outcome is another.

#include "coordinator/driver/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "tests/app/search_run.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

ReplayResult ReplayOf(SearchRun& run) {
  const absl::StatusOr<ReplayResult> result = run.app().ReplaySearch(run.id());
  EXPECT_THAT(result, IsOk());
  return *result;
}

TaskRecord& TaskOf(State& state, const std::string& key) {
  for (auto& [id, task] : state.tasks) {
    if (task.key == key) return task;
  }
  ADD_FAILURE() << "no task " << key;
  return state.tasks.begin()->second;
}

TEST(ReplayTest, AFinishedSearchIsIdentical) {
  SearchRun run;
  run.Finish();
  const ReplayResult result = ReplayOf(run);
  EXPECT_TRUE(result.identical) << result.difference;
  EXPECT_EQ(result.tasks, static_cast<int64_t>(run.app().ListTasks(run.id(), 0, 100000)->tasks.size()));
  EXPECT_GT(result.steps, 20);
}

TEST(ReplayTest, ASearchThatGoesOnIsIdenticalAsFarAsItHasCome) {
  SearchRun run;
  for (int turn = 0; !IsTerminal(run.Record().phase); ++turn) {
    if (turn % 4 == 0) {
      const ReplayResult result = ReplayOf(run);
      EXPECT_TRUE(result.identical) << Name(run.Record().phase) << ": " << result.difference;
    }
    run.Turn();
  }
}

TEST(ReplayTest, SoIsOneThatWasHandedBackResumedAndLeftAMemberOut) {
  SearchRun run;
  ASSERT_TRUE(run.UntilPhase(SearchPhase::kTraining));
  GrantedTask granted = *run.harness().Lease(run.worker(), "1");
  const absl::StatusOr<ArtifactRef> half = run.harness().artifacts().Put("half");
  ASSERT_THAT(half, IsOk());
  ASSERT_THAT(run.app().Complete(AppHarness::HolderOf(granted),
                                 TrainOutcome{.checkpoint = *half, .step = 1, .loss = 1, .seconds = 1, .reached_end = false}),
              IsOk());
  run.Fail("round/0/evaluate/0");
  ASSERT_EQ(run.Finish().phase, SearchPhase::kFailed);
  EXPECT_TRUE(ReplayOf(run).identical) << ReplayOf(run).difference;
  run.Mend();
  ASSERT_THAT(run.app().ResumeSearch(run.id()), IsOk());
  run.Fail("members/member-2/train");
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  EXPECT_TRUE(ReplayOf(run).identical) << ReplayOf(run).difference;
}

TEST(ReplayTest, SoIsOneThatWasFinishedInARound) {
  SearchRun run;
  run.Hold("round/1/evaluate/1");
  EXPECT_FALSE(run.UntilPhase(SearchPhase::kVerifying));
  ASSERT_THAT(run.app().FinishSearch(run.id()), IsOk());
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  EXPECT_TRUE(ReplayOf(run).identical) << ReplayOf(run).difference;
}

TEST(ReplayTest, SoIsOneThatWasFinishedInSampling) {
  SearchRun run;
  run.Hold("sample/1");
  EXPECT_FALSE(run.UntilPhase(SearchPhase::kSearching));
  ASSERT_THAT(run.app().FinishSearch(run.id()), IsOk());
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  EXPECT_TRUE(ReplayOf(run).identical) << ReplayOf(run).difference;
}

TEST(ReplayTest, SoIsOneThatABudgetFinished) {
  SearchJob job = TinyJob();
  job.budget.max_evaluations = 13;
  job.evolution.rounds = 5;
  SearchRun run(job);
  ASSERT_EQ(run.Finish().phase, SearchPhase::kSucceeded);
  EXPECT_TRUE(ReplayOf(run).identical) << ReplayOf(run).difference;
}

TEST(ReplayTest, SoIsACancelledOne) {
  SearchRun run;
  ASSERT_TRUE(run.UntilPhase(SearchPhase::kSearching));
  ASSERT_THAT(run.app().CancelSearch(run.id()), IsOk());
  EXPECT_TRUE(ReplayOf(run).identical) << ReplayOf(run).difference;
}

TEST(ReplayTest, ASecondSearchOnTheSameTableKnowsWhatItDidNotMeasure) {
  SearchRun run;
  run.Finish();
  const uint64_t second = run.app().CreateSearch("another", "spec", TinyJob())->record.id;
  for (int turn = 0; turn < 500 && !IsTerminal(run.app().GetSearch(second)->record.phase); ++turn) run.Turn();
  ASSERT_EQ(run.app().GetSearch(second)->record.phase, SearchPhase::kSucceeded);
  const absl::StatusOr<ReplayResult> result = run.app().ReplaySearch(second);
  ASSERT_THAT(result, IsOk());
  EXPECT_TRUE(result->identical) << result->difference;
  EXPECT_TRUE(ReplayOf(run).identical);
}

TEST(ReplayTest, AnotherAccuracyMakesAnotherSearch) {
  SearchRun run;
  run.Finish();
  State state = run.harness().Stored();
  auto& outcome = std::get<EvaluateOutcome>(*TaskOf(state, "sample/0").outcome);
  for (Score& score : outcome.scores) score.correct = score.images - score.correct;
  const absl::StatusOr<ReplayResult> result = Replay(state, run.id());
  ASSERT_THAT(result, IsOk());
  EXPECT_FALSE(result->identical);
  EXPECT_THAT(result->difference, HasSubstr("round"));
}

TEST(ReplayTest, AnotherLatencyMakesAnotherProfile) {
  SearchRun run;
  run.Finish();
  State state = run.harness().Stored();
  std::get<MeasureOperatorsOutcome>(*TaskOf(state, "profile/operators/0").outcome).rows[0].flushed_us *= 100;
  const absl::StatusOr<ReplayResult> result = Replay(state, run.id());
  ASSERT_THAT(result, IsOk());
  EXPECT_FALSE(result->identical);
  EXPECT_NE(result->difference, "");
}

TEST(ReplayTest, ATaskThatWasNeverDecidedIsADifference) {
  SearchRun run;
  run.Finish();
  State state = run.harness().Stored();
  SearchState& search = state.searches.at(run.id());
  TaskRecord extra = TaskOf(state, "sample/0");
  extra.id = state.counter + 1;
  extra.key = "sample/9";
  search.tasks[extra.key] = extra.id;
  search.tasks_in_order.push_back(extra.id);
  state.tasks[extra.id] = extra;
  const absl::StatusOr<ReplayResult> result = Replay(state, run.id());
  ASSERT_THAT(result, IsOk());
  EXPECT_THAT(result->difference, HasSubstr("sample/9 was recorded and is not decided now"));
}

TEST(ReplayTest, AnOutcomeThatDoesNotFitIsADifference) {
  SearchRun run;
  run.Finish();
  State state = run.harness().Stored();
  std::get<EvaluateOutcome>(*TaskOf(state, "sample/0").outcome).scores.pop_back();
  const absl::StatusOr<ReplayResult> result = Replay(state, run.id());
  ASSERT_THAT(result, IsOk());
  EXPECT_THAT(result->difference, HasSubstr("the recorded outcome of sample/0 does not fit it"));
}

TEST(ReplayTest, UnknownSearch) {
  SearchRun run;
  EXPECT_THAT(run.app().ReplaySearch(99), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace hanas::coordinator
