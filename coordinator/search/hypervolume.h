// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SEARCH_HYPERVOLUME_H_
#define HANAS_COORDINATOR_SEARCH_HYPERVOLUME_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/search/evaluation.h"

namespace hanas {

/// The volume dominated by the points (rows of `objectives`, minimised) and bounded by `reference`, exactly. A point that is not better
/// than the reference in every objective adds nothing, nor does one with a NaN. Two objectives: O(N log N). Three: O(N log N), a sweep over
/// the third with a staircase of the others. More: sliced recursively (While, Hingston, Barone, Huband 2006), O(N^(M-2) log N); meant for
/// fronts of up to a few hundred. Example: {(1,2), (2,1)} against (3,3) is 3. Returns INVALID_ARGUMENT for fewer than one objective, a
/// reference that is not finite, a size that is not a multiple, or -infinity.
absl::StatusOr<double> Hypervolume(absl::Span<const double> objectives, absl::Span<const double> reference);
/// Of the feasible individuals. Also INVALID_ARGUMENT when one has another number of objectives than the reference.
absl::StatusOr<double> Hypervolume(absl::Span<const Individual> individuals, absl::Span<const double> reference);

/// The feasible, mutually non-dominated individuals among all that were offered; of equal objectives the first offered stays. Which
/// objective vectors it holds does not depend on the order.
///
/// Thread-compatible. Insertion is O(M * size).
class ParetoFront {
 public:
  /// True when `individual` is now a member; members that it dominates leave. An infeasible one, one with a NaN and one without objectives
  /// are never members.
  bool Insert(const Individual& individual);
  /// In order of the first objective, then the following ones.
  const std::vector<Individual>& members() const { return members_; }

 private:
  std::vector<Individual> members_;
};

}  // namespace hanas

#endif  // HANAS_COORDINATOR_SEARCH_HYPERVOLUME_H_
