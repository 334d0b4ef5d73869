// SPDX-License-Identifier: Apache-2.0
#include "coordinator/driver/finalists.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "coordinator/driver/step_builder.h"
#include "coordinator/judging/judgement.h"
#include "coordinator/judging/standing.h"
#include "coordinator/search/non_dominated_sort.h"
#include "coordinator/search/surrogate_search.h"
#include "coordinator/state/train_member.h"
#include "core/cost/cost.h"

namespace hanas::coordinator {
namespace {

/// The sum of each network's objectives, scaled to go from 0 to 1 over `front`. One that is the same everywhere separates nothing.
std::vector<double> ScaledSums(const std::vector<Individual>& networks, const std::vector<int>& front) {
  std::vector<double> sums(networks.size(), 0);
  const auto objective = [&](size_t i, size_t k) { return networks[i].evaluation.objectives[k]; };
  for (size_t k = 0; k < networks.front().evaluation.objectives.size(); ++k) {
    const auto [low, high] = std::minmax_element(front.begin(), front.end(), [&](int a, int b) {
      return objective(static_cast<size_t>(a), k) < objective(static_cast<size_t>(b), k);
    });
    const double least = objective(static_cast<size_t>(*low), k);
    const double range = objective(static_cast<size_t>(*high), k) - least;
    if (!std::isfinite(range) || range <= 0) continue;
    for (size_t i = 0; i < networks.size(); ++i) sums[i] += (objective(i, k) - least) / range;
  }
  return sums;
}

/// NaN loses to any number, as in ConstrainedRanks.
double NumberOrInfinity(double value) { return std::isnan(value) ? std::numeric_limits<double>::infinity() : value; }

/// The largest of those that are as good in the favourite objective as the best one, of the contenders that break the limits the least.
size_t LargestOfTheBest(const std::vector<Contender>& contenders, size_t favourite, double tolerance) {
  const auto violation = [](const Contender& contender) { return std::max(NumberOrInfinity(contender.network.evaluation.violation), 0.0); };
  const auto objective = [&](const Contender& contender) { return NumberOrInfinity(contender.network.evaluation.objectives[favourite]); };
  const auto leading = std::min_element(contenders.begin(), contenders.end(), [&](const Contender& a, const Contender& b) {
    return std::tuple(violation(a), objective(a)) < std::tuple(violation(b), objective(b));
  });
  auto largest = leading;
  for (auto contender = contenders.begin(); contender != contenders.end(); ++contender) {
    if (violation(*contender) != violation(*leading) || !(objective(*contender) <= objective(*leading) + tolerance)) continue;
    if (std::tuple(-contender->macs, objective(*contender)) < std::tuple(-largest->macs, objective(*largest))) largest = contender;
  }
  return static_cast<size_t>(largest - contenders.begin());
}

/// By how much the best of the members' accuracies may differ from another one by chance.
double ToleranceOf(const std::vector<MemberRecord*>& members) {
  Score best;
  for (const MemberRecord* member : members) {
    if (member->fine_tuned.fraction() >= best.fraction()) best = member->fine_tuned;
  }
  if (best.images <= 0) return 0;
  const double variance = best.fraction() * (1 - best.fraction()) / static_cast<double>(best.images);
  return kNoiseDeviations * std::sqrt(2 * variance);
}

/// Of the view's target, which have been fine-tuned.
absl::StatusOr<std::vector<MemberRecord*>> WinnersOf(const SearchView& view, SearchContext& context,
                                                     const std::vector<MemberRecord*>& members) {
  const absl::StatusOr<Judging> judging = context.JudgingAfter(view, view.NumRounds());
  if (!judging.ok()) return judging.status();
  // They are judged as when they were chosen, by what was measured of them where it was, but for the accuracy.
  std::vector<EvaluatedNetwork> evaluated = view.Evaluations(view.NumRounds());
  std::vector<EvaluatedNetwork> networks;
  for (const MemberRecord* member : members) {
    auto found = std::find_if(evaluated.begin(), evaluated.end(),
                              [&](const EvaluatedNetwork& network) { return network.architecture == member->architecture; });
    EvaluatedNetwork network = found == evaluated.end() ? EvaluatedNetwork{.architecture = member->architecture} : *found;
    network.score = member->fine_tuned;
    networks.push_back(std::move(network));
  }
  std::vector<Contender> contenders;
  Goals judged = *judging->goals;
  judged.size = WorthOfSizeAfter(view.job(), view.job().fine_tune.steps, judged.size.middle_weights);
  for (Individual& individual : TrueIndividuals(view, judged, networks, *judging->scorer, judging->calibration)) {
    const auto macs = static_cast<double>(judging->scorer->ScoreOne(individual.architecture).macs);
    contenders.push_back({std::move(individual), macs});
  }
  const std::vector<Quantity>& objectives = judged.objectives;
  const auto accuracy = std::find(objectives.begin(), objectives.end(), Quantity::kAccuracy);
  const bool by_accuracy = accuracy != objectives.end();
  const size_t favourite = by_accuracy ? static_cast<size_t>(accuracy - objectives.begin()) : 0;
  // What is compared knows what size is worth when there is no supernet; else chance speaks for the larger one.
  const double tolerance = by_accuracy && HasSupernet(view.job()) ? ToleranceOf(members) : 0;
  std::vector<MemberRecord*> winners;
  for (const size_t i : ChooseFinalists(contenders, favourite, tolerance, view.job().final.members)) winners.push_back(members[i]);
  return winners;
}

}  // namespace

std::vector<size_t> ChooseFinalists(const std::vector<Contender>& contenders, size_t favourite, double tolerance, int count) {
  if (contenders.empty() || count <= 0) return {};
  std::vector<size_t> chosen = {LargestOfTheBest(contenders, favourite, tolerance)};
  if (count == 1) return chosen;
  std::vector<Individual> networks;
  for (const Contender& contender : contenders) networks.push_back(contender.network);
  const std::vector<int> front = FrontsOf(ConstrainedRanks(networks)).front();
  const std::vector<double> sums = ScaledSums(networks, front);
  const auto knee = static_cast<size_t>(*std::min_element(
      front.begin(), front.end(), [&](int a, int b) { return sums[static_cast<size_t>(a)] < sums[static_cast<size_t>(b)]; }));
  if (knee != chosen.front()) chosen.push_back(knee);
  return SelectSpread(networks, chosen, static_cast<size_t>(count));
}

std::optional<size_t> NextFinalist(const SearchView& view, const SearchContext& context, uint32_t target) {
  const std::vector<MemberRecord>& members = view.record().members;
  const WorthOfSize size = WorthOfSizeAfter(view.job(), view.job().fine_tune.steps, /*middle_weights=*/1);
  std::optional<size_t> best;
  double least_error = 0;
  for (size_t i = 0; i < members.size(); ++i) {
    const MemberRecord& member = members[i];
    const bool waits = member.target == target && member.set_aside && member.fine_tuned.images > 0 && view.FailedTaskOf(member) == nullptr;
    if (!waits) continue;
    const int64_t weights = GraphCost(context.lowering().Lower(member.architecture)).parameters;
    const double error = size.Error(1 - member.fine_tuned.fraction(), static_cast<double>(weights));
    if (best.has_value() && error >= least_error) continue;
    best = i;
    least_error = error;
  }
  return best;
}

absl::StatusOr<std::optional<AdvanceSearchUpdate>> DecideFinalists(const SearchView& view, SearchContext& context) {
  if (!view.IsContested()) return std::nullopt;
  std::vector<MemberRecord> members = view.record().members;
  std::vector<std::vector<MemberRecord*>> contenders(view.num_targets());
  for (MemberRecord& member : members) {
    if (member.reference) continue;
    // Also one that is left out, whose task may be done again when the search is resumed: who is trained on is decided once.
    member.set_aside = true;
    if (view.IsLeftOut(member)) continue;
    const auto* screened = view.Done<EvaluateOutcome>(view.MemberKey(TaskStage::kMemberScreen, member));
    if (screened == nullptr) return std::nullopt;
    member.fine_tuned = screened->scores.front();
    contenders[member.target].push_back(&member);
  }
  AdvanceSearchUpdate step = StepOf(view);
  for (const SearchView& of_target : view.ForEach()) {
    const absl::StatusOr<std::vector<MemberRecord*>> winners = WinnersOf(of_target, context, contenders[of_target.target_index()]);
    if (!winners.ok()) return winners.status();
    if (winners->empty()) return absl::InternalError(absl::StrCat(of_target.TargetPrefix(), "expected a member that is left, found none"));
    std::vector<std::string> texts;
    for (MemberRecord* winner : *winners) {
      const int64_t steps = context.StepsAsCostly(winner->architecture, view.job().final.steps);
      TrainOn(members, static_cast<size_t>(winner - members.data()), steps);
      texts.push_back(absl::StrFormat("%s (%.1f %%) for %d steps", winner->id, 100 * winner->fine_tuned.fraction(), winner->final_steps));
    }
    step.events.push_back({"final", absl::StrFormat("%strained on: %s; chosen from %d by %d validation images and by size",
                                                    of_target.TargetPrefix(), absl::StrJoin(texts, ", "),
                                                    contenders[of_target.target_index()].size(), winners->front()->fine_tuned.images)});
  }
  step.members = std::move(members);
  return step;
}

}  // namespace hanas::coordinator
