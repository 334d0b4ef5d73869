// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SURROGATE_FAKE_PREDICTOR_H_
#define HANAS_TESTS_SURROGATE_FAKE_PREDICTOR_H_

#include <cmath>
#include <vector>

#include "core/base/counter_random.h"
#include "core/encoding/encoding.h"
#include "core/predictor/predictor_weights.h"
#include "core/space/search_space.h"

namespace hanas {

/// Untrained weights of the real shape: normal, scaled by the square root of the inputs.
inline PredictorWeights RandomPredictor(const SearchSpace& space, int num_members, const std::vector<int>& hidden) {
  PredictorWeights weights = {
      .space_digest = space.digest(), .num_features = EncodingSize(space), .output_mean = 0.8, .output_scale = 0.05};
  CounterRandom random(17, "predictor");
  for (int m = 0; m < num_members; ++m) {
    PredictorMember& member = weights.members.emplace_back();
    std::vector<int> widths = hidden;
    widths.push_back(1);
    int num_inputs = weights.num_features;
    for (const int width : widths) {
      DenseLayer& layer = member.layers.emplace_back(DenseLayer{.num_inputs = num_inputs, .num_outputs = width});
      for (int i = 0; i < num_inputs * width; ++i) layer.weights.push_back(static_cast<float>(random.Normal() / std::sqrt(num_inputs)));
      for (int i = 0; i < width; ++i) layer.bias.push_back(static_cast<float>(random.Normal()));
      num_inputs = width;
    }
  }
  return weights;
}

}  // namespace hanas

#endif  // HANAS_TESTS_SURROGATE_FAKE_PREDICTOR_H_
