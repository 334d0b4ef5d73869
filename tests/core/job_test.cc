// SPDX-License-Identifier: Apache-2.0
#include "core/job/findings.h"
#include "core/job/search_job.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/bounds.h"
#include "core/job/goals.h"
#include "core/job/job_cost.h"
#include "core/lowering/unit_walk.h"
#include "core/plan/exec_plan.h"
#include "core/plan/op_limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/random_job.h"
#include "tests/core/small_space.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

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
        Rejection{"StepsOfSamplesWithASupernet",
                  [](SearchJob& j) { j.sampling.steps = 50; },
                  {"screening",
                   "expected supernet without what has no part in it, found sampling.steps: leave that out, or choose another screening"}},
        Rejection{"ScheduleOfASupernetWithoutOne",
                  [](SearchJob& j) {
                    j.screening = Screening::kAlone;
                    j.training.steps = 50;
                    j.training.phases = {{1, SamplingKind::kSandwich}};
                    j.fine_tune.learning_rate = 0.5;
                  },
                  {"screening",
                   "expected alone without what has no part in it, found training.steps, training.phases, fine_tune.learning_rate: leave "
                   "that out, or choose another screening"}},
        Rejection{"NegativeWallBudget",
                  [](SearchJob& j) { j.budget.max_wall_seconds = -1; },
                  {"budget.max_wall_seconds", "expected 0 (no bound) to 10 years, found -1 s"}},
        Rejection{"DeviceBudgetIsNotANumber",
                  [](SearchJob& j) { j.budget.max_device_seconds = std::nan(""); },
                  {"budget.max_device_seconds", "expected 0 (no bound) to 10 years, found nan s"}},
        Rejection{"NegativeEvaluationBudget",
                  [](SearchJob& j) { j.budget.max_evaluations = -1; },
                  {"budget.max_evaluations", "expected a number from 0 to 1000000000, found -1"}},
        Rejection{"DirectoryLeavesTheRoot",
                  [](SearchJob& j) { j.dataset.directory = "x/../../etc"; },
                  {"dataset.directory", "expected a path below the data directory, without \"..\", found \"x/../../etc\""}},
        Rejection{"DirectoryHasAControlCharacter",
                  [](SearchJob& j) { j.dataset.directory = std::string("a\0b", 3); },
                  {"dataset.directory", "expected UTF-8 without control characters, found \"a\\x00b\""}},
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
                  {"space.num_classes", "expected a whole number from 2 to 10000, found 1"}},
        Rejection{"ColourInIdxFiles",
                  [](SearchJob& j) { j.space.input_channels = 3; },
                  {"space.input_channels", "expected 1, as IDX files hold grey images, found 3"}},
        Rejection{"TwoChannelsInFolders",
                  [](SearchJob& j) {
                    j.dataset.format = DatasetFormat::kImageFolder;
                    j.space.input_channels = 2;
                  },
                  {"space.input_channels", "expected 1 (grey) or 3 (colour) for image folders, found 2"}},
        Rejection{"MoreClassesThanAByteCounts",
                  [](SearchJob& j) { j.space.num_classes = 300; },
                  {"space.num_classes", "expected at most 256, as labels of IDX files are bytes, found 300"}}),
    [](const testing::TestParamInfo<Rejection>& param) { return param.param.name; });

// ---- bounds ----

/// One bounded number, with its range.
struct Bound {
  const char* path;
  std::function<void(SearchJob&, double)> set;
  double low = 0;
  double high = 0;
  double beyond = 1;  // how far outside is outside
};

class BoundTest : public testing::TestWithParam<Bound> {};

TEST_P(BoundTest, BothEndsAreAcceptedAndNothingBeyond) {
  const auto paths_at = [&](double value) {
    SearchJob job = ValidJob();
    job.dataset.format = DatasetFormat::kImageFolder;  // holds most
    GetParam().set(job, value);
    std::vector<std::string> paths;
    for (const FieldViolation& violation : ViolationsOfJob(job)) paths.push_back(violation.path);
    return paths;
  };
  EXPECT_THAT(paths_at(GetParam().low), IsEmpty());
  EXPECT_THAT(paths_at(GetParam().high), IsEmpty());
  EXPECT_THAT(paths_at(GetParam().low - GetParam().beyond), ElementsAre(GetParam().path));
  EXPECT_THAT(paths_at(GetParam().high + GetParam().beyond), ElementsAre(GetParam().path));
}

int Int(double value) { return static_cast<int>(value); }

