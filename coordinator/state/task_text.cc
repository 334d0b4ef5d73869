// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/task_text.h"

#include <optional>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "coordinator/state/task_key.h"

namespace hanas::coordinator {

std::string ActivityOf(const TaskRecord& task) {
  const std::optional<TaskKey> key = ParseTaskKey(task.key);
  const absl::string_view member = key.has_value() && !key->member.empty() ? absl::string_view(key->member) : "a network";
  struct Namer {
    absl::string_view member;
    std::string operator()(const TrainWork& work) const {
      if (work.kind == TrainingKind::kSupernet) return "training the supernet";
      return absl::StrCat(work.kind == TrainingKind::kFineTune ? "fine-tuning " : "training ", member);
    }
    std::string operator()(const EvaluateWork&) const { return "evaluating networks"; }
    std::string operator()(const FitWork&) const { return "fitting the accuracy predictor"; }
    std::string operator()(const BindWork&) const { return absl::StrCat("exporting ", member); }
    std::string operator()(const PackWork&) const { return "packing the test images"; }
    std::string operator()(const MeasureOperatorsWork&) const { return "measuring operators"; }
    std::string operator()(const MeasureNetworksWork&) const { return "measuring networks"; }
    std::string operator()(const VerifyWork&) const { return absl::StrCat("verifying ", member); }
  };
  return std::visit(Namer{member}, task.work);
}

std::string FailureText(const TaskRecord& task) {
  return absl::StrCat(task.error, " (", ActivityOf(task), ", after ", task.attempt, task.attempt == 1 ? " attempt)" : " attempts)");
}

}  // namespace hanas::coordinator
