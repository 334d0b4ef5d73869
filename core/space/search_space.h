// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_SPACE_SEARCH_SPACE_H_
#define HANAS_CORE_SPACE_SEARCH_SPACE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/base/counter_random.h"
#include "core/base/digest.h"
#include "core/space/gene.h"

namespace hanas {

/// A point of a search space: for each gene the index of its choice. Canonical when every inactive gene is 0; equal networks have equal
/// canonical genes.
struct Architecture {
  std::vector<uint8_t> genes;
  friend auto operator<=>(const Architecture&, const Architecture&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const Architecture& a) {
    return H::combine(std::move(state), a.genes);
  }
};

/// A search space is a list of genes; it knows no family of networks. What a network of these genes is, the family's lowering says.
///
/// Immutable, hence thread-safe. Copyable.
class SearchSpace {
 public:
  /// `meaning` stands for all that decides what the choices mean and is no gene: the family and what is fixed in its definition. Returns
  /// INVALID_ARGUMENT with the violations of CheckGenes below `path`, and for conditions that depend on one another in more ways than
  /// bounds::kMaxConditionStates.
  static absl::StatusOr<SearchSpace> Create(std::string name, std::vector<Gene> genes, const Digest& meaning,
                                            absl::string_view path = "space.genes");

  const std::string& name() const { return name_; }
  const std::vector<Gene>& genes() const { return genes_; }
  const Gene& gene(int index) const { return genes_[static_cast<size_t>(index)]; }
  std::optional<int> FindGene(absl::string_view name) const;
  /// The genes that are active only for some choices of `gene`, directly or through others, in order.
  const std::vector<int>& Dependents(int gene) const { return dependents_[static_cast<size_t>(gene)]; }
  /// Genes that ask the same question at several places, those of topology first, each list in order: all kernels, all depths, ...
  const std::vector<std::vector<int>>& questions() const { return questions_; }

  /// Of the genes and their meaning, not of the name: equal spaces have equal digests.
  const Digest& digest() const { return digest_; }
  /// The number of distinct networks: exact up to 2^53, rounded above.
  long double NumNetworks() const { return num_networks_; }
  double Log10Size() const;
  /// All of them in canonical form, in lexicographic order of their genes. Requires that they fit in memory.
  std::vector<Architecture> AllNetworks() const;

  /// Returns INVALID_ARGUMENT unless `architecture` has one in-range choice for each gene.
  absl::Status CheckArchitecture(const Architecture& architecture) const;
  /// Sets inactive genes to 0. Requires CheckArchitecture.
  void Canonicalise(Architecture& architecture) const;
  bool IsActive(const Architecture& architecture, int gene) const { return Hold(architecture, all_conditions_[static_cast<size_t>(gene)]); }
  /// `conditions` with those of the genes that they name, so that Hold needs to look at choices alone.
  std::vector<Condition> WithTheirOwn(absl::Span<const Condition> conditions) const;
  /// Whether the choices that `conditions` name are those of `architecture`. Requires WithTheirOwn.
  static bool Hold(const Architecture& architecture, absl::Span<const Condition> conditions) {
    for (const Condition& condition : conditions) {
      if (!condition.Allows(architecture.genes[static_cast<size_t>(condition.gene)])) return false;
    }
    return true;
  }

  /// Uniform over the choices of every gene, then canonical.
  Architecture Random(CounterRandom& random) const;
  /// Last (largest), first (smallest) or middle choice of every topology gene; every precision gene takes its choice closest to
  /// `precision`. A gene with an even number of choices has two middles: such genes take the lower and the upper one in turn.
  Architecture Largest(Precision precision) const;
  Architecture Smallest(Precision precision) const;
  Architecture Middle(Precision precision) const;

  /// Of the space and the canonical genes.
  Digest ArchitectureDigest(const Architecture& architecture) const;
  /// One line, the words of all active genes: "r28 stem16/w8a8 | w24 d2: k3 e3 se hs w8a8,w16a16,w8a8; ... | head128/w8a8,w8a8".
  std::string ToReadable(const Architecture& architecture) const;
  /// A JSON object from active gene name to choice, keys in gene order.
  std::string ToJson(const Architecture& architecture) const;
  std::string ChoiceName(int gene, int choice) const { return ChoiceText(this->gene(gene).choices[static_cast<size_t>(choice)]); }

 private:
  SearchSpace(std::string name, std::vector<Gene> genes, const Digest& meaning);
  Architecture Corner(Precision precision, double position) const;

  std::string name_;
  std::vector<Gene> genes_;
  std::vector<std::vector<Condition>> all_conditions_;  // WithTheirOwn of each gene's
  std::vector<std::vector<int>> dependents_;
  std::vector<std::vector<int>> questions_;
  Digest digest_;
  long double num_networks_ = 0;
};

}  // namespace hanas

#endif  // HANAS_CORE_SPACE_SEARCH_SPACE_H_
