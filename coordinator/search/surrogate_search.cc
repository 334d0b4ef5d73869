// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/surrogate_search.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/search/hypervolume.h"
#include "coordinator/search/non_dominated_sort.h"
#include "coordinator/search/nsga2.h"
#include "coordinator/search/variation.h"

namespace hanas {
namespace {

bool IsProbability(double value) { return value >= 0 && value <= 1; }

absl::Status Refuse(absl::string_view option, absl::string_view expected, double found) {
  return absl::InvalidArgumentError(absl::StrCat("surrogate search: ", option, ": expected ", expected, ", found ", found));
}

class SurrogateSearch {
 public:
  SurrogateSearch(const SearchSpace& space, const BatchScorer& scorer, const SurrogateSearchOptions& options)
      : variation_(space), scorer_(scorer), options_(options) {}

  absl::StatusOr<SurrogateSearchResult> Run(std::vector<Architecture> initial) {
    if (initial.size() > static_cast<size_t>(options_.evaluations)) initial.resize(static_cast<size_t>(options_.evaluations));
    known_.insert(initial.begin(), initial.end());
    const int missing = options_.population - static_cast<int>(initial.size());
    Grow(missing, initial, [this](CounterRandom& random) { return variation_.space().Random(random); });
    if (absl::Status status = Score(std::move(initial)); !status.ok()) return status;
    while (!result_.exhausted && Left() > 0) {
      std::vector<Architecture> children;
      Grow(options_.population, children, [this](CounterRandom& random) {
        return variation_.Breed(result_.population, {options_.crossover_probability, options_.mutation_probability}, random);
      });
      if (absl::Status status = Score(std::move(children)); !status.ok()) return status;
    }
    result_.front = front_.members();
    return std::move(result_);
  }

 private:
  int Left() const { return options_.evaluations - result_.evaluations; }

  /// Appends up to `count` networks that were not scored, within the budget.
  template <typename Make>
  void Grow(int count, std::vector<Architecture>& batch, Make make) {
    for (int i = 0; i < count && static_cast<int>(batch.size()) < Left(); ++i) {
      CounterRandom random(options_.seed, "surrogate_search/propose", (options_.round << 32) + draws_++);
      std::optional<Architecture> architecture = variation_.FindNew(known_, options_.max_attempts, random, make);
      if (!architecture.has_value()) {
        result_.exhausted = true;
        return;
      }
      known_.insert(*architecture);
      batch.push_back(*std::move(architecture));
    }
  }

  absl::Status Score(std::vector<Architecture> batch) {
    if (batch.empty()) return absl::OkStatus();
    std::vector<Evaluation> evaluations(batch.size());
    scorer_(batch, absl::MakeSpan(evaluations));
    std::vector<Individual> merged = std::move(result_.population);
    if (num_objectives_ == 0) num_objectives_ = evaluations[0].objectives.size();
    for (size_t i = 0; i < batch.size(); ++i) {
      if (evaluations[i].objectives.empty() || evaluations[i].objectives.size() != num_objectives_) {
        return absl::InvalidArgumentError(absl::StrCat("surrogate search: expected the scorer to give ",
                                                       std::max<size_t>(1, num_objectives_), " objectives, found ",
                                                       evaluations[i].objectives.size()));
      }
      merged.push_back({std::move(batch[i]), std::move(evaluations[i])});
      front_.Insert(merged.back());
    }
    result_.evaluations += static_cast<int>(batch.size());
    result_.population = SelectSurvivors(merged, options_.population);
    return absl::OkStatus();
  }

  Variation variation_;
  const BatchScorer& scorer_;
  const SurrogateSearchOptions& options_;
  absl::flat_hash_set<Architecture> known_;
  uint64_t draws_ = 0;
  size_t num_objectives_ = 0;
  ParetoFront front_;
  SurrogateSearchResult result_;
};

/// Picks candidates one by one; knows what is taken.
class BatchSelection {
 public:
  BatchSelection(std::vector<Candidate> candidates) : candidates_(std::move(candidates)), taken_(candidates_.size(), false) {
    std::vector<Individual> individuals;
    for (const Candidate& candidate : candidates_) individuals.push_back(candidate.individual);
    fronts_ = FrontsOf(ConstrainedRanks(individuals));
  }

  size_t num_taken() const { return order_.size(); }

  void TakeSpread(size_t wanted) {
    for (const std::vector<int>& front : fronts_) {
      if (order_.size() >= wanted) return;
      SetScale(front);
      TakeEnds(front, wanted);
      while (order_.size() < wanted && TakeFarthest(front)) {
      }
    }
  }

  void TakeUncertain(size_t wanted) {
    for (const std::vector<int>& front : fronts_) {
      while (order_.size() < wanted) {
        int best = -1;
        for (const int i : front) {
          if (!taken_[static_cast<size_t>(i)] && (best < 0 || Uncertainty(i) > Uncertainty(best))) best = i;
        }
        if (best < 0) break;
        Take(best);
      }
    }
  }

