// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/surrogate_search.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/search/algorithms.h"
#include "coordinator/search/hypervolume.h"
#include "coordinator/search/non_dominated_sort.h"
#include "coordinator/search/nsga2.h"

namespace hanas {
namespace {

absl::Status Refuse(absl::string_view option, absl::string_view expected, double found) {
  return absl::InvalidArgumentError(absl::StrCat("surrogate search: ", option, ": expected ", expected, ", found ", found));
}

/// Scores what an algorithm asks for, and keeps the best of it.
class SurrogateSearch {
 public:
  SurrogateSearch(const BatchScorer& scorer, const SurrogateSearchOptions& options) : scorer_(scorer), options_(options) {}

  absl::StatusOr<SurrogateSearchResult> Run(SearchAlgorithm& algorithm) {
    while (result_.evaluations < options_.evaluations) {
      const absl::StatusOr<std::vector<Proposal>> proposals =
          algorithm.Ask(std::min(options_.population, options_.evaluations - result_.evaluations));
      if (absl::IsResourceExhausted(proposals.status())) {
        result_.exhausted = true;
        break;
      }
      if (!proposals.ok()) return proposals.status();
      if (proposals->empty()) return absl::InternalError("surrogate search: expected proposals when all results are told, found none");
      if (absl::Status status = Score(*proposals, algorithm); !status.ok()) return status;
    }
    KeepBest();
    result_.front = front_.members();
    return std::move(result_);
  }

 private:
  absl::Status Score(const std::vector<Proposal>& proposals, SearchAlgorithm& algorithm) {
    std::vector<Architecture> batch;
    for (const Proposal& proposal : proposals) batch.push_back(proposal.architecture);
    std::vector<Evaluation> evaluations(batch.size());
    scorer_(batch, absl::MakeSpan(evaluations));
    std::vector<Result> results;
    for (size_t i = 0; i < proposals.size(); ++i) {
      if (num_objectives_ == 0) num_objectives_ = evaluations[i].objectives.size();
      if (evaluations[i].objectives.empty() || evaluations[i].objectives.size() != num_objectives_) {
        return absl::InvalidArgumentError(absl::StrCat("surrogate search: expected the scorer to give ",
                                                       std::max<size_t>(1, num_objectives_), " objectives, found ",
                                                       evaluations[i].objectives.size()));
      }
      results.push_back({proposals[i].sequence, proposals[i].architecture, evaluations[i]});
      result_.population.push_back({std::move(batch[i]), std::move(evaluations[i])});
      front_.Insert(result_.population.back());
    }
    result_.evaluations += static_cast<int>(results.size());
    if (result_.population.size() >= 2 * static_cast<size_t>(options_.population)) KeepBest();
    return algorithm.Tell(results);
  }

  void KeepBest() { result_.population = SelectSurvivors(result_.population, options_.population); }

  const BatchScorer& scorer_;
  const SurrogateSearchOptions& options_;
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

  /// In the order in which they were taken.
  const std::vector<int>& order() const { return order_; }

  /// What is chosen already: nothing is taken twice, and the others are to be far from it.
  void TakeFirst(absl::Span<const size_t> first) {
    for (const size_t i : first) Take(static_cast<int>(i));
  }

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
  return absl::OkStatus();
}

absl::StatusOr<SurrogateSearchResult> RunSurrogateSearch(const SearchSpace& space, const BatchScorer& scorer,
                                                         absl::Span<const Architecture> initial, const SurrogateSearchOptions& options) {
  if (absl::Status status = options.Validate(); !status.ok()) return status;
  const absl::StatusOr<std::unique_ptr<SearchAlgorithm>> algorithm = CreateAlgorithm(options.algorithm, space,
                                                                                     {.seed = options.seed,
                                                                                      .stream = options.round,
                                                                                      .population = options.population,
                                                                                      .by_generation = true,
                                                                                      .initial = {initial.begin(), initial.end()}});
  if (!algorithm.ok()) return algorithm.status();
  return SurrogateSearch(scorer, options).Run(**algorithm);
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

std::vector<size_t> SelectSpread(absl::Span<const Individual> networks, absl::Span<const size_t> first, size_t count) {
  std::vector<Candidate> candidates;
  for (const Individual& network : networks) candidates.push_back({network, 0});
  BatchSelection selection(std::move(candidates));
  selection.TakeFirst(first);
  selection.TakeSpread(count);
  return {selection.order().begin(), selection.order().end()};
}

}  // namespace hanas
