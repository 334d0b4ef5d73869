// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/task_text.h"

#include <optional>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "coordinator/state/task_key.h"

namespace hanas::coordinator {

std::string ActivityOf(const TaskRecord& task) {
  const WorkKind& kind = KindOf(task.work);
  absl::string_view activity = kind.activity;
  if (const auto* train = std::get_if<TrainWork>(&task.work)) {
    if (train->kind == TrainingKind::kSupernet) return "training the supernet";
    if (train->kind == TrainingKind::kTeacher) return "training the teacher";
    if (train->kind == TrainingKind::kFineTune) activity = "fine-tuning";
  }
  if (const auto* evaluate = std::get_if<EvaluateWork>(&task.work); evaluate != nullptr && !evaluate->steps.empty())
    activity = "training and evaluating networks";
  const std::optional<TaskKey> key = ParseTaskKey(task.key);
  if (key.has_value() && key->stage == TaskStage::kMemberFinal) activity = "training on";
  if (key.has_value() && key->stage == TaskStage::kMemberScreen) return absl::StrCat(activity, " ", key->member);
  if (!kind.is_of_one_network) return std::string(activity);
  return absl::StrCat(activity, " ", key.has_value() && !key->member.empty() ? absl::string_view(key->member) : "a network");
}

std::string FailureText(const TaskRecord& task) {
  return absl::StrCat(task.error, " (", ActivityOf(task), ", after ", task.attempt, task.attempt == 1 ? " attempt)" : " attempts)");
}

}  // namespace hanas::coordinator
