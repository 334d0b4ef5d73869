// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SEARCH_VARIATION_H_
#define HANAS_COORDINATOR_SEARCH_VARIATION_H_

#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/types/span.h"
#include "core/base/counter_random.h"
#include "core/space/search_space.h"

namespace hanas {

/// The genetic operators over a space. Children are canonical.
///
/// Immutable, hence thread-safe. `space` is borrowed.
class Variation {
 public:
  explicit Variation(const SearchSpace& space);

  const SearchSpace& space() const { return space_; }
  /// Genes with a choice at all.
  int num_free_genes() const { return static_cast<int>(free_genes_.size()); }

  /// Uniform crossover of gene blocks: the genes of one network block, of one stage's shape, of the stem and of the head are inherited together, each group
  /// from either parent with probability one half.
  Architecture Crossover(const Architecture& a, const Architecture& b, CounterRandom& random) const;
  /// Redraws each active free gene with probability `gene_probability` among its other choices, and at least one: the result differs
  /// from the argument unless the space has a single network.
  Architecture Mutate(Architecture architecture, double gene_probability, CounterRandom& random) const;

 private:
  void Redraw(Architecture& architecture, int gene, CounterRandom& random) const;

  const SearchSpace& space_;
  std::vector<int> free_genes_;
  std::vector<int> group_of_gene_;
  int num_groups_ = 0;
};

}  // namespace hanas

#endif  // HANAS_COORDINATOR_SEARCH_VARIATION_H_
