// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_CALIBRATION_CALIBRATION_H_
#define HANAS_COORDINATOR_CALIBRATION_CALIBRATION_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/latency/latency_model.h"
#include "core/plan/exec_plan.h"

namespace hanas {

/// One whole network: the sum of its operators' times, and what it took on the device.
struct CalibrationPair {
  double sum_us = 0;
  double measured_us = 0;
};

struct CalibrationOptions {
  int min_pairs_for_offset = 8;  // below: scale only
  int max_pairs = 200;           // the last ones are used
  double offset_ridge = 0.01;    // pulls the offset to 0 (the pure ratio), relative to the pairs' own weight; 0: plain least squares
  double rejection_sigmas = 3;   // pairs farther out than this many robust standard deviations are left out of a second fit; 0: keep all

  absl::Status Validate() const;
};

struct CalibrationFit {
  LatencyCalibration calibration;  // num_pairs counts those used
  int num_rejected = 0;
  std::vector<double> residuals;  // (measured - predicted) / measured of every pair given, in order
};

/// Fits T = scale * sum + offset by least squares on relative errors: each pair weighs 1 / measured^2, so that small networks count as much
/// as large ones. The calibration's relative_error is the root mean square of leave-one-out residuals, which is what to expect of a network
/// not used here; below 3 pairs nothing can be left out, and it is the largest residual, at least 10 %. Returns INVALID_ARGUMENT for bad
/// options, no pairs, or a time that is not finite and above 0 (naming the pair).
absl::StatusOr<CalibrationFit> FitCalibration(absl::Span<const CalibrationPair> pairs, const CalibrationOptions& options = {});

/// How well a calibration predicts pairs it was not fitted on.
struct CalibrationQuality {
  int num_pairs = 0;
  double mape = 0;  // mean of |measured - predicted| / measured; NaN without pairs
  double max_relative_error = 0;
  double within_5_percent = 0;  // fraction of pairs
  double within_10_percent = 0;
  double spearman = 0;  // NaN below two pairs
};
CalibrationQuality EvaluateCalibration(const LatencyCalibration& calibration, absl::Span<const CalibrationPair> held_out);

/// P(latency <= limit) when the latency is normal around `predicted_us` with relative standard deviation `relative_error`. 0 or 1 when that
/// is 0; 0 for NaN.
double ProbabilityWithin(double predicted_us, double relative_error, double limit_us);
/// The largest prediction for which ProbabilityWithin is at least `probability`: what to search under to keep a limit with confidence.
/// Requires 0 < probability < 1.
double PredictionFor(double limit_us, double relative_error, double probability);

/// A network that could be measured whole to calibrate.
struct CalibrationCandidate {
  double predicted_us = 0;
  ExecPlan plan;
};
/// Which candidates to measure: `count` of them (all, when there are fewer), spread over the quantiles of predicted latency, the fastest
/// and the slowest included; in each quantile the one that adds most operator classes not yet covered (kind, kernel, depthwise or not,
/// element types, activation). Indices in ascending order of latency. Deterministic.
std::vector<int> ChooseCalibrationNetworks(absl::Span<const CalibrationCandidate> candidates, int count);

}  // namespace hanas

#endif  // HANAS_COORDINATOR_CALIBRATION_CALIBRATION_H_
