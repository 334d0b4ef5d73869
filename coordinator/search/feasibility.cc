// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/feasibility.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "coordinator/search/variation.h"

namespace hanas {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kBatch = 64;

/// What a descent minimises, compared in order: limits first, then the quantity.
using Score = std::array<double, 2>;
using ScoreFunction = std::function<Score(const CostVector&)>;

double Clean(double value) { return std::isnan(value) ? kInfinity : value; }

struct Scored {
  Architecture architecture;
  CostVector costs;
  Score score = {kInfinity, kInfinity};
};

/// Minimises functions of the costs over the space by coordinate descent from many starts, then by mutation of the best.
class Prober {
 public:
  Prober(const SearchSpace& space, const BatchCostScorer& scorer, const ProbeOptions& options)
      : variation_(space), space_(space), scorer_(scorer), options_(options) {}

  int64_t evaluations() const { return evaluations_; }

  /// `enough` stops early. `starts` are tried first. Spends at most max_evaluations.
  Scored Minimise(const ScoreFunction& score, absl::Span<const Architecture> starts, const std::function<bool(const Score&)>& enough) {
    budget_ = options_.max_evaluations;
    score_ = &score;
    std::vector<Architecture> all(starts.begin(), starts.end());
    AppendStarts(all);
    std::vector<Scored> scored = Evaluate(std::move(all));
    std::stable_sort(scored.begin(), scored.end(), [](const Scored& a, const Scored& b) { return a.score < b.score; });
    Scored best = scored[0];
    const size_t num_descents = std::min<size_t>(scored.size(), 2 + static_cast<size_t>(options_.num_starts));
    for (size_t i = 0; i < num_descents && budget_ > 0 && !enough(best.score); ++i) {
      Scored found = Descend(scored[i], enough);
      if (found.score < best.score) best = std::move(found);
    }
    return MutateBest(std::move(best), enough);
  }

 private:
  void AppendStarts(std::vector<Architecture>& starts) {
    for (const Precision precision :
         {Precision{16, 16}, Precision{8, 16}, Precision{2, 16}, Precision{8, 8}, Precision{4, 8}, Precision{2, 8}}) {
      starts.push_back(space_.Smallest(precision));
      starts.push_back(space_.Largest(precision));
      starts.push_back(space_.Middle(precision));
    }
    for (int i = 0; i < options_.num_starts; ++i) {
      CounterRandom random(options_.seed, "feasibility/start", static_cast<uint64_t>(i));
      starts.push_back(space_.Random(random));
    }
  }

  /// Those that the budget allows.
  std::vector<Scored> Evaluate(std::vector<Architecture> architectures) {
    if (static_cast<int>(architectures.size()) > budget_) architectures.resize(static_cast<size_t>(std::max(budget_, 0)));
    std::vector<CostVector> costs(architectures.size());
    if (!architectures.empty()) scorer_(architectures, absl::MakeSpan(costs));
    budget_ -= static_cast<int>(architectures.size());
    evaluations_ += static_cast<int64_t>(architectures.size());
    std::vector<Scored> scored;
    for (size_t i = 0; i < architectures.size(); ++i) {
      const Score score = (*score_)(costs[i]);
      scored.push_back({std::move(architectures[i]), std::move(costs[i]), {Clean(score[0]), Clean(score[1])}});
    }
    return scored;
  }

  /// Replaces `best` by the best of `neighbours` when that is better.
  bool Improve(std::vector<Architecture> neighbours, Scored& best) {
    bool improved = false;
    for (Scored& neighbour : Evaluate(std::move(neighbours))) {
      if (!(neighbour.score < best.score)) continue;
      best = std::move(neighbour);
      improved = true;
    }
    return improved;
  }

  /// One gene at a time, and all genes of a question at a time: changing the precision of one layer alone adds conversions.
  Scored Descend(Scored best, const std::function<bool(const Score&)>& enough) {
    bool improved = true;
    while (improved && budget_ > 0 && !enough(best.score)) {
      improved = Improve(QuestionMoves(best.architecture), best);
      for (const int gene : variation_.free_genes()) {
        if (space_.IsActive(best.architecture, gene)) improved |= Improve(GeneMoves(best.architecture, gene), best);
      }
    }
    return best;
  }

  std::vector<Architecture> GeneMoves(const Architecture& from, int gene) const {
    std::vector<Architecture> moves;
    for (int choice = 0; choice < space_.gene(gene).num_choices(); ++choice) {
      if (choice == from.genes[static_cast<size_t>(gene)]) continue;
      Architecture move = from;
      move.genes[static_cast<size_t>(gene)] = static_cast<uint8_t>(choice);
      space_.Canonicalise(move);
      moves.push_back(std::move(move));
    }
    return moves;
  }

