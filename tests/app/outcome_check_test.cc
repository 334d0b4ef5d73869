// SPDX-License-Identifier: Apache-2.0
#include "coordinator/app/outcome_check.h"

#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
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
      {"not read again", [](VerifyOutcome& o) { o.reopened = {}; }, "correct images among some"},
      {"other images", [](VerifyOutcome& o) { o.reopened.score.images = 99; }, "a second reading of 100 images"},
      {"another score, no image seen differently", [](VerifyOutcome& o) { o.reopened.score.correct = 89; },
       "a second reading of 100 images"},
      {"more seen differently than there are", [](VerifyOutcome& o) { o.reopened.differing = 101; }, "a second reading of 100 images"},
      {"fewer seen differently than scored so", [](VerifyOutcome& o) { o.device_accuracy.differing = 1; }, "88 of 100 correct"},
      {"agreement beyond the images", [](VerifyOutcome& o) { o.agreeing = 101; }, "agreeing images among those compared"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    VerifyOutcome outcome = Verified();
    row.change(outcome);
    EXPECT_THAT(CheckOutcome(State(), task, outcome),
                StatusIs(absl::StatusCode::kInvalidArgument, testing::AllOf(HasSubstr(row.message), HasSubstr("tasks/7"))));
  }
}

}  // namespace
}  // namespace hanas::coordinator