  std::vector<Architecture> Chosen() const {
    std::vector<Architecture> chosen;
    for (const int i : order_) chosen.push_back(candidates_[static_cast<size_t>(i)].individual.architecture);
    return chosen;
  }

 private:
  double Uncertainty(int i) const {
    const double value = candidates_[static_cast<size_t>(i)].uncertainty;
    return std::isnan(value) ? -std::numeric_limits<double>::infinity() : value;
  }
  double Objective(int i, size_t k) const { return candidates_[static_cast<size_t>(i)].individual.evaluation.objectives[k]; }

  void Take(int i) {
    taken_[static_cast<size_t>(i)] = true;
    order_.push_back(i);
  }

  void SetScale(const std::vector<int>& front) {
    scale_.assign(candidates_[static_cast<size_t>(front[0])].individual.evaluation.objectives.size(), 0);
    for (size_t k = 0; k < scale_.size(); ++k) {
      const auto [low, high] =
          std::minmax_element(front.begin(), front.end(), [&](int a, int b) { return Objective(a, k) < Objective(b, k); });
      const double range = Objective(*high, k) - Objective(*low, k);
      if (std::isfinite(range) && range > 0) scale_[k] = 1 / range;
    }
  }

  void TakeEnds(const std::vector<int>& front, size_t wanted) {
    if (!order_.empty()) return;
    for (size_t k = 0; k < scale_.size() && order_.size() < wanted; ++k) {
      const int end = *std::min_element(front.begin(), front.end(), [&](int a, int b) { return Objective(a, k) < Objective(b, k); });
      if (!taken_[static_cast<size_t>(end)]) Take(end);
    }
  }

  double Distance(int a, int b) const {
    double sum = 0;
    for (size_t k = 0; k < scale_.size(); ++k) {
      const double step = scale_[k] > 0 ? (Objective(a, k) - Objective(b, k)) * scale_[k] : 0;
      if (std::isfinite(step)) sum += step * step;
    }
    return sum;
  }

  bool TakeFarthest(const std::vector<int>& front) {
    int best = -1;
    double best_distance = -1;
    for (const int i : front) {
      if (taken_[static_cast<size_t>(i)]) continue;
      double nearest = std::numeric_limits<double>::infinity();
      for (const int j : order_) nearest = std::min(nearest, Distance(i, j));
      if (nearest > best_distance) {
        best = i;
        best_distance = nearest;
      }
    }
    if (best >= 0) Take(best);
    return best >= 0;
  }

  std::vector<Candidate> candidates_;
  std::vector<bool> taken_;
  std::vector<std::vector<int>> fronts_;
  std::vector<double> scale_;
  std::vector<int> order_;
};

}  // namespace

absl::Status SurrogateSearchOptions::Validate() const {
  if (population < 2 || population > 100'000) return Refuse("population", "2 to 100000", population);
  if (evaluations < 1) return Refuse("evaluations", "1 or more", evaluations);
  if (!IsProbability(crossover_probability)) return Refuse("crossover_probability", "0 to 1", crossover_probability);
  if (!IsProbability(mutation_probability)) return Refuse("mutation_probability", "0 to 1", mutation_probability);
  if (max_attempts < 1) return Refuse("max_attempts", "1 or more", max_attempts);
  return absl::OkStatus();
}

absl::StatusOr<SurrogateSearchResult> RunSurrogateSearch(const SearchSpace& space, const BatchScorer& scorer,
                                                         absl::Span<const Architecture> initial, const SurrogateSearchOptions& options) {
  if (absl::Status status = options.Validate(); !status.ok()) return status;
  std::vector<Architecture> start;
  absl::flat_hash_set<Architecture> seen;
  for (Architecture architecture : initial) {
    if (absl::Status status = space.CheckArchitecture(architecture); !status.ok()) return status;
    space.Canonicalise(architecture);
    if (seen.insert(architecture).second) start.push_back(std::move(architecture));
  }
  return SurrogateSearch(space, scorer, options).Run(std::move(start));
}

std::vector<Architecture> SelectForEvaluation(absl::Span<const Candidate> candidates, const absl::flat_hash_set<Architecture>& evaluated,
                                              int count, double explore) {
  std::vector<Candidate> fresh;
  absl::flat_hash_set<Architecture> seen;
  for (const Candidate& candidate : candidates) {
    const Architecture& architecture = candidate.individual.architecture;
    if (!evaluated.contains(architecture) && seen.insert(architecture).second) fresh.push_back(candidate);
  }
  if (fresh.empty() || count <= 0) return {};
  const double fraction = explore > 0 ? std::min(explore, 1.0) : 0;  // NaN gives 0
  const auto wanted = static_cast<size_t>(count);
  BatchSelection selection(std::move(fresh));
  selection.TakeSpread(wanted - static_cast<size_t>(fraction * count));
  selection.TakeUncertain(wanted);
  return selection.Chosen();
}

}  // namespace hanas
