// SPDX-License-Identifier: Apache-2.0
// What `hanas init` chooses for data and machines that a test describes.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/init/choose_job.h"
#include "cli/init/write_job.h"
#include "config/job_file.h"
#include "core/base/plain_name.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::cli {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Lt;
using ::testing::Not;
using ::testing::SizeIs;

constexpr int64_t kGiB = int64_t{1} << 30;

FoundData Data(DatasetFormat format, int num_classes, int64_t train, int width, int height, bool colour) {
  FoundData data = {.place = {.root = "/data", .directory = "flowers", .format = format}};
  for (int i = 0; i < num_classes; ++i) data.classes.push_back({absl::StrCat(i), train / num_classes, 10});
  const PictureSize size = {width, height};
  data.pictures = {.train = train,
                   .test = 10 * num_classes,
                   .looked_at = train,
                   .smallest = size,
                   .median = size,
                   .largest = size,
                   .stored_with_colour = colour,
                   .shows_colour = colour,
                   .not_read = {}};
  return data;
}
FoundData Folder(int num_classes, int64_t train, int side) {
  return Data(DatasetFormat::kImageFolder, num_classes, train, side, side, true);
}

FoundMachine Machine(int cores = 4, int64_t memory = 16 * kGiB) {
  return {.cpu_model = "Some CPU", .isa = "avx2", .cores = cores, .memory_bytes = memory};
}

