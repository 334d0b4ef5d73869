// SPDX-License-Identifier: Apache-2.0
#include "worker/engine/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "absl/types/span.h"
#include "core/base/counter_random.h"
#include "core/base/field_violation.h"
#include "core/job/fields.h"

namespace hanas {

double RateShare(const TrainingSpec& training, int64_t step) {
  const double warm = training.warmup * static_cast<double>(training.steps);
  const double at = static_cast<double>(step) + 1;
  if (at < warm) return at / warm;
  const double rest = std::max(1.0, static_cast<double>(training.steps) + 1 - warm);
  const double done = std::clamp((at - warm) / rest, 0.0, 1.0);
  switch (training.schedule) {
    case RateSchedule::kCosine:
      return 0.5 * (1 + std::cos(std::numbers::pi * done));
    case RateSchedule::kLinear:
      return 1 - done;
  }
  return 0;
}

absl::Status CheckTeaching(double weight, double temperature) {
  SearchJob job;
  job.teacher.weight = weight;
  job.teacher.temperature = temperature;
  FieldViolations violations;
  CheckFields(job, "teacher.", violations);
  return violations.ToStatus();
}

SamplingKind SamplingAt(const TrainingSpec& training, int64_t step) {
  const double fraction = (static_cast<double>(step) + 0.5) / static_cast<double>(training.steps);
  for (const TrainingPhase& phase : training.phases) {
    if (fraction < phase.until) return phase.sampling;
  }
  return training.phases.back().sampling;
}

DrawnBatch BatchOrder::Batch(int64_t step) {
  DrawnBatch batch;
  for (int64_t i = step * batch_size_; i < (step + 1) * batch_size_; ++i) {
    const int64_t epoch = i / num_images_;
    if (epoch != epoch_) {
      order_.resize(static_cast<size_t>(num_images_));
      std::iota(order_.begin(), order_.end(), 0);
      CounterRandom random(seed_, "worker/epoch", static_cast<uint64_t>(epoch));
      random.Shuffle(absl::MakeSpan(order_));
      epoch_ = epoch;
    }
    const int64_t image = order_[static_cast<size_t>(i % num_images_)];
    CounterRandom coin(seed_, "worker/mirror", static_cast<uint64_t>(image));
    batch.images.push_back(image);
    batch.mirrored.push_back(coin.Bernoulli(0.5) != (epoch % 2 != 0));
  }
  return batch;
}

}  // namespace hanas
