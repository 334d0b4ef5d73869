// SPDX-License-Identifier: Apache-2.0
#include "coordinator/judging/search_context.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/bounds.h"
#include "core/cost/cost.h"
#include "core/family/convnet/convnet_space.h"
#include "core/graph/graph.h"
#include "core/job/goals.h"
#include "core/job/job_cost.h"
#include "core/predictor/predictor_weights.h"

namespace hanas::coordinator {

absl::StatusOr<std::unique_ptr<SearchContext>> SearchContext::Create(const SearchJob& job, PlainNetworks plain) {
  absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(job.space);
  if (!space.ok()) return space.status();
  absl::StatusOr<std::optional<PlainNetwork>> teacher = DefineTeacher(job, plain);
  if (!teacher.ok()) return teacher.status();
  const bool whole = IsSearchedWhole(job, space->space());
  return std::unique_ptr<SearchContext>(new SearchContext(*std::move(space), job, whole, std::move(plain.families), *std::move(teacher)));
}

SearchContext::SearchContext(ConvnetSpace space, const SearchJob& job, bool searched_whole, std::vector<PlainFamily> families,
                             std::optional<PlainNetwork> teacher)
    : lowering_(std::move(space)),
      middle_work_(TrainingWork(lowering_.Lower(lowering_.space().Middle({8, 8})))),
      searched_whole_(searched_whole),
      job_(job),
      families_(std::move(families)),
      teacher_(std::move(teacher)),
      targets_(TargetsOf(job).size()) {}

bool SearchContext::has_keys(size_t target) {
  absl::MutexLock lock(&mutex_);
  return targets_[target].keys.has_value();
}

bool SearchContext::has_scorer(size_t target) {
  absl::MutexLock lock(&mutex_);
  return targets_[target].scorer.has_value();
}

absl::Status SearchContext::PrepareKeys(size_t target, const BackendCaps& caps, StopCheck stop) {
  if (!has_keys(target)) {
    absl::StatusOr<std::vector<OpKey>> keys = EnumerateOpKeys(lowering_, caps, stop, bounds::kMaxOperatorKeys);
    if (absl::IsCancelled(keys.status())) return keys.status();
    absl::StatusOr<std::optional<FeasibilityReport>> computed = std::nullopt;
    if (keys.ok()) computed = ProbeComputed(TargetsOf(job_)[target], caps, stop);
    if (absl::IsCancelled(computed.status())) return computed.status();
    absl::MutexLock lock(&mutex_);
    OfTarget& own = targets_[target];
    if (!own.keys.has_value()) {
      own.keys.emplace(std::move(keys));
      if (computed.ok()) own.computed = *std::move(computed);
    }
  }
  absl::MutexLock lock(&mutex_);
  return targets_[target].keys->status();
}

absl::StatusOr<std::optional<FeasibilityReport>> SearchContext::ProbeComputed(const TargetSpec& target, const BackendCaps& caps,
                                                                              StopCheck stop) const {
  const std::vector<size_t> own = LimitsFor(job_, target);
  const auto is_computed = [&](size_t limit) {
    const QuantitySource source = RowOf(*QuantityNamed(job_.limits[limit].of)).source;
    return source == QuantitySource::kPlan || source == QuantitySource::kGraph;
  };
  if (std::none_of(own.begin(), own.end(), is_computed)) return std::nullopt;
  const absl::StatusOr<CandidateScorer> scorer =
      CandidateScorer::Create(lowering_, caps, nullptr, LatencyCalibration{}, bounds::kMaxTableEntries, stop);
  if (absl::IsCancelled(scorer.status())) return scorer.status();
  if (!scorer.ok()) return std::nullopt;
  const std::vector<CostLimit> limits = ComputedLimits(GoalsOf(job_, target, space(), *scorer, LatencyCalibration{}).limits);
  if (limits.empty()) return std::nullopt;
  return ProbeFeasibility(space(), *scorer, LatencyCalibration{}, limits, job_.seed);
}

const FeasibilityReport* SearchContext::ComputedFeasibility(size_t target) {
  absl::MutexLock lock(&mutex_);
  const OfTarget& own = targets_[target];
  return own.computed.has_value() ? &*own.computed : nullptr;
}

absl::Status SearchContext::PrepareScorer(size_t target, const BackendCaps& caps, const LatencyTable* table, StopCheck stop) {
  if (!has_scorer(target)) {
    absl::StatusOr<CandidateScorer> scorer =
        CandidateScorer::Create(lowering_, caps, table, LatencyCalibration{}, bounds::kMaxTableEntries, stop);
    if (absl::IsCancelled(scorer.status())) return scorer.status();
    absl::MutexLock lock(&mutex_);
    OfTarget& own = targets_[target];
    if (!own.scorer.has_value()) own.scorer.emplace(std::move(scorer));
  }
  absl::MutexLock lock(&mutex_);
  return targets_[target].scorer->status();
}

absl::StatusOr<const std::vector<OpKey>*> SearchContext::Keys(const SearchView& view) {
  if (absl::Status status = PrepareKeys(view.target_index(), view.target().caps, NeverStop); !status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  return &**targets_[view.target_index()].keys;
}

absl::StatusOr<const CandidateScorer*> SearchContext::Scorer(const SearchView& view) {
  if (absl::Status status = PrepareScorer(view.target_index(), view.target().caps, view.Table(), NeverStop); !status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  return &**targets_[view.target_index()].scorer;
}

absl::StatusOr<const Goals*> SearchContext::GoalsOfJob(const SearchView& view) {
  {
    absl::MutexLock lock(&mutex_);
    const OfTarget& own = targets_[view.target_index()];
    if (own.goals.has_value()) return &*own.goals;
  }
  const absl::StatusOr<const CandidateScorer*> scorer = Scorer(view);
  if (!scorer.ok()) return scorer.status();
  const absl::StatusOr<FittedLatency> latency = FitLatency(view, 0);
  if (!latency.ok()) return latency.status();
  Goals goals = GoalsOf(view.job(), view.target_spec(), space(), **scorer, latency->fit.calibration);
  absl::MutexLock lock(&mutex_);
  OfTarget& own = targets_[view.target_index()];
  if (!own.goals.has_value()) own.goals.emplace(std::move(goals));
  return &*own.goals;
}

absl::StatusOr<Judging> SearchContext::JudgingAfter(const SearchView& view, int num_rounds) {
  const absl::StatusOr<const CandidateScorer*> scorer = Scorer(view);
  if (!scorer.ok()) return scorer.status();
  const absl::StatusOr<FittedLatency> latency = FitLatency(view, num_rounds);
  if (!latency.ok()) return latency.status();
  const absl::StatusOr<const Goals*> goals = GoalsOfJob(view);
  if (!goals.ok()) return goals.status();
  return Judging{*scorer, *goals, latency->fit.calibration};
}

int64_t SearchContext::StepsAsCostly(const Architecture& architecture, int64_t steps) const {
  if (HasSupernet(job_)) return steps;
  const double ratio = static_cast<double>(middle_work_) / static_cast<double>(TrainingWork(lowering_.Lower(architecture)));
  const double most = std::min(static_cast<double>(kMostSteps) * static_cast<double>(steps), static_cast<double>(bounds::kMaxSteps));
  return static_cast<int64_t>(std::clamp(std::round(ratio * static_cast<double>(steps)), 1.0, most));
}

std::string SearchContext::GraphDigestOf(const Architecture& architecture) const {
  return GraphDigest(lowering_.Lower(architecture)).ToHex();
}

std::string SearchContext::PlanDigestOf(const Architecture& architecture, const BackendCaps& caps) const {
  return PlanDigest(MakePlan(lowering_.Lower(architecture), caps)).ToHex();
}

absl::StatusOr<FittedLatency> SearchContext::FitLatency(const SearchView& view, int num_rounds) {
  const absl::StatusOr<const CandidateScorer*> scorer = Scorer(view);
  if (!scorer.ok()) return scorer.status();
  std::vector<CalibrationPair> fitted;
  std::vector<CalibrationPair> held_out;
  for (const MeasuredNetwork& network : view.Measurements(num_rounds)) {
    const CalibrationPair pair = {.sum_us = (*scorer)->ScoreOne(network.architecture).sum_us,
                                  .measured_us = StatisticUs(network.measurement, view.target_spec().statistic)};
    (network.held_out ? held_out : fitted).push_back(pair);
  }
  absl::StatusOr<CalibrationFit> fit = FitCalibration(fitted);
  if (!fit.ok()) return fit.status();
  FittedLatency result = {.fit = *std::move(fit), .num_fitted = static_cast<int>(fitted.size())};
  result.held_out = EvaluateCalibration(result.fit.calibration, held_out);
  result.uncalibrated = EvaluateCalibration(LatencyCalibration{}, held_out);
  return result;
}

absl::StatusOr<AccuracyPredictor> SearchContext::Predictor(const SearchView& view, const TaskKey& key) const {
  const auto* outcome = view.Done<FitOutcome>(key);
  if (outcome == nullptr) return absl::NotFoundError(absl::StrCat("expected the predictor of ", key.ToString(), ", found none yet"));
  const absl::StatusOr<PredictorWeights> weights = ParsePredictor(outcome->predictor);
  if (!weights.ok()) return weights.status();
  return AccuracyPredictor::Create(space(), *weights);
}

}  // namespace hanas::coordinator