  std::vector<Architecture> QuestionMoves(const Architecture& from) const {
    std::vector<Architecture> moves;
    for (const std::vector<int>& genes : space_.questions()) {
      int most = 0;
      for (const int gene : genes) most = std::max(most, space_.gene(gene).num_choices());
      for (int choice = 0; most > 1 && choice < most; ++choice) {
        Architecture move = from;
        for (const int gene : genes) {
          move.genes[static_cast<size_t>(gene)] = static_cast<uint8_t>(std::min(choice, space_.gene(gene).num_choices() - 1));
        }
        space_.Canonicalise(move);
        if (move != from) moves.push_back(std::move(move));
      }
    }
    return moves;
  }

  /// Two genes at a time, at random, until a few batches in a row bring nothing.
  Scored MutateBest(Scored best, const std::function<bool(const Score&)>& enough) {
    constexpr int kPatience = 4;
    const double probability = 2.0 / static_cast<double>(std::max<size_t>(2, variation_.free_genes().size()));
    int fruitless = 0;
    while (fruitless < kPatience && budget_ > 0 && !enough(best.score)) {
      std::vector<Architecture> mutants;
      for (int i = 0; i < kBatch; ++i) {
        CounterRandom random(options_.seed, "feasibility/mutate", num_mutants_++);
        mutants.push_back(variation_.Mutate(best.architecture, probability, random));
      }
      if (Improve(std::move(mutants), best)) {
        best = Descend(std::move(best), enough);
        fruitless = 0;
      } else {
        ++fruitless;
      }
    }
    return best;
  }

  Variation variation_;
  const SearchSpace& space_;
  const BatchCostScorer& scorer_;
  const ProbeOptions& options_;
  const ScoreFunction* score_ = nullptr;
  int budget_ = 0;
  int64_t evaluations_ = 0;
  uint64_t num_mutants_ = 0;
};

bool Never(const Score&) { return false; }

double CostAt(const CostVector& costs, int cost) {
  return cost < static_cast<int>(costs.size()) ? costs[static_cast<size_t>(cost)] : kInfinity;
}

absl::Status CheckLimits(absl::Span<const CostLimit> limits, size_t num_costs) {
  for (const CostLimit& limit : limits) {
    if (!(limit.limit > 0)) {
      return absl::InvalidArgumentError(absl::StrCat("limits.", limit.name, ": expected a limit above 0, found ", limit.limit));
    }
    if (limit.cost < 0 || static_cast<size_t>(limit.cost) >= num_costs) {
      return absl::InvalidArgumentError(
          absl::StrCat("limits.", limit.name, ": expected a cost index below ", num_costs, ", found ", limit.cost));
    }
  }
  return absl::OkStatus();
}

size_t CountCosts(const SearchSpace& space, const BatchCostScorer& scorer) {
  const std::vector<Architecture> one = {space.Smallest({8, 8})};
  std::vector<CostVector> costs(1);
  scorer(one, absl::MakeSpan(costs));
  return costs[0].size();
}

/// The smallest value of one cost among networks that keep all the other limits.
void FindNearest(Prober& prober, absl::Span<const CostLimit> limits, size_t index, const std::vector<Architecture>& starts,
                 FeasibilityReport& report) {
  std::vector<CostLimit> others(limits.begin(), limits.end());
  others.erase(others.begin() + static_cast<ptrdiff_t>(index));
  const CostLimit& limit = limits[index];
  const auto score = [&](const CostVector& costs) { return Score{TotalViolation(costs, others), CostAt(costs, limit.cost)}; };
  const Scored best = prober.Minimise(score, starts, Never);
  LimitFinding& finding = report.findings[index];
  finding.nearest_feasible = best.score[0] <= 0 ? best.score[1] : finding.min_reachable;
  if (best.score[0] <= 0 && best.score[1] <= limit.limit) {
    report.feasible = true;
    report.witness = best.architecture;
    report.witness_costs = best.costs;
  }
}

}  // namespace

absl::Status ProbeOptions::Validate() const {
  if (max_evaluations < 100)
    return absl::InvalidArgumentError(absl::StrCat("probe: max_evaluations: expected 100 or more, found ", max_evaluations));
  if (num_starts < 0) return absl::InvalidArgumentError(absl::StrCat("probe: num_starts: expected 0 or more, found ", num_starts));
  return absl::OkStatus();
}

