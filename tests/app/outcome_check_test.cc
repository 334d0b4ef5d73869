// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/outcome_check.h"

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

VerifyOutcome Verified() {
  const NetworkMeasurement measured = {.p50_us = 10, .p90_us = 11, .p99_us = 12, .cv = 0.01, .rounds = 5, .samples = 100};
  return {.device = measured,
          .exported = {.correct = 90, .images = 100},
          .exported_latency = measured,
          .exported_runtime = "onnxruntime 1.21.0",
          .agreeing = 99,
          .compared = 100,
          .reopened = {.score = {.correct = 90, .images = 100}},
          .device_accuracy = {.score = {.correct = 88, .images = 100}, .differing = 3}};
}

struct Row {
  std::string name;
  void (*change)(VerifyOutcome&);
  std::string message;
};

TEST(OutcomeCheckTest, ReadingsOfAnExportedFileMustFitTogether) {
  const TaskRecord task = {.id = 7, .key = "members/member-1/verify", .work = VerifyWork{}};
  EXPECT_THAT(CheckOutcome(State(), task, Verified()), IsOk());
  const std::vector<Row> rows = {
      {"none correct of none", [](VerifyOutcome& o) { o.exported = {}; }, "correct images among some"},
      {"more correct than images", [](VerifyOutcome& o) { o.exported.correct = 101; }, "correct images among some"},
      {"classes of another space",
       [](VerifyOutcome& o) {
         o.class_correct = {o.exported.correct};
         o.among_five = o.exported.images;
       },
       "those of 1"},
      {"classes that make up less",
       [](VerifyOutcome& o) {
         o.class_correct.assign(10, 0);
         o.among_five = o.exported.images;
       },
       "shared out to classes"},
      {"fewer among the first five than first",
       [](VerifyOutcome& o) {
         o.class_correct.assign(10, 0);
         o.class_correct[3] = o.exported.correct;
         o.among_five = o.exported.correct - 1;
       },
       "shared out to classes"},
      {"a class of less than none",
       [](VerifyOutcome& o) {
         o.class_correct.assign(10, 0);
         o.class_correct[3] = o.exported.correct;
         o.class_correct[4] = 1;
         o.class_correct[5] = -1;
         o.among_five = o.exported.images;
       },
       "shared out to classes"},
      {"not read again", [](VerifyOutcome& o) { o.reopened = {}; }, "correct images among some"},
      {"other images", [](VerifyOutcome& o) { o.reopened.score.images = 99; }, "a second reading of 100 images"},
      {"another score, no image seen differently", [](VerifyOutcome& o) { o.reopened.score.correct = 89; },
       "a second reading of 100 images"},
      {"more seen differently than there are", [](VerifyOutcome& o) { o.reopened.differing = 101; }, "a second reading of 100 images"},
      {"fewer seen differently than scored so", [](VerifyOutcome& o) { o.device_accuracy.differing = 1; }, "88 of 100 correct"},
      {"agreement beyond the images", [](VerifyOutcome& o) { o.agreeing = 101; }, "agreeing images among those compared"},
  };
  SearchJob job;
  job.space.num_classes = 10;
  State state;
  state.searches[task.search].job = std::make_shared<const SearchJob>(job);
  VerifyOutcome with_classes = Verified();
  with_classes.class_correct = {9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
  with_classes.among_five = 99;
  EXPECT_THAT(CheckOutcome(state, task, with_classes), IsOk());
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    VerifyOutcome outcome = Verified();
    row.change(outcome);
    EXPECT_THAT(CheckOutcome(state, task, outcome),
                StatusIs(absl::StatusCode::kInvalidArgument, testing::AllOf(HasSubstr(row.message), HasSubstr("tasks/7"))));
  }
}

