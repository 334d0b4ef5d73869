// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SEARCH_NSGA2_H_
#define HANAS_COORDINATOR_SEARCH_NSGA2_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "coordinator/search/ask_tell.h"

namespace hanas {

struct Nsga2Options {
  uint64_t seed = 1;
  uint64_t stream = 0;                 // runs of one seed with other streams draw independently; below 2^32
  int population = 50;                 // 2 to 100 000
  int window = 1;                      // W of SearchAlgorithm, at least 1; 1 is the textbook algorithm, evaluated one by one
  bool by_generation = false;          // the same, but generation by generation: what it proposes next is bred from whole generations
  double crossover_probability = 0.9;  // else the child is a mutant of one parent
  double mutation_probability = 0;     // of each active gene; 0: one over the number of free genes
  int max_attempts = 64;               // at a network that was not proposed before, by variation, then as many at random
  std::vector<Architecture> initial;   // proposed first, duplicates dropped; the rest of the first population is random

  /// Returns INVALID_ARGUMENT naming the option, what was expected and what was found.
  absl::Status Validate() const;
};

/// NSGA-II (Deb et al. 2002) with constraint domination, binary tournaments on (rank, crowding), crossover of gene blocks and
/// mutation over the space's alphabet (see Variation). Survivors are chosen after every `population` results; proposal n breeds from the
/// survivors of the results that its window lets it see. `space` is borrowed and must outlive the result. Returns Nsga2Options::Validate's
/// statuses, and INVALID_ARGUMENT for an initial architecture that is not of the space.
absl::StatusOr<std::unique_ptr<SearchAlgorithm>> CreateNsga2(const SearchSpace& space, Nsga2Options options);

/// The `count` best of `individuals`, best first: front after front, each by descending crowding distance (ties: lower index). All must
/// have the same number of objectives.
std::vector<Individual> SelectSurvivors(absl::Span<const Individual> individuals, int count);

}  // namespace hanas

#endif  // HANAS_COORDINATOR_SEARCH_NSGA2_H_
