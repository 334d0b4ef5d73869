// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/nsga2.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/search/non_dominated_sort.h"
#include "coordinator/search/recorded_search.h"
#include "coordinator/search/variation.h"

namespace hanas {
namespace {

bool IsProbability(double value) { return value >= 0 && value <= 1; }

absl::Status Refuse(absl::string_view option, absl::string_view expected, double found) {
  return absl::InvalidArgumentError(absl::StrCat("nsga2: ", option, ": expected ", expected, ", found ", found));
}

class Nsga2 final : public RecordedSearch {
 public:
  Nsga2(const SearchSpace& space, Nsga2Options options)
      : RecordedSearch(options.window, options.by_generation ? options.population : 1), variation_(space), options_(std::move(options)) {
    absl::flat_hash_set<Architecture> seen;
    std::erase_if(options_.initial, [&](const Architecture& architecture) { return !seen.insert(architecture).second; });
  }

 private:
  struct Generation {
    uint64_t number = 0;
    std::vector<Individual> survivors;  // best first
  };

  uint64_t population() const { return static_cast<uint64_t>(options_.population); }

  /// The survivors that a proposal may breed from; empty before the first generation is complete.
  absl::Span<const Individual> Parents(uint64_t sequence) {
    const uint64_t number = NumVisible(sequence) / population();
    // Proposals never look further back than those before them.
    while (generations_.size() > 1 && generations_[0].number < number) generations_.erase(generations_.begin());
    return generations_.empty() || generations_[0].number != number ? absl::Span<const Individual>() : generations_[0].survivors;
  }

  std::optional<Architecture> Propose(uint64_t sequence) override {
    if (sequence < options_.initial.size()) return options_.initial[sequence];
    const absl::Span<const Individual> parents = Parents(sequence);
    CounterRandom random(options_.seed, "nsga2/propose", (options_.stream << 32) + sequence);
    return variation_.FindNew(proposed(), options_.max_attempts, random, [&](CounterRandom& draws) {
      return parents.empty() ? variation_.space().Random(draws)
                             : variation_.Breed(parents, {options_.crossover_probability, options_.mutation_probability}, draws);
    });
  }

  void OnTold() override {
    if (num_told() % population() != 0) return;
    const uint64_t number = num_told() / population();
    std::vector<Individual> merged;
    if (!generations_.empty()) merged = generations_.back().survivors;
    for (uint64_t i = num_told() - population(); i < num_told(); ++i) merged.push_back({proposals()[i], evaluations()[i]});
    generations_.push_back({number, SelectSurvivors(merged, options_.population)});
  }

  Variation variation_;
  Nsga2Options options_;
  std::vector<Generation> generations_;  // consecutive; the first is the one that the next proposal may breed from, or an earlier one
};

}  // namespace

absl::Status Nsga2Options::Validate() const {
  if (population < 2 || population > 100'000) return Refuse("population", "2 to 100000", population);
  if (window < 1) return Refuse("window", "1 or more", window);
  if (!IsProbability(crossover_probability)) return Refuse("crossover_probability", "0 to 1", crossover_probability);
  if (!IsProbability(mutation_probability)) return Refuse("mutation_probability", "0 to 1", mutation_probability);
  if (max_attempts < 1) return Refuse("max_attempts", "1 or more", max_attempts);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<SearchAlgorithm>> CreateNsga2(const SearchSpace& space, Nsga2Options options) {
  if (absl::Status status = options.Validate(); !status.ok()) return status;
  for (Architecture& architecture : options.initial) {
    if (absl::Status status = space.CheckArchitecture(architecture); !status.ok()) return status;
    space.Canonicalise(architecture);
  }
  return std::make_unique<Nsga2>(space, std::move(options));
}

std::vector<Individual> SelectSurvivors(absl::Span<const Individual> individuals, int count) {
  std::vector<Individual> survivors;
  if (individuals.empty() || count <= 0) return survivors;
  const size_t num_objectives = individuals[0].evaluation.objectives.size();
  std::vector<double> objectives;
  objectives.reserve(individuals.size() * num_objectives);
  for (const Individual& individual : individuals) {
    objectives.insert(objectives.end(), individual.evaluation.objectives.begin(), individual.evaluation.objectives.end());
  }
  const auto wanted = static_cast<size_t>(count);
  survivors.reserve(std::min(wanted, individuals.size()));
  for (const std::vector<int>& front : FrontsOf(ConstrainedRanks(individuals))) {
    if (survivors.size() >= wanted) break;
    const std::vector<double> distances = CrowdingDistances(objectives, static_cast<int>(num_objectives), front);
    std::vector<size_t> order(front.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return distances[a] > distances[b]; });
    for (const size_t i : order) {
      if (survivors.size() < wanted) survivors.push_back(individuals[static_cast<size_t>(front[i])]);
    }
  }
  return survivors;
}

}  // namespace hanas
