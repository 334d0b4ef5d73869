// SPDX-License-Identifier: Apache-2.0
#include "coordinator/judging/goals.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>

#include "core/job/goals.h"

namespace hanas::coordinator {

namespace {

constexpr double kLeast = 1e-3;  // of any quantity: a nanosecond, a thousandth of a byte

}  // namespace

CostVector CostsOf(const CandidateCost& cost, const LatencyCalibration& calibration) {
  static_assert(IndexOf(Quantity::kLatency) == 0 && IndexOf(Quantity::kSize) == 1 && IndexOf(Quantity::kPeakMemory) == 2 &&
                IndexOf(Quantity::kMacs) == 3 && IndexOf(Quantity::kParameters) == 4 && kNumUntrainedQuantities == 5);
  return {ApplyCalibration(cost.sum_us, calibration), static_cast<double>(cost.size_bytes), static_cast<double>(cost.peak_memory_bytes),
          static_cast<double>(cost.macs), static_cast<double>(cost.parameters)};
}

CostVector CostsOf(const CandidateCost& cost, const LatencyCalibration& calibration, double accuracy) {
  static_assert(IndexOf(Quantity::kAccuracy) == kNumUntrainedQuantities && kNumQuantities == kNumUntrainedQuantities + 1);
  CostVector costs = CostsOf(cost, calibration);
  costs.push_back(CostOf(Quantity::kAccuracy, accuracy));
  return costs;
}

BatchCostScorer CostScorer(const CandidateScorer& scorer, const LatencyCalibration& calibration) {
  return [&scorer, calibration](absl::Span<const Architecture> architectures, absl::Span<CostVector> costs) {
    std::vector<CandidateCost> scored(architectures.size());
    scorer.Score(architectures, absl::MakeSpan(scored));
    for (size_t i = 0; i < scored.size(); ++i) costs[i] = CostsOf(scored[i], calibration);
  };
}

Goals GoalsOf(const SearchJob& job, const TargetSpec& target, const SearchSpace& space, const CandidateScorer& scorer,
              const LatencyCalibration& calibration) {
  Goals goals = {.objectives = ObjectivesOf(job), .limits = {}};
  goals.size = WorthOfSizeAfter(job, job.sampling.steps, static_cast<double>(scorer.ScoreOne(space.Middle({8, 8})).parameters));
  for (const size_t index : LimitsFor(job, target)) {
    const LimitSpec& spec = job.limits[index];
    const Quantity of = *QuantityNamed(spec.of);
    const bool predicted = RowOf(of).source == QuantitySource::kDevice;
    double bound = spec.bound();
    if (!spec.than.empty()) {
      const CostVector costs = CostsOf(scorer.ScoreOne(NetworkNamed(spec.than, space)), calibration);
      bound *= std::max(costs[IndexOf(of)], kLeast);  // a fitted line may cross 0 at networks of a few operators
    }
    goals.limits.push_back({.name = spec.of,
                            .cost = static_cast<int>(IndexOf(of)),
                            .limit = CostOf(of, bound),
                            .confidence = predicted ? spec.confidence : 0});
  }
  return goals;
}

std::vector<CostLimit> UntrainedLimits(absl::Span<const CostLimit> limits) {
  std::vector<CostLimit> untrained;
  std::copy_if(limits.begin(), limits.end(), std::back_inserter(untrained),
               [](const CostLimit& limit) { return limit.cost < static_cast<int>(kNumUntrainedQuantities); });
  return untrained;
}

std::vector<CostLimit> ComputedLimits(absl::Span<const CostLimit> limits) {
  std::vector<CostLimit> computed = UntrainedLimits(limits);
  const auto is_measured = [](const CostLimit& limit) {
    return RowOf(static_cast<Quantity>(limit.cost)).source == QuantitySource::kDevice;
  };
  computed.erase(std::remove_if(computed.begin(), computed.end(), is_measured), computed.end());
  return computed;
}

std::vector<CostLimit> LimitsForPredictions(absl::Span<const CostLimit> limits, const LatencyCalibration& calibration) {
  std::vector<CostLimit> tighter(limits.begin(), limits.end());
  for (CostLimit& limit : tighter) {
    if (limit.confidence > 0) limit.limit = PredictionFor(limit.limit, calibration.relative_error, limit.confidence);
  }
  return tighter;
}

absl::StatusOr<FeasibilityReport> ProbeFeasibility(const SearchSpace& space, const CandidateScorer& scorer,
                                                   const LatencyCalibration& calibration, absl::Span<const CostLimit> limits,
                                                   uint64_t seed) {
  constexpr int kProbeEvaluations = 4000;
  return FindFeasibility(space, CostScorer(scorer, calibration), limits,
                         {.seed = seed, .max_evaluations = kProbeEvaluations, .num_starts = 2});
}

double WorthOfSize::Error(double error, double weights) const {
  return exponent == 0 ? error : error * std::pow(std::max(weights, 1.0) / middle_weights, -exponent);
}

WorthOfSize WorthOfSizeAfter(const SearchJob& job, int64_t steps, double middle_weights) {
  if (HasSupernet(job)) return {};
  const double in_the_end = static_cast<double>(job.fine_tune.steps + job.final.steps);
  const double doublings = std::max(0.0, std::log2(in_the_end / static_cast<double>(steps)));
  return {.exponent = WorthOfSize::kErrorPerDoubling * doublings, .middle_weights = std::max(middle_weights, 1.0)};
}

Evaluation EvaluationOf(const Goals& goals, const CostVector& costs, absl::Span<const CostLimit> limits) {
  Evaluation evaluation = {.objectives = {}, .violation = TotalViolation(costs, limits)};
  for (const Quantity objective : goals.objectives) {
    const double cost = costs[IndexOf(objective)];
    const bool is_error = objective == Quantity::kAccuracy;
    evaluation.objectives.push_back(is_error ? goals.size.Error(cost, costs[IndexOf(Quantity::kParameters)]) : cost);
  }
  return evaluation;
}

}  // namespace hanas::coordinator
