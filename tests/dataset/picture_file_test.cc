// SPDX-License-Identifier: Apache-2.0
// Pictures as people have them: every kind of file, however it is called, turned, and coloured.
#include "dataset/picture_file.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "dataset/exif.h"
#include "dataset/image_folder.h"
#include "dataset/manifest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/jpeg.h"
#include "tests/support/pictures.h"
#include "tests/support/scratch_directory.h"

namespace hanas {
namespace {

namespace fs = std::filesystem;
using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Dataset::Dimensions kAsItIs = {.height = 0, .width = 0, .channels = 3};

std::vector<uint8_t> Pattern(int width, int height) {
  std::vector<uint8_t> pixels;
  for (int i = 0; i < width * height * 3; ++i) pixels.push_back(static_cast<uint8_t>(i * 37 + i / 7));
  return pixels;
}

class PictureFileTest : public testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& bytes) const {
    const fs::path path = scratch_.path() / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
    return path.string();
  }
  std::string Jpeg(int width, int height, const std::vector<uint8_t>& pixels) const {
    const fs::path path = scratch_.path() / "made.jpg";
    WriteJpegPixels(path, width, height, pixels);
    return *ReadPictureFile(path.string());
  }
  absl::StatusOr<ByteImage> Decode(const std::string& bytes, const Dataset::Dimensions& to = kAsItIs) const {
    return PictureDecoder().Decode("the picture", bytes, to);
  }

  const ScratchDirectory scratch_;
};

TEST_F(PictureFileTest, PngAndWebpAreReadToTheByte) {
  const std::vector<uint8_t> pixels = Pattern(5, 3);
  for (const std::string& bytes : {PngBytes(5, 3, pixels), WebpBytes(5, 3, pixels)}) {
    const absl::StatusOr<ByteImage> picture = Decode(bytes);
    ASSERT_THAT(picture, IsOk());
    EXPECT_EQ(picture->height, 3);
    EXPECT_EQ(picture->width, 5);
    EXPECT_EQ(picture->bytes, pixels);
    const absl::StatusOr<ByteImage> grey = Decode(bytes, {.height = 0, .width = 0, .channels = 1});
    ASSERT_THAT(grey, IsOk());
    EXPECT_EQ(grey->bytes[0], (299 * pixels[0] + 587 * pixels[1] + 114 * pixels[2] + 500) / 1000);
  }
}

TEST_F(PictureFileTest, TheBytesTellTheKindWhateverTheNameSays) {
  const absl::StatusOr<PictureHeader> header = ReadPictureHeader(Write("a.jpg", PngBytes(5, 3, Pattern(5, 3))), PictureDecoder());
  ASSERT_THAT(header, IsOk());
  EXPECT_EQ(header->kind, PictureKind::kPng);
  EXPECT_EQ(header->width, 5);
  EXPECT_FALSE(header->grey);
  for (const char* const name : {"a.jpg", "a.JPEG", "a.Jpg", "b.PNG", "c.webp"}) EXPECT_TRUE(HasPictureExtension(name)) << name;
  for (const char* const name : {"a.gif", "jpg", "a.txt", ""}) EXPECT_FALSE(HasPictureExtension(name)) << name;
}

TEST_F(PictureFileTest, PicturesAreTurnedAsTheirExifDataSays) {
  // 0 1 2
  // 3 4 5, as EXIF's eight orientations are looked at.
  const std::vector<std::vector<int>> upright = {{0, 1, 2, 3, 4, 5}, {2, 1, 0, 5, 4, 3}, {5, 4, 3, 2, 1, 0}, {3, 4, 5, 0, 1, 2},
                                                 {0, 3, 1, 4, 2, 5}, {3, 0, 4, 1, 5, 2}, {5, 2, 4, 1, 3, 0}, {2, 5, 1, 4, 0, 3}};
  std::vector<uint8_t> pixels;
  for (int i = 0; i < 6; ++i) pixels.insert(pixels.end(), 3, static_cast<uint8_t>(40 * i));
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const std::string exif = ExifBytes(orientation);
    const std::string png = PngWithExif(PngBytes(3, 2, pixels), exif);
    const std::string webp = WebpWithExif(WebpBytes(3, 2, pixels), 3, 2, exif);
    const std::string jpeg = JpegWithExif(Jpeg(3, 2, pixels), exif);
    EXPECT_EQ(OrientationOfJpeg(jpeg), orientation);
    EXPECT_EQ(OrientationOfPng(png), orientation);
    EXPECT_EQ(OrientationOfWebp(webp), orientation);
    for (const std::string& bytes : {png, webp, jpeg}) {
      const absl::StatusOr<ByteImage> picture = Decode(bytes);
      ASSERT_THAT(picture, IsOk()) << orientation;
      EXPECT_EQ(picture->width, orientation >= 5 ? 2 : 3);
      for (size_t i = 0; i < 6; ++i)
        EXPECT_NEAR(picture->bytes[3 * i], 40 * upright[static_cast<size_t>(orientation - 1)][i], 3) << orientation << ", " << i;
      const absl::StatusOr<PictureHeader> header = ReadPictureHeader(Write("turned", bytes), PictureDecoder());
      ASSERT_THAT(header, IsOk());
      EXPECT_EQ(header->width, picture->width);
      EXPECT_EQ(header->height, picture->height);
      EXPECT_EQ(header->orientation, orientation);
    }
  }
}

