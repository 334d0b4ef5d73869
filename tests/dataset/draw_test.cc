// SPDX-License-Identifier: Apache-2.0
#include "dataset/draw.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "absl/status/status_matchers.h"
#include "core/base/counter_random.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

constexpr size_t kPixels = static_cast<size_t>(kDrawnSize) * kDrawnSize;

struct Sample {
  std::vector<float> pixels;
  int label = 0;
};

std::vector<Sample> Draw(uint64_t first, int count) {
  std::vector<Sample> samples;
  std::vector<uint8_t> pixels(kPixels);
  for (int i = 0; i < count; ++i) {
    const int label = i % kDrawnClasses;
    DrawImage(1, first + static_cast<uint64_t>(i), label, absl::MakeSpan(pixels));
    Sample sample = {.pixels = std::vector<float>(kPixels), .label = label};
    for (size_t p = 0; p < kPixels; ++p) sample.pixels[p] = (static_cast<float>(pixels[p]) - 127.0F) / 64.0F;
    samples.push_back(std::move(sample));
  }
  return samples;
}

/// Multinomial logistic regression by stochastic gradient descent, the plainest linear classifier.
class LogisticRegression {
 public:
  LogisticRegression() : weights_(kDrawnClasses * (kPixels + 1), 0.0F) {}

  void Train(const std::vector<Sample>& samples, int epochs) {
    std::vector<size_t> order(samples.size());
    std::iota(order.begin(), order.end(), 0);
    for (int epoch = 0; epoch < epochs; ++epoch) {
      CounterRandom random(1, "test/order", static_cast<uint64_t>(epoch));
      random.Shuffle(absl::MakeSpan(order));
      const float rate = 2e-3F / (1.0F + static_cast<float>(epoch));
      for (const size_t i : order) Update(samples[i], rate);
    }
  }
  double Accuracy(const std::vector<Sample>& samples) const {
    int correct = 0;
    for (const Sample& sample : samples) {
      const std::vector<float> scores = Scores(sample);
      correct += std::max_element(scores.begin(), scores.end()) - scores.begin() == sample.label ? 1 : 0;
    }
    return static_cast<double>(correct) / static_cast<double>(samples.size());
  }

 private:
  std::vector<float> Scores(const Sample& sample) const {
    std::vector<float> scores(kDrawnClasses);
    for (size_t c = 0; c < scores.size(); ++c) {
      const float* const row = weights_.data() + c * (kPixels + 1);
      scores[c] = std::inner_product(sample.pixels.begin(), sample.pixels.end(), row, row[kPixels]);
    }
    return scores;
  }
  void Update(const Sample& sample, float rate) {
    std::vector<float> scores = Scores(sample);
    const float top = *std::max_element(scores.begin(), scores.end());
    float sum = 0;
    for (float& score : scores) sum += score = std::exp(score - top);
    for (size_t c = 0; c < scores.size(); ++c) {
      const float error = scores[c] / sum - (static_cast<int>(c) == sample.label ? 1.0F : 0.0F);
      float* const row = weights_.data() + c * (kPixels + 1);
      for (size_t p = 0; p < kPixels; ++p) row[p] -= rate * error * sample.pixels[p];
      row[kPixels] -= rate * error;
    }
  }
  std::vector<float> weights_;
};

TEST(DrawTest, LinearClassifierStaysUnderSixtyPercent) {
  LogisticRegression classifier;
  const std::vector<Sample> train = Draw(0, 6000);
  classifier.Train(train, 6);
  const double accuracy = classifier.Accuracy(Draw(1'000'000, 2000));
  RecordProperty("accuracy", std::to_string(accuracy));
  EXPECT_LT(accuracy, 0.6);
  EXPECT_GT(classifier.Accuracy(train), 0.1);  // it did learn what there is to learn
}

TEST(DrawTest, SameIndexSameImage) {
  std::vector<uint8_t> one(kPixels);
  std::vector<uint8_t> two(kPixels);
  DrawImage(5, 17, 3, absl::MakeSpan(one));
  DrawImage(5, 17, 3, absl::MakeSpan(two));
  EXPECT_EQ(one, two);
  DrawImage(5, 18, 3, absl::MakeSpan(two));
  EXPECT_NE(one, two);
}

TEST(DrawTest, ClassesHaveTheSameBrightness) {
  std::vector<double> mean(kDrawnClasses, 0);
  const std::vector<Sample> samples = Draw(0, 4000);
  for (const Sample& s : samples) {
    mean[static_cast<size_t>(s.label)] += std::accumulate(s.pixels.begin(), s.pixels.end(), 0.0) / kPixels / 400;
  }
  const auto [low, high] = std::minmax_element(mean.begin(), mean.end());
  EXPECT_LT(*high - *low, 0.12);
}

TEST(DrawTest, RefusesTinySets) {
  EXPECT_THAT(DrawDataset("/nonexistent", {.num_train = 99}), absl_testing::StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace hanas
