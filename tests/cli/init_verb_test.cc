// SPDX-License-Identifier: Apache-2.0
// `hanas init` as its users see it: what it accepts `hanas validate` accepts too, and what it refuses it explains.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "cli/commands/exit_code.h"
#include "dataset/draw.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/hanas_process.h"
#include "tests/support/jpeg.h"
#include "tests/support/scratch_directory.h"

namespace hanas::cli {
namespace {

namespace fs = std::filesystem;
using ::absl_testing::IsOk;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kOk = static_cast<int>(ExitCode::kOk);
constexpr int kData = static_cast<int>(ExitCode::kData);
constexpr int kRefused = static_cast<int>(ExitCode::kRefused);

std::string ReadText(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class InitVerbTest : public testing::Test {
 protected:
  std::string File(const std::string& name) const { return (directory_ / name).string(); }
  std::string Job() const { return File("job.yaml"); }

  /// `train` pictures for training and `test` for test of each class, which is called by its number.
  void PutFolders(const std::string& set, int classes, int train, int test, JpegStorage storage, int side = 12) const {
    for (int label = 0; label < classes; ++label) {
      const auto red = static_cast<uint8_t>(50 + 200 * label / classes);
      for (const auto& [part, count] : {std::pair<std::string, int>{"train", train}, {"test", test}}) {
        const fs::path folder = directory_ / set / part / absl::StrCat(label);
        fs::create_directories(folder);
        WriteJpeg(folder / "0.jpg", side, side, {red, 20, 20}, storage);
        for (int i = 1; i < count; ++i) fs::create_hard_link(folder / "0.jpg", folder / absl::StrCat(i, ".jpg"));
      }
    }
  }

  Ended Init(const std::vector<std::string>& arguments, const std::string& data_root = "") const {
    std::vector<std::string> all = {"init"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return RunProgram("hanas", all, {"HANAS_DATA_DIR=" + data_root});
  }
  Ended InitJob(const std::string& set) const { return Init({File(set), "--out", Job()}); }

  /// That the set is accepted, and its job by `hanas validate`.
  void ExpectAccepted(const std::string& set, const std::vector<std::string>& in_job) const {
    SCOPED_TRACE(set);
    const Ended ended = InitJob(set);
    ASSERT_EQ(ended.code, kOk) << ended.err;
    EXPECT_THAT(ended.out, AllOf(HasSubstr("Machine  "), HasSubstr(absl::StrCat("hanas run ", Job(), " --data ", directory_.string()))));
    for (const std::string& text : in_job) EXPECT_THAT(ReadText(Job()), HasSubstr(text));
    const Ended validated = RunProgram("hanas", {"validate", Job()});
    EXPECT_EQ(validated.code, kOk) << validated.err << ReadText(Job());
    fs::remove(Job());
  }
  /// That the set is refused with these words, and that no job is written.
  void ExpectRefused(const std::string& set, const std::vector<std::string>& words) const {
    SCOPED_TRACE(set);
    const Ended ended = InitJob(set);
    EXPECT_EQ(ended.code, kData) << ended.out;
    for (const std::string& word : words) EXPECT_THAT(ended.err, HasSubstr(word));
    EXPECT_FALSE(fs::exists(Job()));
  }

  const ScratchDirectory scratch_;
  const fs::path directory_ = scratch_.path();
};

TEST_F(InitVerbTest, TheJobOfEverySetThatIsAcceptedIsValid) {
  ASSERT_THAT(DrawDataset(File("drawn"), {.num_train = 1000, .num_test = 100}), IsOk());
  ExpectAccepted("drawn", {"format: idx", "input_channels: 1", "num_classes: 10", "resolutions: [28]", "directory: \"drawn\""});
  PutFolders("colour", 3, 100, 20, JpegStorage::kColour, 40);
  ExpectAccepted("colour", {"format: image_folder", "input_channels: 3", "num_classes: 3", "resolutions: [40]"});
  PutFolders("grey", 2, 100, 20, JpegStorage::kGrey);
  ExpectAccepted("grey", {"input_channels: 1", "num_classes: 2"});
  PutFolders("few pictures", 2, 66, 1, JpegStorage::kColour);
  ExpectAccepted("few pictures", {"validation_images: 40", "directory: \"few pictures\"", "name: \"few-pictures\""});
  PutFolders("many", 600, 2, 1, JpegStorage::kGrey);
  ExpectAccepted("many", {"num_classes: 600"});
}

TEST_F(InitVerbTest, FindsTheOneSetBelowADirectoryAndNamesSeveral) {
  PutFolders("data/colour", 2, 100, 20, JpegStorage::kColour);
  ExpectAccepted("data", {"directory: \"colour\""});
  PutFolders("data/grey", 2, 100, 20, JpegStorage::kGrey);
  ExpectRefused("data", {"expected one data set, found 2", File("data/colour"), File("data/grey")});
}

TEST_F(InitVerbTest, TheDirectoryIsTheOneBelowTheDataRoot) {
  PutFolders("root/sets/colour", 2, 100, 20, JpegStorage::kColour);
  const Ended below = Init({File("root/sets/colour"), "--out", Job()}, File("root"));
  ASSERT_EQ(below.code, kOk) << below.err;
  EXPECT_THAT(ReadText(Job()), HasSubstr("directory: \"sets/colour\""));
  EXPECT_THAT(below.out, HasSubstr("--data " + File("root") + " "));
  const Ended beside = Init({File("root/sets/colour"), "--out", Job(), "--force"}, File("other"));
  ASSERT_EQ(beside.code, kOk) << beside.err;
  EXPECT_THAT(ReadText(Job()), HasSubstr("directory: \"colour\""));
  EXPECT_THAT(beside.out, HasSubstr("--data " + File("root/sets") + " "));
  const Ended by_environment = Init({"--out", Job(), "--force"}, File("root/sets"));
  EXPECT_EQ(by_environment.code, kOk) << by_environment.err;
}

TEST_F(InitVerbTest, NeverWritesOverAFileUnlessAskedTo) {
  PutFolders("colour", 2, 100, 20, JpegStorage::kColour);
  std::ofstream(Job()) << "mine";
  const Ended kept = InitJob("colour");
  EXPECT_EQ(kept.code, kRefused);
  EXPECT_THAT(kept.err, AllOf(HasSubstr(Job()), HasSubstr("--force")));
  EXPECT_EQ(ReadText(Job()), "mine");
  EXPECT_EQ(Init({File("colour"), "--out", Job(), "--force"}).code, kOk);
  EXPECT_THAT(ReadText(Job()), HasSubstr("num_classes: 2"));
}

TEST_F(InitVerbTest, SaysWhatIsNotRead) {
  PutFolders("colour", 2, 100, 20, JpegStorage::kColour);
  std::ofstream(File("colour/train/0/more.gif")) << "x";
  const Ended ended = InitJob("colour");
  EXPECT_EQ(ended.code, kOk) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("not read  1 file(s) *.gif in the folders of classes"));
}

TEST_F(InitVerbTest, WhatIsNoDataSetIsRefusedWithTheLayoutThatIsExpected) {
  const std::string layout = "pictures in train/<class>/ and test/<class>/";
  ExpectRefused("absent", {layout, "no such directory"});
  fs::create_directories(File("empty"));
  ExpectRefused("empty", {layout, "an empty directory"});
  std::ofstream(File("file")) << "x";
  ExpectRefused("file", {layout, "a file"});
  fs::create_directories(File("flat"));
  WriteJpeg(directory_ / "flat/1.jpg", 8, 8, {1, 1, 1});
  ExpectRefused("flat", {layout, "1 pictures without classes"});
  fs::create_directories(File("unsplit/cat"));
  WriteJpeg(directory_ / "unsplit/cat/1.jpg", 8, 8, {1, 1, 1});
  ExpectRefused("unsplit", {layout, "one folder of pictures: each class has one"});
  fs::create_directories(File("half/train/cat"));
  ExpectRefused("half", {"class \"cat\" in train/ has no pictures"});
  fs::create_directories(File("unsorted/train"));
  fs::create_directories(File("unsorted/test"));
  WriteJpeg(directory_ / "unsorted/train/1.jpg", 8, 8, {1, 1, 1});
  ExpectRefused("unsorted", {"expected one folder for each class, found none"});
  ASSERT_THAT(DrawDataset(File("partial"), {.num_train = 200, .num_test = 100}), IsOk());
  fs::remove(File("partial/t10k-labels-idx1-ubyte"));
  ExpectRefused("partial", {"expected " + File("partial/t10k-labels-idx1-ubyte")});
}

TEST_F(InitVerbTest, EverythingThatIsWrongWithASetIsSaidAtOnce) {
  PutFolders("one", 1, 200, 20, JpegStorage::kColour);
  ExpectRefused("one", {"expected 2 to 10000 classes, found 1 in train/"});
  PutFolders("wrong", 2, 100, 20, JpegStorage::kColour);
  fs::create_directories(File("wrong/train/\xff"));
  fs::create_directories(File("wrong/test/dog"));
  std::ofstream(File("wrong/train/0/broken.jpg")) << "x";
  ExpectRefused("wrong", {"has a name that is not UTF-8", "class \"dog\" in test/ is not in train/", "expected a JPEG, PNG or WebP picture",
                          "broken.jpg"});
  PutFolders("scarce", 2, 20, 1, JpegStorage::kColour);
  ExpectRefused("scarce", {"expected at least 42 training pictures", "found 40"});
  PutFolders("na\xffme", 2, 100, 20, JpegStorage::kColour);
  ExpectRefused("na\xffme", {"rename the directory"});
  PutFolders("two\nlines", 2, 100, 20, JpegStorage::kColour);
  ExpectRefused("two\nlines", {"one line of UTF-8", "rename the directory"});
}

TEST_F(InitVerbTest, FilesThatMayNotBeReadAreNamed) {
  if (geteuid() == 0) GTEST_SKIP() << "root reads everything";
  PutFolders("locked", 2, 100, 20, JpegStorage::kColour);
  WriteJpeg(directory_ / "locked/train/0/secret.jpg", 8, 8, {1, 1, 1});
  ASSERT_EQ(chmod(File("locked/train/0/secret.jpg").c_str(), 0), 0);
  ExpectRefused("locked", {"Permission denied", "secret.jpg"});
}

TEST_F(InitVerbTest, SetsBeyondTheMostClassesAreRefused) {
  for (int i = 0; i < 10'001; ++i) fs::create_directories(directory_ / "crowd/train" / absl::StrCat(i));
  fs::create_directories(directory_ / "crowd/test/0");
  ExpectRefused("crowd", {"expected 2 to 10000 classes, found 10001 in train/"});
}

}  // namespace
}  // namespace hanas::cli
