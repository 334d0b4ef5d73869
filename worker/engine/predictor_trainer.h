// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_ENGINE_PREDICTOR_TRAINER_H_
#define HANAS_WORKER_ENGINE_PREDICTOR_TRAINER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/base/digest.h"
#include "core/predictor/predictor_weights.h"

namespace hanas {

/// One evaluated network: Encode(space, architecture) and its accuracy in [0, 1].
struct PredictorSample {
  std::vector<float> features;
  double accuracy = 0;
};

struct FittedPredictor {
  PredictorWeights weights;
  std::string kind;  // "ridge" or "mlp"
};

/// Fits ridge regressions and ensembles of small perceptrons (one hidden layer, Adam), compares them by Kendall's tau-b over the held-out
/// predictions of a five-fold cross-validation, and keeps the better kind, trained on folds: member i sees all samples but those of
/// fold i, so that members differ and each sample was held out by one of them. held_out_tau and held_out_rmse are those of the
/// cross-validation. Pure in its arguments. Returns INVALID_ARGUMENT for fewer than 10 samples, features of different lengths, or
/// accuracies outside [0, 1]. A space of one accuracy gives a tau of 0. Thread-safe.
absl::StatusOr<FittedPredictor> TrainPredictor(absl::Span<const PredictorSample> samples, const Digest& space_digest, uint64_t seed);

}  // namespace hanas

#endif  // HANAS_WORKER_ENGINE_PREDICTOR_TRAINER_H_
