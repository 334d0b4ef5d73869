// SPDX-License-Identifier: Apache-2.0
#include "coordinator/surrogate/accuracy_predictor.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/status/status_matchers.h"
#include "core/encoding/encoding.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"
#include "tests/surrogate/fake_predictor.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

/// The definition in double precision.
double SlowOutput(const PredictorMember& member, const std::vector<float>& features) {
  std::vector<double> values(features.begin(), features.end());
  for (size_t l = 0; l < member.layers.size(); ++l) {
    const DenseLayer& layer = member.layers[l];
    std::vector<double> next;
    for (int o = 0; o < layer.num_outputs; ++o) {
      double sum = layer.bias[static_cast<size_t>(o)];
      for (int i = 0; i < layer.num_inputs; ++i)
        sum += static_cast<double>(layer.weights[static_cast<size_t>(o * layer.num_inputs + i)]) * values[static_cast<size_t>(i)];
      next.push_back(l + 1 < member.layers.size() ? std::max(sum, 0.0) : sum);
    }
    values = next;
  }
  return values[0];
}

TEST(AccuracyPredictorTest, EqualsTheDefinition) {
  const SearchSpace space = SmallSpace();
  for (const std::vector<int>& hidden : std::vector<std::vector<int>>{{}, {8}, {32, 16}}) {
    const PredictorWeights weights = RandomPredictor(space, 4, hidden);
    const auto predictor = AccuracyPredictor::Create(space, weights);
    ASSERT_THAT(predictor, IsOk());
    CounterRandom random(5, "networks");
    std::vector<Architecture> architectures(600);
    std::generate(architectures.begin(), architectures.end(), [&] { return space.Random(random); });
    std::vector<AccuracyPrediction> predictions(architectures.size());
    predictor->Predict(architectures, absl::MakeSpan(predictions));
    std::vector<float> all_features;
    for (size_t i = 0; i < architectures.size(); ++i) {
      const std::vector<float> features = Encode(space, architectures[i]);
      all_features.insert(all_features.end(), features.begin(), features.end());
      double sum = 0;
      double sum_squares = 0;
      for (const PredictorMember& member : weights.members) {
        const double output = SlowOutput(member, features);
        sum += output / 4;
        sum_squares += output * output / 4;
      }
      EXPECT_NEAR(predictions[i].mean, 0.8 + 0.05 * sum, 1e-6);
      EXPECT_NEAR(predictions[i].uncertainty, 0.05 * std::sqrt(std::max(0.0, sum_squares - sum * sum)), 1e-6);
    }
    const std::vector<AccuracyPrediction> from_features = predictor->PredictFeatures(all_features);
    ASSERT_EQ(from_features.size(), predictions.size());
    for (size_t i = 0; i < predictions.size(); ++i) EXPECT_NEAR(from_features[i].mean, predictions[i].mean, 1e-6);
    EXPECT_NEAR(predictor->PredictOne(architectures[0]).mean, predictions[0].mean, 1e-7);
  }
}

TEST(AccuracyPredictorTest, SeesPrecision) {
  const SearchSpace space = SmallSpace();
  const auto predictor = AccuracyPredictor::Create(space, RandomPredictor(space, 1, {16}));
  ASSERT_THAT(predictor, IsOk());
  Architecture architecture = space.Largest({8, 8});
  const AccuracyPrediction before = predictor->PredictOne(architecture);
  EXPECT_EQ(before.uncertainty, 0);
  architecture.genes[GeneNamed(space, "stages[0].blocks[0].depthwise_precision")] = 0;  // the depthwise layer to 2 bits
  EXPECT_NE(predictor->PredictOne(architecture).mean, before.mean);
}

TEST(AccuracyPredictorTest, RefusesAnotherSpaceAndBrokenWeights) {
  const SearchSpace space = SmallSpace();
  PredictorWeights weights = RandomPredictor(space, 2, {8});
  weights.space_digest.low ^= 1;
  EXPECT_THAT(AccuracyPredictor::Create(space, weights),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(space.digest().ToHex())));
  weights = RandomPredictor(space, 2, {8});
  weights.members[1].layers[1].bias.clear();
  EXPECT_THAT(AccuracyPredictor::Create(space, weights),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("members[1].layers[1].bias")));
}

}  // namespace
}  // namespace hanas