/// Every kind of data, with machines at both ends.
std::vector<std::pair<FoundData, FoundMachine>> ManyFindings() {
  std::vector<std::pair<FoundData, FoundMachine>> findings;
  for (const FoundMachine& machine : {Machine(1, kGiB), Machine(64, 512 * kGiB), Machine(2, 0)}) {
    for (const int side : {1, 8, 9, 11, 16, 28, 32, 63, 64, 65, 96, 224, 500}) {
      for (const auto& [classes, train] : {std::pair<int, int64_t>{2, 42}, {10, 5000}, {10'000, 30'000}}) {
        if (train * side * side > int64_t{2'000'000'000}) continue;
        findings.emplace_back(Folder(classes, train, side), machine);
      }
      findings.emplace_back(Data(DatasetFormat::kIdx, 10, 60'000, side, side, false), machine);
      findings.emplace_back(Data(DatasetFormat::kImageFolder, 10, 1000, 2 * side, side, false), machine);
    }
  }
  return findings;
}

TEST(InitTest, WhatIsWrittenIsReadBackAsTheJobThatWasChosen) {
  for (const auto& [data, machine] : ManyFindings()) {
    SCOPED_TRACE(absl::StrCat(data.classes.size(), " classes of ", data.pictures.median.width, " pixels, cores: ", machine.cores));
    const absl::StatusOr<DraftJob> draft = ChooseJob(data, machine);
    ASSERT_THAT(draft, IsOk());
    const absl::StatusOr<config::JobFile> file = config::JobFile::Parse(WriteJob(*draft, "hanas run job.yaml"), "job.yaml");
    ASSERT_THAT(file, IsOk());
    EXPECT_EQ(JobDigest(file->job()), JobDigest(draft->job));
  }
}

TEST(InitTest, EveryKeyIsBelowASentence) {
  const absl::StatusOr<DraftJob> draft = ChooseJob(Folder(10, 5000, 32), Machine());
  ASSERT_THAT(draft, IsOk());
  const std::string text = WriteJob(*draft, "hanas run job.yaml --data /data --out flowers-search");
  EXPECT_THAT(text, HasSubstr("hanas run job.yaml --data /data --out flowers-search"));
  std::string above;
  std::string explained;  // comments so far
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    EXPECT_THAT(std::string(line), SizeIs(Lt(141U)));
    const absl::string_view key = absl::StripPrefix(absl::StripLeadingAsciiWhitespace(line), "- ");
    if (absl::StartsWith(key, "#")) {
      absl::StrAppend(&explained, key, "\n");
    } else if (absl::StrContains(key, ": ")) {
      // Keys of a stage are explained once, for all stages.
      const bool in_a_stage = absl::StartsWith(line, "      ") || absl::StartsWith(line, "    - ");
      const std::string name(key.substr(0, key.find(':')));
      EXPECT_TRUE(in_a_stage ? absl::StrContains(explained, name + ":") : absl::StrContains(above, "#")) << line;
    }
    above = std::string(line);
  }
}

TEST(InitTest, TheSpaceFollowsFromThePictures) {
  const absl::StatusOr<DraftJob> small = ChooseJob(Folder(10, 50'000, 32), Machine());
  ASSERT_THAT(small, IsOk());
  EXPECT_THAT(small->job.space.resolutions, ElementsAre(32)) << "dense convolutions of small pictures are a choice instead";
  EXPECT_GT(small->job.space.stages.front().kinds.size(), 1u);
  EXPECT_EQ(small->job.space.input_channels, 3);
  EXPECT_EQ(small->job.space.num_classes, 10);
  EXPECT_EQ(small->job.space.stem.stride, 1);
  EXPECT_EQ(small->job.dataset.validation_images, 5000);

  const absl::StatusOr<DraftJob> tiny = ChooseJob(Folder(10, 50'000, 3), Machine());
  ASSERT_THAT(tiny, IsOk());
  EXPECT_THAT(tiny->job.space.resolutions, ElementsAre(8)) << "networks take no smaller ones";

  const absl::StatusOr<DraftJob> large = ChooseJob(Folder(10, 5000, 500), {.cpu_model = "x", .isa = "avx2-avx512-vnni", .cores = 64});
  ASSERT_THAT(large, IsOk());
  EXPECT_GT(large->job.space.resolutions.back(), 64);
  EXPECT_EQ(large->job.space.stem.stride, 2);
}

TEST(InitTest, ASlowerMachineGetsFewerStepsOrSmallerPictures) {
  const absl::StatusOr<DraftJob> slow = ChooseJob(Folder(10, 5000, 224), {.cpu_model = "x", .isa = "generic", .cores = 1});
  const absl::StatusOr<DraftJob> fast = ChooseJob(Folder(10, 5000, 224), {.cpu_model = "x", .isa = "avx2-avx512-vnni", .cores = 32});
  ASSERT_THAT(slow, IsOk());
  ASSERT_THAT(fast, IsOk());
  EXPECT_LT(slow->job.space.resolutions.back(), fast->job.space.resolutions.back());
  EXPECT_THAT(slow->reasons.at("space.resolutions"), HasSubstr("would leave this machine too few steps"));
}

TEST(InitTest, MoreMinutesAreMoreSteps) {
  std::vector<int64_t> steps;
  for (const int minutes : {5, 15, kUsualMinutes, 120}) {
    const absl::StatusOr<DraftJob> draft = ChooseJob(Folder(10, 50'000, 32), Machine(), minutes);
    ASSERT_THAT(draft, IsOk());
    // The fewest steps that are good for anything take longer than five minutes, and it is said.
    if (draft->remarks.empty()) {
      EXPECT_LT(draft->run_seconds, 90 * minutes) << minutes;
    }
    EXPECT_EQ(draft->remarks.empty(), minutes >= 15) << minutes;
    steps.push_back(draft->job.final.steps);
  }
  EXPECT_TRUE(std::is_sorted(steps.begin(), steps.end()));
  EXPECT_GT(steps.back(), 3 * steps[1]);
}

TEST(InitTest, ThatTheTimeIsTooShortForThisMachineIsSaid) {
  for (const int side : {32, 224}) {
    const absl::StatusOr<DraftJob> draft = ChooseJob(Folder(10, 50'000, side), {.cpu_model = "x", .isa = "generic", .cores = 1}, 5);
    ASSERT_THAT(draft, IsOk());
    EXPECT_THAT(draft->remarks, Contains(HasSubstr("It will take longer than 5 minutes"))) << side;
  }
}

TEST(InitTest, SmallPicturesAreSearchedWithoutASupernet) {
  const absl::StatusOr<DraftJob> small = ChooseJob(Folder(10, 50'000, 32), Machine());
  ASSERT_THAT(small, IsOk());
  EXPECT_EQ(small->job.screening, Screening::kAlone);
  EXPECT_GT(small->job.final.steps, 40 * small->job.sampling.steps) << "most of the time goes into what is returned";
  const std::string text = WriteJob(*small, "hanas run job.yaml");
  EXPECT_THAT(text, HasSubstr("screening: alone"));
  EXPECT_THAT(text, Not(HasSubstr("supernet")));
  const absl::StatusOr<DraftJob> large = ChooseJob(Folder(10, 5000, 224), Machine());
  ASSERT_THAT(large, IsOk());
  EXPECT_EQ(large->job.screening, Screening::kSupernet);
}

TEST(InitTest, GreyPicturesStoredWithColourAreTakenAsGrey) {
  FoundData data = Folder(10, 5000, 32);
  data.pictures.shows_colour = false;
  const absl::StatusOr<DraftJob> draft = ChooseJob(data, Machine());
  ASSERT_THAT(draft, IsOk());
  EXPECT_EQ(draft->job.space.input_channels, 1);
  EXPECT_THAT(draft->reasons.at("space.input_channels"), HasSubstr("show none"));
}

TEST(InitTest, WorkersAreThoseWhoseDataFits) {
  const FoundData data = Folder(10, 10'000, 256);  // about 2 GB decoded
  EXPECT_EQ(ChooseJob(data, Machine(16, 512 * kGiB))->workers, 16);
  const absl::StatusOr<DraftJob> some = ChooseJob(data, Machine(16, 16 * kGiB));
  ASSERT_THAT(some, IsOk());
  EXPECT_THAT(some->workers, AllOf(Gt(1), Lt(16)));
  EXPECT_THAT(some->remarks, ElementsAre(HasSubstr("of 16 possible workers")));
  const absl::StatusOr<DraftJob> none = ChooseJob(data, Machine(16, 2 * kGiB));
  ASSERT_THAT(none, IsOk());
  EXPECT_EQ(none->workers, 1);
  EXPECT_THAT(none->remarks, ElementsAre(HasSubstr("do not fit well")));
}

TEST(InitTest, DataThatNoJobCanRunOnIsRefusedWithAllReasons) {
  EXPECT_THAT(ChooseJob(Folder(2, 41, 32), Machine()).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected at least 42 training pictures")));
  EXPECT_THAT(ChooseJob(Folder(2, 1'500'000, 64), Machine()).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected images of at most 17179869184 bytes together")));
}

TEST(InitTest, PicturesBecomeSquaresThatFitIntoMemory) {
  const absl::StatusOr<DraftJob> many = ChooseJob(Folder(1000, 1'000'000, 500), Machine());
  ASSERT_THAT(many, IsOk());
  EXPECT_EQ(many->job.space.resolutions.back(), 64) << "16 GiB hold a million pictures of 64 pixels a side, and none that are larger";
  EXPECT_THAT(WriteJob(*many, ""), HasSubstr("fit: stretch"));
}

TEST(InitTest, LimitsAreLeftToTheUser) {
  const absl::StatusOr<DraftJob> draft = ChooseJob(Folder(10, 5000, 32), Machine());
  ASSERT_THAT(draft, IsOk());
  EXPECT_THAT(draft->job.limits, testing::IsEmpty());
  EXPECT_THAT(WriteJob(*draft, ""), HasSubstr("# limits: {latency:"));
}

TEST(InitTest, AnyDirectoryCanBeNamed) {
  for (const auto& [path, name] : {std::pair<std::string, std::string>{"/data/flowers", "flowers"},
                                   {"/my data/cats & dogs", "cats---dogs"},
                                   {"/", "data"},
                                   {"/data/2024", "2024"},
                                   {"/data/Blüten", "Bl--ten"}}) {
    EXPECT_EQ(JobNameOf(path), name);
  }
  EXPECT_TRUE(IsPlainName(JobNameOf("/data/" + std::string(200, 'x'))));
  for (const std::string directory : {"2024", "true", "null", "a \"b\"", "a\\b", "a: b # c", "- a", "Blüten", "'"}) {
    SCOPED_TRACE(directory);
    FoundData data = Folder(10, 5000, 32);
    data.place.directory = directory;
    const absl::StatusOr<DraftJob> draft = ChooseJob(data, Machine());
    ASSERT_THAT(draft, IsOk());
    const absl::StatusOr<config::JobFile> file =
        config::JobFile::Parse(WriteJob(*draft, absl::StrCat("hanas run job.yaml --data '/x/", directory, "'")), "job.yaml");
    ASSERT_THAT(file, IsOk());
    EXPECT_EQ(file->job().dataset.directory, directory);
  }
}

}  // namespace
}  // namespace hanas::cli
