// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/task_key.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace hanas::coordinator {
namespace {

struct Stage {
  TaskStage stage;
  absl::string_view text;  // R stands for the round, M for the member, N for the index
  SearchPhase phase;
  TaskSharing sharing = TaskSharing::kNobody;
};

constexpr std::array<Stage, 13> kStages = {{
    {TaskStage::kOperators, "profile/operators/N", SearchPhase::kProfiling},
    {TaskStage::kNetworks, "profile/networks/N", SearchPhase::kProfiling},
    {TaskStage::kTrain, "train/N", SearchPhase::kTraining, TaskSharing::kSameSupernet},
    {TaskStage::kSample, "sample/N", SearchPhase::kSampling, TaskSharing::kSameSamples},
    {TaskStage::kSamplePredictor, "sample/predictor", SearchPhase::kSampling, TaskSharing::kSameSamples},
    {TaskStage::kWitness, "witness/N", SearchPhase::kSampling},
    {TaskStage::kRoundMeasure, "round/R/measure/N", SearchPhase::kSearching},
    {TaskStage::kRoundEvaluate, "round/R/evaluate/N", SearchPhase::kSearching},
    {TaskStage::kRoundPredictor, "round/R/predictor", SearchPhase::kSearching},
    {TaskStage::kMemberTrain, "members/M/train/N", SearchPhase::kVerifying},
    {TaskStage::kMemberBind, "members/M/bind", SearchPhase::kVerifying},
    {TaskStage::kMemberVerify, "members/M/verify", SearchPhase::kVerifying},
    {TaskStage::kTestImages, "verify/images", SearchPhase::kVerifying},
}};

constexpr bool InOrder() {
  for (size_t i = 0; i < kStages.size(); ++i) {
    if (kStages[i].stage != static_cast<TaskStage>(i)) return false;
  }
  return true;
}
static_assert(InOrder(), "a stage is found by its number");

const Stage& RowOf(TaskStage stage) { return kStages[static_cast<size_t>(stage)]; }

bool ReadNumber(absl::string_view text, int& number) {
  // Only the form that is written: no sign, no leading zero.
  return absl::SimpleAtoi(text, &number) && number >= 0 && absl::StrCat(number) == text;
}

std::optional<TaskKey> ParseAs(const Stage& row, const std::vector<absl::string_view>& parts) {
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
  std::string text;
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
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  for (const Stage& row : kStages) {
    if (std::optional<TaskKey> key = ParseAs(row, parts)) return key;
  }
  return std::nullopt;
}

SearchPhase PhaseOf(TaskStage stage) { return RowOf(stage).phase; }

SearchPhase PhaseOfTask(absl::string_view text) {
  const std::optional<TaskKey> key = ParseTaskKey(text);
  return key.has_value() ? PhaseOf(key->stage) : SearchPhase::kVerifying;
}

TaskSharing SharingOf(TaskStage stage) { return RowOf(stage).sharing; }

TaskKey PredictorKey(int round) {
  if (round == 0) return {.stage = TaskStage::kSamplePredictor};
  return {.stage = TaskStage::kRoundPredictor, .round = round - 1};
}

TaskKey MemberKey(TaskStage stage, const MemberRecord& member) { return {.stage = stage, .member = member.id}; }

}  // namespace hanas::coordinator
