// SPDX-License-Identifier: Apache-2.0
#include "coordinator/judging/forecast.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/cost/cost.h"
#include "core/family/convnet/convnet_space.h"
#include "core/family/convnet/scaled.h"

namespace hanas::coordinator {
namespace {

constexpr int64_t kBytesPerWeight = 4;
constexpr int kArtifactsPerFinalist = 2;  // the bound model and the ONNX file

int64_t NumTargets(const SearchJob& job) { return static_cast<int64_t>(TargetsOf(job).size()); }

/// How many times what the search spends goes to plain networks, for each target: to each family, and to all-in.
constexpr int kFamilyShares = kPlainFamilies + 1;

bool HasFamilies(const SearchJob& job) { return job.references == ReferencesKind::kFamily; }

/// Networks of a target's report at most that are not members.
int64_t NumReferences(const SearchJob& job) {
  switch (job.references) {
    case ReferencesKind::kNone:
      break;
    case ReferencesKind::kSpace:
      return 3;
    case ReferencesKind::kFamily:
      return kPlainFamilies * NumReturned(job) + 1;
  }
  return 0;
}

/// Networks that are trained to the end at most: members and plain networks for each target, references of the space once.
int64_t NumFinalists(const SearchJob& job) {
  return NumTargets(job) * NumReturned(job) + (HasFamilies(job) ? NumTargets(job) : 1) * NumReferences(job);
}

/// Networks that are evaluated in rounds at most.
int64_t RoundEvaluations(const SearchJob& job) {
  const int64_t rounds = NumTargets(job) * job.evolution.rounds * job.evolution.evaluations_per_round;
  return job.budget.max_evaluations > 0 ? std::min(rounds, job.budget.max_evaluations) : rounds;
}

int64_t PlannedEvaluations(const SearchJob& job) { return job.sampling.networks + RoundEvaluations(job); }

/// The checkpoints that are left of a chain: the last one, and, when it took several tasks, the one before, which carries momentum too.
int64_t ChainCheckpoints(int64_t steps, int64_t chunk_steps) { return steps > chunk_steps ? 3 : 1; }

int64_t DiskBytes(const SearchJob& job, const Lowering& lowering) {
  int64_t weights = 0;
  for (const Slot& slot : lowering.slots().slots()) {
    int64_t count = 1;
    for (const int64_t extent : slot.shape) count *= extent;
    weights += count;
  }
  int64_t checkpoints = 0;
  if (SupernetSteps(job) > 0) checkpoints += ChainCheckpoints(job.training.steps, ChunkSteps(job.training.steps));
  if (job.teacher.steps > 0) checkpoints += ChainCheckpoints(job.teacher.steps, ChunkSteps(job.teacher.steps));
  const bool of_space = job.references == ReferencesKind::kSpace;
  const auto chains = [&](int64_t count, int64_t steps) { return count * ChainCheckpoints(steps, MemberChunkSteps(job, steps)); };
  checkpoints += chains(NumTargets(job) * job.fine_tune.members, job.fine_tune.steps);
  if (job.final.steps > 0) checkpoints += chains(NumTargets(job) * NumReturned(job), job.final.steps);
  if (of_space) checkpoints += chains(2, MemberSteps(job));
  const int64_t long_steps = ScreeningSteps(job, PlannedEvaluations(job)) + MemberSteps(job);
  if (of_space) checkpoints += ChainCheckpoints(long_steps, MemberChunkSteps(job, long_steps));
  // How wide the plain networks are is not known yet; few have more weights than a supernet. Their chains are long.
  if (HasFamilies(job)) checkpoints += NumTargets(job) * NumReferences(job) * 3;
  const int64_t model = GraphCost(lowering.Lower(lowering.space().Largest({16, 16}))).size_bytes;
  return checkpoints * weights * kBytesPerWeight + NumFinalists(job) * kArtifactsPerFinalist * model;
}

/// Of the networks that are trained to the end.
int64_t FinalSteps(const SearchJob& job) { return NumTargets(job) * NumReturned(job) * job.final.steps; }

/// Of teacher, screening and members.
int64_t OwnSteps(const SearchJob& job) {
  return job.teacher.steps + ScreeningSteps(job, PlannedEvaluations(job)) + NumTargets(job) * job.fine_tune.members * job.fine_tune.steps +
         FinalSteps(job);
}

std::string WithNote(std::string basis, const SearchJob& job) {
  if (HasFamilies(job)) absl::StrAppend(&basis, "; ", FamilyNote(job));
  return basis;
}

/// The rate of the last training task of a stage that is done, as it is closest to what comes; 0 when none is done.
double RateOf(const SearchView& view, TaskStage stage) {
  double rate = 0;
  for (const TaskRecord* task : view.Numbered({.stage = stage})) {
    const auto* outcome = task->outcome.has_value() ? std::get_if<TrainOutcome>(&*task->outcome) : nullptr;
    if (outcome != nullptr && outcome->images_per_second > 0) rate = outcome->images_per_second;
  }
  return rate;
}

/// Of one core, while networks were trained alone to be screened: each of them takes as long as the middle one. 0 when none was.
double RateOfScreening(const SearchView& view) {
  double seconds = 0;
  int64_t networks = 0;
  for (const TaskRecord* task : view.Numbered({.stage = TaskStage::kSample})) {
    if (!task->outcome.has_value() || std::get<EvaluateWork>(task->work).steps.empty()) continue;
    const auto& outcome = std::get<EvaluateOutcome>(*task->outcome);
    seconds += outcome.seconds;
    networks += static_cast<int64_t>(outcome.scores.size());
  }
  if (!(seconds > 0)) return 0;
  return static_cast<double>(networks * view.job().sampling.steps) * view.job().training.batch_size / seconds;
}

/// Cores of the workers that are known and not drained, at least one.
int64_t NumCores(const State& state) {
  int64_t cores = 0;
  for (const auto& [id, party] : state.parties) {
    if (!party.agent && !party.draining) cores += party.cores();
  }
  return std::max<int64_t>(1, cores);
}

/// Of a search whose networks are trained alone, with `rate` images a second of one core: what is trained at the same time takes as many
/// cores as there are, and a chain as many as it has shards. A teacher that has not begun is taken to be as fast as the middle network.
double SecondsAlone(const SearchView& view, int64_t screening_steps, double rate) {
  const SearchJob& job = view.job();
  const int64_t shards = job.training.shards;
  const auto seconds = [&](int64_t steps, int64_t most_cores) {
    const int64_t cores = std::min(NumCores(view.state()), most_cores);
    return static_cast<double>(steps * job.training.batch_size) / (rate * static_cast<double>(std::max<int64_t>(1, cores)));
  };
  const int64_t members = NumTargets(job) * job.fine_tune.members;
  const double teachers_rate = RateOf(view, TaskStage::kTeacher);  // on its shards
  const double teacher = teachers_rate > 0 ? static_cast<double>(job.teacher.steps * job.training.batch_size) / teachers_rate
                                           : seconds(job.teacher.steps, shards);
  return teacher + seconds(screening_steps, NumCores(view.state())) + seconds(members * job.fine_tune.steps, members) +
         seconds(FinalSteps(job), NumTargets(job) * NumReturned(job) * shards) + seconds(ReferenceSteps(job), NumReferences(job));
}

/// Of searches on the same dataset and space, whose supernet trained on as many cores.
double RateOfOthers(const SearchView& view, const SearchContext& context) {
  const SearchJob& wanted = view.job();
  double rate = 0;
  for (const auto& [id, other] : view.state().searches) {
    if (id == view.record().id || other.job->training.shards != wanted.training.shards) continue;
    if (other.job->training.numerics != wanted.training.numerics) continue;
    const DatasetSpec& dataset = other.job->dataset;
    if (dataset.name != wanted.dataset.name || dataset.directory != wanted.dataset.directory) continue;
    const double found = RateOf(SearchView(view.state(), other), TaskStage::kTrain);
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
  const int64_t candidates = HasFamilies(job) ? kPlainFamilies * static_cast<int64_t>(WidthFactors().size()) : 0;
  return operators + seconds + pace * static_cast<double>(rounds + NumReturned(job) + NumReferences(job) + candidates);
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
int64_t MemberChunkSteps(const SearchJob& job, int64_t steps) {
  const bool alone = !HasSupernet(job);
  return std::max(ChunkSteps(steps), alone ? job.sampling.steps : ChunkSteps(job.training.steps));
}

int NumReturned(const SearchJob& job) {
  return job.final.steps > 0 ? std::min(job.final.members, job.fine_tune.members) : job.fine_tune.members;
}
int64_t ScreeningSteps(const SearchJob& job, int64_t networks) {
  return HasSupernet(job) ? job.training.steps : networks * job.sampling.steps;
}
int64_t MemberSteps(const SearchJob& job) { return job.fine_tune.steps + job.final.steps; }

int64_t ReferenceSteps(const SearchJob& job) {
  switch (job.references) {
    case ReferencesKind::kNone:
      break;
    case ReferencesKind::kSpace:
      return 3 * MemberSteps(job) + ScreeningSteps(job, PlannedEvaluations(job));
    case ReferencesKind::kFamily:
      return NumTargets(job) * kFamilyShares * OwnSteps(job);
  }
  return 0;
}

std::string FamilyNote(const SearchJob& job) {
  if (!HasFamilies(job)) return "";
  return absl::StrCat("references: family makes it about ", 1 + NumTargets(job) * kFamilyShares, " times as long as the search alone");
}

ForecastRecord CountsOf(const SearchJob& job) {
  ForecastRecord forecast = {.basis = WithNote("counts only", job)};
  forecast.training_steps = OwnSteps(job) + ReferenceSteps(job);
  forecast.evaluations = PlannedEvaluations(job);
  return forecast;
}

ForecastRecord ForecastOf(const SearchView& view, SearchContext& context) {
  ForecastRecord forecast = CountsOf(view.job());
  for (const SearchView& of_target : view.ForEach()) {
    if (of_target.target().agent.empty()) continue;
    const absl::StatusOr<const std::vector<OpKey>*> keys = context.Keys(of_target);
    if (keys.ok()) forecast.operator_keys += static_cast<int64_t>((*keys)->size());
  }
  if (context.searched_whole()) {
    forecast.training_steps -= ScreeningSteps(view.job(), forecast.evaluations);
    forecast.evaluations = static_cast<int64_t>(context.space().NumNetworks());
    forecast.training_steps += ScreeningSteps(view.job(), forecast.evaluations);
  }
  forecast.disk_bytes = DiskBytes(view.job(), context.lowering());
  forecast.measuring_seconds = MeasuringSeconds(view, context);
  const bool alone = !HasSupernet(view.job());
  const double own = alone ? RateOfScreening(view) : RateOf(view, TaskStage::kTrain);
  const double rate = own > 0 || alone ? own : RateOfOthers(view, context);
  if (rate > 0 && alone) {
    forecast.training_seconds = SecondsAlone(view, ScreeningSteps(view.job(), forecast.evaluations), rate);
  } else if (rate > 0) {
    // The rate is the supernet's, which has a core for each shard, as the teacher and the last training of members have; every other
    // network is trained on one. A teacher that has not begun is taken to be as fast as the supernet.
    const TrainingSpec& training = view.job().training;
    const int64_t teachers = view.job().teacher.steps;
    const int64_t in_shards = training.steps + FinalSteps(view.job());
    const int64_t others = (forecast.training_steps - teachers - in_shards) * training.shards;
    const double teachers_rate = RateOf(view, TaskStage::kTeacher);
    forecast.training_seconds = training.batch_size * (static_cast<double>(in_shards + others) / rate +
                                                       static_cast<double>(teachers) / (teachers_rate > 0 ? teachers_rate : rate));
  }
  std::string basis = forecast.measuring_seconds > 0 ? "measured on this device" : "counts only";
  if (rate > 0) {
    absl::StrAppendFormat(&basis, "; training at %.0f images/s%s", rate,
                          own > 0 ? "" : ", the rate of an earlier search on this dataset and space");
  }
  forecast.basis = WithNote(std::move(basis), view.job());
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
