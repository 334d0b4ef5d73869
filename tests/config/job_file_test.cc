// SPDX-License-Identifier: Apache-2.0
#include "config/job_file.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/base/counter_random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::config {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kJob[] = R"(name: job
seed: 3
dataset: {name: digits, directory: d, validation_images: 500}
space:
  resolutions: [16, 20]
  input_channels: 1
  num_classes: 10
  precisions: [w4a8, w8a8]
  stages:
    - widths: [8]
      depths: [1, 2]
      stride: 2
      kernels: [3, 5]
      depthwise_precisions: [w16a16]
      blocks:
        - {kernels: [3], precisions: [w8a8]}
    - {widths: [16, 24], depths: [1]}
  head: {widths: [32]}
training: {steps: 10}
sampling: {validation_images: 200}
target:
  limits: {latency: 2 ms, size: 20 kB}
)";

std::string With(absl::string_view from, absl::string_view to) {
  std::string text = absl::StrReplaceAll(kJob, {{from, to}});
  EXPECT_NE(text, kJob) << "the text to replace is not in the job: " << from;
  return text;
}

TEST(JobFileTest, ReadsEveryLevel) {
  const absl::StatusOr<JobFile> file = JobFile::Parse(kJob, "job.yaml");
  ASSERT_THAT(file, IsOk());
  const SearchJob& job = file->job();
  EXPECT_EQ(job.name, "job");
  EXPECT_EQ(job.seed, 3u);
  EXPECT_EQ(job.dataset.directory, "d");
  EXPECT_EQ(job.space.name, "job");
  EXPECT_EQ(job.training.steps, 10);
  EXPECT_EQ(job.training.batch_size, 128);
  EXPECT_EQ(job.training.phases.size(), 2u);
  EXPECT_THAT(job.objectives, ElementsAre(ObjectiveSpec{"accuracy"}, ObjectiveSpec{"latency"}));
  EXPECT_THAT(job.limits, ElementsAre(LimitSpec{.of = "latency", .at_most = 2000}, LimitSpec{.of = "size", .at_most = 20000}));
}

TEST(JobFileTest, ReadsABudgetWithUnits) {
  const absl::StatusOr<JobFile> file =
      JobFile::Parse(With("seed: 3\n", "seed: 3\nbudget: {max_wall: 2 h, device_hours: 1.5, evaluations: 500}\n"), "job.yaml");
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ(file->job().budget, (BudgetSpec{.max_wall_seconds = 7200, .max_device_seconds = 5400, .max_evaluations = 500}));
  EXPECT_EQ(JobFile::Parse(kJob, "job.yaml")->job().budget, BudgetSpec{});
}

TEST(JobFileTest, ReferencesAreAWord) {
  const auto with = [](const char* word) {
    return JobFile::Parse(With("seed: 3\n", absl::StrCat("references: ", word, "\n")), "job.yaml");
  };
  EXPECT_EQ(JobFile::Parse(kJob, "job.yaml")->job().references, ReferencesKind::kSpace);
  EXPECT_EQ(with("none")->job().references, ReferencesKind::kNone);
  EXPECT_EQ(with("space")->job().references, ReferencesKind::kSpace);
  EXPECT_EQ(with("family")->job().references, ReferencesKind::kFamily);
  EXPECT_THAT(with("true").status().message(), HasSubstr("references: expected one of none, space, family, found \"true\""));
}

TEST(JobFileTest, RepeatsAStagesChoicesForEachBlock) {
  const SpaceSpec space = JobFile::Parse(kJob, "job.yaml")->job().space;
  ASSERT_EQ(space.stages[0].blocks.size(), 2u);
  const BlockSpec& first = space.stages[0].blocks[0];
  const BlockSpec& second = space.stages[0].blocks[1];
  EXPECT_THAT(first.kernels, ElementsAre(3));
  EXPECT_THAT(first.depthwise_precisions, ElementsAre(Precision{8, 8}));
  EXPECT_THAT(second.kernels, ElementsAre(3, 5));
  EXPECT_THAT(second.depthwise_precisions, ElementsAre(Precision{16, 16}));
  EXPECT_THAT(second.expand_precisions, ElementsAre(Precision{4, 8}, Precision{8, 8}));
  EXPECT_THAT(space.stages[1].blocks[0].project_precisions, ElementsAre(Precision{4, 8}, Precision{8, 8}));
}

