// SPDX-License-Identifier: Apache-2.0
#include "coordinator/driver/choose_members.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/judging/forecast.h"
#include "coordinator/judging/judgement.h"
#include "coordinator/search/nsga2.h"
#include "coordinator/search/surrogate_search.h"
#include "core/base/bounds.h"

namespace hanas::coordinator {
namespace {

std::vector<Architecture> ChooseAmong(const std::vector<Individual>& individuals, int count) {
  std::vector<Candidate> candidates;
  for (const Individual& individual : individuals) {
    if (individual.evaluation.feasible()) candidates.push_back({individual, 0});
  }
  if (candidates.empty()) {
    std::vector<Individual> closest = SelectSurvivors(individuals, 1);
    return {closest.front().architecture};
  }
  return SelectForEvaluation(candidates, {}, count, 0);
}

/// `steps` are meant for the middle network.
MemberRecord Reference(const SearchContext& context, std::string id, bool largest, int64_t steps) {
  const SearchSpace& space = context.space();
  const Precision eight = {8, 8};
  Architecture architecture = largest ? space.Largest(eight) : space.Middle(eight);
  space.Canonicalise(architecture);
  return {.id = std::move(id),
          .reference = true,
          .training = TrainingKind::kAlone,
          .steps = context.StepsAsCostly(architecture, std::min(steps, bounds::kMaxSteps)),
          .architecture = std::move(architecture)};
}

absl::StatusOr<std::vector<MemberRecord>> ChooseForTarget(const SearchView& view, SearchContext& context) {
  const int rounds = view.NumRounds();
  const absl::StatusOr<Judging> judging = context.JudgingAfter(view, rounds);
  if (!judging.ok()) return judging.status();
  const auto& [scorer, goals, calibration] = *judging;
  const std::vector<EvaluatedNetwork> networks = view.Evaluations(rounds);

  std::vector<MemberRecord> members;
  const std::vector<Individual> individuals = TrueIndividuals(view, *goals, networks, *scorer, calibration);
  for (Architecture& architecture : ChooseAmong(individuals, view.job().fine_tune.members)) {
    const auto evaluated = std::find_if(networks.begin(), networks.end(),
                                        [&](const EvaluatedNetwork& network) { return network.architecture == architecture; });
    members.push_back({.training = HasSupernet(view.job()) ? TrainingKind::kFineTune : TrainingKind::kAlone,
                       .steps = context.StepsAsCostly(architecture, view.job().fine_tune.steps),
                       .architecture = std::move(architecture),
                       .shared = evaluated->score});
  }
  const auto predict = [&](MemberRecord& member) {
    member.target = static_cast<uint32_t>(view.target_index());
    member.predicted_us = ApplyCalibration(scorer->ScoreOne(member.architecture).sum_us, calibration);
  };
  for (MemberRecord& member : members) predict(member);
  std::stable_sort(members.begin(), members.end(),
                   [](const MemberRecord& a, const MemberRecord& b) { return a.predicted_us < b.predicted_us; });
  for (size_t i = 0; i < members.size(); ++i) members[i].id = absl::StrCat("member-", i + 1);

  if (view.job().references == ReferencesKind::kSpace) {
    const int64_t steps = MemberSteps(view.job());
    const int64_t screening = ScreeningSteps(view.job(), static_cast<int64_t>(networks.size()));
    members.push_back(Reference(context, "largest-8bit", true, steps));
    members.push_back(Reference(context, "middle-8bit", false, steps));
    members.push_back(Reference(context, "middle-8bit-long", false, screening + steps));
    for (size_t i = members.size() - 3; i < members.size(); ++i) predict(members[i]);
  }
  return members;
}

}  // namespace

int32_t TrainedAs(absl::Span<const MemberRecord> earlier, const MemberRecord& member) {
  const auto same = std::find_if(earlier.begin(), earlier.end(), [&](const MemberRecord& other) {
    // Of one target only the plain network with the whole compute can be another's, when there is one member.
    const bool may_share = other.target != member.target || member.opponent.has_value();
    return may_share && other.trained_as < 0 && IsSameNetwork(other, member) && other.training == member.training &&
           other.steps == member.steps;
  });
  return same == earlier.end() ? -1 : static_cast<int32_t>(same - earlier.begin());
}

absl::StatusOr<std::vector<MemberRecord>> ChooseMembers(const SearchView& view, SearchContext& context) {
  std::vector<MemberRecord> all;
  for (const SearchView& of_target : view.ForEach()) {
    absl::StatusOr<std::vector<MemberRecord>> members = ChooseForTarget(of_target, context);
    if (!members.ok()) return members.status();
    for (MemberRecord& member : *members) {
      member.trained_as = TrainedAs(all, member);
      all.push_back(std::move(member));
    }
  }
  return all;
}

}  // namespace hanas::coordinator
