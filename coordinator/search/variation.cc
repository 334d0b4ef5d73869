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

uint8_t OtherChoice(const Gene& gene, uint8_t current, CounterRandom& random) {
  const auto choice = static_cast<uint8_t>(random.UniformInt(static_cast<uint64_t>(gene.num_choices() - 1)));
  return choice < current ? choice : static_cast<uint8_t>(choice + 1);
}

uint8_t& At(Architecture& architecture, int gene) { return architecture.genes[static_cast<size_t>(gene)]; }
uint8_t At(const Architecture& architecture, int gene) { return architecture.genes[static_cast<size_t>(gene)]; }

}  // namespace

Variation::Variation(const SearchSpace& space) : space_(space) {
  std::map<absl::string_view, size_t> groups;
  for (int i = 0; i < static_cast<int>(space.genes().size()); ++i) {
    const Gene& gene = space.genes()[static_cast<size_t>(i)];
    if (gene.num_choices() > 1) free_genes_.push_back(i);
    num_combinations_ *= gene.num_choices();
    const auto [group, is_new] = groups.emplace(gene.group, groups.size());
    if (is_new) genes_of_group_.emplace_back();
    genes_of_group_[group->second].push_back(i);
  }
}

bool Variation::HasAny(const Architecture& architecture, const std::vector<int>& genes) const {
  return std::any_of(genes.begin(), genes.end(), [&](int gene) { return space_.IsActive(architecture, gene); });
}

Architecture Variation::Crossover(const Architecture& a, const Architecture& b, CounterRandom& random) const {
  Architecture child = a;
  for (const std::vector<int>& group : genes_of_group_) {
    const bool from_a = (random.NextUint32() & 1) != 0;
    const Architecture& chosen = from_a ? a : b;
    const Architecture& other = from_a ? b : a;
    const Architecture& parent = HasAny(chosen, group) ? chosen : other;
    for (const int gene : group) At(child, gene) = At(parent, gene);
  }
  space_.Canonicalise(child);
  return child;
}

void Variation::Redraw(Architecture& architecture, int gene, CounterRandom& random) const {
  const std::vector<int>& dependents = space_.Dependents(gene);
  std::vector<bool> was_active;
  was_active.reserve(dependents.size());
  for (const int dependent : dependents) was_active.push_back(space_.IsActive(architecture, dependent));
  At(architecture, gene) = OtherChoice(space_.gene(gene), At(architecture, gene), random);
  for (size_t i = 0; i < dependents.size(); ++i) {
    const Gene& dependent = space_.gene(dependents[i]);
    if (dependent.num_choices() == 1 || was_active[i] || !space_.IsActive(architecture, dependents[i])) continue;
    At(architecture, dependents[i]) = static_cast<uint8_t>(random.UniformInt(static_cast<uint64_t>(dependent.num_choices())));
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
    At(raw, gene) = static_cast<uint8_t>(random.UniformInt(static_cast<uint64_t>(space_.genes()[static_cast<size_t>(gene)].num_choices())));
  }
  for (double step = 0; step < num_combinations_; ++step) {
    Architecture canonical = raw;
    space_.Canonicalise(canonical);
    if (!known.contains(canonical)) return canonical;
    for (const int gene : free_genes_) {
      if (++At(raw, gene) < space_.genes()[static_cast<size_t>(gene)].num_choices()) break;
      At(raw, gene) = 0;
    }
  }
  return std::nullopt;
}

}  // namespace hanas