TEST_F(PictureFileTest, ALargeTurnedPictureIsReducedToCoverWhatIsWanted) {
  const std::string jpeg = JpegWithExif(Jpeg(160, 80, Pattern(160, 80)), ExifBytes(6));
  const absl::StatusOr<ByteImage> picture = Decode(jpeg, {.height = 40, .width = 20, .channels = 3});
  ASSERT_THAT(picture, IsOk());
  EXPECT_EQ(picture->height, 40);
  EXPECT_EQ(picture->width, 20);
}

TEST_F(PictureFileTest, DamagedExifDataTurnsNothing) {
  const std::string jpeg = Jpeg(3, 2, Pattern(3, 2));
  for (const std::string& exif : {std::string(), std::string("II"), ExifBytes(0), ExifBytes(9), ExifBytes(6).substr(0, 12),
                                  std::string("MM\0*\xff\xff\xff\xff", 8)}) {
    EXPECT_EQ(OrientationOfJpeg(JpegWithExif(jpeg, exif)), 1);
    EXPECT_THAT(Decode(JpegWithExif(jpeg, exif)), IsOk());
  }
}

TEST_F(PictureFileTest, InksAreConverted) {
  std::vector<uint8_t> inks;
  for (int i = 0; i < 64; ++i)
    inks.insert(inks.end(), {255, 0, 255, 255});  // no cyan, all magenta, no yellow and no black: green is absent
  const absl::StatusOr<ByteImage> picture = Decode(CmykJpegBytes(8, 8, inks));
  ASSERT_THAT(picture, IsOk());
  EXPECT_EQ(picture->channels, 3);
  EXPECT_NEAR(picture->bytes[0], 255, 4);
  EXPECT_NEAR(picture->bytes[1], 0, 4);
  EXPECT_NEAR(picture->bytes[2], 255, 4);
  const absl::StatusOr<ByteImage> grey = Decode(CmykJpegBytes(8, 8, inks), {.height = 0, .width = 0, .channels = 1});
  ASSERT_THAT(grey, IsOk());
  EXPECT_NEAR(grey->bytes[0], 105, 5);
}

TEST_F(PictureFileTest, WhatFollowsAPictureDoesNotSpoilItAndWhatIsMissingDoes) {
  const std::string jpeg = Jpeg(64, 64, Pattern(64, 64));
  EXPECT_THAT(Decode(jpeg + "and some bytes behind the end"), IsOk());
  constexpr size_t kBehindFirstSegment = 20;
  std::string between = jpeg;
  between.insert(kBehindFirstSegment, std::string("\0\1", 2));
  const absl::StatusOr<ByteImage> read = Decode(between);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->bytes, Decode(jpeg)->bytes);
  EXPECT_THAT(Decode(between.substr(0, between.size() / 2)), StatusIs(absl::StatusCode::kDataLoss));
  const std::string png = PngBytes(64, 64, Pattern(64, 64));
  const std::string webp = WebpBytes(64, 64, Pattern(64, 64));
  for (const std::string& bytes : {jpeg, png, webp})
    EXPECT_THAT(Decode(bytes.substr(0, bytes.size() / 2)), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("the picture")));
  EXPECT_THAT(Decode("GIF89a"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("expected a JPEG, PNG or WebP picture")));
  EXPECT_THAT(Decode(""), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("an empty file")));
}

TEST_F(PictureFileTest, AClassHasThePicturesOfAllFoldersWithinIts) {
  const std::string png = PngBytes(4, 4, Pattern(4, 4));
  for (const char* const name :
       {"train/cat/1.PNG", "train/cat/b/c/2.png", "train/cat/b/.hidden/3.png", "train/cat/b/notes.txt", "val/cat/9.png"})
    Write(name, png);
  const std::string root = scratch_.path().string();
  const absl::StatusOr<std::vector<std::string>> pictures = ListPictures(root + "/train/cat");
  ASSERT_THAT(pictures, IsOk());
  EXPECT_THAT(*pictures, ElementsAre("1.PNG", "b/c/2.png"));
  EXPECT_EQ(PartsOf(root).test, "val");
  EXPECT_TRUE(IsDataset(root));
  const absl::StatusOr<FolderImages> read = ReadImageFolder(root + "/train", {.side = 4}, 3);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->images.labels.size(), 2U);
  EXPECT_EQ(read->files[1].first, "cat/b/c/2.png");
  Write("train/cat/cut.png", png.substr(0, png.size() - 20));
  Write("train/cat/b/none.webp", "x");
  const absl::StatusOr<FolderImages> damaged = ReadImageFolder(root + "/train", {.side = 4}, 3);
  EXPECT_THAT(damaged, StatusIs(absl::StatusCode::kDataLoss, testing::AllOf(HasSubstr("cat/cut.png"), HasSubstr("cat/b/none.webp"))));
  Write("test/cat/9.png", png);
  EXPECT_EQ(PartsOf(root).test, "test") << "which is what it is meant for";
}

}  // namespace
}  // namespace hanas