double TotalViolation(const CostVector& costs, absl::Span<const CostLimit> limits) {
  double total = 0;
  for (const CostLimit& limit : limits) {
    const double cost = Clean(CostAt(costs, limit.cost));
    if (cost > limit.limit) total += (cost - limit.limit) / limit.limit;
  }
  return total;
}

absl::StatusOr<FeasibilityReport> FindFeasibility(const SearchSpace& space, const BatchCostScorer& scorer,
                                                  absl::Span<const CostLimit> limits, const ProbeOptions& options) {
  if (absl::Status status = options.Validate(); !status.ok()) return status;
  if (absl::Status status = CheckLimits(limits, CountCosts(space, scorer)); !status.ok()) return status;
  Prober prober(space, scorer, options);
  FeasibilityReport report;
  std::vector<Architecture> starts;
  for (const CostLimit& limit : limits) {
    const Scored best = prober.Minimise([&](const CostVector& costs) { return Score{CostAt(costs, limit.cost), 0}; }, starts, Never);
    report.findings.push_back(
        {.limit = limit, .min_reachable = best.score[0], .nearest_feasible = limit.limit, .met_alone = best.score[0] <= limit.limit});
    starts.push_back(best.architecture);
  }
  const Scored closest = prober.Minimise([&](const CostVector& costs) { return Score{TotalViolation(costs, limits), 0}; }, starts,
                                         [](const Score& score) { return score[0] <= 0; });
  report.witness = closest.architecture;
  report.witness_costs = closest.costs;
  report.feasible = closest.score[0] <= 0;
  for (size_t i = 0; i < limits.size() && !report.feasible; ++i) FindNearest(prober, limits, i, starts, report);
  if (report.feasible) {
    for (LimitFinding& finding : report.findings) finding.nearest_feasible = finding.limit.limit;
  }
  report.evaluations = prober.evaluations();
  return report;
}

std::string FeasibilityReport::ToString() const {
  if (feasible) return "";
  std::vector<std::string> lines;
  const bool alone = std::all_of(findings.begin(), findings.end(), [](const LimitFinding& finding) { return finding.met_alone; });
  for (const LimitFinding& finding : findings) {
    const std::string& name = finding.limit.name;
    if (!finding.met_alone) {
      lines.push_back(absl::StrFormat("%s: limit %.6g cannot be met; the nearest feasible value found is %.6g", name, finding.limit.limit,
                                      finding.nearest_feasible));
    } else if (alone) {
      lines.push_back(absl::StrFormat(
          "%s: limit %.6g cannot be met together with the other limits; the nearest feasible value found is %.6g (alone: %.6g)", name,
          finding.limit.limit, finding.nearest_feasible, finding.min_reachable));
    }
  }
  return absl::StrJoin(lines, "\n");
}

absl::StatusOr<std::vector<ReachableRange>> ReachableRanges(const SearchSpace& space, const BatchCostScorer& scorer,
                                                            const ProbeOptions& options) {
  if (absl::Status status = options.Validate(); !status.ok()) return status;
  Prober prober(space, scorer, options);
  std::vector<ReachableRange> ranges(CountCosts(space, scorer));
  for (size_t i = 0; i < ranges.size(); ++i) {
    const auto cost = static_cast<int>(i);
    const Scored low = prober.Minimise([&](const CostVector& costs) { return Score{CostAt(costs, cost), 0}; }, {}, Never);
    const Scored high = prober.Minimise([&](const CostVector& costs) { return Score{-CostAt(costs, cost), 0}; }, {}, Never);
    ranges[i] = {low.score[0], -high.score[0], low.architecture, high.architecture};
  }
  return ranges;
}

ShareKept EstimateShareKept(const SearchSpace& space, const BatchCostScorer& scorer, absl::Span<const CostLimit> limits, uint64_t seed,
                            int num_samples) {
  ShareKept share;
  constexpr int kSamplesPerBatch = 1024;
  while (share.sampled < num_samples) {
    std::vector<Architecture> batch;
    for (int i = 0; i < std::min(kSamplesPerBatch, num_samples - share.sampled); ++i) {
      CounterRandom random(seed, "feasibility/share", static_cast<uint64_t>(share.sampled + i));
      batch.push_back(space.Random(random));
    }
    std::vector<CostVector> costs(batch.size());
    scorer(batch, absl::MakeSpan(costs));
    share.kept +=
        static_cast<int>(std::count_if(costs.begin(), costs.end(), [&](const CostVector& c) { return TotalViolation(c, limits) == 0; }));
    share.sampled += static_cast<int>(batch.size());
  }
  return share;
}

}  // namespace hanas
