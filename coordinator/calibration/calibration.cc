// SPDX-License-Identifier: Apache-2.0
#include "coordinator/calibration/calibration.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/statistics/statistics.h"

namespace hanas {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
/// Scales the median absolute deviation to the standard deviation of a normal distribution.
constexpr double kMadToSigma = 1.4826;
/// Below this a residual is never an outlier: measurement repeats to 2 % (the accepted CV).
constexpr double kMinRejectedResidual = 0.02;
/// What to expect of a sum of operators while fewer than three networks say how good it is.
constexpr double kFewPairsError = 0.1;

struct Line {
  double scale = 1;
  double offset_us = 0;
};

double Residual(const CalibrationPair& pair, const Line& line) {
  return (pair.measured_us - (line.scale * pair.sum_us + line.offset_us)) / pair.measured_us;
}

/// Minimises sum of ((measured - scale * sum - offset) / measured)^2 + n * ridge * (offset / typical)^2, where typical is the harmonic-like
/// mean 1 / sqrt(mean(1 / measured^2)): the penalty is as heavy as the data are on the offset, times `ridge`.
Line Solve(absl::Span<const CalibrationPair> pairs, bool with_offset, double ridge) {
  const auto n = static_cast<Eigen::Index>(pairs.size());
  Eigen::ArrayXd x(n);  // sum / measured
  Eigen::ArrayXd w(n);  // 1 / measured
  for (Eigen::Index i = 0; i < n; ++i) {
    x[i] = pairs[static_cast<size_t>(i)].sum_us / pairs[static_cast<size_t>(i)].measured_us;
    w[i] = 1 / pairs[static_cast<size_t>(i)].measured_us;
  }
  const Line ratio = {.scale = x.sum() / x.square().sum(), .offset_us = 0};
  if (!with_offset) return ratio;
  // In units of the typical 1 / measured, so that the system is well scaled.
  const double unit = std::sqrt(w.square().mean());
  const Eigen::ArrayXd v = w / unit;
  Eigen::Matrix2d normal;
  normal << x.square().sum(), (x * v).sum(), (x * v).sum(), v.square().sum() * (1 + ridge);
  const Eigen::Vector2d right(x.sum(), v.sum());
  const Eigen::FullPivLU<Eigen::Matrix2d> lu(normal);
  if (!lu.isInvertible()) return ratio;  // all pairs at one point: the offset cannot be told from the scale
  const Eigen::Vector2d solution = lu.solve(right);
  const Line line = {.scale = solution[0], .offset_us = solution[1] / unit};
  return line.scale > 0 ? line : ratio;  // a slower sum never makes a faster network
}

class Fitter {
 public:
  explicit Fitter(const CalibrationOptions& options) : options_(options) {}

  Line Fit(absl::Span<const CalibrationPair> pairs) const {
    return Solve(pairs, static_cast<int>(pairs.size()) >= options_.min_pairs_for_offset, options_.offset_ridge);
  }

  /// Pairs within rejection_sigmas of the others; all of them when that would leave fewer than half.
  std::vector<CalibrationPair> WithoutOutliers(absl::Span<const CalibrationPair> pairs) const {
    const std::vector<CalibrationPair> all(pairs.begin(), pairs.end());
    if (options_.rejection_sigmas == 0 || pairs.size() < 4) return all;
    const Line line = RobustLine(pairs);
    std::vector<double> residuals;
    for (const CalibrationPair& pair : pairs) residuals.push_back(Residual(pair, line));
    const double center = Median(residuals);
    std::vector<double> deviations;
    for (const double residual : residuals) deviations.push_back(std::abs(residual - center));
    const double allowed = std::max(kMinRejectedResidual, options_.rejection_sigmas * kMadToSigma * Median(deviations));
    std::vector<CalibrationPair> kept;
    for (size_t i = 0; i < pairs.size(); ++i) {
      if (deviations[i] <= allowed) kept.push_back(pairs[i]);
    }
    return 2 * kept.size() < all.size() ? all : kept;
  }

  /// Root mean square over the pairs of the residual of each against the line of the others.
  double LeaveOneOutError(const std::vector<CalibrationPair>& pairs) const {
    double sum = 0;
    for (size_t i = 0; i < pairs.size(); ++i) {
      std::vector<CalibrationPair> others = pairs;
      others.erase(others.begin() + static_cast<ptrdiff_t>(i));
      const double residual = Residual(pairs[i], SolveLike(pairs.size(), others));
      sum += residual * residual;
    }
    return std::sqrt(sum / static_cast<double>(pairs.size()));
  }

  double RelativeError(const std::vector<CalibrationPair>& pairs) const {
    if (pairs.size() >= 3) return LeaveOneOutError(pairs);
    const Line line = Fit(pairs);
    double worst = kFewPairsError;
    for (const CalibrationPair& pair : pairs) worst = std::max(worst, std::abs(Residual(pair, line)));
    return worst;
  }

 private:
  /// The model of `num_pairs` pairs fitted to others: leaving one out must not change which terms there are.
  Line SolveLike(size_t num_pairs, absl::Span<const CalibrationPair> pairs) const {
    return Solve(pairs, static_cast<int>(num_pairs) >= options_.min_pairs_for_offset, options_.offset_ridge);
  }

