// SPDX-License-Identifier: Apache-2.0
#include "coordinator/driver/round_step.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "coordinator/driver/step_builder.h"
#include "coordinator/judging/forecast.h"
#include "coordinator/judging/judgement.h"
#include "coordinator/search/hypervolume.h"
#include "coordinator/search/nsga2.h"
#include "coordinator/search/surrogate_search.h"
#include "core/statistics/statistics.h"

namespace hanas::coordinator {
namespace {

using MaybeStep = std::optional<AdvanceSearchUpdate>;

constexpr double kExplore = 0.25;  // share of a round that goes to the networks the predictor is least sure of

/// What proposing a round needs. All of it follows from the rounds before.
struct Surrogates : Judging {
  AccuracyPredictor predictor;
};

absl::StatusOr<Surrogates> SurrogatesOf(const SearchView& view, SearchContext& context, int round) {
  const absl::StatusOr<Judging> judging = context.JudgingAfter(view, round);
  if (!judging.ok()) return judging.status();
  absl::StatusOr<AccuracyPredictor> predictor = context.Predictor(view, PredictorKey(round));
  if (!predictor.ok()) return predictor.status();
  return Surrogates{*judging, *std::move(predictor)};
}

BatchScorer SurrogateScorer(const Surrogates& surrogates) {
  return [&surrogates, limits = LimitsForPredictions(surrogates.goals->limits, surrogates.calibration)](
             absl::Span<const Architecture> architectures, absl::Span<Evaluation> evaluations) {
    std::vector<CandidateCost> costs(architectures.size());
    std::vector<AccuracyPrediction> accuracies(architectures.size());
    surrogates.scorer->Score(architectures, absl::MakeSpan(costs));
    surrogates.predictor.Predict(architectures, absl::MakeSpan(accuracies));
    for (size_t i = 0; i < costs.size(); ++i) {
      evaluations[i] = EvaluationOf(*surrogates.goals, CostsOf(costs[i], surrogates.calibration, accuracies[i].mean), limits);
    }
  };
}

struct RoundProposal {
  std::vector<Architecture> architectures;
  int64_t candidates_scored = 0;
};

/// The evaluations of the next round for the view's target: what the job asks for, cut to its share of what the budget leaves to it and
/// the targets after it when those before it have `proposed` so many.
int RoundSize(const SearchView& view, size_t proposed) {
  const int64_t wanted = view.job().evolution.evaluations_per_round;
  const int64_t budget = view.job().budget.max_evaluations;
  if (budget == 0) return static_cast<int>(wanted);
  const int64_t left = std::max<int64_t>(0, budget - SpentBy(view.search()).evaluations - static_cast<int64_t>(proposed));
  const auto sharing = static_cast<int64_t>(view.num_targets() - view.target_index());
  return static_cast<int>(std::min(wanted, (left + sharing - 1) / sharing));
}

/// For the view's target. `proposed` are those of this round that others asked for.
absl::StatusOr<RoundProposal> ProposeRound(const SearchView& view, SearchContext& context, int round,
                                           const absl::flat_hash_set<Architecture>& proposed) {
  const int size = RoundSize(view, proposed.size());
  if (size == 0) return RoundProposal{};
  const absl::StatusOr<Surrogates> surrogates = SurrogatesOf(view, context, round);
  if (!surrogates.ok()) return surrogates.status();
  const std::vector<EvaluatedNetwork> evaluated = view.Evaluations(round);
  const EvolutionSpec& evolution = view.job().evolution;
  std::vector<Architecture> initial;
  const std::vector<Individual> known = TrueIndividuals(view, *surrogates->goals, evaluated, *surrogates->scorer, surrogates->calibration);
  for (const Individual& survivor : SelectSurvivors(known, std::max(2, evolution.population / 2))) {
    initial.push_back(survivor.architecture);
  }
  const BatchScorer scorer = SurrogateScorer(*surrogates);
  const absl::StatusOr<SurrogateSearchResult> found =
      RunSurrogateSearch(context.space(), scorer, initial,
                         {.algorithm = evolution.algorithm,
                          .seed = view.job().seed,
                          .round = static_cast<uint64_t>(round),
                          .population = evolution.population,
                          .evaluations = std::max(evolution.population, evolution.surrogate_evaluations)});
  if (!found.ok()) return found.status();
  std::vector<Candidate> candidates;
  for (const std::vector<Individual>* group : {&found->front, &found->population}) {
    for (const Individual& individual : *group) {
      candidates.push_back({individual, surrogates->predictor.PredictOne(individual.architecture).uncertainty});
    }
  }
  absl::flat_hash_set<Architecture> seen = proposed;
  for (const EvaluatedNetwork& network : evaluated) seen.insert(network.architecture);
  return RoundProposal{SelectForEvaluation(candidates, seen, size, kExplore), found->evaluations};
}

/// Mean relative error of the predicted latency on the networks from `first` on that were measured; nothing when none was.
std::optional<double> LatencyError(const SearchView& view, const std::vector<EvaluatedNetwork>& networks, size_t first,
                                   const CandidateScorer& scorer, const LatencyCalibration& calibration) {
  double errors = 0;
  int measured = 0;
  for (size_t i = first; i < networks.size(); ++i) {
    if (!networks[i].measured.has_value()) continue;  // asked for by another target
    const double measured_us = StatisticUs(*networks[i].measured, view.target_spec().statistic);
    errors += std::abs(ApplyCalibration(scorer.ScoreOne(networks[i].architecture).sum_us, calibration) - measured_us) / measured_us;
    ++measured;
  }
  if (measured == 0) return std::nullopt;
  return errors / measured;
}

/// All networks of a space that is searched whole, or as many as the budget has evaluations for.
std::vector<Architecture> WholeSpace(const SearchView& view, const SearchContext& context) {
  std::vector<Architecture> all = context.space().AllNetworks();
  const auto budget = static_cast<size_t>(view.job().budget.max_evaluations);
  if (budget > 0 && all.size() > budget) all.resize(budget);
  return all;
}

/// The front of all evaluated networks, in the terms of a round's record.
void AddFront(const SearchView& view, const Goals& goals, const std::vector<EvaluatedNetwork>& all, const CandidateScorer& scorer,
              const LatencyCalibration& calibration, RoundRecord& log) {
  // A fixed reference makes the rounds comparable: no accuracy at all, and of everything else a little more than any network costs.
  constexpr double kMargin = 1.1;
  ParetoFront front;
  for (const Individual& individual : TrueIndividuals(view, goals, all, scorer, calibration)) front.Insert(individual);
  log.front_size = static_cast<int64_t>(front.members().size());
  std::vector<double> reference;
  double whole = 1;
  for (const Quantity objective : goals.objectives) {
    const bool trained = RowOf(objective).source == QuantitySource::kImages;
    reference.push_back(trained ? 1 : kMargin * view.target().profile->ranges[IndexOf(objective)].high);
    whole *= reference.back();
  }
  const absl::StatusOr<double> volume = Hypervolume(front.members(), reference);
  log.hypervolume = volume.ok() ? *volume / whole : 0;
}

/// The one round of a space that is searched whole: nothing was predicted of accuracy.
absl::StatusOr<RoundRecord> LogWhole(const SearchView& view, SearchContext& context) {
  const absl::StatusOr<Judging> judging = context.JudgingAfter(view, 0);
  if (!judging.ok()) return judging.status();
  const std::vector<EvaluatedNetwork> all = view.Evaluations(1);
  RoundRecord log = {.round = 1, .evaluations = static_cast<int64_t>(all.size())};
  log.latency_mape = LatencyError(view, all, 0, *judging->scorer, judging->calibration);
  AddFront(view, *judging->goals, all, *judging->scorer, judging->calibration, log);
  return log;
}

/// How the surrogates that proposed a round did on it.
absl::StatusOr<RoundRecord> LogRound(const SearchView& view, SearchContext& context, int round) {
  const absl::StatusOr<Surrogates> before = SurrogatesOf(view, context, round);
  if (!before.ok()) return before.status();
  const std::vector<EvaluatedNetwork> all = view.Evaluations(round + 1);
  const size_t first_new = view.Evaluations(round).size();
  RoundRecord log = {.round = round + 1, .evaluations = static_cast<int64_t>(all.size())};
  std::vector<double> predicted;
  std::vector<double> found;
  for (size_t i = first_new; i < all.size(); ++i) {
    predicted.push_back(before->predictor.PredictOne(all[i].architecture).mean);
    found.push_back(all[i].score.fraction());
  }
  const double tau = KendallTauB(predicted, found);
  log.held_out_tau = std::isnan(tau) ? 0 : tau;  // not defined when all are equal
  log.latency_mape = LatencyError(view, all, first_new, *before->scorer, before->calibration);
  AddFront(view, *before->goals, all, *before->scorer, before->calibration, log);
  return log;
}

/// "latency error 1.2 %, ", or nothing.
std::string LatencyErrorText(const RoundRecord& log) {
  return log.latency_mape.has_value() ? absl::StrFormat("latency error %.1f %%, ", 100 * *log.latency_mape) : "";
}

AdvanceSearchUpdate::Event WholeEvent(const SearchView& view, const RoundRecord& log) {
  return {"round",
          absl::StrFormat("%severy network that the space has was evaluated and measured, %d in all: %shypervolume %.4f, front of %d",
                          view.TargetPrefix(), log.evaluations, LatencyErrorText(log), log.hypervolume, log.front_size)};
}

AdvanceSearchUpdate::Event RoundEvent(const SearchView& view, const RoundRecord& log) {
  return {"round",
          absl::StrFormat("%sround %d: %d networks evaluated, held-out tau %.2f, %shypervolume %.4f, front of %d", view.TargetPrefix(),
                          log.round, log.evaluations, log.held_out_tau, LatencyErrorText(log), log.hypervolume, log.front_size)};
}

/// The tasks of the next round: each target has its own networks measured, and all of them are evaluated once.
absl::StatusOr<AdvanceSearchUpdate> Propose(const SearchView& view, SearchContext& context, int round) {
  AdvanceSearchUpdate step = StepOf(view);
  absl::flat_hash_set<Architecture> proposed;
  for (const SearchView& of_target : view.ForEach()) {
    const absl::StatusOr<RoundProposal> proposal = ProposeRound(of_target, context, round, proposed);
    if (!proposal.ok()) return proposal.status();
    proposed.insert(proposal->architectures.begin(), proposal->architectures.end());
    step.candidates_scored += proposal->candidates_scored;
    AddMeasurements(of_target, context, {.stage = TaskStage::kRoundMeasure, .round = round}, proposal->architectures, step);
    AddEvaluations(of_target, context, {.stage = TaskStage::kRoundEvaluate, .round = round}, proposal->architectures, step);
  }
  return step;
}

/// The one round of a space that is searched whole.
AdvanceSearchUpdate ProposeWhole(const SearchView& view, SearchContext& context, int round) {
  AdvanceSearchUpdate step = StepOf(view);
  const std::vector<Architecture> all = WholeSpace(view, context);
  for (const SearchView& of_target : view.ForEach())
    AddMeasurements(of_target, context, {.stage = TaskStage::kRoundMeasure, .round = round}, all, step);
  AddEvaluations(view, context, {.stage = TaskStage::kRoundEvaluate, .round = round}, all, step);
  return step;
}

/// What is recorded of a round whose networks were all evaluated and measured.
absl::StatusOr<AdvanceSearchUpdate> ConcludeRound(const SearchView& view, SearchContext& context, int round) {
  AdvanceSearchUpdate step = StepOf(view);
  const bool whole = context.searched_whole();
  for (const SearchView& of_target : view.ForEach()) {
    absl::StatusOr<RoundRecord> log = whole ? LogWhole(of_target, context) : LogRound(of_target, context, round);
    if (!log.ok()) return log.status();
    step.events.push_back(whole ? WholeEvent(of_target, *log) : RoundEvent(of_target, *log));
    step.rounds.push_back(*std::move(log));
  }
  return step;
}

}  // namespace

absl::StatusOr<MaybeStep> RoundStep(const SearchView& view, SearchContext& context) {
  AdvanceSearchUpdate step = StepOf(view);
  const auto round = static_cast<int>(view.target().rounds.size());
  const TaskKey evaluate = {.stage = TaskStage::kRoundEvaluate, .round = round};
  const TaskKey measure = {.stage = TaskStage::kRoundMeasure, .round = round};
  const TaskKey predictor = {.stage = TaskStage::kRoundPredictor, .round = round};
  const std::vector<const TaskRecord*> evaluations = view.NumberedOfAll(evaluate);
  const bool proposed = !evaluations.empty();
  const bool whole = context.searched_whole();
  const int rounds = whole ? 1 : view.job().evolution.rounds;
  const bool cut_short = view.record().finishing && view.Done<FitOutcome>(predictor) == nullptr;
  if (cut_short || (!proposed && round >= rounds)) {
    step.next = SearchPhase::kVerifying;
    return step;
  }
  if (!proposed) {
    step.finish_reason = RoundBudgetReached(view);
    if (!step.finish_reason.empty()) {
      step.events.push_back({"finish", absl::StrCat(step.finish_reason, ": verifying the best so far")});
      step.next = SearchPhase::kVerifying;
      return step;
    }
    absl::StatusOr<AdvanceSearchUpdate> proposal = whole ? ProposeWhole(view, context, round) : Propose(view, context, round);
    if (!proposal.ok())
      return FailStep(view, "SEARCH_FAILED", absl::StrCat("proposing round ", round + 1, ": ", proposal.status().message()));
    if (!proposal->tasks.empty()) return *std::move(proposal);
    step.events.push_back(
        {"warning", absl::StrCat("the space has no network left that was not evaluated; ", round, " rounds were enough")});
    step.next = SearchPhase::kVerifying;
    return step;
  }
  if (!AreDone(evaluations) || !AreDone(view.NumberedOfAll(measure))) return std::nullopt;
  if (!whole && !view.Has(predictor)) {
    step.tasks.emplace_back(predictor.ToString(), FitWork{.num_evaluations = static_cast<int64_t>(view.Evaluations(round + 1).size())});
    return step;
  }
  if (!whole && view.Done<FitOutcome>(predictor) == nullptr) return std::nullopt;
  absl::StatusOr<AdvanceSearchUpdate> concluded = ConcludeRound(view, context, round);
  if (!concluded.ok())
    return FailStep(view, "SEARCH_FAILED", absl::StrCat("concluding round ", round + 1, ": ", concluded.status().message()));
  return *std::move(concluded);
}

}  // namespace hanas::coordinator
