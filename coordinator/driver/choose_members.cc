// SPDX-License-Identifier: Apache-2.0
#include "coordinator/driver/choose_members.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/judging/judgement.h"
#include "coordinator/search/nsga2.h"
#include "coordinator/search/surrogate_search.h"

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

MemberRecord Reference(const SearchContext& context, std::string id, bool largest, int64_t steps) {
  const SearchSpace& space = context.space();
  const Precision eight = {8, 8};
  Architecture architecture = largest ? space.Largest(eight) : space.Middle(eight);
  space.Canonicalise(architecture);
  return {
      .id = std::move(id), .reference = true, .training = TrainingKind::kAlone, .steps = steps, .architecture = std::move(architecture)};
}

}  // namespace

absl::StatusOr<std::vector<MemberRecord>> ChooseMembers(const SearchView& view, SearchContext& context) {
  const absl::StatusOr<const CandidateScorer*> scorer = context.Scorer(view);
  if (!scorer.ok()) return scorer.status();
  const int rounds = view.NumRounds();
  const absl::StatusOr<FittedLatency> latency = context.FitLatency(view, rounds);
  if (!latency.ok()) return latency.status();
  const absl::StatusOr<const Goals*> goals = context.GoalsOfJob(view);
  if (!goals.ok()) return goals.status();
  const LatencyCalibration& calibration = latency->fit.calibration;
  const std::vector<EvaluatedNetwork> networks = view.Evaluations(rounds);
  const auto predicted_us = [&](const Architecture& architecture) {
    return ApplyCalibration((*scorer)->ScoreOne(architecture).sum_us, calibration);
  };

  std::vector<MemberRecord> members;
  const std::vector<Individual> individuals = TrueIndividuals(view, **goals, networks, **scorer, calibration);
  for (Architecture& architecture : ChooseAmong(individuals, view.job().fine_tune.members)) {
    const auto evaluated = std::find_if(networks.begin(), networks.end(),
                                        [&](const EvaluatedNetwork& network) { return network.architecture == architecture; });
    members.push_back({.steps = view.job().fine_tune.steps, .architecture = std::move(architecture), .shared = evaluated->score});
  }
  for (MemberRecord& member : members) member.predicted_us = predicted_us(member.architecture);
  std::stable_sort(members.begin(), members.end(),
                   [](const MemberRecord& a, const MemberRecord& b) { return a.predicted_us < b.predicted_us; });
  for (size_t i = 0; i < members.size(); ++i) members[i].id = absl::StrCat("member-", i + 1);

  if (view.job().references) {
    const int64_t steps = view.job().fine_tune.steps;
    members.push_back(Reference(context, "largest-8bit", true, steps));
    members.push_back(Reference(context, "middle-8bit", false, steps));
    members.push_back(Reference(context, "middle-8bit-long", false, view.job().training.steps + steps));
    for (size_t i = members.size() - 3; i < members.size(); ++i) members[i].predicted_us = predicted_us(members[i].architecture);
  }
  return members;
}

}  // namespace hanas::coordinator
