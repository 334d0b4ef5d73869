// SPDX-License-Identifier: Apache-2.0
#include "core/job/search_job.h"

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"

namespace hanas {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

SearchJob ValidJob() {
  SearchJob job;
  job.name = "small";
  job.dataset = {.name = "fashion-mnist", .directory = "fashion_mnist"};
  job.space = SmallSpaceSpec();
  return job;
}

std::vector<FieldViolation> ViolationsOfJob(const SearchJob& job) {
  FieldViolations violations;
  ValidateSearchJob(job, violations);
  return violations.items();
}

TEST(SearchJobTest, DefaultsAreValid) { EXPECT_THAT(ViolationsOfJob(ValidJob()), IsEmpty()); }

struct Rejection {
  const char* name;
  std::function<void(SearchJob&)> spoil;
  FieldViolation expected;
};

class SearchJobRejectionTest : public testing::TestWithParam<Rejection> {};

TEST_P(SearchJobRejectionTest, NamesTheFieldAndWhatWasFound) {
  SearchJob job = ValidJob();
  GetParam().spoil(job);
  EXPECT_THAT(ViolationsOfJob(job), ElementsAre(GetParam().expected));
}

INSTANTIATE_TEST_SUITE_P(
    Table, SearchJobRejectionTest,
    testing::Values(
        Rejection{
            "Name", [](SearchJob& j) { j.name = "a/b"; }, {"name", "expected 1 to 63 letters, digits, '-', '_' or '.', found \"a/b\""}},
        Rejection{"NegativeWallBudget",
                  [](SearchJob& j) { j.budget.max_wall_seconds = -1; },
                  {"budget.max_wall_seconds", "expected 0 (no bound) to ten years, found -1 s"}},
        Rejection{"DeviceBudgetIsNotANumber",
                  [](SearchJob& j) { j.budget.max_device_seconds = std::nan(""); },
                  {"budget.max_device_seconds", "expected 0 (no bound) to ten years, found nan s"}},
        Rejection{"NegativeEvaluationBudget",
                  [](SearchJob& j) { j.budget.max_evaluations = -1; },
                  {"budget.max_evaluations", "expected a number from 0 to 1000000000, found -1"}},
        Rejection{"DirectoryLeavesTheRoot",
                  [](SearchJob& j) { j.dataset.directory = "x/../../etc"; },
                  {"dataset.directory", "expected a path below the data directory, without \"..\", found \"x/../../etc\""}},
        Rejection{
            "NoSteps", [](SearchJob& j) { j.training.steps = 0; }, {"training.steps", "expected a number from 1 to 100000000, found 0"}},
        Rejection{"RateIsNotANumber",
                  [](SearchJob& j) { j.training.learning_rate = std::nan(""); },
                  {"training.learning_rate", "expected a number from 1e-06 to 10, found nan"}},
        Rejection{"PhasesStopShort",
                  [](SearchJob& j) { j.training.phases = {{0.5, SamplingKind::kLargest}}; },
                  {"training.phases[0].until", "expected the last phase to end at 1, found 0.5"}},
        Rejection{"Backend", [](SearchJob& j) { j.target.backend = "tvm"; }, {"target.backend", "expected xnnpack, found \"tvm\""}},
        Rejection{
            "TooFewRounds", [](SearchJob& j) { j.measure.rounds = 2; }, {"measure.rounds", "expected a number from 5 to 100, found 2"}},
        Rejection{"Space",
                  [](SearchJob& j) { j.space.num_classes = 1; },
                  {"space.num_classes", "expected a whole number from 2 to 100000, found 1"}}),
    [](const testing::TestParamInfo<Rejection>& param) { return param.param.name; });

TEST(SearchJobTest, DigestSeesEveryBudgetButNotItsSpelling) {
  const Digest digest = JobDigest(ValidJob());
  EXPECT_EQ(digest, JobDigest(ValidJob()));
  const std::vector<std::function<void(SearchJob&)>> changes = {
      [](SearchJob& j) { j.seed = 2; },
      [](SearchJob& j) { j.training.phases.pop_back(); },
      [](SearchJob& j) { j.space.head.widths = {72}; },
      [](SearchJob& j) { j.target.limits.latency_ms = 1.5; },
      [](SearchJob& j) { j.fine_tune.members = 3; },
      [](SearchJob& j) { j.budget.max_evaluations = 500; },
  };
  for (const auto& change : changes) {
    SearchJob job = ValidJob();
    change(job);
    EXPECT_NE(JobDigest(job), digest);
  }
}

}  // namespace
}  // namespace hanas