TEST(JobFileTest, TheSpacesPrecisionsAreNarrowedForTheFirstAndLastLayer) {
  const SpaceSpec space = JobFile::Parse(kJob, "job.yaml")->job().space;
  EXPECT_THAT(space.stem.precisions, ElementsAre(Precision{8, 8}));
  EXPECT_THAT(space.head.precisions, ElementsAre(Precision{4, 8}, Precision{8, 8}));
  EXPECT_THAT(space.head.classifier_precisions, ElementsAre(Precision{8, 8}));
}

struct Rejection {
  std::string name;
  std::string from;
  std::string to;
  std::string message;
};

class JobFileRejectionTest : public testing::TestWithParam<Rejection> {};

TEST_P(JobFileRejectionTest, SaysWhereAndWhat) {
  const Rejection& row = GetParam();
  const absl::StatusOr<JobFile> file = JobFile::Parse(With(row.from, row.to), "job.yaml");
  ASSERT_THAT(file, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(std::string(file.status().message()), row.message);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, JobFileRejectionTest,
    testing::ValuesIn(std::vector<Rejection>{
        {"UnknownKeyClose", "steps: 10", "stepps: 10", "job.yaml:19:12: training.stepps: unknown key \"stepps\", did you mean \"steps\"?"},
        {"UnknownKeyFar", "latency: 2 ms", "colour: red",
         "job.yaml:22:12: target.limits.colour: unknown key \"colour\", expected one of latency, size, peak_memory, macs, parameters, "
         "accuracy"},
        {"BudgetWithoutUnit", "seed: 3\n", "seed: 3\nbudget: {max_wall: 7200}\n",
         "job.yaml:3:20: budget.max_wall: expected a time such as \"2 h\" or \"1 h 12 min\" (units s, min, h, d), found \"7200\""},
        {"NegativeDeviceHours", "seed: 3\n", "seed: 3\nbudget: {device_hours: -1}\n",
         "job.yaml:3:24: budget.device_hours: expected 0 (no bound) to 10 years, found -3600 s"},
        {"UnknownTopLevel", "training:", "trainning:", "job.yaml:19:1: trainning: unknown key \"trainning\", did you mean \"training\"?"},
        {"WrongType", "steps: 10", "steps: many", "job.yaml:19:19: training.steps: expected a whole number, found \"many\""},
        {"QuotedNumber", "steps: 10", "steps: \"10\"", "job.yaml:19:19: training.steps: expected a whole number, found the text \"10\""},
        {"ListForValue", "steps: 10", "steps: [10]", "job.yaml:19:19: training.steps: expected a single value, found a list"},
        {"ValueForList", "kernels: [3, 5]", "kernels: 3", "job.yaml:13:16: space.stages[0].kernels: expected a list, found \"3\""},
        {"ValueForMap", "training: {steps: 10}", "training: fast", "job.yaml:19:11: training: expected a map of keys, found \"fast\""},
        {"NothingForMap", "training: {steps: 10}", "training:", "job.yaml:19:1: training: expected a map of keys, found nothing"},
        {"MissingKey", "      depths: [1, 2]\n", "",
         "job.yaml:10:7: space.stages[0].depths: expected this key, which has no default, found none"},
        {"MissingMap", "  head: {widths: [32]}\n", "", "job.yaml:5:3: space.head: expected this key, which has no default, found none"},
        {"DuplicateKey", "seed: 3\n", "seed: 3\nseed: 4\n", "job.yaml:3:1: seed: expected each key once, found \"seed\" again"},
        {"DuplicateNestedKey", "{steps: 10}", "{steps: 10, steps: 20}",
         "job.yaml:19:23: training.steps: expected each key once, found \"steps\" again"},
        {"UnknownKeyInBlock", "{kernels: [3]", "{kernel: [3]",
         "job.yaml:16:12: space.stages[0].blocks[0].kernel: unknown key \"kernel\", did you mean \"kernels\"?"},
        {"UnknownWord",
         "  limits:", "  statistic: p95\n  limits:", "job.yaml:22:14: target.statistic: expected one of p50, p90, p99, found \"p95\""},
        {"NegativeSeed", "seed: 3", "seed: -3", "job.yaml:2:7: seed: expected a whole number, not negative, found \"-3\""},
        {"EmptyChoice", "kernels: [3, 5]", "kernels: []",
         "job.yaml:13:16: space.stages[0].kernels: expected at least one choice, found an empty list"},
        {"EvenKernel", "kernels: [3, 5]", "kernels: [3, 4]",
         "job.yaml:13:20: space.stages[0].kernels[1]: expected an odd kernel size, found 4"},
        {"EvenKernelInBlock", "{kernels: [3]", "{kernels: [4]",
         "job.yaml:16:22: space.stages[0].blocks[0].kernels[0]: expected an odd kernel size, found 4"},
        {"UnknownPrecision", "precisions: [w4a8, w8a8]", "precisions: [w4a8, w16a8]",
         "job.yaml:8:22: space.precisions[1]: expected a precision (one of w16a16, w8a16, w4a16, w2a16, w8a8, w4a8, w2a8), found "
         "\"w16a8\""},
        {"Descending", "widths: [16, 24]", "widths: [24, 16]",
         "job.yaml:17:21: space.stages[1].widths[1]: expected choices in ascending order without repeats, found 16 after 24"},
        {"StemBelowEightBits", "  stages:\n", "  stem: {precisions: [w4a8]}\n  stages:\n",
         "job.yaml:9:23: space.stem.precisions[0]: expected at least 8 weight bits in the first and last layer, found w4a8"},
        {"MoreBlocksThanDepth", "depths: [1]}", "depths: [1], blocks: [{kernels: [3]}, {kernels: [5]}]}",
         "job.yaml:17:47: space.stages[1].blocks: expected at most 1 entries, one for each block of the deepest choice, found 2"},
        {"TooDeep", "depths: [1, 2]", "depths: [1, 99]",
         "job.yaml:11:19: space.stages[0].depths[1]: expected a number from 1 to 16, found 99"},
        {"StridesAboveResolution", "depths: [1]}", "depths: [1], stride: 4}\n    - {widths: [8], depths: [1], stride: 2}",
         "job.yaml:5:16: space.resolutions: expected images that the strides leave something of, found 16, of which stage 2 leaves "
         "nothing; raise "
         "resolutions[0] or lower strides"},
        {"LatencyWithoutUnit", "latency: 2 ms", "latency: 2",
         "job.yaml:22:21: target.limits.latency: expected a time such as \"0.4 ms\" (units µs or us, ms, s), found \"2\""},
        {"LatencyTooLarge", "latency: 2 ms", "latency: 2000 s",
         "job.yaml:22:21: target.limits.latency: expected more than 0 and at most 1000 s, found 2000 s"},
        {"DirectoryLeaves", "directory: d", "directory: ../d",
         "job.yaml:3:36: dataset.directory: expected a path below the data directory, without \"..\", found \"../d\""},
        {"MoreImagesThanThereAre", "validation_images: 200", "validation_images: 600",
         "job.yaml:20:31: sampling.validation_images: expected a number from 10 to 500, found 600"},
        {"NoPhases", "{steps: 10}", "{steps: 10, phases: []}", "job.yaml:19:31: training.phases: expected at least one phase, found none"},
        {"PhaseWithoutSampling", "{steps: 10}", "{steps: 10, phases: [{until: 1}]}",
         "job.yaml:19:32: training.phases[0].sampling: expected this key, which has no default, found none"},
        {"NotYaml", "steps: 10}", "steps: 10", "job.yaml:20:9: expected YAML, found a mistake: end of map flow not found"},
        {"TwoDocuments", "seed: 3\n", "seed: 3\n---\n", "job.yaml:3:1: expected one YAML document, found another one"},
        {"MapAsKey", "seed: 3\n", "seed: 3\n? {a: b}\n: c\n", "job.yaml:3:3: ?: expected a word as key, found a map"},
    }),
    [](const testing::TestParamInfo<Rejection>& row) { return row.param.name; });

TEST(JobFileTest, ReportsEveryMistakeInOrderOfPlace) {
  std::string text = With("kernels: [3, 5]", "kernels: [4]");
  text = absl::StrReplaceAll(text, {{"steps: 10", "steps: none"}, {"name: job", "nam: job"}});
  EXPECT_EQ(JobFile::Parse(text, "j").status().message(),
            "j:1:1: nam: unknown key \"nam\", did you mean \"name\"?\n"
            "j:1:1: name: expected this key, which has no default, found none\n"
            "j:13:17: space.stages[0].kernels[0]: expected an odd kernel size, found 4\n"
            "j:19:19: training.steps: expected a whole number, found \"none\"");
}

TEST(JobFileTest, AnEmptyFileIsNotAJob) {
  EXPECT_EQ(JobFile::Parse("", "j").status().message(), "j:1:1: expected one YAML document, found none");
  EXPECT_THAT(JobFile::Parse("just a text", "j").status().message(), StartsWith("j:1:1: expected a map of keys, found \"just a text\""));
}

/// A text that is refused, or accepted, for what it is as a whole.
struct Whole {
  const char* name;
  std::string text;
  const char* message;  // that the refusal begins with; empty: accepted
};

std::string Nested(int depth) {
  std::string text = "name: ";
  for (int i = 0; i < depth; ++i) text += "[";
  for (int i = 0; i < depth; ++i) text += "]";
  return text;
}

/// Nine times nine ... values, in ten lines.
std::string AliasBomb() {
  std::string text = "a: &a [x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c <= 'i'; ++c) {
    const std::string before = absl::StrCat("*", std::string(1, static_cast<char>(c - 1)));
    absl::StrAppend(&text, std::string(1, c), ": &", std::string(1, c), " [");
    for (int i = 0; i < 9; ++i) absl::StrAppend(&text, i == 0 ? "" : ", ", before);
    text += "]\n";
  }
  return text;
}