  /// The line from which outliers are judged, which they must not bend: the median of the slopes through every two pairs, then the median
  /// offset (Theil 1950, Sen 1968); the median ratio when there is no offset.
  Line RobustLine(absl::Span<const CalibrationPair> pairs) const {
    std::vector<double> ratios;
    for (const CalibrationPair& pair : pairs) ratios.push_back(pair.measured_us / pair.sum_us);
    if (static_cast<int>(pairs.size()) < options_.min_pairs_for_offset) return {.scale = Median(ratios), .offset_us = 0};
    std::vector<double> slopes;
    for (size_t i = 0; i < pairs.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (pairs[i].sum_us != pairs[j].sum_us)
          slopes.push_back((pairs[i].measured_us - pairs[j].measured_us) / (pairs[i].sum_us - pairs[j].sum_us));
      }
    }
    const double slope = slopes.empty() ? 0 : Median(slopes);
    if (!(slope > 0)) return {.scale = Median(ratios), .offset_us = 0};
    std::vector<double> offsets;
    for (const CalibrationPair& pair : pairs) offsets.push_back(pair.measured_us - slope * pair.sum_us);
    return {.scale = slope, .offset_us = Median(offsets)};
  }

  const CalibrationOptions& options_;
};

bool IsTime(double value) { return std::isfinite(value) && value > 0; }

absl::Status Refuse(absl::string_view option, absl::string_view expected, double found) {
  return absl::InvalidArgumentError(absl::StrCat("calibration: ", option, ": expected ", expected, ", found ", found));
}

}  // namespace

absl::Status CalibrationOptions::Validate() const {
  if (min_pairs_for_offset < 2) return Refuse("min_pairs_for_offset", "2 or more", min_pairs_for_offset);
  if (max_pairs < 1) return Refuse("max_pairs", "1 or more", max_pairs);
  if (!(std::isfinite(offset_ridge) && offset_ridge >= 0)) return Refuse("offset_ridge", "a finite number, not negative", offset_ridge);
  if (!(std::isfinite(rejection_sigmas) && rejection_sigmas >= 0))
    return Refuse("rejection_sigmas", "a finite number, not negative", rejection_sigmas);
  return absl::OkStatus();
}

absl::StatusOr<CalibrationFit> FitCalibration(absl::Span<const CalibrationPair> pairs, const CalibrationOptions& options) {
  if (absl::Status status = options.Validate(); !status.ok()) return status;
  if (pairs.empty()) return absl::InvalidArgumentError("calibration: expected at least one measured network, found none");
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (!IsTime(pairs[i].sum_us)) return Refuse(absl::StrCat("pairs[", i, "].sum_us"), "a finite time above 0", pairs[i].sum_us);
    if (!IsTime(pairs[i].measured_us))
      return Refuse(absl::StrCat("pairs[", i, "].measured_us"), "a finite time above 0", pairs[i].measured_us);
  }
  const size_t num_used = std::min(pairs.size(), static_cast<size_t>(options.max_pairs));
  const Fitter fitter(options);
  const std::vector<CalibrationPair> kept = fitter.WithoutOutliers(pairs.last(num_used));
  const Line line = fitter.Fit(kept);
  CalibrationFit fit;
  fit.calibration = {.scale = line.scale,
                     .offset_us = line.offset_us,
                     .relative_error = fitter.RelativeError(kept),
                     .num_pairs = static_cast<int>(kept.size())};
  fit.num_rejected = static_cast<int>(num_used - kept.size());
  for (const CalibrationPair& pair : pairs) fit.residuals.push_back(Residual(pair, line));
  return fit;
}

CalibrationQuality EvaluateCalibration(const LatencyCalibration& calibration, absl::Span<const CalibrationPair> held_out) {
  CalibrationQuality quality = {.num_pairs = static_cast<int>(held_out.size()), .mape = kNan, .spearman = kNan};
  if (held_out.empty()) return quality;
  const double n = static_cast<double>(held_out.size());
  std::vector<double> predicted;
  std::vector<double> measured;
  double sum = 0;
  for (const CalibrationPair& pair : held_out) {
    const double error = std::abs(Residual(pair, {calibration.scale, calibration.offset_us}));
    sum += error;
    quality.max_relative_error = std::max(quality.max_relative_error, error);
    quality.within_5_percent += error <= 0.05 ? 1 / n : 0;
    quality.within_10_percent += error <= 0.10 ? 1 / n : 0;
    predicted.push_back(ApplyCalibration(pair.sum_us, calibration));
    measured.push_back(pair.measured_us);
  }
  quality.mape = sum / n;
  quality.spearman = SpearmanRho(predicted, measured);
  return quality;
}

double ProbabilityWithin(double predicted_us, double relative_error, double limit_us) {
  if (std::isnan(predicted_us) || std::isnan(relative_error) || std::isnan(limit_us)) return 0;
  const double deviation = predicted_us * relative_error;
  if (!(deviation > 0)) return predicted_us <= limit_us ? 1 : 0;
  return 0.5 * std::erfc((predicted_us - limit_us) / (deviation * std::sqrt(2.0)));
}

double PredictionFor(double limit_us, double relative_error, double probability) {
  // ProbabilityWithin falls in the prediction where it exceeds the limit or the probability is above one half; bisection needs no inverse
  // of erf.
  double low = 0;
  double high = limit_us;
  while (ProbabilityWithin(high, relative_error, limit_us) >= probability && high < 16 * limit_us) high *= 2;
  for (int i = 0; i < 80; ++i) {
    const double middle = (low + high) / 2;
    (ProbabilityWithin(middle, relative_error, limit_us) >= probability ? low : high) = middle;
  }
  return low;
}

}  // namespace hanas
