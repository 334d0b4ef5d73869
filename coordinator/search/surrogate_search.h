// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SEARCH_SURROGATE_SEARCH_H_
#define HANAS_COORDINATOR_SEARCH_SURROGATE_SEARCH_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/search/evaluation.h"

namespace hanas {

// The inner loop of a predictor-guided search (LINAS; Cummings et al. 2022, "A Hardware-Aware Framework for Accelerating Neural
// Architecture Search Across Modalities"): many evaluations on surrogates, then a few true ones. Both functions are pure in their
// arguments, so a coordinator that restarts between rounds computes the same batch again.

struct SurrogateSearchOptions {
  std::string algorithm = "nsga2";  // one of Algorithms()
  uint64_t seed = 1;
  uint64_t round = 0;      // rounds of one search draw independently
  int population = 50;     // 2 to 100 000
  int evaluations = 5000;  // at most; the initial population counts

  absl::Status Validate() const;
};

struct SurrogateSearchResult {
  std::vector<Individual> population;  // the last survivors, best first
  std::vector<Individual> front;  // the feasible non-dominated of everything scored, by first objective; empty when nothing was feasible
  int evaluations = 0;            // networks scored, all distinct
  bool exhausted = false;         // stopped early: no new network was found in the bounded attempts
};

/// The algorithm on `scorer`, from `initial` (deduplicated). Stops at options.evaluations or when the space is exhausted, whichever is
/// first. Returns SurrogateSearchOptions::Validate's statuses, those of CreateAlgorithm (INVALID_ARGUMENT for an initial
/// architecture that is not of the space, where the algorithm looks at it), and INVALID_ARGUMENT for a scorer that gives no objectives or
/// different numbers of them.
absl::StatusOr<SurrogateSearchResult> RunSurrogateSearch(const SearchSpace& space, const BatchScorer& scorer,
                                                         absl::Span<const Architecture> initial, const SurrogateSearchOptions& options);

/// A candidate for true evaluation: its predicted evaluation, and how unsure the predictor is of it.
struct Candidate {
  Individual individual;
  double uncertainty = 0;
};

/// Which candidates to evaluate truly: `count` distinct networks that are not in `evaluated`. A fraction `explore` (rounded down) are the
/// most uncertain of the first front that has any left, the others are spread over the predicted fronts: the ends of the first front, then
/// each time the candidate farthest from those chosen (greedy, in objectives scaled by the front's range), front after front. Feasible
/// candidates come before infeasible ones. Fewer when there are fewer. Deterministic; ties go to the lower index. `explore` is clamped to
/// [0, 1], NaN to 0.
std::vector<Architecture> SelectForEvaluation(absl::Span<const Candidate> candidates, const absl::flat_hash_set<Architecture>& evaluated,
                                              int count, double explore);

/// Which of `networks` lie as far apart as they can: `count` indices in all, of which `first` come first, whatever they are. Each further
/// one is the farthest from all that are chosen, as above: front after front, and from nothing the ends of the first front. Fronts and
/// their ranges are those of all networks, also of the ones in `first`. Fewer when there are fewer, and `first` alone when that is enough.
/// Requires distinct indices. Deterministic; ties go to the lower index.
std::vector<size_t> SelectSpread(absl::Span<const Individual> networks, absl::Span<const size_t> first, size_t count);

}  // namespace hanas

#endif  // HANAS_COORDINATOR_SEARCH_SURROGATE_SEARCH_H_
