// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_PREDICTOR_PREDICTOR_WEIGHTS_H_
#define HANAS_CORE_PREDICTOR_PREDICTOR_WEIGHTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/digest.h"

namespace hanas {

/// y = weights * x + bias. `weights` is row-major, [num_outputs, num_inputs].
struct DenseLayer {
  int num_inputs = 0;
  int num_outputs = 0;
  std::vector<float> weights;
  std::vector<float> bias;
  friend bool operator==(const DenseLayer&, const DenseLayer&) = default;
};

/// A multilayer perceptron: ReLU between layers, none after the last, one output. One layer alone is a linear (ridge) model.
struct PredictorMember {
  std::vector<DenseLayer> layers;
  friend bool operator==(const PredictorMember&, const PredictorMember&) = default;
};

/// A trained accuracy predictor, as a worker makes it and the coordinator evaluates it: plain data. The features are those of Encode
/// (core/encoding) for the space with `space_digest`. Each member was trained on its own part of the samples; the prediction is
/// output_mean + output_scale * (mean over members of the member's output), and the spread of the members is the uncertainty.
///
/// Accuracies are fractions in [0, 1]. The held-out figures describe the mean prediction on samples that no member was trained on.
struct PredictorWeights {
  Digest space_digest;
  int num_features = 0;
  std::vector<PredictorMember> members;
  double output_mean = 0;
  double output_scale = 1;
  double held_out_tau = 0;   // Kendall tau-b
  double held_out_rmse = 0;  // in accuracy
  int num_train = 0;
  int num_held_out = 0;
  friend bool operator==(const PredictorWeights&, const PredictorWeights&) = default;
};

/// Returns INVALID_ARGUMENT naming the first broken rule: 1 to 64 members, 1 to 16 layers each, 1 to 65 536 features and layer widths,
/// layers that chain from num_features to one output, sizes that match the extents, finite numbers, a positive output_scale, held_out_tau
/// in [-1, 1], held_out_rmse and counts not negative.
absl::Status Validate(const PredictorWeights& weights);

/// The bytes of a predictor artifact: magic "HNAP", format version, the fields in order (little-endian, IEEE 754), and the CRC-32C of
/// all of it. Equal weights give equal bytes. Requires Validate(weights).
std::string SerialisePredictor(const PredictorWeights& weights);

/// Inverse of SerialisePredictor. Returns INVALID_ARGUMENT for other magic, FAILED_PRECONDITION for another format version, DATA_LOSS for a
/// wrong length or checksum, and Validate's statuses. Never allocates more than the bytes can hold.
absl::StatusOr<PredictorWeights> ParsePredictor(absl::string_view bytes);

}  // namespace hanas

#endif  // HANAS_CORE_PREDICTOR_PREDICTOR_WEIGHTS_H_
