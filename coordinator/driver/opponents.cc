// SPDX-License-Identifier: Apache-2.0
#include "coordinator/driver/opponents.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "coordinator/driver/choose_members.h"
#include "coordinator/driver/step_builder.h"
#include "coordinator/judging/compute.h"
#include "coordinator/judging/goals.h"
#include "coordinator/judging/plain_network.h"
#include "core/base/bounds.h"
#include "core/base/quantity.h"
#include "core/family/convnet/scaled.h"

namespace hanas::coordinator {
namespace {

constexpr char kEvent[] = "opponents";

bool IsOpen(const TaskRecord* task) { return task->state == TaskState::kReady || task->state == TaskState::kLeased; }

// ---- measuring ----

/// Tasks that measure every network of every family on every target.
absl::Status AddCandidates(const SearchView& view, const SearchContext& context, AdvanceSearchUpdate& step) {
  std::vector<std::pair<SpaceSpec, PlainNetwork>> networks;
  for (const PlainFamily& family : context.families()) {
    for (ScaledNetwork& scaled : ScaledNetworks(family, view.job().space)) {
      if (!IsWithinBounds(view.job(), scaled.space)) continue;
      absl::StatusOr<PlainNetwork> network = PlainNetwork::Define(scaled.space);
      if (!network.ok()) return network.status();
      networks.emplace_back(std::move(scaled.space), *std::move(network));
    }
  }
  for (const SearchView& of_target : view.ForEach()) {
    // One in a task: a network that a device cannot run takes no other one with it.
    for (size_t i = 0; i < networks.size(); ++i) {
      const auto& [space, network] = networks[i];
      MeasureNetworksWork work = {{network.architecture()}, {network.PlanDigestText(of_target.target().caps)}, {space}};
      step.tasks.emplace_back(of_target.TextOf(TaskKey{.stage = TaskStage::kOpponentMeasure}.At(i)), std::move(work));
    }
  }
  return absl::OkStatus();
}

AdvanceSearchUpdate FirstStep(const SearchView& view) {
  AdvanceSearchUpdate step = StepOf(view);
  for (const MemberRecord& member : view.record().members) {
    if (!view.IsLeftOut(member) && !member.set_aside) step.events.push_back({"member", MemberLine(view, member)});
  }
  return step;
}

// ---- choosing ----

/// What the target's device said of a network; null when it said nothing.
const NetworkMeasurement* MeasurementOf(const SearchView& view, const SpaceSpec& space) {
  for (const TaskRecord* task : view.Numbered({.stage = TaskStage::kOpponentMeasure})) {
    if (!task->outcome.has_value()) continue;
    const std::vector<SpaceSpec>& spaces = std::get<MeasureNetworksWork>(task->work).spaces;
    const auto found = std::find(spaces.begin(), spaces.end(), space);
    if (found != spaces.end()) return &std::get<MeasureNetworksOutcome>(*task->outcome).rows[static_cast<size_t>(found - spaces.begin())];
  }
  return nullptr;
}

/// A network of a family that was measured on a target.
struct Measured {
  ScaledNetwork scaled;
  Architecture architecture;
  OpponentCandidate candidate;
};

absl::StatusOr<std::vector<Measured>> MeasuredNetworks(const SearchView& view, const Goals& goals, const PlainFamily& family) {
  const std::vector<CostLimit> limits = UntrainedLimits(goals.limits);
  std::vector<Measured> networks;
  for (ScaledNetwork& scaled : ScaledNetworks(family, view.job().space)) {
    const NetworkMeasurement* measurement = MeasurementOf(view, scaled.space);
    if (measurement == nullptr) continue;
    const absl::StatusOr<PlainNetwork> network = PlainNetwork::Define(scaled.space);
    if (!network.ok()) return network.status();
    CostVector costs = CostsOf(network->CostOn(view.target().caps), LatencyCalibration{});
    costs[IndexOf(Quantity::kLatency)] = StatisticUs(*measurement, view.target_spec().statistic);
    networks.push_back(
        {std::move(scaled), network->architecture(), {costs[IndexOf(Quantity::kLatency)], TotalViolation(costs, limits) <= 0}});
  }
  return networks;
}

/// Members of the view's target that are left.
std::vector<const MemberRecord*> MembersLeft(const SearchView& view) {
  std::vector<const MemberRecord*> left;
  for (const MemberRecord& member : view.record().members) {
    if (member.target == view.target_index() && !member.reference && !member.set_aside && !view.IsLeftOut(member)) left.push_back(&member);
  }
  return left;
}

MemberRecord OpponentOf(const SearchView& view, std::string id, std::string name, const PlainFamily& family, const Measured& network) {
  return {.target = static_cast<uint32_t>(view.target_index()),
          .id = std::move(id),
          .reference = true,
          .training = TrainingKind::kAlone,
          .architecture = network.architecture,
          .opponent = OpponentRecord{std::move(name), family.preset, network.scaled.factor, network.scaled.space}};
}

/// Of the view's target. The first family also has the one that gets all of the compute.
absl::StatusOr<std::vector<MemberRecord>> ChooseForTarget(const SearchView& view, SearchContext& context) {
  const absl::StatusOr<const Goals*> goals = context.GoalsOfJob(view);
  if (!goals.ok()) return goals.status();
  std::vector<double> latencies;
  for (const MemberRecord* member : MembersLeft(view)) {
    const auto* verified = view.Done<VerifyOutcome>(view.MemberKey(TaskStage::kMemberVerify, *member));
    latencies.push_back(StatisticUs(verified->device, view.target_spec().statistic));
  }
  std::vector<MemberRecord> chosen;
  std::vector<MemberRecord> all_in;
  for (const PlainFamily& family : context.families()) {
    const absl::StatusOr<std::vector<Measured>> networks = MeasuredNetworks(view, **goals, family);
    if (!networks.ok()) return networks.status();
    std::vector<OpponentCandidate> candidates;
    for (const Measured& network : *networks) candidates.push_back(network.candidate);
    size_t number = 0;
    for (const size_t index : ChooseOpponents(candidates, latencies))
      chosen.push_back(OpponentOf(view, absl::StrCat(family.name, "-", ++number), family.name, family, (*networks)[index]));
    const auto widest =
        std::find_if(networks->rbegin(), networks->rend(), [](const Measured& network) { return network.candidate.keeps_limits; });
    if (&family == &context.families().front() && widest != networks->rend())
      all_in.push_back(OpponentOf(view, kAllIn, kAllIn, family, *widest));
  }
  chosen.insert(chosen.end(), all_in.begin(), all_in.end());
  return chosen;
}

size_t NumUnmeasured(const SearchView& view) {
  const std::vector<const TaskRecord*> tasks = view.Numbered({.stage = TaskStage::kOpponentMeasure});
  return static_cast<size_t>(std::count_if(tasks.begin(), tasks.end(), [](const TaskRecord* task) { return !task->outcome.has_value(); }));
}

/// Adds the opponents of all targets, what the search has spent, and a probe of each network.
absl::Status ChooseAll(const SearchView& view, SearchContext& context, AdvanceSearchUpdate& step) {
  std::vector<MemberRecord> members = view.record().members;
  const size_t first = members.size();
  for (const SearchView& of_target : view.ForEach()) {
    absl::StatusOr<std::vector<MemberRecord>> chosen = ChooseForTarget(of_target, context);
    if (!chosen.ok()) return chosen.status();
    if (const size_t unmeasured = NumUnmeasured(of_target); unmeasured > 0) {
      step.events.push_back({"warning", absl::StrCat(of_target.TargetPrefix(), unmeasured, " plain networks could not be measured")});
    }
    if (chosen->empty()) step.events.push_back({"warning", absl::StrCat(of_target.TargetPrefix(), "no plain network keeps the limits")});
    for (MemberRecord& member : *chosen) members.push_back(std::move(member));
  }
  for (size_t i = first; i < members.size(); ++i) {
    const MemberRecord& member = members[i];
    const auto begin = members.begin() + static_cast<ptrdiff_t>(first);
    const auto here = members.begin() + static_cast<ptrdiff_t>(i);
    // One probe of each network, so that equal networks get equal steps and are trained once for several targets.
    if (std::any_of(begin, here, [&](const MemberRecord& other) { return IsSameNetwork(other, member); })) continue;
    const TaskKey probe = {.stage = TaskStage::kOpponentProbe, .target = TargetsOf(view.job())[member.target].name, .member = member.id};
    step.tasks.emplace_back(probe.ToString(), TrainWork{.kind = TrainingKind::kAlone,
                                                        .slice = member.architecture,
                                                        .to_step = kProbeSteps,
                                                        .total_steps = kProbeSteps,
                                                        .space = member.opponent->space,
                                                        .teacher = TeacherOf(view, context)});
  }
  step.compute_seconds = ComputeOf(view).search_seconds();
  step.events.push_back(
      {kEvent,
       absl::StrFormat(
           "the search took %.0f s of compute; %d plain networks are compared with: of each family as many as there are members share "
           "as much, and all-in gets it alone",
           *step.compute_seconds, members.size() - first)});
  step.members = std::move(members);
  return absl::OkStatus();
}

// ---- steps ----

/// Gives every opponent whose probe is done its steps.
void FixSteps(const SearchView& view, AdvanceSearchUpdate& step) {
  const double compute = *view.record().compute_seconds;
  std::vector<MemberRecord> members = view.record().members;
  std::vector<std::string> texts;
  for (size_t i = 0; i < members.size(); ++i) {
    MemberRecord& member = members[i];
    const TrainOutcome* probe = view.ChainEnd(view.MemberKey(TaskStage::kOpponentProbe, member));
    if (!member.opponent.has_value() || member.steps > 0 || view.IsLeftOut(member) || probe == nullptr) continue;
    const bool all = member.opponent->family == kAllIn;
    const double seconds = all ? compute : compute / static_cast<double>(MembersLeft(view.For(member.target)).size());
    member.steps = StepsFor(seconds, probe->images_per_second, view.job().training.batch_size);
    member.trained_as = TrainedAs(absl::MakeConstSpan(members.data(), i), member);
    texts.push_back(absl::StrFormat("%s%s (%s x%g) for %d steps", view.For(member.target).TargetPrefix(), member.id,
                                    member.opponent->preset, member.opponent->factor, member.steps));
  }
  step.members = std::move(members);
  step.events.push_back({kEvent, absl::StrCat("plain networks are trained: ", absl::StrJoin(texts, ", "))});
}

/// Takes the network at `wanted` or its nearest free neighbour, the narrower one first; nothing when none is free.
void TakeNearest(size_t wanted, std::vector<bool>& taken) {
  for (size_t distance = 0; distance < taken.size(); ++distance) {
    const size_t wider = wanted + distance;
    const bool narrower_is_free = distance <= wanted && !taken[wanted - distance];
    if (!narrower_is_free && (wider >= taken.size() || taken[wider])) continue;
    taken[narrower_is_free ? wanted - distance : wider] = true;
    return;
  }
}

}  // namespace

std::vector<size_t> ChooseOpponents(absl::Span<const OpponentCandidate> family, std::vector<double> member_latencies_us) {
  std::vector<size_t> usable;
  for (size_t i = 0; i < family.size(); ++i) {
    if (family[i].keeps_limits) usable.push_back(i);
  }
  std::vector<bool> taken(usable.size(), false);
  std::sort(member_latencies_us.begin(), member_latencies_us.end());
  for (size_t m = 0; m < member_latencies_us.size(); ++m) {
    const double latency_us = member_latencies_us[m];
    size_t wanted = 0;
    for (size_t i = 0; i < usable.size(); ++i) {
      if (family[usable[i]].latency_us <= latency_us) wanted = i;
    }
    // The slowest of several members gets one that is as slow at least, so that there are networks on both sides of each member.
    const bool last = m > 0 && m + 1 == member_latencies_us.size();
    if (last && wanted + 1 < usable.size() && family[usable[wanted]].latency_us < latency_us) ++wanted;
    TakeNearest(wanted, taken);
  }
  std::vector<size_t> chosen;
  for (size_t i = 0; i < usable.size(); ++i) {
    if (taken[i]) chosen.push_back(usable[i]);
  }
  return chosen;
}

int64_t StepsFor(double seconds, double images_per_second, int batch_size) {
  const double steps = std::floor(seconds * images_per_second / batch_size);
  if (!(steps >= 1)) return 1;
  return steps >= static_cast<double>(bounds::kMaxSteps) ? bounds::kMaxSteps : static_cast<int64_t>(steps);
}

absl::StatusOr<OpponentsStep> StepOfOpponents(const SearchView& view, SearchContext& context) {
  if (!view.record().compute_seconds.has_value()) {
    const std::vector<const TaskRecord*> measuring = view.NumberedOfAll({.stage = TaskStage::kOpponentMeasure});
    if (std::any_of(measuring.begin(), measuring.end(), IsOpen)) return OpponentsStep{};
    AdvanceSearchUpdate step = measuring.empty() ? FirstStep(view) : StepOf(view);
    if (measuring.empty()) {
      if (absl::Status status = AddCandidates(view, context, step); !status.ok()) return status;
    }
    if (step.tasks.empty()) {
      if (absl::Status status = ChooseAll(view, context, step); !status.ok()) return status;
    }
    return OpponentsStep{.step = std::move(step)};
  }
  bool waits = false;
  bool probed = false;
  for (const MemberRecord& member : view.record().members) {
    if (!member.opponent.has_value() || member.steps > 0 || view.IsLeftOut(member)) continue;
    const bool done = view.ChainEnd(view.MemberKey(TaskStage::kOpponentProbe, member)) != nullptr;
    (done ? probed : waits) = true;
  }
  if (waits) return OpponentsStep{};
  if (!probed) return OpponentsStep{.done = true};
  AdvanceSearchUpdate step = StepOf(view);
  FixSteps(view, step);
  return OpponentsStep{.step = std::move(step)};
}

}  // namespace hanas::coordinator