TEST(OutcomeCheckTest, WhatIsSaidOfTheDataMayStandInAReport) {
  const TaskRecord task = {.id = 7, .key = "verify/images", .work = PackWork{}};
  const PackOutcome right = {
      .images = {"a", 1}, .num_images = 2, .survey = {.classes = {{"cat", 3, 1}, {"dog", 3, 1}}, .warnings = {{"DRAWN_DATA", "It was."}}}};
  EXPECT_THAT(CheckOutcome(State(), task, right), IsOk());
  struct PackRow {
    void (*change)(PackOutcome&);
    std::string message;
  };
  const std::vector<PackRow> rows = {
      {[](PackOutcome& o) { o.survey.classes.resize(10'001); }, "at most 10000 classes"},
      {[](PackOutcome& o) { o.survey.classes[1].name = "caf\xe9"; },
       "names of one line in UTF-8 and numbers of pictures, found \"caf\\xe9\""},
      {[](PackOutcome& o) { o.survey.classes[1].name = "a\x1b[2J"; }, "names of one line"},
      {[](PackOutcome& o) { o.survey.classes[1].test = -1; }, "\"dog\" with 3 and -1"},
      {[](PackOutcome& o) { o.survey.warnings.resize(21, o.survey.warnings[0]); }, "at most 20 warnings"},
      {[](PackOutcome& o) { o.survey.warnings[0].text.assign(4097, 'x'); }, "at most 4096 bytes"},
      {[](PackOutcome& o) { o.survey.warnings[0].code.clear(); }, "with a code"},
      {[](PackOutcome& o) { o.survey.warnings[0].members = {"member-1"}; }, "about the data"},
  };
  for (const PackRow& row : rows) {
    SCOPED_TRACE(row.message);
    PackOutcome outcome = right;
    row.change(outcome);
    EXPECT_THAT(CheckOutcome(State(), task, outcome), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(row.message)));
  }
}

TEST(OutcomeCheckTest, SecondsAreANumberFromZero) {
  const std::vector<std::pair<Work, Outcome>> kinds = {
      {TrainWork{}, TrainOutcome{}},
      {EvaluateWork{}, EvaluateOutcome{}},
      {FitWork{}, FitOutcome{}},
      {BindWork{}, BindOutcome{.test = {.correct = 1, .images = 2}}},
      {PackWork{}, PackOutcome{.num_images = 2}},
      {MeasureOperatorsWork{}, MeasureOperatorsOutcome{}},
      {MeasureNetworksWork{}, MeasureNetworksOutcome{}},
      {VerifyWork{}, Verified()},
  };
  ASSERT_EQ(kinds.size(), std::variant_size_v<Outcome>);
  for (const auto& [work, right] : kinds) {
    const TaskRecord task = {.id = 7, .key = "some/task", .work = work};
    SCOPED_TRACE(right.index());
    for (const double seconds : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
      Outcome outcome = right;
      std::visit([&](auto& of_any_kind) { of_any_kind.seconds = seconds; }, outcome);
      EXPECT_THAT(CheckOutcome(State(), task, outcome),
                  StatusIs(absl::StatusCode::kInvalidArgument,
                           HasSubstr(absl::StrCat("expected finite seconds of 0 or more, found ", seconds, " for some/task (tasks/7)"))));
    }
    if (std::holds_alternative<FitOutcome>(right)) continue;  // this one is refused for its predictor
    EXPECT_THAT(CheckOutcome(State(), task, right), IsOk()) << "0: not told";
  }
}

TEST(OutcomeCheckTest, TheRateOfTrainingIsANumberFromZero) {
  const TaskRecord task = {.id = 7, .key = "train/1", .work = TrainWork{.to_step = 5}};
  for (const double rate : {-1.0, std::nan("")}) {
    const TrainOutcome outcome = {.step = 5, .images_per_second = rate};
    EXPECT_THAT(CheckOutcome(State(), task, outcome),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected a finite rate of 0 or more")));
  }
}

TEST(OutcomeCheckTest, TrainingIsOnTheDataThatTheSearchBeganWith) {
  State state;
  const TaskRecord task = {.id = 7, .search = 1, .key = "train/1", .work = TrainWork{.to_step = 5}};
  TrainOutcome outcome = {.step = 5, .dataset_digest = "drawn", .reached_end = true, .dataset_files = "files"};
  EXPECT_THAT(CheckOutcome(state, task, outcome), IsOk());
  SearchRecord& search = state.searches[1].record;
  EXPECT_THAT(CheckOutcome(state, task, outcome), IsOk()) << "the first training says what it is";
  search.dataset_digest = "drawn";
  EXPECT_THAT(CheckOutcome(state, task, outcome), IsOk());
  search.dataset_digest = "flowers";
  EXPECT_THAT(CheckOutcome(state, task, outcome),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected work on the data set flowers, found drawn")));
  const TaskRecord evaluation = {.id = 8, .search = 1, .key = "sample/0", .work = EvaluateWork{}};
  EXPECT_THAT(CheckOutcome(state, evaluation, EvaluateOutcome{.dataset_digest = "flowers"}), IsOk());
  EXPECT_THAT(CheckOutcome(state, evaluation, EvaluateOutcome{}), IsOk()) << "as older records have it";
  EXPECT_THAT(CheckOutcome(state, evaluation, EvaluateOutcome{.dataset_digest = "drawn"}), StatusIs(absl::StatusCode::kInvalidArgument));
  for (std::string TrainOutcome::* digest : {&TrainOutcome::dataset_digest, &TrainOutcome::dataset_files}) {
    TrainOutcome large = outcome;
    large.*digest = std::string(129, 'a');
    EXPECT_THAT(CheckOutcome(State(), task, large), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most 128 bytes")));
  }
}

}  // namespace
}  // namespace hanas::coordinator
