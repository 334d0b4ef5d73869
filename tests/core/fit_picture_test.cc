// SPDX-License-Identifier: Apache-2.0
#include "core/bound/fit_picture.h"

#include <array>
#include <cstddef>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

using ::testing::ElementsAre;

ByteImage Pattern(int64_t width, int64_t height, int64_t channels) {
  ByteImage image = {.height = height, .width = width, .channels = channels, .bytes = {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      for (int64_t c = 0; c < channels; ++c) image.bytes.push_back(static_cast<uint8_t>(x * 37 + y * 91 + c * 53 + x * y * 7));
    }
  }
  return image;
}

int64_t Checksum(const ByteImage& image) {
  int64_t sum = 0;
  for (size_t i = 0; i < image.bytes.size(); ++i) sum += static_cast<int64_t>(i + 1) * image.bytes[i];
  return sum;
}

TEST(FitPictureTest, OfTheWantedSizeItIsThePicture) {
  const ByteImage image = Pattern(7, 5, 3);
  EXPECT_EQ(SmoothlyResized(image, 5, 7).bytes, image.bytes);
  const ByteImage square = Pattern(6, 6, 3);
  for (const PictureFit fit : {PictureFit::kStretch, PictureFit::kCrop, PictureFit::kPad})
    EXPECT_EQ(FittedPicture(square, {.side = 6, .fit = fit}).bytes, square.bytes);
}

/// The numbers are those of Pillow 11.1: `resize((w, h), Image.BILINEAR)` of the picture or of the square in its middle, and
/// `ImageOps.pad((s, s), Image.BILINEAR, color=128)`.
TEST(FitPictureTest, IsPillowsBilinear) {
  const ByteImage image = Pattern(7, 5, 1);
  EXPECT_THAT(FittedPicture(image, {.side = 3, .fit = PictureFit::kStretch}).bytes,
              ElementsAre(74, 127, 135, 139, 124, 143, 122, 145, 155));
  EXPECT_THAT(SmoothlyResized(image, 4, 10).bytes,
              ElementsAre(23, 44, 71, 98, 126, 130, 116, 143, 170, 191, 129, 155, 161, 119, 147, 127, 63, 96, 129, 154,  //
                          86, 116, 128, 92, 125, 163, 195, 129, 130, 160, 85, 120, 164, 209, 128, 105, 146, 146, 174, 209));
  EXPECT_THAT(FittedPicture(image, {.side = 3, .fit = PictureFit::kCrop}).bytes, ElementsAre(96, 135, 112, 137, 123, 127, 158, 141, 143));
  EXPECT_THAT(FittedPicture(image, {.side = 6, .fit = PictureFit::kPad}).bytes,
              ElementsAre(128, 128, 128, 128, 128, 128, 30, 74, 117, 125, 140, 184, 138, 157, 136, 106, 93, 146,  //
                          96, 125, 113, 176, 135, 150, 97, 168, 155, 119, 146, 197, 128, 128, 128, 128, 128, 128));
}

TEST(FitPictureTest, IsPillowsBilinearAtAllSizes) {
  struct Case {
    int64_t width, height, side;
    std::array<int64_t, 3> checksums;  // stretched, cropped, padded
  };
  for (const Case& row : {Case{101, 60, 8, {2370325, 2365456, 2369179}}, Case{101, 60, 32, {603974660, 602502819, 603760241}},
                          Case{101, 60, 45, {2363007931, 2357360440, 2360849774}}, Case{60, 101, 8, {2354706, 2340565, 2360997}},
                          Case{60, 101, 32, {600109233, 596446996, 601762736}}, Case{60, 101, 45, {2348259252, 2334667296, 2353117452}},
                          Case{20, 13, 8, {2389818, 2398642, 2385071}}, Case{20, 13, 32, {609353434, 610949696, 607668252}},
                          Case{20, 13, 45, {2384760557, 2389794196, 2377049187}}, Case{13, 20, 8, {2368053, 2364708, 2368204}},
                          Case{13, 20, 32, {602814737, 601804770, 603468633}}, Case{13, 20, 45, {2359777900, 2351506185, 2360358224}}}) {
    std::array<int64_t, 3> found{};
    for (size_t i = 0; i < found.size(); ++i) {
      const PictureForm form = {.side = row.side, .fit = static_cast<PictureFit>(i)};
      found.at(i) = Checksum(FittedPicture(Pattern(row.width, row.height, 3), form));
    }
    EXPECT_EQ(found, row.checksums) << row.width << "x" << row.height << " to " << row.side;
  }
}

TEST(FitPictureTest, WhatIsOnePixelWideStaysThat) {
  const ByteImage line = {.height = 300, .width = 1, .channels = 1, .bytes = std::vector<uint8_t>(300, 7)};
  EXPECT_THAT(FittedPicture(line, {.side = 4, .fit = PictureFit::kPad}).bytes,
              ElementsAre(kPadding, kPadding, 7, kPadding, kPadding, kPadding, 7, kPadding,  //
                          kPadding, kPadding, 7, kPadding, kPadding, kPadding, 7, kPadding));
}

TEST(FitPictureTest, StepsSayWhatIsDone) {
  Preprocessing preprocessing = {.input_height = 32, .input_width = 32, .mean = {0, 0, 0}, .stddev = {1, 1, 1}};
  constexpr char kLast[] = "divide by 255, subtract the mean, divide by the standard deviation, channel by channel";
  constexpr char kToInput[] = "resize to 32x32, bilinear with half-pixel centres and no antialiasing, where the size is another";
  EXPECT_THAT(PreparationSteps(preprocessing, 1), ElementsAre(kToInput, kLast));
  preprocessing.picture = PictureForm{.side = 32, .fit = PictureFit::kStretch};
  EXPECT_THAT(
      PreparationSteps(preprocessing, 3),
      ElementsAre("decode to RGB, a JPEG picture at the smallest of 1/2, 1/4 and 1/8 of its size that leaves 64x64 (Pillow's Image.draft)",
                  "turn upright as EXIF says", "resize to 32x32, bilinear with antialiasing (Pillow's Image.BILINEAR)", kLast));
  preprocessing.picture = PictureForm{.side = 64, .fit = PictureFit::kCrop};
  EXPECT_THAT(
      PreparationSteps(preprocessing, 1),
      ElementsAre(
          "decode to grey, a JPEG picture at the smallest of 1/2, 1/4 and 1/8 of its size that leaves 128x128 (Pillow's Image.draft)",
          "turn upright as EXIF says", "crop to the square in the middle, its left and upper edge rounded down",
          "resize to 64x64, bilinear with antialiasing (Pillow's Image.BILINEAR)", kToInput, kLast));
  preprocessing.picture->fit = PictureFit::kPad;
  EXPECT_THAT(
      PreparationSteps(preprocessing, 3),
      ElementsAre(
          "decode to RGB, a JPEG picture at the smallest of 1/2, 1/4 and 1/8 of its size that leaves 128x128 (Pillow's Image.draft)",
          "turn upright as EXIF says", "resize so that the longer side is 64, bilinear with antialiasing (Pillow's Image.BILINEAR)",
          "pad both sides evenly with 128 to 64x64 (Pillow's ImageOps.pad)", kToInput, kLast));
}

}  // namespace
}  // namespace hanas
