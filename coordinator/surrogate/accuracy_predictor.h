// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SURROGATE_ACCURACY_PREDICTOR_H_
#define HANAS_COORDINATOR_SURROGATE_ACCURACY_PREDICTOR_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/predictor/predictor_weights.h"
#include "core/space/search_space.h"

namespace hanas {

/// Accuracy as a fraction. `uncertainty` is the population standard deviation over the members of the ensemble, 0 for one member.
struct AccuracyPrediction {
  double mean = 0;
  double uncertainty = 0;
};

/// Evaluates a trained predictor. Training is a worker's task.
///
/// Immutable, hence thread-safe. Movable.
class AccuracyPredictor {
 public:
  /// Returns Validate(weights)'s statuses, and FAILED_PRECONDITION when the weights are of another space.
  static absl::StatusOr<AccuracyPredictor> Create(const SearchSpace& space, const PredictorWeights& weights);

  AccuracyPredictor(AccuracyPredictor&&) noexcept;
  AccuracyPredictor& operator=(AccuracyPredictor&&) noexcept;
  ~AccuracyPredictor();

  /// Any features: rows of num_features() values, as Encode makes them. Requires a size that is a multiple of num_features().
  std::vector<AccuracyPrediction> PredictFeatures(absl::Span<const float> features) const;
  /// The same of canonical architectures, without writing the one-hot features out.
  void Predict(absl::Span<const Architecture> architectures, absl::Span<AccuracyPrediction> predictions) const;
  AccuracyPrediction PredictOne(const Architecture& architecture) const;

  int num_features() const;
  double held_out_tau() const;
  double held_out_rmse() const;

 private:
  struct Rep;
  explicit AccuracyPredictor(std::unique_ptr<const Rep> rep);
  std::unique_ptr<const Rep> rep_;
};

}  // namespace hanas

#endif  // HANAS_COORDINATOR_SURROGATE_ACCURACY_PREDICTOR_H_
