// SPDX-License-Identifier: Apache-2.0
// A search whose networks learn from a teacher, which is trained before all others.
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/app/search_run.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int64_t kSteps = 60;

SearchJob JobWithTeacher() {
  SearchJob job = TinyJob();
  job.teacher.steps = kSteps;
  job.final = {.members = 2, .steps = 6};
  return job;
}

TEST(TeacherTest, IsTrainedFirstAndAllOthersLearnFromIt) {
  for (const ReferencesKind references : {ReferencesKind::kSpace, ReferencesKind::kFamily}) {
    SearchJob job = JobWithTeacher();
    job.references = references;
    SearchRun run(job);
    ASSERT_TRUE(run.UntilPhase(SearchPhase::kTraining));
    EXPECT_EQ(run.Snapshot().record.phases.back().total, kSteps + job.training.steps) << "steps of both";
    const SearchRecord record = run.Finish();
    ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
    std::set<std::string> teachers;  // whose answers were learnt from
    int64_t steps = 0;
    for (const TaskRecord& task : run.Tasks()) {
      const auto* const trained = std::get_if<TrainWork>(&task.work);
      if (trained == nullptr) continue;
      const TrainWork& work = *trained;
      if (absl::StartsWith(task.key, "teacher/")) {
        EXPECT_EQ(work.kind, TrainingKind::kTeacher);
        EXPECT_FALSE(work.teacher.has_value());
        EXPECT_THAT(teachers, IsEmpty()) << "it is trained before all others";
        steps = work.to_step;
        continue;
      }
      ASSERT_TRUE(work.teacher.has_value()) << task.key;
      teachers.insert(work.teacher->checkpoint.sha256);
      EXPECT_EQ(work.teacher->space.resolutions, job.space.resolutions);
    }
    EXPECT_THAT(teachers, SizeIs(1));
    EXPECT_THAT(run.Events("forecast").front().text, HasSubstr("to come: 60 steps of the teacher, 40 training steps of the supernet"));
    EXPECT_EQ(steps, kSteps);
  }
}

TEST(TeacherTest, ItsCheckpointStaysWhileSomebodyLearns) {
  SearchRun run(JobWithTeacher());
  run.Hold("members/member-1/train/0");
  ASSERT_FALSE(run.UntilPhase(SearchPhase::kSucceeded));
  const ArtifactRef teacher = std::get<TrainWork>(run.Task("members/member-1/train/0")->task.work).teacher->checkpoint;
  run.harness().clock().Advance(absl::Hours(48));
  ASSERT_THAT(run.app().RunOnce(), absl_testing::IsOk());
  EXPECT_TRUE(run.harness().artifacts().Contains(teacher.sha256));
}

TEST(TeacherTest, TheSearchIsTheSameHoweverOftenItIsDisturbed) {
  SearchRun undisturbed(JobWithTeacher());
  const SearchRecord expected = undisturbed.Finish();
  SearchRun run(JobWithTeacher());
  run.Fail("teacher/1", "WORKER_FAILED", /*retryable=*/false);
  ASSERT_TRUE(run.UntilPhase(SearchPhase::kFailed));
  run.Mend();
  ASSERT_THAT(run.app().ResumeSearch(run.id()), absl_testing::IsOk());
  ASSERT_TRUE(run.UntilPhase(SearchPhase::kSampling));
  run.harness().Reopen();
  run.Connect("2");
  const SearchRecord record = run.Finish();
  ASSERT_EQ(record.phase, SearchPhase::kSucceeded) << record.error;
  EXPECT_EQ(record.members, expected.members);
  const absl::StatusOr<ReplayResult> replayed = run.app().ReplaySearch(run.id());
  ASSERT_THAT(replayed, absl_testing::IsOk());
  EXPECT_EQ(replayed->difference, "");
}

TEST(TeacherTest, OneThatIsTooCostlyOrThatNobodyHasIsRefusedWithItsField) {
  PlainNetworks plain = FakeEvaluator::Plain();
  plain.teacher->space.stages.front().widths = {16384};
  EXPECT_THAT(SearchContext::Create(JobWithTeacher(), plain),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("teacher.width"), HasSubstr("test-dense times 1"))));
  EXPECT_THAT(SearchContext::Create(JobWithTeacher(), PlainNetworks()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("teacher.steps")));
}

}  // namespace
}  // namespace hanas::coordinator
