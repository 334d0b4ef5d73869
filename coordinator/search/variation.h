// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SEARCH_VARIATION_H_
#define HANAS_COORDINATOR_SEARCH_VARIATION_H_

#include <functional>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/types/span.h"
#include "coordinator/search/evaluation.h"
#include "core/base/counter_random.h"
#include "core/space/search_space.h"

namespace hanas {

/// How children are made.
struct VariationRates {
  double crossover_probability = 0.9;
  double mutation_probability = 0;  // of each active gene; 0: one over the number of free genes
};

/// The genetic operators over a space. Children are canonical.
///
/// Immutable, hence thread-safe. `space` is borrowed.
class Variation {
 public:
  explicit Variation(const SearchSpace& space);

  const SearchSpace& space() const { return space_; }
  /// Genes with more than one choice, in order.
  const std::vector<int>& free_genes() const { return free_genes_; }

  /// Uniform crossover of groups of genes (Gene::group): each group is inherited whole, from either parent with probability one half; one
  /// that only one parent has any active gene of comes from that parent.
  Architecture Crossover(const Architecture& a, const Architecture& b, CounterRandom& random) const;

  /// Redraws each active free gene with probability `gene_probability` among its other choices, and at least one: the result differs from
  /// the argument unless no gene is free. Genes that thereby become active are drawn too.
  Architecture Mutate(Architecture architecture, double gene_probability, CounterRandom& random) const;

  /// A child of `best_first`: binary tournaments (the lower index wins) choose the parents. Requires at least one individual.
  Architecture Breed(absl::Span<const Individual> best_first, const VariationRates& rates, CounterRandom& random) const;

  /// A network outside `known`: up to `max_attempts` calls of `make`, then as many random networks, then, where the space has no more than
  /// 2^15 combinations, all of them from a random one on. Nothing when all that fails: for a small space, it is exhausted.
  std::optional<Architecture> FindNew(const absl::flat_hash_set<Architecture>& known, int max_attempts, CounterRandom& random,
                                      const std::function<Architecture(CounterRandom&)>& make) const;

 private:
  void Redraw(Architecture& architecture, int gene, CounterRandom& random) const;
  std::optional<Architecture> Enumerate(const absl::flat_hash_set<Architecture>& known, CounterRandom& random) const;
  bool HasAny(const Architecture& architecture, const std::vector<int>& genes) const;

  const SearchSpace& space_;
  std::vector<int> free_genes_;
  std::vector<std::vector<int>> genes_of_group_;
  double num_combinations_ = 1;
};

}  // namespace hanas

#endif  // HANAS_COORDINATOR_SEARCH_VARIATION_H_
