// SPDX-License-Identifier: Apache-2.0
#include "coordinator/driver/search_driver.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "coordinator/driver/choose_members.h"
#include "coordinator/driver/finalists.h"
#include "coordinator/driver/opponents.h"
#include "coordinator/driver/profile_step.h"
#include "coordinator/driver/round_step.h"
#include "coordinator/driver/step_builder.h"
#include "coordinator/judging/forecast.h"
#include "coordinator/judging/plain_network.h"
#include "coordinator/scheduling/target_agent.h"
#include "coordinator/state/task_text.h"
#include "coordinator/state/train_member.h"
#include "core/base/bounds.h"
#include "core/base/counter_random.h"

namespace hanas::coordinator {
namespace {

using MaybeStep = std::optional<AdvanceSearchUpdate>;

/// Why plain networks are left out of the report of a search that was finished before they were verified.
constexpr char kFinishedEarly[] = "FINISHED_EARLY";

/// Binds every target to its device, once all of them are there.
MaybeStep BindAgents(const SearchView& view) {
  AdvanceSearchUpdate step = StepOf(view);
  for (const TargetSpec& target : TargetsOf(view.job())) {
    const PartyRecord* agent = FindTargetAgent(view.state(), target);
    if (agent == nullptr) return std::nullopt;
    step.bindings.push_back({.agent = agent->name, .device = agent->device, .caps = agent->caps});
  }
  step.next = SearchPhase::kProfiling;
  return step;
}

/// The next task of a chain of training, none while one is under way or all are done.
std::optional<std::pair<std::string, Work>> NextChunk(const SearchView& view, const TaskKey& chain, const TrainWork& first,
                                                      int64_t chunk_steps) {
  const std::vector<const TaskRecord*> tasks = view.Numbered(chain);
  TrainWork work = first;
  if (!tasks.empty()) {
    if (tasks.back()->state != TaskState::kDone) return std::nullopt;
    work.from_step = std::get<TrainWork>(tasks.back()->work).to_step;
    if (work.from_step >= first.total_steps) return std::nullopt;
    work.initial = std::get<TrainOutcome>(*tasks.back()->outcome).checkpoint;
  }
  work.to_step = std::min(first.total_steps, work.from_step + chunk_steps);
  return std::pair(view.TextOf(chain.At(tasks.size())), Work(work));
}

/// The next piece of the teacher's training, if one is due. True while it is not trained.
bool TrainTeacher(const SearchView& view, const SearchContext& context, AdvanceSearchUpdate& step) {
  const TaskKey chain = {.stage = TaskStage::kTeacher};
  const PlainNetwork* const teacher = context.teacher();
  if (teacher == nullptr || view.ChainEnd(chain) != nullptr) return false;
  TrainWork first = {
      .kind = TrainingKind::kTeacher, .slice = teacher->architecture(), .total_steps = view.job().teacher.steps, .space = teacher->spec()};
  // What was begun goes on as it is, also where the preset has changed since.
  if (const TaskRecord* begun = view.Task(chain)) {
    first.slice = std::get<TrainWork>(begun->work).slice;
    first.space = std::get<TrainWork>(begun->work).space;
  }
  auto chunk = NextChunk(view, chain, first, ChunkSteps(first.total_steps));
  if (chunk.has_value()) step.tasks.push_back(*std::move(chunk));
  return true;
}

MaybeStep Train(const SearchView& view, SearchContext& context) {
  AdvanceSearchUpdate step = StepOf(view);
  if (TrainTeacher(view, context, step)) return step.tasks.empty() ? MaybeStep() : step;
  const TrainWork first = {.kind = TrainingKind::kSupernet, .total_steps = view.job().training.steps, .teacher = TeacherOf(view, context)};
  const TaskKey chain = {.stage = TaskStage::kTrain};
  if (!HasSupernet(view.job()) || view.ChainEnd(chain) != nullptr) {
    step.next = SearchPhase::kSampling;
    return step;
  }
  auto chunk = NextChunk(view, chain, first, ChunkSteps(first.total_steps));
  if (!chunk.has_value()) return std::nullopt;
  // The second task of training: the rate of the first is known.
  if (view.Has(chain) && !view.Has(chain.At(1))) step.forecast = ForecastOf(view, context);
  step.tasks.push_back(*std::move(chunk));
  return step;
}

/// Whether a network keeps the limits of some target, as far as they are known before training.
absl::StatusOr<std::function<bool(const Architecture&)>> WithinLimits(const SearchView& view, SearchContext& context) {
  std::vector<std::pair<Judging, std::vector<CostLimit>>> targets;
  for (const SearchView& of_target : view.ForEach()) {
    const absl::StatusOr<Judging> judging = context.JudgingAfter(of_target, 0);
    if (!judging.ok()) return judging.status();
    targets.emplace_back(*judging, UntrainedLimits(LimitsForPredictions(judging->goals->limits, judging->calibration)));
  }
  return [targets = std::move(targets)](const Architecture& architecture) {
    return std::any_of(targets.begin(), targets.end(), [&](const auto& target) {
      const auto& [judging, limits] = target;
      return TotalViolation(CostsOf(judging.scorer->ScoreOne(architecture), judging.calibration), limits) <= 0;
    });
  };
}

/// All distinct. With a supernet, which is the same for all limits, corners at 8 and 16 bits and then random ones: a function of space,
/// seed and sampling alone. Networks that are trained alone cost more: random ones within the limits, and others only where those are too
/// few.
absl::StatusOr<std::vector<Architecture>> ChooseSamples(const SearchView& view, SearchContext& context) {
  constexpr uint64_t kDrawsForEach = 50;
  const SearchSpace& space = context.space();
  const auto wanted = static_cast<size_t>(std::max(bounds::kFewestForPredictor, view.job().sampling.networks));
  std::vector<Architecture> samples;
  absl::flat_hash_set<Architecture> seen;
  const auto add = [&](Architecture architecture) {
    space.Canonicalise(architecture);
    if (samples.size() < wanted && seen.insert(architecture).second) samples.push_back(std::move(architecture));
  };
  std::function<bool(const Architecture&)> is_wanted = [](const Architecture&) { return true; };
  if (!HasSupernet(view.job())) {
    absl::StatusOr<std::function<bool(const Architecture&)>> within = WithinLimits(view, context);
    if (!within.ok()) return within.status();
    is_wanted = *std::move(within);
  } else {
    for (const Precision precision : {Precision{8, 8}, Precision{16, 16}}) {
      add(space.Largest(precision));
      add(space.Middle(precision));
      add(space.Smallest(precision));
    }
  }
  std::vector<Architecture> others;
  for (uint64_t i = 0; samples.size() < wanted && i < kDrawsForEach * wanted; ++i) {
    CounterRandom random(view.job().seed, "sample", i);
    Architecture drawn = space.Random(random);
    if (is_wanted(drawn)) {
      add(std::move(drawn));
    } else if (others.size() < wanted) {
      others.push_back(std::move(drawn));
    }
  }
  for (Architecture& other : others) add(std::move(other));
  return samples;
}

/// Evaluations of networks that are known to keep the limits of a target and are not among the samples, so that it has one within them
/// however narrow they are.
void AddWitnesses(const SearchView& view, SearchContext& context, AdvanceSearchUpdate& step) {
  absl::flat_hash_set<Architecture> asked;
  for (const EvaluatedNetwork& sample : view.Evaluations(0)) asked.insert(sample.architecture);
  for (const SearchView& of_target : view.ForEach()) {
    std::vector<Architecture> witnesses = FeasibleNetworks(of_target, context);
    for (Architecture& architecture : witnesses) context.space().Canonicalise(architecture);
    std::erase_if(witnesses, [&](const Architecture& architecture) { return !asked.insert(architecture).second; });
    AddEvaluations(of_target, context, {.stage = TaskStage::kWitness}, witnesses, step);
  }
}

absl::StatusOr<MaybeStep> Sample(const SearchView& view, SearchContext& context) {
  AdvanceSearchUpdate step = StepOf(view);
  if (view.record().finishing) {
    step.next = SearchPhase::kVerifying;
    return step;
  }
  if (context.searched_whole()) {
    step.next = SearchPhase::kSearching;  // all networks are its one round
    return step;
  }
  const TaskKey samples = {.stage = TaskStage::kSample};
  const TaskKey predictor = {.stage = TaskStage::kSamplePredictor};
  const TaskKey witness = {.stage = TaskStage::kWitness};
  if (!view.Has(samples)) {
    const absl::StatusOr<std::vector<Architecture>> chosen = ChooseSamples(view, context);
    if (!chosen.ok()) return chosen.status();
    AddEvaluations(view, context, samples, *chosen, step);
    return step;
  }
  if (!view.AllDone(samples)) return std::nullopt;
  if (!view.Has(predictor)) {
    step.tasks.emplace_back(predictor.ToString(), FitWork{.num_evaluations = static_cast<int64_t>(view.Evaluations(0).size())});
    return step;
  }
  const auto* fit = view.Done<FitOutcome>(predictor);
  if (fit == nullptr) return std::nullopt;
  const std::vector<const TaskRecord*> witnesses = view.NumberedOfAll(witness);
  if (witnesses.empty()) {
    AddWitnesses(view, context, step);
    if (!step.tasks.empty()) return step;
  }
  if (!AreDone(witnesses)) return std::nullopt;
  // The rate of what is trained alone is known by now.
  if (!HasSupernet(view.job())) step.forecast = ForecastOf(view, context);
  const int64_t fitted = std::get<FitWork>(view.Task(predictor)->work).num_evaluations;
  step.events.push_back({"predictor", absl::StrFormat("accuracy predictor (%s): held-out tau %.2f, error %.2f points, from %d networks",
                                                      fit->kind, fit->held_out_tau, 100 * fit->held_out_rmse, fitted)});
  step.next = SearchPhase::kSearching;
  return step;
}

TrainWork FirstChunk(const SearchView& view, const SearchContext& context, const MemberRecord& member) {
  TrainWork work = {
      .kind = member.training, .slice = member.architecture, .total_steps = member.steps, .teacher = TeacherOf(view, context)};
  if (member.training == TrainingKind::kFineTune) work.initial = view.ChainEnd({.stage = TaskStage::kTrain})->checkpoint;
  if (member.opponent.has_value()) work.space = member.opponent->space;
  return work;
}

/// What exports a network from where its training ended.
absl::StatusOr<BindWork> BindingOf(const SearchContext& context, const MemberRecord& member, const ArtifactRef& checkpoint) {
  if (!member.opponent.has_value()) return BindWork{checkpoint, member.architecture, context.GraphDigestOf(member.architecture)};
  const absl::StatusOr<PlainNetwork> network = PlainNetwork::Define(member.opponent->space);
  if (!network.ok()) return network.status();
  return BindWork{checkpoint, member.architecture, network->GraphDigestText(), member.opponent->space};
}

bool IsUnverifiedOpponent(const SearchView& view, const MemberRecord& member) {
  return member.opponent.has_value() && view.Done<VerifyOutcome>(view.MemberKey(TaskStage::kMemberVerify, member)) == nullptr;
}

/// The networks that are trained: not left out, and of which it is known for how long.
std::vector<MemberRecord> TrainedMembers(const SearchView& view) {
  std::vector<MemberRecord> trained;
  for (const MemberRecord& member : view.record().members) {
    const bool too_late = view.record().finishing && IsUnverifiedOpponent(view, member);
    if (!view.IsLeftOut(member) && member.steps > 0 && !too_late) trained.push_back(member);
  }
  return trained;
}

/// Where the training of a network ended, when it is to be exported; until then what is due for it is added to `step`.
const TrainOutcome* TrainToTheEnd(const SearchView& view, const SearchContext& context, const MemberRecord& member,
                                  AdvanceSearchUpdate& step) {
  const TaskKey chain = view.MemberKey(TaskStage::kMemberTrain, member);
  const TrainOutcome* end = view.ChainEnd(chain);
  if (end == nullptr) {
    auto chunk = NextChunk(view, chain, FirstChunk(view, context, member), MemberChunkSteps(view.job(), member.steps));
    if (chunk.has_value()) step.tasks.push_back(*std::move(chunk));
    return nullptr;
  }
  const bool contends = view.job().final.steps > 0 && !member.reference;
  if (!contends) return end;
  if (member.final_steps == 0) {
    const TaskKey screen = view.MemberKey(TaskStage::kMemberScreen, member);
    if (!view.Has(screen)) {
      step.tasks.emplace_back(view.TextOf(screen), EvaluateWork{.checkpoint = end->checkpoint,
                                                                .architectures = {member.architecture},
                                                                .graph_digests = {context.GraphDigestOf(member.architecture)},
                                                                .all_validation_images = true});
    }
    return nullptr;
  }
  const TaskKey final_chain = view.MemberKey(TaskStage::kMemberFinal, member);
  if (const TrainOutcome* final_end = view.ChainEnd(final_chain)) return final_end;
  // What an older version began goes on in one shard.
  const TaskRecord* const begun = view.Task(final_chain);
  const TrainWork first = {.kind = begun == nullptr ? TrainingKind::kFinal : std::get<TrainWork>(begun->work).kind,
                           .slice = member.architecture,
                           .initial = end->checkpoint,
                           .total_steps = member.final_steps,
                           .teacher = TeacherOf(view, context)};
  auto chunk = NextChunk(view, final_chain, first, MemberChunkSteps(view.job(), member.final_steps));
  if (chunk.has_value()) step.tasks.push_back(*std::move(chunk));
  return nullptr;
}

/// Training chunks and bindings that are due. True when every network is bound.
absl::StatusOr<bool> TrainAndBind(const SearchView& view, const SearchContext& context, const std::vector<MemberRecord>& members,
                                  AdvanceSearchUpdate& step) {
  bool all_bound = true;
  for (const MemberRecord& member : members) {
    const TaskKey bind = view.MemberKey(TaskStage::kMemberBind, member);
    const bool trained_for_another = member.set_aside && member.final_steps > 0;
    if (view.Done<BindOutcome>(bind) != nullptr || (member.set_aside && !trained_for_another)) continue;
    all_bound = false;
    if (member.trained_as >= 0) continue;  // with that one
    const TrainOutcome* const end = TrainToTheEnd(view, context, member, step);
    if (end == nullptr || view.Has(bind)) continue;
    absl::StatusOr<BindWork> work = BindingOf(context, member, end->checkpoint);
    if (!work.ok()) return work.status();
    step.tasks.emplace_back(view.TextOf(bind), *std::move(work));
  }
  return all_bound;
}

std::string FailureCode(const TaskRecord& task) { return task.error_code.empty() ? "WORKER_FAILED" : task.error_code; }

/// The step that leaves out the networks of which a task has failed; to FAILED when no member remains for some target. None when all are
/// well.
MaybeStep LeaveOut(const SearchView& view, const SearchContext& context) {
  AdvanceSearchUpdate step = StepOf(view);
  // A failure is not why a plain network is left out of a search that was finished early.
  std::vector<LeftOutRecord> left_out;
  std::copy_if(view.record().left_out.begin(), view.record().left_out.end(), std::back_inserter(left_out),
               [](const LeftOutRecord& record) { return record.error_code == kFinishedEarly; });
  std::vector<const TaskRecord*> failed(view.num_targets(), nullptr);  // the first, of the target's members
  std::vector<bool> has_member(view.num_targets(), false);
  for (const MemberRecord& member : view.record().members) {
    const TaskRecord* task = view.FailedTaskOf(member);
    if (task == nullptr) {
      if (!member.reference && !member.set_aside) has_member[member.target] = true;
      continue;
    }
    if (failed[member.target] == nullptr && !member.reference && !member.set_aside) failed[member.target] = task;
    left_out.push_back({member.target, member.id, FailureCode(*task), FailureText(*task)});
    if (view.IsLeftOut(member)) continue;
    step.events.push_back(
        {"left_out", absl::StrCat(view.For(member.target).TargetPrefix(), member.id, " is left out: ", FailureText(*task))});
  }
  if (step.events.empty()) return std::nullopt;
  const auto without = static_cast<size_t>(std::find(has_member.begin(), has_member.end(), false) - has_member.begin());
  if (without < has_member.size()) {
    if (const std::optional<size_t> next = NextFinalist(view, context, static_cast<uint32_t>(without))) {
      std::vector<MemberRecord> members = view.record().members;
      TrainOn(members, *next, context.StepsAsCostly(members[*next].architecture, view.job().final.steps));
      step.events.push_back({"final", absl::StrCat(view.For(without).TargetPrefix(), members[*next].id, " is trained on instead")});
      step.members = std::move(members);
      step.left_out = std::move(left_out);
      return step;
    }
    const TaskRecord& task = *failed[without];
    AdvanceSearchUpdate fail = FailStep(view, FailureCode(task),
                                        absl::StrCat(view.For(without).TargetPrefix(), "no member is left to report: ", FailureText(task)));
    fail.events = std::move(step.events);
    step = std::move(fail);
  }
  step.left_out = std::move(left_out);
  return step;
}

/// What comes when all networks that there are so far are verified: opponents, else the end. A search that is to finish has no opponents
/// but those that are verified by then.
absl::StatusOr<MaybeStep> AfterVerified(const SearchView& view, SearchContext& context, const std::vector<MemberRecord>& verified) {
  if (view.job().references == ReferencesKind::kFamily && !view.record().finishing) {
    absl::StatusOr<OpponentsStep> opponents = StepOfOpponents(view, context);
    if (!opponents.ok()) return opponents.status();
    if (!opponents->done) return std::move(opponents->step);
  }
  AdvanceSearchUpdate step = StepOf(view);
  std::vector<LeftOutRecord> left_out = view.record().left_out;
  for (const MemberRecord& member : view.record().members) {
    if (!IsUnverifiedOpponent(view, member) || view.IsLeftOut(member)) continue;
    left_out.push_back({member.target, member.id, kFinishedEarly, "the search was finished before it was verified"});
  }
  if (left_out.size() != view.record().left_out.size()) step.left_out = std::move(left_out);
  const std::vector<EventRecord>& events = view.search().events;
  for (const MemberRecord& member : verified) {
    std::string line = MemberLine(view, member);
    // Members' lines came before plain networks were measured, or before a user asked for another member.
    const bool said = std::any_of(events.begin(), events.end(), [&](const EventRecord& event) { return event.text == line; });
    if (!said) step.events.push_back({"member", std::move(line)});
  }
  step.next = SearchPhase::kSucceeded;
  return step;
}

absl::StatusOr<MaybeStep> Verify(const SearchView& view, SearchContext& context) {
  AdvanceSearchUpdate step = StepOf(view);
  if (view.record().members.empty()) {
    absl::StatusOr<std::vector<MemberRecord>> members = ChooseMembers(view, context);
    if (!members.ok()) return members.status();
    step.members = *std::move(members);
    step.tasks.emplace_back(TaskKey{.stage = TaskStage::kTestImages}.ToString(), PackWork{});
    return step;
  }
  if (MaybeStep left_out = LeaveOut(view, context)) return left_out;
  absl::StatusOr<MaybeStep> decided = DecideFinalists(view, context);
  if (!decided.ok() || decided->has_value()) return decided;
  std::vector<MemberRecord> remaining = TrainedMembers(view);
  const absl::StatusOr<bool> bound_all = TrainAndBind(view, context, remaining, step);
  if (!bound_all.ok()) return bound_all.status();
  const bool all_bound = *bound_all;
  std::erase_if(remaining, [](const MemberRecord& member) { return member.set_aside; });
  const auto* images = view.Done<PackOutcome>({.stage = TaskStage::kTestImages});
  bool all_verified = all_bound && images != nullptr;
  for (const MemberRecord& member : remaining) {
    if (!all_bound || images == nullptr) break;  // measured when nothing else is left to compute
    const TaskKey verify = view.MemberKey(TaskStage::kMemberVerify, member);
    const auto* bound = view.Done<BindOutcome>(view.MemberKey(TaskStage::kMemberBind, member));
    if (!view.Has(verify)) step.tasks.emplace_back(view.TextOf(verify), VerifyWork{bound->bound_model, bound->onnx, images->images});
    all_verified = all_verified && view.Done<VerifyOutcome>(verify) != nullptr;
  }
  if (all_verified) return AfterVerified(view, context, remaining);
  if (step.tasks.empty()) return std::nullopt;
  return step;
}

absl::StatusOr<MaybeStep> PhaseStep(const SearchView& view, SearchContext& context) {
  switch (view.record().phase) {
    case SearchPhase::kProfiling:
      return ProfileStep(view, context);
    case SearchPhase::kTraining:
      return Train(view, context);
    case SearchPhase::kSampling:
      return Sample(view, context);
    case SearchPhase::kSearching:
      return RoundStep(view, context);
    case SearchPhase::kVerifying:
      return Verify(view, context);
    default:
      return std::nullopt;
  }
}

}  // namespace

absl::StatusOr<MaybeStep> NextStep(const SearchView& view, SearchContext* context) {
  if (IsTerminal(view.record().phase) || view.record().paused) return std::nullopt;
  if (const TaskRecord* failed = view.FirstFailed()) return FailStep(view, FailureCode(*failed), FailureText(*failed));
  return view.record().phase == SearchPhase::kPending ? BindAgents(view) : PhaseStep(view, *context);
}

}  // namespace hanas::coordinator
