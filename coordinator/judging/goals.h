// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_JUDGING_GOALS_H_
#define HANAS_COORDINATOR_JUDGING_GOALS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/calibration/calibration.h"
#include "coordinator/search/evaluation.h"
#include "coordinator/search/feasibility.h"
#include "coordinator/surrogate/candidate_scorer.h"
#include "core/job/search_job.h"
#include "core/quantity/quantity_table.h"
#include "core/space/search_space.h"

namespace hanas::coordinator {

// What a job wants of networks, in the terms of the search. A vector of costs has one for each quantity, at the index that the quantity is,
// all of them minimised (CostOf); that of a network which was not trained ends before its accuracy. Pure, hence thread-safe.

constexpr size_t IndexOf(Quantity quantity) { return static_cast<size_t>(quantity); }

/// Of a network that was not trained; the latency is `calibration`'s prediction.
CostVector CostsOf(const CandidateCost& cost, const LatencyCalibration& calibration);
/// With an accuracy, predicted or not.
CostVector CostsOf(const CandidateCost& cost, const LatencyCalibration& calibration, double accuracy);
BatchCostScorer CostScorer(const CandidateScorer& scorer, const LatencyCalibration& calibration);

/// What training for longer is worth to a network of so many weights, against the others of its space. After a short training of equal cost
/// small networks are as good as large ones; what more weights are worth shows as training goes on. With 2^k times as much training, the
/// error of a network is taken to be (weights / weights of the middle network) ^ -(kErrorPerDoubling · k) of what it else would be. So
/// networks of different sizes can be compared. Fitted to two networks of 35 and 71 thousand weights on CIFAR-10 (docs/studies/README.md):
/// it tells networks of one space apart, and foretells no accuracy.
struct WorthOfSize {
  static constexpr double kErrorPerDoubling = 0.048;

  double exponent = 0;        // 0: errors are compared as they are
  double middle_weights = 1;  // whose error stays as it is

  double Error(double error, double weights) const;
};
/// Of a job with Screening::kAlone, for networks that were trained for `steps` of it so far (as SamplingSpec has them); of others none.
WorthOfSize WorthOfSizeAfter(const SearchJob& job, int64_t steps, double middle_weights);

/// Objectives of a job and the limits of one of its targets. Limits that are relative to a network of the space are what they came to on
/// the target's device.
struct Goals {
  std::vector<Quantity> objectives;
  std::vector<CostLimit> limits;  // of LimitsFor(job, target), in that order
  WorthOfSize size;               // for networks as they are evaluated
};
/// `target` is one of TargetsOf(job); `calibration` tells the latency of the network that a limit is relative to.
Goals GoalsOf(const SearchJob& job, const TargetSpec& target, const SearchSpace& space, const CandidateScorer& scorer,
              const LatencyCalibration& calibration);

/// Those that are known to hold or not before anything is trained.
std::vector<CostLimit> UntrainedLimits(absl::Span<const CostLimit> limits);
/// Those that no measurement can change: of what is computed of a network and its plan.
std::vector<CostLimit> ComputedLimits(absl::Span<const CostLimit> limits);
/// Limits for costs that `calibration` predicted: a network that keeps these keeps the others with the confidence that each asks for.
std::vector<CostLimit> LimitsForPredictions(absl::Span<const CostLimit> limits, const LatencyCalibration& calibration);

/// Whether any network of the space keeps `limits`, with a bounded number of scored networks. Returns FindFeasibility's statuses.
absl::StatusOr<FeasibilityReport> ProbeFeasibility(const SearchSpace& space, const CandidateScorer& scorer,
                                                   const LatencyCalibration& calibration, absl::Span<const CostLimit> limits,
                                                   uint64_t seed);

/// `costs` as the search compares them, the error as the goals' WorthOfSize has it, outside its limits as far as it is outside `limits`.
/// Requires costs for every objective and limit.
Evaluation EvaluationOf(const Goals& goals, const CostVector& costs, absl::Span<const CostLimit> limits);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_JUDGING_GOALS_H_