INSTANTIATE_TEST_SUITE_P(
    Table, BoundTest,
    testing::Values(
        Bound{"training.batch_size", [](SearchJob& j, double v) { j.training.batch_size = Int(v); }, bounds::kMinBatch, bounds::kMaxBatch},
        Bound{"training.weight_decay", [](SearchJob& j, double v) { j.training.weight_decay = v; }, 0, bounds::kMaxWeightDecay, 1e-9},
        Bound{"space.num_classes", [](SearchJob& j, double v) { j.space.num_classes = Int(v); }, bounds::kMinClasses, bounds::kMaxClasses},
        Bound{"space.head.hidden", [](SearchJob& j, double v) { j.space.head.hidden = Int(v); }, 0, bounds::kMaxChannels},
        Bound{"space.head.widths[0]", [](SearchJob& j, double v) { j.space.head.widths = {Int(v)}; }, 1, bounds::kMaxChannels},
        Bound{"sampling.networks", [](SearchJob& j, double v) { j.sampling.networks = Int(v); }, bounds::kMinSampledNetworks,
              bounds::kMaxSampledNetworks},
        Bound{"evolution.evaluations_per_round", [](SearchJob& j, double v) { j.evolution.evaluations_per_round = Int(v); }, 1,
              bounds::kMaxEvaluationsPerRound}),
    [](const testing::TestParamInfo<Bound>& param) {
      std::string name = param.param.path;
      std::erase_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
      return name;
    });

