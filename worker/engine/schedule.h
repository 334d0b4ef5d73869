// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_ENGINE_SCHEDULE_H_
#define HANAS_WORKER_ENGINE_SCHEDULE_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "core/job/search_job.h"

namespace hanas {

/// The share of their peaks that the learning rates have: a linear warm-up to 1, then down to 0 as the job's schedule says. Requires
/// 0 <= step < training.steps.
double RateShare(const TrainingSpec& training, int64_t step);

/// Whether answers can have this weight in a loss and be softened like this: what a job's teacher is held to.
absl::Status CheckTeaching(double weight, double temperature);

/// What step `step` trains. Requires 0 <= step < training.steps.
SamplingKind SamplingAt(const TrainingSpec& training, int64_t step);

/// The images of a batch, by their positions in the TRAIN split.
struct DrawnBatch {
  std::vector<int64_t> images;
  /// Which of them are shown mirrored: of an epoch those that a coin chose for (seed, image), of the next one all others, so that any two
  /// epochs in a row show each image both ways (alternating flip, Jordan 2024).
  std::vector<bool> mirrored;
};

/// What makes the batch of a step: every epoch is a fresh permutation, a pure function of (seed, epoch).
///
/// Thread-compatible; remembers the permutation of the last epoch.
class BatchOrder {
 public:
  /// Requires 0 < batch_size and 0 < num_images.
  BatchOrder(int64_t num_images, int batch_size, uint64_t seed) : num_images_(num_images), batch_size_(batch_size), seed_(seed) {}
  DrawnBatch Batch(int64_t step);

 private:
  int64_t num_images_;
  int batch_size_;
  uint64_t seed_;
  int64_t epoch_ = -1;
  std::vector<int64_t> order_;
};

}  // namespace hanas

#endif  // HANAS_WORKER_ENGINE_SCHEDULE_H_
