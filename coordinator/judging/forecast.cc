// SPDX-License-Identifier: Apache-2.0
#include "coordinator/judging/forecast.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/cost/cost.h"
#include "core/family/convnet/convnet_space.h"

namespace hanas::coordinator {
namespace {

constexpr int64_t kBytesPerWeight = 4;
constexpr int kArtifactsPerFinalist = 2;  // the bound model and the ONNX file

int64_t NumTargets(const SearchJob& job) { return static_cast<int64_t>(TargetsOf(job).size()); }

/// Networks that are trained to the end at most: members for each target, references once.
int64_t NumFinalists(const SearchJob& job) { return NumTargets(job) * job.fine_tune.members + (job.references ? 3 : 0); }

/// The checkpoints that are left of a chain: the last one, and, when it took several tasks, the one before, which carries momentum too.
int64_t ChainCheckpoints(int64_t steps, int64_t chunk_steps) { return steps > chunk_steps ? 3 : 1; }

int64_t DiskBytes(const SearchJob& job, const Lowering& lowering) {
  int64_t weights = 0;
  for (const Slot& slot : lowering.slots().slots()) {
    int64_t count = 1;
    for (const int64_t extent : slot.shape) count *= extent;
    weights += count;
  }
  int64_t checkpoints = ChainCheckpoints(job.training.steps, ChunkSteps(job.training.steps));
  const int64_t fine_tuned = NumTargets(job) * job.fine_tune.members + (job.references ? 2 : 0);
  checkpoints += fine_tuned * ChainCheckpoints(job.fine_tune.steps, MemberChunkSteps(job, job.fine_tune.steps));
  const int64_t long_steps = job.training.steps + job.fine_tune.steps;
  if (job.references) checkpoints += ChainCheckpoints(long_steps, MemberChunkSteps(job, long_steps));
  const int64_t model = GraphCost(lowering.Lower(lowering.space().Largest({16, 16}))).size_bytes;
  return checkpoints * weights * kBytesPerWeight + NumFinalists(job) * kArtifactsPerFinalist * model;
}

/// The rate of the last supernet training task of the search that is done, as it is closest to what comes; 0 when none is done.
double RateOf(const SearchView& view) {
  double rate = 0;
  for (const TaskRecord* task : view.Numbered({.stage = TaskStage::kTrain})) {
    const auto* outcome = task->outcome.has_value() ? std::get_if<TrainOutcome>(&*task->outcome) : nullptr;
    if (outcome != nullptr && outcome->images_per_second > 0) rate = outcome->images_per_second;
  }
  return rate;
}

double RateOfOthers(const SearchView& view, const SearchContext& context) {
  const DatasetSpec& wanted = view.job().dataset;
  double rate = 0;
  for (const auto& [id, other] : view.state().searches) {
    const DatasetSpec& dataset = other.job->dataset;
    if (id == view.record().id || dataset.name != wanted.name || dataset.directory != wanted.directory) continue;
    const double found = RateOf(SearchView(view.state(), other));
    if (found <= 0) continue;
    const absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(other.job->space);
    if (space.ok() && space->space().digest() == context.space().digest()) rate = found;
  }
  return rate;
}

/// The time that measuring takes for one target: what profiling took, and the networks still to come at its pace; 0 before profiling is
/// done.
double MeasuringSecondsOf(const SearchView& view, const SearchContext& context) {
  if (!view.AllDone({.stage = TaskStage::kNetworks})) return 0;
  double operators = 0;
  for (const TaskRecord* task : view.Numbered({.stage = TaskStage::kOperators})) {
    if (task->outcome.has_value()) operators += std::get<MeasureOperatorsOutcome>(*task->outcome).seconds;
  }
  double seconds = 0;
  int64_t networks = 0;
  for (const TaskRecord* task : view.Numbered({.stage = TaskStage::kNetworks})) {
    const auto& outcome = std::get<MeasureNetworksOutcome>(*task->outcome);
    seconds += outcome.seconds;
    networks += static_cast<int64_t>(outcome.rows.size());
  }
  const SearchJob& job = view.job();
  const int64_t rounds = context.searched_whole() ? static_cast<int64_t>(context.space().NumNetworks())
                                                  : static_cast<int64_t>(job.evolution.rounds) * job.evolution.evaluations_per_round;
  const double pace = networks > 0 ? seconds / static_cast<double>(networks) : 0;
  const int64_t finalists = job.fine_tune.members + (job.references ? 3 : 0);
  return operators + seconds + pace * static_cast<double>(rounds + finalists);
}

/// For all targets; 0 before all of them are profiled.
double MeasuringSeconds(const SearchView& view, const SearchContext& context) {
  double seconds = 0;
  for (const SearchView& of_target : view.ForEach()) {
    const double own = MeasuringSecondsOf(of_target, context);
    if (own == 0) return 0;
    seconds += own;
  }
  return seconds;
}

}  // namespace

int64_t ChunkSteps(int64_t steps) { return std::max<int64_t>(1, (steps + 19) / 20); }
int64_t MemberChunkSteps(const SearchJob& job, int64_t steps) { return std::max(ChunkSteps(steps), ChunkSteps(job.training.steps)); }

ForecastRecord CountsOf(const SearchJob& job) {
  ForecastRecord forecast = {.basis = "counts only"};
  forecast.training_steps = job.training.steps + NumTargets(job) * job.fine_tune.members * job.fine_tune.steps;
  if (job.references) forecast.training_steps += 3 * job.fine_tune.steps + job.training.steps;
  const int64_t rounds = NumTargets(job) * job.evolution.rounds * job.evolution.evaluations_per_round;
  forecast.evaluations = job.sampling.networks + (job.budget.max_evaluations > 0 ? std::min(rounds, job.budget.max_evaluations) : rounds);
  return forecast;
}

ForecastRecord ForecastOf(const SearchView& view, SearchContext& context) {
  ForecastRecord forecast = CountsOf(view.job());
  for (const SearchView& of_target : view.ForEach()) {
    if (of_target.target().agent.empty()) continue;
    const absl::StatusOr<const std::vector<OpKey>*> keys = context.Keys(of_target);
    if (keys.ok()) forecast.operator_keys += static_cast<int64_t>((*keys)->size());
  }
  if (context.searched_whole()) forecast.evaluations = static_cast<int64_t>(context.space().NumNetworks());
  forecast.disk_bytes = DiskBytes(view.job(), context.lowering());
  forecast.measuring_seconds = MeasuringSeconds(view, context);
  const double own = RateOf(view);
  const double rate = own > 0 ? own : RateOfOthers(view, context);
  if (rate > 0) forecast.training_seconds = static_cast<double>(forecast.training_steps) * view.job().training.batch_size / rate;
  if (forecast.measuring_seconds > 0) forecast.basis = "measured on this device";
  if (rate > 0) {
    forecast.basis = absl::StrFormat("%s; training at %.0f images/s%s", forecast.basis, rate,
                                     own > 0 ? "" : ", the rate of an earlier search on this dataset and space");
  }
  return forecast;
}

BudgetUse SpentBy(const SearchState& search) {
  BudgetUse spent = {.device_seconds = search.totals.device_seconds, .evaluations = search.totals.round_evaluations};
  for (const PhaseRecord& phase : search.record.phases) spent.wall_seconds += phase.seconds;
  return spent;
}

std::string RoundBudgetReached(const SearchView& view) {
  const BudgetSpec& budget = view.job().budget;
  const BudgetUse spent = SpentBy(view.search());
  if (budget.max_evaluations > 0 && spent.evaluations >= budget.max_evaluations)
    return absl::StrCat("budget.max_evaluations of ", budget.max_evaluations, " was reached");
  if (budget.max_device_seconds > 0 && spent.device_seconds >= budget.max_device_seconds)
    return absl::StrFormat("budget.max_device_seconds of %.0f s was reached", budget.max_device_seconds);
  return "";
}

std::string WallBudgetReached(const SearchJob& job, const BudgetUse& spent) {
  if (job.budget.max_wall_seconds <= 0 || spent.wall_seconds < job.budget.max_wall_seconds) return "";
  return absl::StrFormat("budget.max_wall_seconds of %.0f s was reached", job.budget.max_wall_seconds);
}

}  // namespace hanas::coordinator
