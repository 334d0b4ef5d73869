// SPDX-License-Identifier: Apache-2.0
#include "dataset/survey.h"

#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "dataset/draw.h"
#include "dataset/idx.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/scratch_directory.h"

namespace hanas {
namespace {

namespace fs = std::filesystem;
using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class SurveyTest : public ::testing::Test {
 protected:
  /// Files that are no pictures: nobody opens them here.
  void Put(const std::string& part_and_class, int pictures) const {
    const fs::path folder = fs::path(directory_) / part_and_class;
    fs::create_directories(folder);
    for (int i = 0; i < pictures; ++i) std::ofstream(folder / absl::StrCat(i, ".jpg")) << "x";
  }
  absl::StatusOr<Survey> Folders() const { return SurveyDataset(DatasetFormat::kImageFolder, directory_); }
  static IdxImages Pictures(size_t count) {
    return {.count = static_cast<int64_t>(count), .height = 2, .width = 2, .pixels = std::vector<uint8_t>(4 * count)};
  }
  /// An IDX set with these labels.
  absl::StatusOr<Survey> Labels(const std::vector<uint8_t>& train, const std::vector<uint8_t>& test) const {
    EXPECT_THAT(WriteIdxImages(directory_ + "/train-images-idx3-ubyte", Pictures(train.size())), IsOk());
    EXPECT_THAT(WriteIdxImages(directory_ + "/t10k-images-idx3-ubyte", Pictures(test.size())), IsOk());
    EXPECT_THAT(WriteIdxLabels(directory_ + "/train-labels-idx1-ubyte", train), IsOk());
    EXPECT_THAT(WriteIdxLabels(directory_ + "/t10k-labels-idx1-ubyte", test), IsOk());
    return SurveyDataset(DatasetFormat::kIdx, directory_);
  }
  static std::vector<std::string> Codes(const Survey& survey) {
    std::vector<std::string> codes;
    for (const Warning& warning : survey.warnings) codes.push_back(warning.code);
    return codes;
  }

  const ScratchDirectory scratch_;
  const std::string directory_ = scratch_.path().string();
};

TEST_F(SurveyTest, CountsThePicturesOfEachClass) {
  Put("train/v", 12);
  Put("train/h", 30);
  Put("test/v", 10);
  Put("test/h", 11);
  Put("train/.ipynb_checkpoints", 0);
  std::ofstream(directory_ + "/train/h/._0000.jpg") << "Mac OS X";
  const absl::StatusOr<Survey> survey = Folders();
  ASSERT_THAT(survey, IsOk());
  EXPECT_THAT(survey->classes, ElementsAre(ClassPictures{"h", 30, 11}, ClassPictures{"v", 12, 10}));
  EXPECT_THAT(survey->warnings, IsEmpty());
  EXPECT_EQ(PicturesText(survey->classes), "h 30 + 11, v 12 + 10");
}

TEST_F(SurveyTest, EveryMistakeIsNamedAtOnce) {
  for (const char* good : {"train/h", "test/h"}) Put(good, 20);
  Put("train/v", 20);  // not in test/
  Put("test/x", 20);   // not in train/
  Put("train/empty", 0);
  Put("test/empty", 20);
  Put("train/caf\xe9", 20);
  Put("test/caf\xe9", 20);
  // The same to the eye: one character, and two.
  Put("train/\xc3\xa9", 20);
  Put("test/e\xcc\x81", 20);
  const absl::Status status = Folders().status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument));
  for (const char* part : {"class \"v\" in train/ is not in test/", "class \"x\" in test/ is not in train/",
                           "class \"empty\" in train/ has no pictures", "class \"caf\\xe9\" in train/ has a name that is not UTF-8",
                           "(\"\\xc3\\xa9\") in train/ is not in test/", "\\xcc\\x81\") in test/ is not in train/"}) {
    EXPECT_THAT(status.message(), HasSubstr(part));
  }
  EXPECT_THAT(status.message(), Not(HasSubstr("class \"h\"")));
}

