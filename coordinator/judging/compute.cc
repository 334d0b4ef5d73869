// SPDX-License-Identifier: Apache-2.0
#include "coordinator/judging/compute.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <variant>
#include <vector>

#include "coordinator/state/task_key.h"

namespace hanas::coordinator {
namespace {

/// Of all attempts.
double SecondsOf(const TaskRecord& task) {
  double seconds = task.partial_seconds;
  if (task.outcome.has_value()) seconds += std::visit([](const auto& outcome) { return outcome.seconds; }, *task.outcome);
  return std::isfinite(seconds) ? std::max(seconds, 0.0) : 0;  // older stores have what was not checked when it came
}

/// The network that a task of a member is about; null when there is none of that name.
const MemberRecord* MemberOf(const SearchView& view, const TaskKey& key) {
  const std::vector<MemberRecord>& members = view.record().members;
  const auto found = std::find_if(members.begin(), members.end(), [&](const MemberRecord& member) {
    return member.id == key.member && TargetsOf(view.job())[member.target].name == key.target;
  });
  return found == members.end() ? nullptr : &*found;
}

/// Where the seconds of a task are counted; null when they are not.
double* PlaceOf(const SearchView& view, const TaskKey& key, ComputeUse& use) {
  switch (key.stage) {
    case TaskStage::kTeacher:
    case TaskStage::kTrain:
    case TaskStage::kSample:
    case TaskStage::kSamplePredictor:
    case TaskStage::kRoundPredictor:
    case TaskStage::kTestImages:
      return &use.shared_seconds;
    case TaskStage::kOperators:
    case TaskStage::kNetworks:
    case TaskStage::kWitness:
    case TaskStage::kRoundMeasure:
    case TaskStage::kRoundEvaluate:
      return &use.targets_seconds;
    case TaskStage::kMemberTrain:
    case TaskStage::kMemberScreen:
    case TaskStage::kMemberFinal:
    case TaskStage::kMemberBind:
    case TaskStage::kMemberVerify: {
      const MemberRecord* member = MemberOf(view, key);
      if (member == nullptr) return nullptr;
      if (member->opponent.has_value()) return &use.opponents_seconds;
      return member->reference ? nullptr : &use.targets_seconds;
    }
    case TaskStage::kOpponentMeasure:
    case TaskStage::kOpponentProbe:
      return &use.opponents_seconds;
  }
  return nullptr;
}

}  // namespace

ComputeUse ComputeOf(const SearchView& view) {
  ComputeUse use;
  for (const auto& [text, id] : view.search().tasks) {
    const std::optional<TaskKey> key = ParseTaskKey(text);
    if (!key.has_value()) continue;
    if (double* const place = PlaceOf(view, *key, use); place != nullptr) *place += SecondsOf(*view.state().FindTask(id));
  }
  return use;
}

std::optional<int64_t> BreakEvenTargets(double shared_seconds, double per_target_seconds, double one_network_seconds) {
  // Rounding of sums is not what decides between a number and the next.
  constexpr double kTolerance = 1e-9;
  const double won = one_network_seconds - per_target_seconds;  // with each target
  if (!(won > 0) || !std::isfinite(shared_seconds / won)) return std::nullopt;
  return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(shared_seconds / won - kTolerance)));
}

}  // namespace hanas::coordinator
