// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SEARCH_FEASIBILITY_H_
#define HANAS_COORDINATOR_SEARCH_FEASIBILITY_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/quantity/quantity_table.h"
#include "core/space/search_space.h"

namespace hanas {

// Can the limits be met at all? Answered before anything is trained, with a bounded number of scored networks. What is found is reached
// (there is a network for it); that nothing lies beyond is what coordinate descent from corners, random networks and mutants suggests, not
// a proof.

/// Costs of one network in an order that the caller fixes: latency, size, ...
using CostVector = absl::InlinedVector<double, kNumQuantities>;
/// Fills `costs[i]` for `architectures[i]`. Pure.
using BatchCostScorer = std::function<void(absl::Span<const Architecture> architectures, absl::Span<CostVector> costs)>;

/// costs[cost] <= limit.
struct CostLimit {
  std::string name;  // for messages: "latency"
  int cost = 0;      // index into CostVector
  double limit = 0;
  double confidence = 0;  // that a prediction keeps it, where predictions can be wrong; this folder does not look at it
};

struct ProbeOptions {
  uint64_t seed = 1;
  int max_evaluations = 20'000;  // for each quantity that is minimised, at least 100
  int num_starts = 4;            // descents from random networks, besides those from the corners

  absl::Status Validate() const;
};

struct LimitFinding {
  CostLimit limit;
  double min_reachable = 0;     // of this cost, over the whole space
  double nearest_feasible = 0;  // smallest value of this cost among networks that keep all other limits (over the whole space when the
                                // others cannot be kept together); the limit itself when it is not the obstacle
  bool met_alone = false;       // min_reachable <= limit
};

struct FeasibilityReport {
  bool feasible = false;
  Architecture witness;  // keeps all limits when feasible, else comes closest (smallest total relative violation)
  CostVector witness_costs;
  std::vector<LimitFinding> findings;  // one for each limit
  int64_t evaluations = 0;

  /// "" when feasible, else one line for each obstacle: "latency: limit 1.2 cannot be met; the nearest feasible value found is 1.87".
  std::string ToString() const;
};

/// Returns INVALID_ARGUMENT for bad options, a limit that is not above 0 or whose index is outside the costs.
absl::StatusOr<FeasibilityReport> FindFeasibility(const SearchSpace& space, const BatchCostScorer& scorer,
                                                  absl::Span<const CostLimit> limits, const ProbeOptions& options);

struct ReachableRange {
  double min = 0;
  double max = 0;
  Architecture min_architecture;
  Architecture max_architecture;
};

/// The range of each cost over the space. Returns ProbeOptions::Validate's statuses.
absl::StatusOr<std::vector<ReachableRange>> ReachableRanges(const SearchSpace& space, const BatchCostScorer& scorer,
                                                            const ProbeOptions& options);

/// How many of `sampled` random networks (uniform over choices) keep all limits.
struct ShareKept {
  int sampled = 0;
  int kept = 0;
  double fraction() const { return sampled > 0 ? static_cast<double>(kept) / sampled : 0; }
};
ShareKept EstimateShareKept(const SearchSpace& space, const BatchCostScorer& scorer, absl::Span<const CostLimit> limits, uint64_t seed,
                            int num_samples);

/// Sum over the limits of max(0, (cost - limit) / limit): the violation of an Evaluation. NaN costs give +infinity.
double TotalViolation(const CostVector& costs, absl::Span<const CostLimit> limits);

}  // namespace hanas

#endif  // HANAS_COORDINATOR_SEARCH_FEASIBILITY_H_
