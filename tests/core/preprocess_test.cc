// SPDX-License-Identifier: Apache-2.0
#include "core/bound/preprocess.h"

#include <cmath>

#include "core/base/counter_random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

using ::testing::ElementsAre;

ByteImage RandomImage(int64_t height, int64_t width, int64_t channels) {
  ByteImage image = {.height = height, .width = width, .channels = channels, .bytes = {}};
  CounterRandom random(1, "test/image");
  for (int64_t i = 0; i < height * width * channels; ++i) image.bytes.push_back(static_cast<uint8_t>(random.NextUint32()));
  return image;
}

TEST(ResizedImageTest, OfTheSameSizeItIsTheImage) {
  const ByteImage image = RandomImage(5, 7, 3);
  EXPECT_EQ(ResizedImage(image, 5, 7).bytes, image.bytes);
}

TEST(ResizedImageTest, SamplesLieBetweenNeighboursAndKeepToTheEdge) {
  const ByteImage row = {.height = 1, .width = 2, .channels = 1, .bytes = {0, 200}};
  EXPECT_THAT(ResizedImage(row, 1, 4).bytes, ElementsAre(0, 50, 150, 200)) << "positions -0.25, 0.25, 0.75, 1.25 of the row";
}

TEST(ResizedImageTest, HalvingCountsFourPixelsAlike) {
  const ByteImage image = {.height = 2, .width = 4, .channels = 1, .bytes = {0, 10, 100, 101, 20, 30, 102, 103}};
  EXPECT_THAT(ResizedImage(image, 1, 2).bytes, ElementsAre(15, 102)) << "101.5 is rounded to even";
}

/// What is stored resized, and what a model then does with it, are made of the same samples.
TEST(ResizedImageTest, IsThePreprocessingOfModelsRounded) {
  const ByteImage image = RandomImage(9, 13, 3);
  const Preprocessing preprocessing = {.input_height = 6, .input_width = 20, .mean = {0, 0, 0}, .stddev = {1, 1, 1}};
  const std::vector<float> expected = PreprocessImage(image.bytes, 9, 13, 3, preprocessing).value();
  const ByteImage resized = ResizedImage(image, 6, 20);
  ASSERT_EQ(resized.bytes.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_LE(std::fabs(static_cast<float>(resized.bytes[i]) - 255 * expected[i]), 0.5001F) << i;
}

}  // namespace
}  // namespace hanas