TEST_F(SurveyTest, PicturesOfTwoSizesAreRefusedByTheirHeaders) {
  ASSERT_THAT(Labels({0, 1}, {0, 1}), IsOk());
  ASSERT_THAT(WriteIdxImages(directory_ + "/t10k-images-idx3-ubyte", {2, 3, 2, std::vector<uint8_t>(12)}), IsOk());
  EXPECT_THAT(SurveyDataset(DatasetFormat::kIdx, directory_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected test images of 2x2 as in training, found 3x2")));
}

TEST_F(SurveyTest, FewerOrMoreClassesThanASpaceMayHaveAreRefusedBeforeAnythingStarts) {
  for (const char* folder : {"train/only", "test/only"}) Put(folder, 20);
  EXPECT_THAT(Folders().status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected 2 to 10000 classes, found 1 in train/")));
}

TEST_F(SurveyTest, AMessageStaysShort) {
  Put("test/h", 1);
  for (int i = 0; i < 300; ++i) Put(absl::StrCat("train/c", i), 1);
  const absl::Status status = Folders().status();
  EXPECT_THAT(status.message(), HasSubstr("and 281 more"));
  EXPECT_LT(status.message().size(), 3000U);
}

TEST_F(SurveyTest, AClassWithOnePictureIsSaid) {
  for (const char* folder : {"train/h", "test/h", "test/v"}) Put(folder, 20);
  Put("train/v", 1);
  const absl::StatusOr<Survey> survey = Folders();
  ASSERT_THAT(survey, IsOk());
  EXPECT_THAT(Codes(*survey), ElementsAre(kFewPictures));
  EXPECT_THAT(survey->warnings[0].text, HasSubstr("\"v\" (1 for training, 20 for test)"));
}

TEST_F(SurveyTest, LabelsThatBeginAtOneLeaveAClassWithoutPictures) {
  std::vector<uint8_t> labels;
  for (int i = 0; i < 40; ++i) labels.push_back(static_cast<uint8_t>(1 + i % 2));
  const absl::StatusOr<Survey> survey = Labels(labels, labels);
  ASSERT_THAT(survey, IsOk());
  EXPECT_THAT(survey->classes, ElementsAre(ClassPictures{"0", 0, 0}, ClassPictures{"1", 20, 20}, ClassPictures{"2", 20, 20}));
  EXPECT_THAT(Codes(*survey), ElementsAre(kClassWithoutPictures));
  EXPECT_THAT(survey->warnings[0].text, HasSubstr("\"0\" (0 for training, 0 for test)"));
}

TEST_F(SurveyTest, TestLabelsWithoutTrainingPicturesAreRefusedByName) {
  EXPECT_THAT(Labels({0, 1, 0, 1}, {0, 1, 7, 7, 9}),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("class 7 has 2 test pictures and none to train on"),
                                                                 HasSubstr("class 9 has 1 test pictures and none to train on"))));
}

TEST_F(SurveyTest, PicturesThatCannotBeThoseOfTheLabelsAreRefusedByTheirHeaders) {
  ASSERT_THAT(Labels({0, 1, 0, 1, 0}, {0, 1}), IsOk());
  ASSERT_THAT(WriteIdxImages(directory_ + "/t10k-images-idx3-ubyte", Pictures(3)), IsOk());
  fs::remove(directory_ + "/train-images-idx3-ubyte");
  // Five pictures of 4096 x 4096 in a few bytes.
  const std::string bomb = directory_ + "/train-images-idx3-ubyte.gz";
  gzFile file = gzopen(bomb.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  const std::array<uint8_t, 16> header = {0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 16, 0, 0, 0, 16, 0};
  ASSERT_EQ(gzwrite(file, header.data(), header.size()), static_cast<int>(header.size()));
  ASSERT_EQ(gzclose(file), Z_OK);

  EXPECT_THAT(SurveyDataset(DatasetFormat::kIdx, directory_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("expected content of at most 100 times the "), HasSubstr(" found 83886080 promised"),
                             HasSubstr("expected as many pictures as labels (2), found 3"))));
}

TEST_F(SurveyTest, ADrawnSetIsKnownWhateverItIsCalled) {
  ASSERT_THAT(DrawDataset(directory_ + "/set", {.num_train = 400, .num_test = 400, .seed = 3}), IsOk());
  fs::rename(directory_ + "/set", directory_ + "/fashion_mnist");
  const absl::StatusOr<Survey> survey = SurveyDataset(DatasetFormat::kIdx, directory_ + "/fashion_mnist");
  ASSERT_THAT(survey, IsOk());
  EXPECT_THAT(Codes(*survey), ElementsAre(kDrawnData));

  // Its labels are numbers, though its name is that of a set whose labels have names.
  const DatasetSpec spec = {.name = "fashion-mnist", .format = DatasetFormat::kIdx, .directory = "fashion_mnist", .validation_images = 100};
  const absl::StatusOr<Dataset> dataset = Dataset::Load(spec, directory_);
  ASSERT_THAT(dataset, IsOk());
  EXPECT_EQ(dataset->class_names()[0], "0");
  const Survey loaded = SurveyOf(*dataset, directory_ + "/fashion_mnist");
  EXPECT_EQ(loaded.classes, survey->classes);
  EXPECT_THAT(Codes(loaded), ElementsAre(kDrawnData, kLabelsAreNumbers));
}

}  // namespace
}  // namespace hanas
