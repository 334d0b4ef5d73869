// SPDX-License-Identifier: Apache-2.0
#include "dataset/pictures.h"

#include <filesystem>
#include <fstream>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "dataset/idx.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/jpeg.h"
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

class PicturesTest : public testing::Test {
 protected:
  /// A picture in a folder that is made for it.
  void Put(const std::string& path, int width, int height, const std::array<uint8_t, 3>& colour,
           JpegStorage storage = JpegStorage::kColour) const {
    fs::create_directories((directory_ / path).parent_path());
    WriteJpeg(directory_ / path, width, height, colour, storage);
  }
  void PutText(const std::string& path, const std::string& text) const {
    fs::create_directories((directory_ / path).parent_path());
    std::ofstream(directory_ / path, std::ios::binary) << text;
  }

  const ScratchDirectory scratch_;
  const fs::path directory_ = scratch_.path();
};

TEST_F(PicturesTest, SizesAreOfTheHeadersAndOrderedByTheShorterSide) {
  Put("train/a/1.jpg", 30, 40, {200, 20, 20});
  Put("train/b/1.jpg", 90, 10, {200, 20, 20});
  Put("test/a/1.jpg", 50, 60, {200, 20, 20});
  const absl::StatusOr<Pictures> pictures = LookAtPictures(DatasetFormat::kImageFolder, directory_.string());
  ASSERT_THAT(pictures, IsOk());
  EXPECT_EQ(pictures->train, 2);
  EXPECT_EQ(pictures->test, 1);
  EXPECT_EQ(pictures->smallest, (PictureSize{90, 10}));
  EXPECT_EQ(pictures->median, (PictureSize{30, 40}));
  EXPECT_EQ(pictures->largest, (PictureSize{50, 60}));
  EXPECT_THAT(pictures->not_read, IsEmpty());
}

TEST_F(PicturesTest, ColourIsWhatShowsNotHowItIsStored) {
  struct Case {
    std::array<uint8_t, 3> colour;
    JpegStorage storage;
    bool stored;
    bool shows;
  };
  for (const Case& row : {Case{{100, 100, 100}, JpegStorage::kGrey, false, false}, Case{{100, 100, 100}, JpegStorage::kColour, true, false},
                          Case{{200, 20, 20}, JpegStorage::kColour, true, true}}) {
    Put("train/a/1.jpg", 8, 8, row.colour, row.storage);
    Put("test/a/1.jpg", 8, 8, {50, 50, 50}, JpegStorage::kGrey);
    const absl::StatusOr<Pictures> pictures = LookAtPictures(DatasetFormat::kImageFolder, directory_.string());
    ASSERT_THAT(pictures, IsOk());
    EXPECT_EQ(pictures->stored_with_colour, row.stored);
    EXPECT_EQ(pictures->shows_colour, row.shows);
  }
}

TEST_F(PicturesTest, EveryPictureThatCannotBeReadIsNamedAtOnce) {
  Put("train/a/1.jpg", 8, 8, {1, 1, 1});
  PutText("train/a/2.jpg", "no picture");
  PutText("train/a/3.jpg", "");
  EXPECT_THAT(LookAtPictures(DatasetFormat::kImageFolder, directory_.string()).status(),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("train/a/2.jpg"), HasSubstr("train/a/3.jpg"), HasSubstr("expected a JPEG, PNG or WebP picture"))));
}

TEST_F(PicturesTest, WhatIsDamagedBehindItsHeaderIsNamedWhereAllIsDecoded) {
  for (const char* const name : {"train/a/1.jpg", "train/a/2.jpg", "train/a/3.jpg", "test/a/1.jpg"}) Put(name, 40, 40, {200, 20, 20});
  for (const char* const name : {"train/a/2.jpg", "train/a/3.jpg"})
    fs::resize_file(directory_ / name, fs::file_size(directory_ / name) - 20);
  PicturesOptions options = {.most_decoded = 0};
  EXPECT_THAT(LookAtPictures(DatasetFormat::kImageFolder, directory_.string(), options), IsOk()) << "by the headers";
  options.most_bytes = 1 << 20;
  EXPECT_THAT(LookAtPictures(DatasetFormat::kImageFolder, directory_.string(), options).status(),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("of 3 pictures to be damaged, found 2"), HasSubstr("train/a/2.jpg"), HasSubstr("train/a/3.jpg"))));
  options.most_bytes = 100;
  EXPECT_THAT(LookAtPictures(DatasetFormat::kImageFolder, directory_.string(), options), IsOk()) << "the set is larger";
}

