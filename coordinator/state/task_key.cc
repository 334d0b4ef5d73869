// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/task_key.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"

namespace hanas::coordinator {
namespace {

struct Stage {
  TaskStage stage;
  absl::string_view text;  // R stands for the round, M for the member, N for the index
  SearchPhase phase;
  bool of_target = false;
  TaskSharing sharing = TaskSharing::kNobody;
};

constexpr std::array<Stage, 18> kStages = {{
    {TaskStage::kOperators, "profile/operators/N", SearchPhase::kProfiling, true},
    {TaskStage::kNetworks, "profile/networks/N", SearchPhase::kProfiling, true},
    {TaskStage::kTeacher, "teacher/N", SearchPhase::kTraining, false, TaskSharing::kSameTeacher},
    {TaskStage::kTrain, "train/N", SearchPhase::kTraining, false, TaskSharing::kSameSupernet},
    {TaskStage::kSample, "sample/N", SearchPhase::kSampling, false, TaskSharing::kSameSamples},
    {TaskStage::kSamplePredictor, "sample/predictor", SearchPhase::kSampling, false, TaskSharing::kSameSamples},
    {TaskStage::kWitness, "witness/N", SearchPhase::kSampling, true},
    {TaskStage::kRoundMeasure, "round/R/measure/N", SearchPhase::kSearching, true},
    {TaskStage::kRoundEvaluate, "round/R/evaluate/N", SearchPhase::kSearching, true},
    {TaskStage::kRoundPredictor, "round/R/predictor", SearchPhase::kSearching},
    {TaskStage::kMemberTrain, "members/M/train/N", SearchPhase::kVerifying, true},
    {TaskStage::kMemberScreen, "members/M/screen", SearchPhase::kVerifying, true},
    {TaskStage::kMemberFinal, "members/M/final/N", SearchPhase::kVerifying, true},
    {TaskStage::kMemberBind, "members/M/bind", SearchPhase::kVerifying, true},
    {TaskStage::kMemberVerify, "members/M/verify", SearchPhase::kVerifying, true},
    {TaskStage::kTestImages, "verify/images", SearchPhase::kVerifying},
    {TaskStage::kOpponentMeasure, "opponents/measure/N", SearchPhase::kVerifying, true},
    {TaskStage::kOpponentProbe, "opponents/M/probe/N", SearchPhase::kVerifying, true},
}};

constexpr bool InOrder() {
  for (size_t i = 0; i < kStages.size(); ++i) {
    if (kStages[i].stage != static_cast<TaskStage>(i)) return false;
  }
  return true;
}
static_assert(InOrder(), "a stage is found by its number");

/// What the keys of a target among several begin with; its name and the stage's text follow.
constexpr absl::string_view kTargets = "targets";

const Stage& RowOf(TaskStage stage) { return kStages[static_cast<size_t>(stage)]; }

bool ReadNumber(absl::string_view text, int& number) {
  // Only the form that is written: no sign, no leading zero.
  return absl::SimpleAtoi(text, &number) && number >= 0 && absl::StrCat(number) == text;
}

std::optional<TaskKey> ParseAs(const Stage& row, absl::Span<const absl::string_view> parts) {
  const std::vector<absl::string_view> wanted = absl::StrSplit(row.text, '/');
  if (wanted.size() != parts.size()) return std::nullopt;
  TaskKey key = {.stage = row.stage};
  for (size_t i = 0; i < parts.size(); ++i) {
    bool fits = parts[i] == wanted[i];
    if (wanted[i] == "R") fits = ReadNumber(parts[i], key.round);
    if (wanted[i] == "N") fits = ReadNumber(parts[i], key.index);
    if (wanted[i] == "M") {
      key.member = std::string(parts[i]);
      fits = !parts[i].empty();
    }
    if (!fits) return std::nullopt;
  }
  return key;
}

}  // namespace

TaskKey TaskKey::At(size_t position) const {
  TaskKey key = *this;
  key.index = static_cast<int>(position);
  return key;
}

std::string TaskKey::ToString() const {
  std::string text = target.empty() ? "" : absl::StrCat(kTargets, "/", target);
  for (const absl::string_view part : absl::StrSplit(RowOf(stage).text, '/')) {
    if (!text.empty()) text += '/';
    if (part == "R") {
      absl::StrAppend(&text, round);
    } else if (part == "M") {
      absl::StrAppend(&text, member);
    } else if (part == "N") {
      absl::StrAppend(&text, index);
    } else {
      absl::StrAppend(&text, part);
    }
  }
  return text;
}

std::optional<TaskKey> ParseTaskKey(absl::string_view text) {
  const std::vector<absl::string_view> split = absl::StrSplit(text, '/');
  absl::Span<const absl::string_view> parts = split;
  const bool of_one = parts.size() > 2 && parts[0] == kTargets && !parts[1].empty();
  if (of_one) parts.remove_prefix(2);
  for (const Stage& row : kStages) {
    std::optional<TaskKey> key = ParseAs(row, parts);
    if (!key.has_value() || (of_one && !row.of_target)) continue;
    if (of_one) key->target = std::string(split[1]);
    return key;
  }
  return std::nullopt;
}

SearchPhase PhaseOf(TaskStage stage) { return RowOf(stage).phase; }

SearchPhase PhaseOfTask(absl::string_view text) {
  const std::optional<TaskKey> key = ParseTaskKey(text);
  return key.has_value() ? PhaseOf(key->stage) : SearchPhase::kVerifying;
}

TaskSharing SharingOf(TaskStage stage) { return RowOf(stage).sharing; }

bool IsOfTarget(TaskStage stage) { return RowOf(stage).of_target; }

size_t TargetOfTask(absl::string_view text, const SearchJob& job) {
  const absl::Span<const TargetSpec> targets = TargetsOf(job);
  if (targets.size() == 1) return 0;
  const std::optional<TaskKey> key = ParseTaskKey(text);
  if (!key.has_value()) return 0;
  const auto named = std::find_if(targets.begin(), targets.end(), [&](const TargetSpec& target) { return target.name == key->target; });
  return named == targets.end() ? 0 : static_cast<size_t>(named - targets.begin());
}

TaskKey PredictorKey(int round) {
  if (round == 0) return {.stage = TaskStage::kSamplePredictor};
  return {.stage = TaskStage::kRoundPredictor, .round = round - 1};
}

}  // namespace hanas::coordinator
