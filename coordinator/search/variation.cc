// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/variation.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

namespace hanas {
namespace {

constexpr double kEnumerable = 1 << 15;

/// Genes with equal keys are inherited together.
std::pair<int, int> GroupKey(const Gene& gene) {
  constexpr int kStem = -2;
  constexpr int kHead = -1;
  if (gene.stage >= 0) return {gene.stage, gene.block};
  switch (gene.kind) {
    case GeneKind::kResolution:
    case GeneKind::kStemWidth:
    case GeneKind::kStemPrecision:
      return {kStem, 0};
    default:
      return {kHead, 0};
  }
}

uint8_t OtherChoice(const Gene& gene, uint8_t current, CounterRandom& random) {
  const auto choice = static_cast<uint8_t>(random.UniformInt(static_cast<uint64_t>(gene.num_choices - 1)));
  return choice < current ? choice : static_cast<uint8_t>(choice + 1);
}

uint8_t& At(Architecture& architecture, int gene) { return architecture.genes[static_cast<size_t>(gene)]; }
uint8_t At(const Architecture& architecture, int gene) { return architecture.genes[static_cast<size_t>(gene)]; }

}  // namespace

Variation::Variation(const SearchSpace& space) : space_(space) {
  std::map<std::pair<int, int>, int> groups;
  for (int i = 0; i < static_cast<int>(space.genes().size()); ++i) {
    const Gene& gene = space.genes()[static_cast<size_t>(i)];
    if (gene.num_choices > 1) free_genes_.push_back(i);
    num_combinations_ *= gene.num_choices;
    const auto [group, is_new] = groups.emplace(GroupKey(gene), static_cast<int>(groups.size()));
    if (is_new) group_gene_.push_back(i);
    group_of_gene_.push_back(group->second);
  }
}

Architecture Variation::Crossover(const Architecture& a, const Architecture& b, CounterRandom& random) const {
  std::vector<const Architecture*> parent_of_group;
  parent_of_group.reserve(group_gene_.size());
  for (const int gene : group_gene_) {
    const bool from_a = (random.NextUint32() & 1) != 0;
    const Architecture& chosen = from_a ? a : b;
    const Architecture& other = from_a ? b : a;
    parent_of_group.push_back(space_.IsActive(chosen, gene) ? &chosen : &other);
  }
  Architecture child;
  child.genes.reserve(a.genes.size());
  for (size_t i = 0; i < a.genes.size(); ++i) child.genes.push_back(parent_of_group[static_cast<size_t>(group_of_gene_[i])]->genes[i]);
  space_.Canonicalise(child);
  return child;
}

bool Variation::Activates(const Architecture& before, const Architecture& after, int gene) const {
  return !space_.IsActive(before, gene) && space_.IsActive(after, gene);
}

void Variation::Redraw(Architecture& architecture, int gene, CounterRandom& random) const {
  const Gene& drawn = space_.genes()[static_cast<size_t>(gene)];
  if (drawn.kind != GeneKind::kDepth && drawn.kind != GeneKind::kExpansion) {
    At(architecture, gene) = OtherChoice(drawn, At(architecture, gene), random);
    return;
  }
  const Architecture before = architecture;
  At(architecture, gene) = OtherChoice(drawn, At(before, gene), random);
  for (const int dependent : free_genes_) {
    const Gene& candidate = space_.genes()[static_cast<size_t>(dependent)];
    if (candidate.stage != drawn.stage || !Activates(before, architecture, dependent)) continue;
    At(architecture, dependent) = static_cast<uint8_t>(random.UniformInt(static_cast<uint64_t>(candidate.num_choices)));
  }
}

Architecture Variation::Mutate(Architecture architecture, double gene_probability, CounterRandom& random) const {
  bool changed = false;
  for (const int gene : free_genes_) {
    if (!random.Bernoulli(gene_probability) || !space_.IsActive(architecture, gene)) continue;
    Redraw(architecture, gene, random);
    changed = true;
  }
  if (!changed) {
    std::vector<int> active;
    std::copy_if(free_genes_.begin(), free_genes_.end(), std::back_inserter(active),
                 [&](int gene) { return space_.IsActive(architecture, gene); });
    if (!active.empty()) Redraw(architecture, active[random.UniformInt(active.size())], random);
  }
  space_.Canonicalise(architecture);
  return architecture;
}

Architecture Variation::Breed(absl::Span<const Individual> best_first, const VariationRates& rates, CounterRandom& random) const {
  const auto tournament = [&]() -> const Architecture& {
    const uint64_t first = random.UniformInt(best_first.size());
    const uint64_t second = random.UniformInt(best_first.size());
    return best_first[std::min(first, second)].architecture;
  };
  const Architecture& mother = tournament();
  Architecture child = random.Bernoulli(rates.crossover_probability) ? Crossover(mother, tournament(), random) : mother;
  const double probability =
      rates.mutation_probability > 0 ? rates.mutation_probability : 1.0 / static_cast<double>(std::max<size_t>(1, free_genes_.size()));
  return Mutate(std::move(child), probability, random);
}

std::optional<Architecture> Variation::FindNew(const absl::flat_hash_set<Architecture>& known, int max_attempts, CounterRandom& random,
                                               const std::function<Architecture(CounterRandom&)>& make) const {
  for (int attempt = 0; attempt < 2 * max_attempts; ++attempt) {
    Architecture architecture = attempt < max_attempts ? make(random) : space_.Random(random);
    if (!known.contains(architecture)) return architecture;
  }
  return num_combinations_ <= kEnumerable ? Enumerate(known, random) : std::nullopt;
}

std::optional<Architecture> Variation::Enumerate(const absl::flat_hash_set<Architecture>& known, CounterRandom& random) const {
  Architecture raw = {.genes = std::vector<uint8_t>(space_.genes().size(), 0)};
  for (const int gene : free_genes_) {
    At(raw, gene) = static_cast<uint8_t>(random.UniformInt(static_cast<uint64_t>(space_.genes()[static_cast<size_t>(gene)].num_choices)));
  }
  for (double step = 0; step < num_combinations_; ++step) {
    Architecture canonical = raw;
    space_.Canonicalise(canonical);
    if (!known.contains(canonical)) return canonical;
    for (const int gene : free_genes_) {
      if (++At(raw, gene) < space_.genes()[static_cast<size_t>(gene)].num_choices) break;
      At(raw, gene) = 0;
    }
  }
  return std::nullopt;
}

}  // namespace hanas