TEST_F(PicturesTest, DamageIsAShareOfWhatWasLookedAt) {
  Put("train/a/0.jpg", 8, 8, {200, 20, 20});
  for (int i = 1; i < 1500; ++i) fs::copy_file(directory_ / "train/a/0.jpg", directory_ / "train/a" / absl::StrCat(i, ".jpg"));
  PutText("train/a/0.jpg", "x");
  Put("test/a/0.jpg", 8, 8, {200, 20, 20});
  const absl::StatusOr<Pictures> all = LookAtPictures(DatasetFormat::kImageFolder, directory_.string());
  ASSERT_THAT(all, IsOk()) << "one of 1500";
  EXPECT_THAT(all->damaged, ElementsAre(HasSubstr("0.jpg")));
  EXPECT_THAT(LookAtPictures(DatasetFormat::kImageFolder, directory_.string(), {.most_headers = 100}).status(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("pictures to be damaged, found 1")));
}

TEST_F(PicturesTest, WhatNobodyReadsIsCountedByKind) {
  Put("train/a/1.jpg", 8, 8, {1, 1, 1});
  Put("test/a/1.jpg", 8, 8, {1, 1, 1});
  Put("test/a/within/2.jpg", 8, 8, {1, 1, 1});
  for (const char* const path : {"train/a/1.gif", "train/a/2.gif", "test/a/within/1.txt", "train/list.txt", "labels.csv"})
    PutText(path, "x");
  const absl::StatusOr<Pictures> pictures = LookAtPictures(DatasetFormat::kImageFolder, directory_.string());
  ASSERT_THAT(pictures, IsOk());
  EXPECT_THAT(pictures->not_read, ElementsAre("1 \"labels.csv\" beside train/ and test/",
                                              "2 file(s) *.gif in the folders of classes (read: .jpg, .jpeg, .png, .webp)",
                                              "1 file(s) *.txt beside the folders of classes in train/",
                                              "1 file(s) *.txt in the folders of classes (read: .jpg, .jpeg, .png, .webp)"));
  EXPECT_EQ(pictures->test, 2);
}

TEST_F(PicturesTest, OfALargeSetAPartIsLookedAt) {
  for (int i = 0; i < 9; ++i) Put(absl::StrCat("train/a/", i, ".jpg"), 8, 8, {1, 1, 1});
  Put("test/a/1.jpg", 8, 8, {1, 1, 1});
  const absl::StatusOr<Pictures> pictures =
      LookAtPictures(DatasetFormat::kImageFolder, directory_.string(), {.most_headers = 4, .most_decoded = 1});
  ASSERT_THAT(pictures, IsOk());
  EXPECT_EQ(pictures->train, 9);
  EXPECT_EQ(pictures->looked_at, 4);
}

TEST_F(PicturesTest, IdxFilesAreReadByTheirHeaders) {
  const auto path = [this](const std::string& name) { return (directory_ / name).string(); };
  ASSERT_THAT(WriteIdxImages(path("train-images-idx3-ubyte"), {3, 6, 4, std::vector<uint8_t>(72)}), IsOk());
  ASSERT_THAT(WriteIdxImages(path("t10k-images-idx3-ubyte"), {2, 6, 4, std::vector<uint8_t>(48)}), IsOk());
  const absl::StatusOr<Pictures> pictures = LookAtPictures(DatasetFormat::kIdx, directory_.string());
  ASSERT_THAT(pictures, IsOk());
  EXPECT_EQ(pictures->train, 3);
  EXPECT_EQ(pictures->test, 2);
  EXPECT_EQ(pictures->median, (PictureSize{4, 6}));
  EXPECT_FALSE(pictures->shows_colour);
}

}  // namespace
}  // namespace hanas