TEST(SearchJobTest, StagesAndBlocksAreBounded) {
  SearchJob job = ValidJob();
  job.space.stages.resize(1);
  StageSpec stage = job.space.stages[0];
  stage.stride = 1;
  const auto with = [&](size_t stages, int depth) {
    StageSpec deep = stage;
    deep.depths = {depth};
    deep.blocks.assign(static_cast<size_t>(depth), {});
    job.space.stages.assign(stages, deep);
    return ViolationsOfJob(job);
  };
  EXPECT_THAT(with(bounds::kMaxStages, 1), IsEmpty());
  EXPECT_THAT(with(bounds::kMaxStages + 1, 1), ElementsAre(FieldViolation{"space.stages", "expected at most 32 stages, found 33"}));
  EXPECT_THAT(with(8, 16), IsEmpty());
  EXPECT_THAT(with(9, 16), ElementsAre(FieldViolation{"space.stages",
                                                      "expected at most 128 blocks in all stages at their largest depths, found 144; lower "
                                                      "the depths"}));
  EXPECT_THAT(with(20'000, 17), ElementsAre(FieldViolation{"space.stages", "expected at most 32 stages, found 20000"}));
}

/// Two kilobytes, every number in range by itself.
SearchJob HugeJob() {
  SearchJob job = ValidJob();
  job.dataset.format = DatasetFormat::kImageFolder;
  BlockSpec block;
  block.kernels = {1, 3, 5, 7};
  block.expansions = {1, 2, 3, 4, 8, 16};
  block.squeeze_excite = {false, true};
  block.activations = {Activation::kRelu, Activation::kHardSwish};
  block.expand_precisions = block.depthwise_precisions = block.project_precisions = {{2, 8}, {4, 8}, {8, 8}, {2, 16}, {4, 16}, {16, 16}};
  std::vector<int> widths;
  for (int width = 64; width <= 4096; width += 64) widths.push_back(width);
  job.space.resolutions = {512, 768, 1024};
  job.space.stages.assign(2, {.widths = widths, .depths = {16}, .blocks = std::vector<BlockSpec>(16, block)});
  return job;
}

TEST(SearchJobTest, WhatIsTooMuchTogetherIsRefusedWithFigures) {
  EXPECT_THAT(ViolationsOfJob(HugeJob()),
              UnorderedElementsAre(AllOf(Field(&FieldViolation::path, "space"),
                                         Field(&FieldViolation::message, HasSubstr("at most 400000 combinations of neighbouring choices"))),
                                   AllOf(Field(&FieldViolation::path, "space"),
                                         Field(&FieldViolation::message, HasSubstr("cost tables of at most 2000000 entries"))),
                                   AllOf(Field(&FieldViolation::path, "space"),
                                         Field(&FieldViolation::message, HasSubstr("at most 134217728 weights in the supernet"))),
                                   AllOf(Field(&FieldViolation::path, "training.batch_size"),
                                         Field(&FieldViolation::message, HasSubstr("at most 128 GiB for a batch of the largest network"))),
                                   AllOf(Field(&FieldViolation::path, "space.stages[0].widths"),
                                         Field(&FieldViolation::message, HasSubstr("that an agent can execute"))),
                                   AllOf(Field(&FieldViolation::path, "space.stages[1].widths"),
                                         Field(&FieldViolation::message, HasSubstr("that an agent can execute"))),
                                   AllOf(Field(&FieldViolation::path, "space.head.widths"),
                                         Field(&FieldViolation::message, HasSubstr("that an agent can execute")))));
}

/// Looks for an operator that an agent refuses.
class RefusedOperator : public UnitVisitor {
 public:
  bool Enter(const UnitMeetings&) override { return true; }
  bool Repeat(size_t) override { return true; }
  bool Visit(const LoweredUnit& lowered) override {
    const std::vector<ExecStep> steps = MakePlan(lowered.fragment.graph, {.native = {{.compute = ElementType::kInt8}}}).steps;
    return std::all_of(steps.begin(), steps.end(), [](const ExecStep& step) { return CheckOpKey(step.key).ok(); });
  }
};

TEST(SearchJobTest, AnAgentExecutesEveryOperatorOfAnAcceptedJob) {
  int accepted = 0;
  int refused = 0;
  RandomJobs jobs(5, {.resolution = bounds::kMaxResolution, .width = 256, .stages = 6, .depth = 4});
  for (int i = 0; i < 200; ++i) {
    const SearchJob job = jobs.Next();
    const absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(job.space);
    ASSERT_THAT(space, IsOk());
    RefusedOperator refusal;
    const bool executable = WalkUnits(*space, WalkOf::kOperators, refusal);
    const std::vector<FieldViolation> violations = ViolationsOfJob(job);
    const bool operators_refused = std::any_of(violations.begin(), violations.end(), [](const FieldViolation& violation) {
      return absl::StrContains(violation.message, "that an agent can execute");
    });
    EXPECT_EQ(executable, !operators_refused) << "job " << i;
    ++(executable ? accepted : refused);
  }
  EXPECT_GT(accepted, 20);
  EXPECT_GT(refused, 20);
}

TEST(SearchJobTest, TheLargestChoiceCountsWhateverTheOrderOfKinds) {
  // The expanding kind is neither the first nor the last, and 1 is among its expansions.
  SearchJob job = RandomJobs(5, {}).Next();
  job.space = SmallSpaceSpec();
  job.space.resolutions = {256};
  BlockSpec block = {.kernels = {3}, .expansions = {1, 16}};
  job.space.stages = {
      {.widths = {4096}, .depths = {1}, .stride = 1, .kinds = {BlockKind::kMbconv}, .blocks = {{.expansions = {1}}}},
      {.widths = {8}, .depths = {1}, .stride = 1, .kinds = {BlockKind::kConv, BlockKind::kMbconv, BlockKind::kConv}, .blocks = {block}}};
  job.space.stages[1].kinds.pop_back();
  EXPECT_THAT(ViolationsOfJob(job), ::testing::Contains(AllOf(Field(&FieldViolation::path, "space.stages[1].widths"),
                                                              Field(&FieldViolation::message, HasSubstr("that an agent can execute")))));
}

TEST(SearchJobTest, ASpaceFarBeyondTheBoundsIsRefusedWithoutWalkingIt) {
  SearchJob job = RandomJobs(5, {}).Next();
  job.space = SmallSpaceSpec();
  job.space.resolutions.clear();
  for (int i = 0; i < 64; ++i) job.space.resolutions.push_back(64 + 4 * i);
  StageSpec stage = {.depths = {1}, .stride = 1};
  for (int i = 0; i < 64; ++i) stage.widths.push_back(8 + 8 * i);
  stage.kinds = {BlockKind::kMbconv, BlockKind::kConv, BlockKind::kResidual};
  stage.blocks = {{.kernels = {3}, .expansions = {3, 6}, .project_precisions = {{8, 8}, {16, 16}}}};
  job.space.stages.assign(32, stage);
  EXPECT_THAT(ViolationsOfJob(job), ::testing::Contains(AllOf(Field(&FieldViolation::path, "space"),
                                                              Field(&FieldViolation::message, HasSubstr("found at least")))));
}

TEST(SearchJobTest, OperatorsAreCountedBeforeTheyAreMeasured) {
  EXPECT_THAT(CheckOperatorCount(Lowering(SmallConvnet()), NeverStop), IsOk());
  EXPECT_THAT(CheckOperatorCount(Lowering(SmallConvnet()), [] { return true; }), StatusIs(absl::StatusCode::kCancelled));
}

TEST(SearchJobTest, DigestSeesEveryBudgetButNotItsSpelling) {
  const Digest digest = JobDigest(ValidJob());
  EXPECT_EQ(digest, JobDigest(ValidJob()));
  const std::vector<std::function<void(SearchJob&)>> changes = {
      [](SearchJob& j) { j.seed = 2; },
      [](SearchJob& j) { j.training.phases.pop_back(); },
      [](SearchJob& j) { j.space.head.widths = {72}; },
      [](SearchJob& j) { j.limits = {{.of = "latency", .at_most = 1500}}; },
      [](SearchJob& j) { j.limits = {{.of = "latency", .at_most = 1500, .confidence = 0.9}}; },
      [](SearchJob& j) { j.objectives = {{"accuracy"}, {"size"}}; },
      [](SearchJob& j) { j.fine_tune.members = 3; },
      [](SearchJob& j) { j.budget.max_evaluations = 500; },
  };
  for (const auto& change : changes) {
    SearchJob job = ValidJob();
    change(job);
    EXPECT_NE(JobDigest(job), digest);
  }
}

/// "path: message" of everything that is wrong with `job`.
std::vector<std::string> Mistakes(const SearchJob& job) {
  FieldViolations violations;
  CheckObjectives(job, violations);
  CheckLimits(job, violations);
  std::vector<std::string> lines;
  for (const FieldViolation& violation : violations.items()) lines.push_back(absl::StrCat(violation.path, ": ", violation.message));
  return lines;
}

TEST(GoalsTest, ObjectivesThatCannotBeMeantAreRefused) {
  SearchJob job;
  EXPECT_THAT(Mistakes(job), IsEmpty());
  job.objectives = {};
  EXPECT_THAT(Mistakes(job), ElementsAre("objectives: expected 1 to 4 quantities, found 0"));
  job.objectives = {{"accuracy"}, {"colour"}, {"size"}, {"size"}};
  EXPECT_THAT(Mistakes(job),
              ElementsAre("objectives[1].of: expected one of latency, size, peak_memory, macs, parameters, accuracy, found \"colour\"",
                          "objectives[3].of: expected each quantity once, found size again"));
  job.objectives = {{"latency"}};
  EXPECT_THAT(Mistakes(job), ElementsAre(HasSubstr("expected accuracy among the objectives or the limits, found neither")));
  job.limits = {{.of = "accuracy", .at_least = 0.8}};  // the fastest network that is good enough
  EXPECT_THAT(Mistakes(job), IsEmpty());
}

TEST(GoalsTest, LimitsThatCannotBeMeantAreRefusedAllAtOnce) {
  SearchJob job;
  job.limits = {{.of = "latency", .at_most = -1},
                {.of = "accuracy", .at_most = 0.8},
                {.of = "size", .at_most = 0.5, .than = "tallest"},
                {.of = "macs", .at_most = 1e6, .confidence = 0.9},
                {.of = "latency", .at_most = 5, .confidence = 2},
                {.of = "power", .at_most = 1}};
  EXPECT_THAT(Mistakes(job),
              ElementsAre("limits[0].at_most: expected more than 0 and at most 1000 s, found -1",
                          "limits[1].at_most: expected at_least for accuracy, of which more is better, found at_most",
                          "limits[2].than: expected one of smallest-8bit, middle-8bit, largest-8bit, found \"tallest\"",
                          "limits[3].confidence: expected none for MACs, which is not predicted from measurements, found 0.9",
                          "limits[4].of: expected each quantity once, found latency again",
                          "limits[4].confidence: expected a number from 0.5 to 0.999, found 2",
                          "limits[5].of: expected one of latency, size, peak_memory, macs, parameters, accuracy, found \"power\""));
  job.limits = {{.of = "accuracy", .at_least = 0.8, .than = "middle-8bit"}, {.of = "size", .at_most = 60, .than = "middle-8bit"}};
  EXPECT_THAT(Mistakes(job), ElementsAre(HasSubstr("limits[0].than: expected an absolute limit, as the accuracy of a network is not known"),
                                         "limits[1].at_most: expected more than 0 and at most 1000 %, found 6000 %"));
}

TEST(FindingsTest, BalancedAccuracyCountsEachClassAlike) {
  const std::vector<ClassPictures> classes = {{"common", 0, 90}, {"rare", 0, 10}, {"none", 0, 0}};
  EXPECT_DOUBLE_EQ(BalancedAccuracy(std::vector<int64_t>{90, 5, 0}, classes), 0.75);
  EXPECT_DOUBLE_EQ(BalancedAccuracy(std::vector<int64_t>{90, 5}, classes), 0) << "of other classes";
}

}  // namespace
}  // namespace hanas
