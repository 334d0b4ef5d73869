// SPDX-License-Identifier: Apache-2.0
#include "dataset/image_folder.h"

#include <turbojpeg.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/bound/fit_picture.h"
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
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// One picture in a folder of its own.
class ImageFolderTest : public testing::Test {
 protected:
  ImageFolderTest() { fs::create_directory(path_.parent_path()); }

  void Write(int width, int height, const std::function<int(int x, int y, int channel)>& pixel) const {
    std::vector<uint8_t> pixels;
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        for (int c = 0; c < 3; ++c) pixels.push_back(static_cast<uint8_t>(pixel(x, y, c)));
      }
    }
    WriteJpegPixels(path_, width, height, pixels);
  }

  std::vector<uint8_t> Read(int64_t side, PictureFit fit = PictureFit::kStretch) const {
    const absl::StatusOr<FolderImages> read = ReadImageFolder(scratch_.path().string(), {.side = side, .fit = fit}, 3);
    EXPECT_THAT(read, IsOk());
    return read.ok() ? read->images.pixels : std::vector<uint8_t>();
  }

  /// What the decoder alone makes of the picture, when told to make it this large.
  std::vector<uint8_t> Decoded(int width, int height) const {
    std::ifstream file(path_, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    std::vector<uint8_t> pixels(static_cast<size_t>(width * height * 3));
    tjhandle decoder = tjInitDecompress();
    EXPECT_EQ(tjDecompress2(decoder, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), pixels.data(), width, 0, height,
                            TJPF_RGB, TJFLAG_ACCURATEDCT),
              0);
    tjDestroy(decoder);
    return pixels;
  }

  const ScratchDirectory scratch_;
  const fs::path path_ = scratch_.path() / "class" / "1.jpg";
};

int Pattern(int x, int y, int c) { return (x * x + 3 * y + 50 * c) % 256; }

TEST_F(ImageFolderTest, APictureOfTheWantedSizeIsWhatTheDecoderMakesOfIt) {
  Write(33, 33, Pattern);
  EXPECT_EQ(Read(33), Decoded(33, 33));
}

TEST_F(ImageFolderTest, APictureOfLessThanTwiceTheSizeIsDecodedWholeAndFitted) {
  Write(39, 25, Pattern);
  const ByteImage decoded = {.height = 25, .width = 39, .channels = 3, .bytes = Decoded(39, 25)};
  for (const PictureFit fit : {PictureFit::kStretch, PictureFit::kCrop, PictureFit::kPad}) {
    for (const int64_t side : {20, 60}) EXPECT_EQ(Read(side, fit), FittedPicture(decoded, {side, fit}).bytes) << Name(fit) << " " << side;
  }
}

TEST_F(ImageFolderTest, ALargerPictureIsReducedWhileItIsDecodedToNoLessThanTwiceTheSide) {
  Write(64, 48, Pattern);
  const ByteImage half = {.height = 24, .width = 32, .channels = 3, .bytes = Decoded(32, 24)};
  EXPECT_EQ(Read(12), FittedPicture(half, {.side = 12}).bytes);
  EXPECT_EQ(Read(10, PictureFit::kCrop), FittedPicture(half, {.side = 10, .fit = PictureFit::kCrop}).bytes)
      << "a quarter would leave 16 by 12, of 20";
}

/// Stripes of 8 pixels survive the decoder's largest reduction as stripes of one: what is left must not pick them out.
TEST_F(ImageFolderTest, NoPixelIsSkippedHoweverLargeThePictureIs) {
  Write(512, 512, [](int x, int /*y*/, int /*c*/) { return x / 8 % 2 == 0 ? 28 : 228; });
  EXPECT_THAT(Read(8), Each(::testing::AllOf(::testing::Ge(120), ::testing::Le(136))));
}

TEST_F(ImageFolderTest, AFewDamagedPicturesAreLeftOutAndNamed) {
  Write(8, 8, Pattern);
  const fs::path folder = path_.parent_path();
  for (int i = 2; i <= 999; ++i) fs::copy_file(path_, folder / absl::StrCat(i, ".jpg"));
  fs::copy_file(path_, folder / "cut.jpg");
  fs::resize_file(folder / "cut.jpg", fs::file_size(path_) / 2);
  const absl::StatusOr<FolderImages> read = ReadImageFolder(scratch_.path().string(), {.side = 8}, 3);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->images.labels.size(), 999U);
  EXPECT_EQ(read->files.size(), 1000U) << "the set is the same one, wherever it is read";
  ASSERT_EQ(read->damaged.size(), 1U);
  EXPECT_EQ(read->damaged[0].name, "class/cut.jpg");
  EXPECT_THAT(read->damaged[0].sentence, AllOf(HasSubstr(": class/cut.jpg"), Not(HasSubstr(scratch_.path().string()))));

  fs::copy_file(folder / "cut.jpg", folder / "cut2.jpg");
  EXPECT_THAT(ReadImageFolder(scratch_.path().string(), {.side = 8}, 3).status(),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("expected at most 0.1 % of 1001 pictures to be damaged, found 2"), HasSubstr("cut2.jpg"))));
}

TEST_F(ImageFolderTest, AnyNumberOfThreadsReadsTheSame) {
  Write(24, 16, Pattern);
  const fs::path folder = path_.parent_path();
  for (int i = 2; i <= 1500; ++i) {
    if (i % 3 == 0) Write(20 + i % 7, 30, [&](int x, int y, int c) { return (x * i + 3 * y + 50 * c) % 256; });
    fs::copy_file(path_, folder / absl::StrCat(i, ".jpg"));
  }
  fs::resize_file(folder / "700.jpg", 100);
  const absl::StatusOr<FolderImages> one = ReadImageFolder(scratch_.path().string(), {.side = 8}, 3, /*threads=*/1);
  const absl::StatusOr<FolderImages> four = ReadImageFolder(scratch_.path().string(), {.side = 8}, 3, /*threads=*/4);
  ASSERT_THAT(one, IsOk());
  ASSERT_THAT(four, IsOk());
  EXPECT_EQ(one->images.labels.size(), 1499U);
  EXPECT_EQ(one->images.pixels, four->images.pixels);
  EXPECT_EQ(one->files, four->files);
  EXPECT_EQ(one->file_of, four->file_of);
  ASSERT_EQ(four->damaged.size(), 1U);
  EXPECT_EQ(four->damaged[0].name, "class/700.jpg");
}

TEST_F(ImageFolderTest, ASideThatIsNoneIsRefused) {
  Write(8, 8, Pattern);
  for (const int64_t side : {0, -1, 1 << 21}) {
    EXPECT_THAT(ReadImageFolder(scratch_.path().string(), {.side = side}, 3).status(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("pixels a side")));
  }
}

}  // namespace
}  // namespace hanas
