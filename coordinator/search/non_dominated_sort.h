// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SEARCH_NON_DOMINATED_SORT_H_
#define HANAS_COORDINATOR_SEARCH_NON_DOMINATED_SORT_H_

#include <vector>

#include "absl/types/span.h"
#include "coordinator/search/evaluation.h"

namespace hanas {

// Pareto ranking of N points with M objectives, all minimised. Points are rows of one row-major array of N * M numbers. Every function is
// pure; NaN counts as +infinity. Equal points have equal ranks. Requires M >= 1 and objectives.size() divisible by M.
//
// Worked example, M = 2: points (1,5) (2,3) (4,4) (3,3) have ranks 0 0 2 1: (2,3) dominates (3,3), which dominates (4,4).

/// a is nowhere worse than b and somewhere better.
bool Dominates(absl::Span<const double> a, absl::Span<const double> b);
/// Constrained domination (Deb, Pratap, Agarwal, Meyarivan 2002, definition 1): a feasible point dominates an infeasible one; of two
/// infeasible ones that with the smaller violation dominates; two feasible ones compare by objectives.
bool ConstrainedDominates(const Evaluation& a, const Evaluation& b);

/// The front of each point: 0 when nothing dominates it, else one more than the highest rank among those that do.
/// M <= 2: O(N log N), by the last member of each front (Jensen 2003). M = 3: O(N log^2 N), fronts are staircases searched by bisection.
/// M >= 4: efficient non-dominated sort with binary search (ENS-BS; Zhang, Tian, Cheng, Jin 2015), O(M N log N) at best, O(M N^2) at worst.
std::vector<int> NonDominatedRanks(absl::Span<const double> objectives, int num_objectives);

/// The same under constrained domination: infeasible points rank behind all feasible ones, one rank for each distinct violation.
std::vector<int> ConstrainedRanks(absl::Span<const double> objectives, int num_objectives, absl::Span<const double> violations);
/// All must have the same number of objectives, at least one.
std::vector<int> ConstrainedRanks(absl::Span<const Individual> individuals);

/// Indices by rank, ascending within each: fronts[0] is the Pareto front.
std::vector<std::vector<int>> FrontsOf(absl::Span<const int> ranks);

/// Crowding distance of each point of one front, `members` being rows of `objectives` (Deb et al. 2002, section III-B): the sum over
/// objectives of the gap between its neighbours over the range of the front. Infinite for the extreme points of each objective and for
/// fronts of one or two. An objective that is constant or not finite on the front separates nothing and adds 0. Of equal points the first
/// in `members` keeps the distance, the others get 0: a copy adds no diversity. O(M N log N).
std::vector<double> CrowdingDistances(absl::Span<const double> objectives, int num_objectives, absl::Span<const int> members);

}  // namespace hanas

#endif  // HANAS_COORDINATOR_SEARCH_NON_DOMINATED_SORT_H_
