// SPDX-License-Identifier: Apache-2.0
#include "coordinator/driver/profile_step.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "coordinator/driver/step_builder.h"
#include "coordinator/judging/forecast.h"
#include "coordinator/judging/goals.h"
#include "coordinator/state/sharing.h"
#include "core/base/counter_random.h"
#include "core/base/error_reason.h"
#include "core/base/quantity.h"
#include "core/job/goals.h"
#include "core/statistics/statistics.h"

namespace hanas::coordinator {
namespace {

using MaybeStep = std::optional<AdvanceSearchUpdate>;

constexpr size_t kKeysPerTask = 32;  // small enough to be shared out among twins
constexpr int kCalibrationCandidates = 200;
constexpr int kShareSamples = 2000;
constexpr int kProbeEvaluations = 4000;

constexpr double kAcceptedSpread = 0.02;  // of a measurement that is not repeated; what is measured anew differs by as much

/// Tasks for `keys`, numbered after those that the search has.
void AddOperators(const SearchView& view, const std::vector<OpKey>& keys, AdvanceSearchUpdate& step) {
  const TaskKey series = {.stage = TaskStage::kOperators};
  size_t number = view.Numbered(series).size();
  for (size_t begin = 0; begin < keys.size(); begin += kKeysPerTask) {
    MeasureOperatorsWork work;
    for (size_t i = begin; i < std::min(keys.size(), begin + kKeysPerTask); ++i) work.keys.push_back(ToString(keys[i]));
    step.tasks.emplace_back(view.TextOf(series.At(number++)), std::move(work));
  }
}

/// Keys of this search's tasks that are done.
absl::flat_hash_set<std::string> MeasuredKeys(const SearchView& view) {
  absl::flat_hash_set<std::string> keys;
  for (const TaskRecord* task : view.Numbered({.stage = TaskStage::kOperators})) {
    if (task->state != TaskState::kDone) continue;
    const auto& work = std::get<MeasureOperatorsWork>(task->work);
    keys.insert(work.keys.begin(), work.keys.end());
  }
  return keys;
}

/// Spread over predicted latency, among corners and random networks.
absl::StatusOr<std::vector<Architecture>> ChooseNetworks(const SearchView& view, SearchContext& context) {
  const absl::StatusOr<const CandidateScorer*> scorer = context.Scorer(view);
  if (!scorer.ok()) return scorer.status();
  const SearchSpace& space = context.space();
  std::vector<Architecture> architectures;
  absl::flat_hash_set<Architecture> seen;
  const auto add = [&](Architecture architecture) {
    space.Canonicalise(architecture);
    if (seen.insert(architecture).second) architectures.push_back(std::move(architecture));
  };
  for (const Precision precision : {Precision{8, 8}, Precision{16, 16}}) {
    add(space.Smallest(precision));
    add(space.Largest(precision));
  }
  for (uint64_t i = 0; i < kCalibrationCandidates; ++i) {
    CounterRandom random(view.job().seed, "calibrate", i);
    add(space.Random(random));
  }
  std::vector<CalibrationCandidate> candidates;
  for (const Architecture& architecture : architectures) {
    candidates.push_back({(*scorer)->ScoreOne(architecture).sum_us, MakePlan(context.lowering().Lower(architecture), view.target().caps)});
  }
  const MeasureSpec& measure = view.job().measure;
  std::vector<Architecture> chosen;
  for (const int index : ChooseCalibrationNetworks(candidates, measure.calibration_networks + measure.held_out_networks)) {
    chosen.push_back(architectures[static_cast<size_t>(index)]);
  }
  return chosen;
}

double MedianSpread(const SearchView& view, const std::vector<OpKey>& keys) {
  std::vector<double> spreads;
  for (const OpKey& key : keys) {
    if (const LatencyRow* row = view.Table()->Find(key)) spreads.push_back(row->cv);
  }
  return spreads.empty() ? 0 : Median(spreads);
}

absl::StatusOr<ProfileRecord> MakeProfile(const SearchView& view, SearchContext& context, const CandidateScorer& scorer,
                                          const LatencyCalibration& calibration) {
  const BatchCostScorer costs = CostScorer(scorer, calibration);
  const absl::StatusOr<std::vector<ReachableRange>> ranges =
      ReachableRanges(context.space(), costs, {.seed = view.job().seed, .max_evaluations = kProbeEvaluations, .num_starts = 2});
  if (!ranges.ok()) return ranges.status();
  const absl::StatusOr<const std::vector<OpKey>*> keys = context.Keys(view);
  if (!keys.ok()) return keys.status();
  ProfileRecord profile = {.operator_keys = static_cast<int64_t>((*keys)->size()), .operator_cv_median = MedianSpread(view, **keys)};
  for (size_t i = 0; i < ranges->size(); ++i)
    profile.ranges.push_back({std::string(Quantities()[i].metric), (*ranges)[i].min, (*ranges)[i].max});
  const std::vector<CostLimit> all = UntrainedLimits(GoalsOf(view.job(), view.target_spec(), context.space(), scorer, calibration).limits);
  const ShareKept share = EstimateShareKept(context.space(), costs, all, view.job().seed, kShareSamples);
  profile.share_within_limits = all.empty() ? 1 : share.fraction();
  profile.share_samples = all.empty() ? 0 : share.sampled;  // limits that only training decides say nothing yet
  return profile;
}

std::string RangesLine(const ProfileRecord& profile) {
  // A lower end may be typed in as a limit, so it is rounded to where networks are.
  constexpr Rounding kUp = Rounding::kUp;
  std::vector<std::string> parts;
  for (size_t i = 0; i < profile.ranges.size(); ++i) {
    const QuantityRow& row = Quantities()[i];
    const RangeRecord& range = profile.ranges[i];
    parts.push_back(absl::StrCat(row.label, " ", FormatValue(row.id, range.low, kUp), " to ", FormatValue(row.id, range.high, kUp)));
  }
  const std::string reachable = absl::StrCat("reachable: ", absl::StrJoin(parts, ", "));
  if (profile.share_samples == 0) return reachable;
  return absl::StrFormat("%s; the limits that are known before training keep %.1f %% of random networks (%d drawn)", reachable,
                         100 * profile.share_within_limits, profile.share_samples);
}

/// "1200 training steps of the supernet, 56 networks evaluated", or what stands in its place.
std::string ScreeningText(const SearchJob& job, const ForecastRecord& forecast) {
  if (HasSupernet(job))
    return absl::StrFormat("%d training steps of the supernet, %d networks evaluated", job.training.steps, forecast.evaluations);
  return absl::StrFormat("%d networks trained for the cost of %d steps of the middle one, to be told apart", forecast.evaluations,
                         job.sampling.steps);
}

std::string ForecastLine(const SearchJob& job, const ForecastRecord& forecast) {
  const int64_t reference_steps = ReferenceSteps(job);
  const std::string note = FamilyNote(job);
  return absl::StrFormat(
      "to come: %s%s, %d %s for %d steps%s%s, about %.0f s of measuring in "
      "all%s, "
      "%.0f MB of disk%s",
      job.teacher.steps > 0 ? absl::StrFormat("%d steps of the teacher, ", job.teacher.steps) : "", ScreeningText(job, forecast),
      job.fine_tune.members * static_cast<int>(TargetsOf(job).size()), HasSupernet(job) ? "fine-tuned" : "of them trained",
      job.fine_tune.steps,
      job.final.steps > 0
          ? absl::StrFormat(", %d of them trained on for %d", NumReturned(job) * static_cast<int>(TargetsOf(job).size()), job.final.steps)
          : "",
      reference_steps > 0 ? absl::StrFormat(", %d steps of reference training", reference_steps) : "", forecast.measuring_seconds,
      forecast.training_seconds > 0 ? absl::StrFormat(", about %.0f s of training", forecast.training_seconds) : "",
      static_cast<double>(forecast.disk_bytes) / 1e6, note.empty() ? "" : absl::StrCat("; ", note));
}

std::string CalibrationLine(const FittedLatency& latency) {
  const LatencyCalibration& calibration = latency.fit.calibration;
  if (latency.held_out.num_pairs == 0) {
    return absl::StrFormat("latency = %.3f x sum of operators %+.2f us, from %d networks; the space has none left to test it on",
                           calibration.scale, calibration.offset_us, latency.num_fitted);
  }
  return absl::StrFormat(
      "latency = %.3f x sum of operators %+.2f µs, from %d networks; error on %d others %.1f %% (at most %.1f %%), of the plain sum %.1f "
      "%%",
      calibration.scale, calibration.offset_us, latency.num_fitted, latency.held_out.num_pairs, 100 * latency.held_out.mape,
      100 * latency.held_out.max_relative_error, 100 * latency.uncalibrated.mape);
}

/// "target.limits.latency: 60 µs", or "limits: [{of: latency, at_most: 60 µs, confidence: 0.99}]" where the short form cannot say it: as a
/// job file has it.
std::string KeyValue(const SearchView& view, const CostLimit& limit, Rounding rounding) {
  const auto quantity = static_cast<Quantity>(limit.cost);
  const std::string value = FormatValue(quantity, CostOf(quantity, limit.limit), rounding);
  const LimitSpec* spec = FindLimit(view.job(), view.target_spec(), quantity);
  const bool relative = spec != nullptr && !spec->than.empty();
  const bool usual = limit.confidence == 0 || limit.confidence == LimitSpec::kLimitConfidence;
  const bool of_one = spec != nullptr && !spec->target.empty();
  if (usual && !relative && !of_one) return absl::StrCat(view.job().targets.empty() ? "target." : "", "limits.", limit.name, ": ", value);
  const std::string target = of_one ? absl::StrCat(", target: ", spec->target) : "";
  const std::string confidence = usual ? "" : absl::StrCat(", confidence: ", limit.confidence);
  std::string text = absl::StrCat("limits: [{of: ", limit.name, target, ", at_most: ", value, confidence, "}]");
  if (relative) absl::StrAppend(&text, " (the job has ", FormatPercent(spec->bound(), Rounding::kExact), " of ", spec->than, ")");
  return text;
}

/// The limit that a network which costs `value` keeps, also when it is measured again.
std::string LimitText(const SearchView& view, CostLimit limit, double value, const LatencyCalibration& calibration) {
  // The error is relative, so the limit for a prediction is proportional to it.
  const double relative_error = std::max(calibration.relative_error, kAcceptedSpread);
  limit.limit = limit.confidence > 0 ? value / PredictionFor(1, relative_error, limit.confidence) : value;
  return KeyValue(view, limit, Rounding::kUp);
}

/// Whether every target but the view's is profiled.
bool OthersAreProfiled(const SearchView& view) {
  const std::vector<SearchView> views = view.ForEach();
  return std::all_of(views.begin(), views.end(), [&](const SearchView& other) {
    return other.target_index() == view.target_index() || other.target().profile.has_value();
  });
}

absl::StatusOr<MaybeStep> Conclude(const SearchView& view, SearchContext& context) {
  const absl::StatusOr<const CandidateScorer*> scorer = context.Scorer(view);
  if (!scorer.ok()) return scorer.status();
  const absl::StatusOr<FittedLatency> latency = context.FitLatency(view, 0);
  if (!latency.ok()) return FailStep(view, "CALIBRATION_FAILED", absl::StrCat("fitting the latency model: ", latency.status().message()));
  const LatencyCalibration& calibration = latency->fit.calibration;
  const absl::StatusOr<ProfileRecord> profile = MakeProfile(view, context, **scorer, calibration);
  if (!profile.ok()) return profile.status();
  const absl::StatusOr<FeasibilityReport> report = ProbeLimits(view, context, **scorer, calibration);
  if (!report.ok()) return report.status();
  AdvanceSearchUpdate step =
      report->feasible ? StepOf(view) : FailStep(view, std::string(kInfeasibleLimits), InfeasibleMessage(view, *report, calibration));
  step.profile = {view.target_index(), *profile};
  step.events = {{"calibration", absl::StrCat(view.TargetPrefix(), CalibrationLine(*latency))},
                 {"ranges", absl::StrCat(view.TargetPrefix(), RangesLine(*profile))}};
  if (report->feasible && OthersAreProfiled(view)) {
    step.forecast = ForecastOf(view, context);
    step.events.push_back({"forecast", ForecastLine(view.job(), *step.forecast)});
    step.next = SearchPhase::kTraining;
  }
  return step;
}

}  // namespace

std::string InfeasibleMessage(const SearchView& view, const FeasibilityReport& report, const LatencyCalibration& calibration) {
  std::vector<std::string> impossible;
  std::vector<std::string> alternatives;
  std::vector<std::string> together;
  int unmet_alone = 0;
  for (const LimitFinding& finding : report.findings) {
    const double of_witness = report.witness_costs[static_cast<size_t>(finding.limit.cost)];
    if (of_witness > finding.limit.limit) together.push_back(LimitText(view, finding.limit, of_witness, calibration));
    if (finding.nearest_feasible > finding.limit.limit)
      alternatives.push_back(LimitText(view, finding.limit, finding.nearest_feasible, calibration));
    impossible.push_back(KeyValue(view, finding.limit, Rounding::kExact));
    unmet_alone += finding.met_alone ? 0 : 1;
  }
  // Each alternative keeps the other limits, which is enough where at most one of them is out of reach. Else several must be raised at
  // once, to what the network needs that comes closest.
  const bool one_is_enough = !alternatives.empty() && (unmet_alone == 0 || (unmet_alone == 1 && alternatives.size() == 1));
  const std::string advice = one_is_enough ? absl::StrJoin(alternatives, " or ") : absl::StrJoin(together, " and ");
  const bool each_alone = unmet_alone == 0 && impossible.size() > 1;
  return absl::StrCat("no network of the space \"", view.job().space.name, "\" keeps ", absl::StrJoin(impossible, ", "), " on ",
                      view.target().device.device, each_alone ? ", though each of them alone can be kept" : "",
                      "; the nearest that can be kept: ", advice,
                      ". Raise the limit or add smaller choices to the space; nothing was trained");
}

absl::StatusOr<FeasibilityReport> ProbeLimits(const SearchView& view, SearchContext& context, const CandidateScorer& scorer,
                                              const LatencyCalibration& calibration) {
  const std::vector<CostLimit> limits =
      UntrainedLimits(GoalsOf(view.job(), view.target_spec(), context.space(), scorer, calibration).limits);
  return ProbeFeasibility(context.space(), scorer, calibration, limits, view.job().seed);
}

namespace {

/// The next step for the view's target.
absl::StatusOr<MaybeStep> ProfileTarget(const SearchView& view, SearchContext& context) {
  AdvanceSearchUpdate step = StepOf(view);
  const TaskKey operators = {.stage = TaskStage::kOperators};
  const TaskKey networks_key = {.stage = TaskStage::kNetworks};
  if (view.Has(operators) && !view.AllDone(operators)) return std::nullopt;
  const absl::StatusOr<const std::vector<OpKey>*> keys = context.Keys(view);
  if (!keys.ok()) return FailStep(view, std::string(kJobRefused), std::string(keys.status().message()));
  if (const FeasibilityReport* computed = context.ComputedFeasibility(view.target_index()); computed != nullptr && !computed->feasible)
    return FailStep(view, std::string(kInfeasibleLimits), InfeasibleMessage(view, *computed, LatencyCalibration{}));
  const std::vector<OpKey> missing = view.Table() == nullptr ? **keys : view.Table()->Missing(**keys);
  if (!missing.empty()) {
    const absl::flat_hash_set<std::string> measured = MeasuredKeys(view);
    const absl::flat_hash_set<std::string> coming = ComingOperators(view.state(), view.search(), view.target_index());
    std::vector<OpKey> unasked;
    for (const OpKey& key : missing) {
      const std::string text = ToString(key);
      if (measured.contains(text))
        return FailStep(view, "PROFILE_INCOMPLETE", absl::StrCat("the device left \"", text, "\" without a latency"));
      if (!coming.contains(text)) unasked.push_back(key);
    }
    if (unasked.empty()) return std::nullopt;  // another search or target has them measured
    AddOperators(view, unasked, step);
    step.forecast = ForecastOf(view, context);
    return step;
  }
  if (!view.Has(networks_key)) {
    const absl::StatusOr<std::vector<Architecture>> networks = ChooseNetworks(view, context);
    if (!networks.ok()) return networks.status();
    AddMeasurements(view, context, networks_key, *networks, step);
    step.forecast = ForecastOf(view, context);
    return step;
  }
  if (!view.AllDone(networks_key)) return std::nullopt;
  return Conclude(view, context);
}

}  // namespace

absl::StatusOr<MaybeStep> ProfileStep(const SearchView& view, SearchContext& context) {
  // One target a step: what it asks for is known to the next one when that is looked at.
  for (const SearchView& of_target : view.ForEach()) {
    if (of_target.target().profile.has_value()) continue;
    absl::StatusOr<MaybeStep> step = ProfileTarget(of_target, context);
    if (!step.ok() || step->has_value()) return step;
  }
  return std::nullopt;
}

std::vector<Architecture> FeasibleNetworks(const SearchView& view, SearchContext& context) {
  const absl::StatusOr<const CandidateScorer*> scorer = context.Scorer(view);
  const absl::StatusOr<FittedLatency> latency = context.FitLatency(view, 0);
  if (!scorer.ok() || !latency.ok()) return {};
  const absl::StatusOr<FeasibilityReport> report = ProbeLimits(view, context, **scorer, latency->fit.calibration);
  if (!report.ok() || report->findings.empty()) return {};
  return {report->witness};
}

}  // namespace hanas::coordinator
