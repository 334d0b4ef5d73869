// SPDX-License-Identifier: Apache-2.0
#include "coordinator/driver/round_step.h"

#include <algorithm>
#include <cmath>
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
struct Surrogates {
  const CandidateScorer* scorer = nullptr;
  const Goals* goals = nullptr;
  LatencyCalibration calibration;
  AccuracyPredictor predictor;
};

absl::StatusOr<Surrogates> SurrogatesOf(const SearchView& view, SearchContext& context, int round) {
  const absl::StatusOr<const CandidateScorer*> scorer = context.Scorer(view);
  if (!scorer.ok()) return scorer.status();
  const absl::StatusOr<FittedLatency> latency = context.FitLatency(view, round);
  if (!latency.ok()) return latency.status();
  const absl::StatusOr<const Goals*> goals = context.GoalsOfJob(view);
  if (!goals.ok()) return goals.status();
  absl::StatusOr<AccuracyPredictor> predictor = context.Predictor(view, PredictorKey(round));
  if (!predictor.ok()) return predictor.status();
  return Surrogates{*scorer, *goals, latency->fit.calibration, *std::move(predictor)};
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

/// The evaluations of the next round: what the job asks for, cut to what its budget leaves.
int RoundSize(const SearchView& view) {
  const int64_t wanted = view.job().evolution.evaluations_per_round;
  const int64_t budget = view.job().budget.max_evaluations;
  return static_cast<int>(budget > 0 ? std::min(wanted, budget - SpentBy(view.search()).evaluations) : wanted);
}

absl::StatusOr<RoundProposal> ProposeRound(const SearchView& view, SearchContext& context, int round) {
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
                         {.seed = view.job().seed,
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
  absl::flat_hash_set<Architecture> seen;
  for (const EvaluatedNetwork& network : evaluated) seen.insert(network.architecture);
  return RoundProposal{SelectForEvaluation(candidates, seen, RoundSize(view), kExplore), found->evaluations};
}

/// Mean relative error of the predicted latency on networks from `first` on, all of them measured.
double LatencyError(const SearchView& view, const std::vector<EvaluatedNetwork>& networks, size_t first, const CandidateScorer& scorer,
                    const LatencyCalibration& calibration) {
  double errors = 0;
  for (size_t i = first; i < networks.size(); ++i) {
    const double measured_us = StatisticUs(*networks[i].measured, view.job().target.statistic);
    errors += std::abs(ApplyCalibration(scorer.ScoreOne(networks[i].architecture).sum_us, calibration) - measured_us) / measured_us;
  }
  return errors / static_cast<double>(std::max<size_t>(1, networks.size() - first));
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
    reference.push_back(trained ? 1 : kMargin * view.record().profile->ranges[IndexOf(objective)].high);
    whole *= reference.back();
  }
  const absl::StatusOr<double> volume = Hypervolume(front.members(), reference);
  log.hypervolume = volume.ok() ? *volume / whole : 0;
}

/// The one round of a space that is searched whole: nothing was predicted of accuracy.
absl::StatusOr<RoundRecord> LogWhole(const SearchView& view, SearchContext& context) {
  const absl::StatusOr<const CandidateScorer*> scorer = context.Scorer(view);
  if (!scorer.ok()) return scorer.status();
  const absl::StatusOr<FittedLatency> latency = context.FitLatency(view, 0);
  if (!latency.ok()) return latency.status();
  const absl::StatusOr<const Goals*> goals = context.GoalsOfJob(view);
  if (!goals.ok()) return goals.status();
  const LatencyCalibration& calibration = latency->fit.calibration;
  const std::vector<EvaluatedNetwork> all = view.Evaluations(1);
  RoundRecord log = {.round = 1, .evaluations = static_cast<int64_t>(all.size())};
  log.latency_mape = LatencyError(view, all, 0, **scorer, calibration);
  AddFront(view, **goals, all, **scorer, calibration, log);
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

AdvanceSearchUpdate::Event WholeEvent(const RoundRecord& log) {
  return {"round", absl::StrFormat("every network that the space has was evaluated and measured, %d in all: latency error %.1f %%, "
                                   "hypervolume %.4f, front of %d",
                                   log.evaluations, 100 * log.latency_mape, log.hypervolume, log.front_size)};
}

AdvanceSearchUpdate::Event RoundEvent(const RoundRecord& log) {
  return {"round",
          absl::StrFormat("round %d: %d networks evaluated, held-out tau %.2f, latency error %.1f %%, hypervolume %.4f, front of %d",
                          log.round, log.evaluations, log.held_out_tau, 100 * log.latency_mape, log.hypervolume, log.front_size)};
}

}  // namespace

absl::StatusOr<MaybeStep> RoundStep(const SearchView& view, SearchContext& context) {
  AdvanceSearchUpdate step = StepOf(view);
  const auto round = static_cast<int>(view.record().rounds.size());
  const TaskKey evaluate = {.stage = TaskStage::kRoundEvaluate, .round = round};
  const TaskKey measure = {.stage = TaskStage::kRoundMeasure, .round = round};
  const TaskKey predictor = {.stage = TaskStage::kRoundPredictor, .round = round};
  const bool proposed = view.Has(evaluate);
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
    const absl::StatusOr<RoundProposal> proposal =
        whole ? RoundProposal{.architectures = WholeSpace(view, context)} : ProposeRound(view, context, round);
    if (!proposal.ok())
      return FailStep(view, "SEARCH_FAILED", absl::StrCat("proposing round ", round + 1, ": ", proposal.status().message()));
    if (proposal->architectures.empty()) {
      step.events.push_back(
          {"warning", absl::StrCat("the space has no network left that was not evaluated; ", round, " rounds were enough")});
      step.next = SearchPhase::kVerifying;
      return step;
    }
    AddMeasurements(view, context, measure, proposal->architectures, step);
    AddEvaluations(view, context, evaluate, proposal->architectures, step);
    step.candidates_scored = proposal->candidates_scored;
    return step;
  }
  if (!view.AllDone(evaluate) || !view.AllDone(measure)) return std::nullopt;
  if (whole) {
    const absl::StatusOr<RoundRecord> log = LogWhole(view, context);
    if (!log.ok()) return FailStep(view, "SEARCH_FAILED", absl::StrCat("concluding the search: ", log.status().message()));
    step.round = *log;
    step.events.push_back(WholeEvent(*log));
    return step;
  }
  if (!view.Has(predictor)) {
    step.tasks.emplace_back(predictor.ToString(), FitWork{.num_evaluations = static_cast<int64_t>(view.Evaluations(round + 1).size())});
    return step;
  }
  if (view.Done<FitOutcome>(predictor) == nullptr) return std::nullopt;
  const absl::StatusOr<RoundRecord> log = LogRound(view, context, round);
  if (!log.ok()) return FailStep(view, "SEARCH_FAILED", absl::StrCat("concluding round ", round + 1, ": ", log.status().message()));
  step.round = *log;
  step.events.push_back(RoundEvent(*log));
  return step;
}

}  // namespace hanas::coordinator