class WholeTextTest : public testing::TestWithParam<Whole> {};

TEST_P(WholeTextTest, IsRefusedOrAcceptedAtOnce) {
  const absl::StatusOr<JobFile> file = JobFile::Parse(GetParam().text, "j");
  if (GetParam().message[0] == '\0') {
    EXPECT_THAT(file, IsOk());
  } else {
    EXPECT_THAT(file, StatusIs(absl::StatusCode::kInvalidArgument, StartsWith(GetParam().message)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, WholeTextTest,
    testing::ValuesIn(std::vector<Whole>{
        {"ByteOrderMark", absl::StrCat("\xef\xbb\xbf", kJob), ""},
        {"WindowsLines", absl::StrReplaceAll(kJob, {{"\n", "\r\n"}}), ""},
        {"AliasOfAList",
         absl::StrReplaceAll(kJob, {{"resolutions: [16", "resolutions: &r [16"}, {"depths: [1]}", "depths: [1], kernels: [3]}"}}), ""},
        {"Utf16", std::string("\xff\xfen\0a\0m\0e\0", 10), "j:1:1: expected UTF-8, found UTF-16; save the file as UTF-8"},
        {"ByteZero", absl::StrCat("name: j\nseed: ", std::string(1, '\0')), "j:2:7: expected text in UTF-8, found a byte 0"},
        {"Latin1", "name: caf\xe9", "j:1:10: expected text in UTF-8, found bytes that are not UTF-8"},
        {"TooLong", std::string((1 << 20) + 1, '#'), "j: expected a job of at most 1048576 bytes, found 1048577"},
        {"DeepList", Nested(100'000), "j:1:38: expected at most 32 lists and maps within one another, found more"},
        {"AliasBomb", AliasBomb(), "j:6:12: expected at most 100000 values, aliases followed, found more"},
        {"AliasOfItself", "name: &a [*a]", "j:1:11: expected an alias of something that ends before it, found one of what it is in itself"},
        {"AliasOfNothing", "name: *a", "j:1:7: expected YAML, found a mistake: the referenced anchor is not defined: a"},
        {"ManyStages",
         absl::StrReplaceAll(kJob, {{"  stages:\n", absl::StrCat("  stages:\n",
                                                                 [] {
                                                                   std::string stages;
                                                                   for (int i = 0; i < 14'000; ++i)
                                                                     absl::StrAppend(&stages, "    - {widths: [16], depths: [1024]}\n");
                                                                   return stages;
                                                                 }())}}),
         "j:10:5: space.stages: expected at most 32 stages, found 14002"},
    }),
    [](const testing::TestParamInfo<Whole>& row) { return row.param.name; });

TEST(JobFileTest, ManyMistakesAreNotAllTold) {
  std::string text = kJob;
  for (int i = 0; i < 20'000; ++i) absl::StrAppend(&text, "k", i, ": 1\n");
  const std::string message(JobFile::Parse(text, "j").status().message());
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 50);
  EXPECT_THAT(message, testing::EndsWith("j: and 19950 more mistakes"));
}

TEST(JobFileTest, AMissingFileIsNamed) {
  EXPECT_THAT(JobFile::Load("/nowhere/job.yaml"),
              StatusIs(absl::StatusCode::kNotFound, "expected a job file that can be read, found none at /nowhere/job.yaml"));
  EXPECT_THAT(JobFile::Load("/"), StatusIs(absl::StatusCode::kNotFound, "expected a job file, found a directory: /"));
}

TEST(JobFileTest, MapsTheServersViolationsToTheFile) {
  const absl::StatusOr<JobFile> file = JobFile::Parse(kJob, "job.yaml");
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ(file->Describe({"limits[0].at_most", "no network is that fast"}),
            "job.yaml:22:21: target.limits.latency: no network is that fast");
  EXPECT_EQ(file->Describe({"space.stages[0].blocks[1].expand_precisions[0]", "not supported"}),
            "job.yaml:8:16: space.precisions[0]: not supported");
}

// Whatever the bytes are, the answer is a job or a list of mistakes.
TEST(JobFileTest, MutatedFilesNeverCrash) {
  constexpr uint64_t kSeed = 20;
  const std::string alphabet = "{}[]:,-?&*!|>'\"%@`#\n\t 09azA.~\xc3\x28";
  int accepted = 0;
  for (uint64_t round = 0; round < 3000; ++round) {
    SCOPED_TRACE(testing::Message() << "seed " << kSeed << ", round " << round);
    CounterRandom random(kSeed, "test/mutate", round);
    std::string text = kJob;
    const uint64_t mutations = 1 + random.UniformInt(6);
    for (uint64_t i = 0; i < mutations; ++i) {
      const size_t at = random.UniformInt(text.size());
      const char c = alphabet[random.UniformInt(alphabet.size())];
      switch (random.UniformInt(4)) {
        case 0:
          text[at] = c;
          break;
        case 1:
          text.insert(at, 1, c);
          break;
        case 2:
          text.erase(at, 1 + random.UniformInt(8));
          break;
        default:
          text.insert(at, text.substr(random.UniformInt(text.size()), random.UniformInt(30)));
      }
      if (text.empty()) text = "x";
    }
    const absl::StatusOr<JobFile> file = JobFile::Parse(text, "fuzz.yaml");
    if (file.ok()) {
      ++accepted;
    } else {
      EXPECT_FALSE(file.status().message().empty());
    }
  }
  EXPECT_GT(accepted, 0);
}

/// The job of `text` with these lines in place of its limits.
absl::StatusOr<JobFile> WithLimits(absl::string_view lines) {
  std::string text(kJob);
  const std::string limits = "  limits: {latency: 2 ms, size: 20 kB}\n";
  const size_t at = text.find(limits);
  EXPECT_NE(at, std::string::npos);
  return JobFile::Parse(absl::StrCat(text.replace(at, limits.size(), "  statistic: p50\n"), "\n", lines), "job.yaml");
}

TEST(GoalsInJobFileTest, LimitsHaveAShortAndALongForm) {
  const absl::StatusOr<JobFile> in_short = WithLimits("limits: {latency: 2 ms, macs: 1.5 M, accuracy: 80 %}\n");
  ASSERT_THAT(in_short, IsOk());
  EXPECT_THAT(in_short->job().limits, ElementsAre(LimitSpec{.of = "latency", .at_most = 2000}, LimitSpec{.of = "macs", .at_most = 1.5e6},
                                                  LimitSpec{.of = "accuracy", .at_least = 0.8}));
  const absl::StatusOr<JobFile> in_long = WithLimits(
      "limits:\n  - {of: latency, at_most: 2 ms, confidence: 0.9}\n  - {of: peak_memory, at_most: 60 %, than: largest-8bit}\n"
      "  - {of: accuracy, at_least: 80 %}\nobjectives: [accuracy, {of: size}]\n");
  ASSERT_THAT(in_long, IsOk());
  EXPECT_THAT(in_long->job().limits, ElementsAre(LimitSpec{.of = "latency", .at_most = 2000, .confidence = 0.9},
                                                 LimitSpec{.of = "peak_memory", .at_most = 0.6, .than = "largest-8bit"},
                                                 LimitSpec{.of = "accuracy", .at_least = 0.8}));
  EXPECT_THAT(in_long->job().objectives, ElementsAre(ObjectiveSpec{"accuracy"}, ObjectiveSpec{"size"}));
}

TEST(GoalsInJobFileTest, APresetIsWhatItsNetworkHas) {
  const absl::StatusOr<JobFile> file = WithLimits("limits: [{of: macs, at_most: 10 %, than: resnet8}]\n");
  ASSERT_THAT(file, IsOk());
  ASSERT_EQ(file->job().limits.size(), 1U);
  EXPECT_EQ(file->job().limits[0].than, "");
  EXPECT_NEAR(file->job().limits[0].at_most, 1.25e6, 0.01e6);  // of 12.5 million
}

TEST(GoalsInJobFileTest, EveryMistakeIsToldWithItsPlace) {
  const absl::StatusOr<JobFile> file = WithLimits(
      "limits:\n"
      "  - {of: latncy, at_most: 2 ms}\n"
      "  - {of: size, at_most: 60 %, than: resnet9}\n"
      "  - {of: latency, at_most: 60 %, than: resnet8}\n"
      "  - {of: macs, at_most: 20 kB}\n"
      "  - {of: accuracy, at_most: 80 %}\n"
      "objectives: [accuracy, accuracy]\n");
  const std::string message(file.status().message());
  for (const char* part : {"limits[0].of: expected a quantity, found \"latncy\", did you mean \"latency\"?",
                           "limits[1].than: expected smallest-8bit, middle-8bit, largest-8bit or a preset, found \"resnet9\"",
                           "limits[2].than: expected smallest-8bit, middle-8bit, largest-8bit: the latency of a preset is not known",
                           "limits[3].at_most: expected a number such as \"80 k\" or \"12.5 M\" (k, M, G; none: as it is), found \"20 kB\"",
                           "limits[4].at_most: expected at_least for accuracy", "objectives[1]: expected each quantity once"}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
}

TEST(GoalsInJobFileTest, WhatIsNoLimitIsToldOnce) {
  const auto told = [](absl::string_view lines) { return std::string(WithLimits(lines).status().message()); };
  EXPECT_THAT(told("limits: {size: 0 kB}\n"), HasSubstr("limits.size: expected more than 0, found \"0 kB\""));
  EXPECT_THAT(told("limits: 5\n"), HasSubstr("limits: expected a map such as {latency: 1 ms, size: 80 kB}, or a list of maps"));
  EXPECT_THAT(told("limits: {latency: 1e99 ms}\n"), HasSubstr("expected more than 0 and at most 1000 s, found 1e+102"));
}

// Each of the presets would be lowered: a file of many such limits must not take the time of them all.
TEST(GoalsInJobFileTest, TooManyLimitsAreRefusedBeforePresetsAreLookedAt) {
  std::string lines = "limits:\n";
  for (int i = 0; i < 12'000; ++i) lines += "  - {of: macs, at_most: 50 %, than: resnet50}\n";
  EXPECT_THAT(std::string(WithLimits(lines).status().message()), HasSubstr("limits: expected at most 6, found 12000"));
}

TEST(GoalsInJobFileTest, OneQuantityIsLimitedOnce) {
  std::string text(kJob);
  const absl::StatusOr<JobFile> file = JobFile::Parse(absl::StrCat(text, "\nlimits: [{of: size, at_most: 1 MB}]\n"), "job.yaml");
  EXPECT_THAT(file, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("limits[0].of: expected each quantity once, found size again")));
}

/// The job of `text` with these lines in place of its target.
absl::StatusOr<JobFile> WithTargets(absl::string_view lines) {
  std::string text(kJob);
  const std::string target = "target:\n  limits: {latency: 2 ms, size: 20 kB}\n";
  const size_t at = text.find(target);
  EXPECT_NE(at, std::string::npos);
  return JobFile::Parse(absl::StrCat(text.erase(at, target.size()), "\n", lines), "job.yaml");
}

TEST(TargetsInJobFileTest, EachHasItsDeviceAndItsLimits) {
  const absl::StatusOr<JobFile> file = WithTargets(R"(targets:
  - {name: phone, device: pixel-8, threads: 4, statistic: p90, limits: {latency: 2 ms}}
  - {name: watch, device: wear, limits: [{of: latency, at_most: 5 ms, confidence: 0.9}]}
limits: [{of: size, at_most: 80 kB}, {of: macs, target: watch, at_most: 1 M}]
)");
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(file->job().targets,
              ElementsAre(TargetSpec{.name = "phone", .device = "pixel-8", .threads = 4, .statistic = LatencyStatistic::kP90},
                          TargetSpec{.name = "watch", .device = "wear"}));
  EXPECT_THAT(file->job().limits,
              testing::UnorderedElementsAre(LimitSpec{.of = "latency", .target = "phone", .at_most = 2000},
                                            LimitSpec{.of = "latency", .target = "watch", .at_most = 5000, .confidence = 0.9},
                                            LimitSpec{.of = "size", .at_most = 80'000},
                                            LimitSpec{.of = "macs", .target = "watch", .at_most = 1e6}));
}

TEST(TargetsInJobFileTest, OneDeviceMayBeSearchedForWithSeveralLimits) {
  EXPECT_THAT(WithTargets("targets: [{name: small, limits: {size: 80 kB}}, {name: large, limits: {size: 250 kB}}]\n"), IsOk());
  EXPECT_THAT(WithTargets("targets: [{name: any}, {name: large, limits: {size: 250 kB}}]\n"), IsOk());
  EXPECT_THAT(WithTargets("targets: [{name: one, limits: {size: 80 kB}}, {name: other, limits: {size: 80000 B}}]\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("targets[1]: expected another device")));
}

TEST(TargetsInJobFileTest, EveryMistakeIsToldWithItsPlace) {
  const absl::StatusOr<JobFile> file = WithTargets(R"(targets:
  - {name: phone, device: pixel-8}
  - {name: phone, device: wear}
  - {name: tv, device: pixel-8}
  - {device: board, limits: {latency: 2 ms}}
  - {name: far, threads: 1000, backend: tvm, limits: {latency: 2 bananas}}
  - {name: tv2, device: pixel-8}
limits: [{of: size, at_most: 1 MB}, {of: size, target: phone, at_most: 1 MB}, {of: macs, target: laptop, at_most: 1 M}]
)");
  ASSERT_THAT(file, StatusIs(absl::StatusCode::kInvalidArgument));
  const std::string message(file.status().message());
  for (const char* mistake :
       {"targets[1].name: expected each name once, found phone again",
        "targets[5]: expected another device, backend, number of threads, statistic or limits than tv has, found the same",
        "targets[3].name: ", "targets[4].threads: expected a number from 0 to 256, found 1000",
        "targets[4].backend: expected xnnpack, found \"tvm\"",
        "targets[4].limits.latency: ", "limits[1].of: expected each quantity once, found size again",
        "limits[2].target: expected the name of one of `targets`, found \"laptop\""}) {
    EXPECT_THAT(message, HasSubstr(mistake));
  }
}

TEST(TargetsInJobFileTest, TheListStandsForItself) {
  EXPECT_THAT(WithTargets("target: {device: pi5}\ntargets: [{name: a, device: pi4}]\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected either target or targets, found both")));
  EXPECT_THAT(WithTargets("targets: pi5\n"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("targets: expected a list")));
  std::string many = "targets:\n";
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&many, "  - {name: t", i, ", limits: [{of: macs, at_most: 50 %, than: resnet50}]}\n");
  EXPECT_THAT(WithTargets(many), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("targets: expected at most 8, found 1000")));
  EXPECT_THAT(WithTargets("limits: [{of: latency, target: phone, at_most: 1 ms}]\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("limits[0].target: expected none")));
}

}  // namespace
}  // namespace hanas::config
