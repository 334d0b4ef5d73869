// SPDX-License-Identifier: Apache-2.0
#include "worker/engine/patch_whitening.h"

#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>

#include "core/base/counter_random.h"
#include "gtest/gtest.h"
#include "tests/worker/drawn_data.h"

namespace hanas {
namespace {

/// Colour images whose neighbours resemble each other and whose channels do too.
Dataset ColourData(int64_t num_train) {
  constexpr int64_t kSize = 10;
  CounterRandom random(4, "test/colour");
  const auto draw = [&](int64_t count) {
    Dataset::Images images;
    for (int64_t i = 0; i < count; ++i) {
      double level = 128;
      for (int64_t p = 0; p < kSize * kSize; ++p) {
        level = 128 + 0.8 * (level - 128) + 20 * random.Normal();
        for (int c = 0; c < 3; ++c)
          images.pixels.push_back(static_cast<uint8_t>(std::clamp(level + 10 * (c + 1) * random.Normal(), 0.0, 255.0)));
      }
      images.labels.push_back(static_cast<int32_t>(i % 2));
    }
    return images;
  };
  return Dataset::Create({.name = "colour", .directory = "colour", .validation_images = 10}, 0, {kSize, kSize, 3}, {"a", "b"},
                         draw(num_train), draw(10), {})
      .value();
}

double Normalised(const Dataset& data, int64_t image, int64_t y, int64_t x, int64_t c) {
  const auto k = static_cast<size_t>(c);
  const uint8_t byte = data.image(Split::kTrain, image)[static_cast<size_t>((y * data.width() + x) * data.channels() + c)];
  return (byte / 255.0 - static_cast<double>(data.mean()[k])) / static_cast<double>(data.stddev()[k]);
}

/// Covariance of the outputs of the first half of the filters over all training patches, row by row.
std::vector<double> OutputCovariance(const Dataset& data, const std::vector<float>& weights, const Shape& shape) {
  const auto half = static_cast<size_t>(shape[0] / 2);
  const auto taps = static_cast<size_t>(shape[1] * shape[2] * shape[3]);
  std::vector<double> sums(half, 0);
  std::vector<double> products(half * half, 0);
  double count = 0;
  for (int64_t i = 0; i < data.size(Split::kTrain); ++i) {
    for (int64_t y = 0; y + shape[2] <= data.height(); ++y) {
      for (int64_t x = 0; x + shape[3] <= data.width(); ++x) {
        std::vector<double> out(half, 0);
        for (size_t o = 0; o < half; ++o) {
          size_t at = o * taps;
          for (int64_t c = 0; c < shape[1]; ++c) {
            for (int64_t ky = 0; ky < shape[2]; ++ky) {
              for (int64_t kx = 0; kx < shape[3]; ++kx)
                out[o] += static_cast<double>(weights[at++]) * Normalised(data, i, y + ky, x + kx, c);
            }
          }
        }
        for (size_t a = 0; a < half; ++a) {
          sums[a] += out[a];
          for (size_t b = 0; b < half; ++b) products[a * half + b] += out[a] * out[b];
        }
        ++count;
      }
    }
  }
  for (size_t a = 0; a < half; ++a) {
    for (size_t b = 0; b < half; ++b) products[a * half + b] = products[a * half + b] / count - sums[a] * sums[b] / (count * count);
  }
  return products;
}

TEST(PatchWhiteningTest, OutputsAreUncorrelatedAndOfOneSize) {
  const Dataset data = ColourData(60);
  for (const int64_t kernel : {1, 2, 3}) {
    const Shape shape = {2 * 3 * kernel * kernel, 3, kernel, kernel};
    const std::vector<float> weights = PatchWhitening(data, shape);
    ASSERT_EQ(weights.size(), static_cast<size_t>(NumElements(shape)));
    const std::vector<double> covariance = OutputCovariance(data, weights, shape);
    const auto half = static_cast<size_t>(shape[0] / 2);
    for (size_t a = 0; a < half; ++a) {
      for (size_t b = 0; b < half; ++b) EXPECT_NEAR(covariance[a * half + b], a == b ? 1 : 0, a == b ? 0.05 : 1e-4) << a << " " << b;
    }
  }
}

TEST(PatchWhiteningTest, DirectionsFallInSizeAndComeWithTheirOpposites) {
  const Dataset data = ColourData(60);
  const Shape shape = {24, 3, 2, 2};
  const std::vector<float> weights = PatchWhitening(data, shape);
  double before = 0;
  for (size_t o = 0; o < 12; ++o) {
    double squares = 0;
    float largest = 0;
    for (size_t i = o * 12; i < (o + 1) * 12; ++i) {
      squares += std::pow(static_cast<double>(weights[i]), 2);
      if (std::abs(weights[i]) > std::abs(largest)) largest = weights[i];
      EXPECT_EQ(weights[i + 144], -weights[i]);
    }
    EXPECT_GT(largest, 0) << "the sign is fixed";
    EXPECT_GE(squares, before) << "1 / (eigenvalue + floor) rises as eigenvalues fall";
    before = squares;
  }
}

TEST(PatchWhiteningTest, IsPureInTheImages) {
  const Dataset data = DrawnData(200, 10, 10);
  const Shape shape = {18, 1, 3, 3};
  EXPECT_EQ(PatchWhitening(data, shape), PatchWhitening(data, shape));
}

TEST(PatchWhiteningTest, IsFiniteWhenImagesDoNotVary) {
  Dataset::Images grey;
  grey.pixels.assign(20 * 8 * 8, 100);
  for (int32_t i = 0; i < 20; ++i) grey.labels.push_back(i % 2);
  const Dataset data =
      Dataset::Create({.name = "grey", .directory = "grey", .validation_images = 5}, 0, {8, 8, 1}, {"a", "b"}, grey, grey, {}).value();
  for (const float weight : PatchWhitening(data, {8, 1, 2, 2})) EXPECT_TRUE(std::isfinite(weight));
}

}  // namespace
}  // namespace hanas
