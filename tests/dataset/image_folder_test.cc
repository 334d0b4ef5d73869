// SPDX-License-Identifier: Apache-2.0
#include "dataset/image_folder.h"

#include <turbojpeg.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "absl/status/status_matchers.h"
#include "core/bound/preprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/jpeg.h"
#include "tests/support/scratch_directory.h"

namespace hanas {
namespace {

namespace fs = std::filesystem;
using ::absl_testing::IsOk;
using ::testing::Each;

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

  std::vector<uint8_t> Read(const Dataset::Dimensions& dimensions) const {
    const absl::StatusOr<FolderImages> read = ReadImageFolder(scratch_.path().string(), dimensions);
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
  Write(33, 17, Pattern);
  EXPECT_EQ(Read({.height = 17, .width = 33, .channels = 3}), Decoded(33, 17));
  EXPECT_EQ(Read({.height = 0, .width = 0, .channels = 3}), Decoded(33, 17));
}

TEST_F(ImageFolderTest, ASmallerPictureIsDecodedWholeAndResized) {
  Write(20, 12, Pattern);
  const ByteImage decoded = {.height = 12, .width = 20, .channels = 3, .bytes = Decoded(20, 12)};
  EXPECT_EQ(Read({.height = 30, .width = 40, .channels = 3}), ResizedImage(decoded, 30, 40).bytes);
  EXPECT_EQ(Read({.height = 13, .width = 10, .channels = 3}), ResizedImage(decoded, 13, 10).bytes) << "too low to be reduced";
}

TEST_F(ImageFolderTest, ALargerPictureIsReducedWhileItIsDecoded) {
  Write(64, 48, Pattern);
  for (const int n : {1, 2, 3, 4, 5, 6, 7}) {
    const int width = 64 * n / 8;
    const int height = 48 * n / 8;
    EXPECT_EQ(Read({.height = height, .width = width, .channels = 3}), Decoded(width, height)) << n << "/8";
  }
  const ByteImage reduced = {.height = 24, .width = 32, .channels = 3, .bytes = Decoded(32, 24)};
  EXPECT_EQ(Read({.height = 19, .width = 28, .channels = 3}), ResizedImage(reduced, 19, 28).bytes)
      << "3/8 would be too small, 4/8 is the least that covers it";
}

/// Squares are reduced as averages of what they were: in places as large as the decoder's blocks, nearly the means of the pixels.
TEST_F(ImageFolderTest, ReducingAverages) {
  Write(64, 64, [](int x, int y, int c) { return 20 + 2 * x + y + 10 * c; });
  const std::vector<uint8_t> pixels = Read({.height = 8, .width = 8, .channels = 3});
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) {
      for (int c = 0; c < 3; ++c) {
        const double mean = 20 + 2 * (8 * x + 3.5) + (8 * y + 3.5) + 10 * c;
        EXPECT_NEAR(pixels[static_cast<size_t>((y * 8 + x) * 3 + c)], mean, 3) << x << ", " << y << ", " << c;
      }
    }
  }
}

/// Stripes of 8 pixels survive the decoder's largest reduction as stripes of one: what is left must not pick them out.
TEST_F(ImageFolderTest, NoPixelIsSkippedHoweverLargeThePictureIs) {
  Write(512, 512, [](int x, int /*y*/, int /*c*/) { return x / 8 % 2 == 0 ? 28 : 228; });
  EXPECT_THAT(Read({.height = 8, .width = 8, .channels = 3}), Each(::testing::AllOf(::testing::Ge(120), ::testing::Le(136))));
}

}  // namespace
}  // namespace hanas
