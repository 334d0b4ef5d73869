// SPDX-License-Identifier: Apache-2.0
#include "coordinator/driver/step_builder.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_format.h"
#include "core/base/quantity.h"

namespace hanas::coordinator {
namespace {

constexpr size_t kNetworksPerTask = 8;
/// Training a network first takes many times as long as scoring it: nothing of another one is lost with the task.
constexpr size_t kTrainedPerTask = 1;

/// Calls `make(begin, end)` for consecutive pieces of `count` networks, at most `batch` each.
void InBatches(size_t count, size_t batch, absl::FunctionRef<void(size_t begin, size_t end)> make) {
  for (size_t begin = 0; begin < count; begin += batch) make(begin, std::min(count, begin + batch));
}

}  // namespace

AdvanceSearchUpdate StepOf(const SearchView& view) {
  return {.search = view.record().id, .expected = view.record().phase, .expected_events = view.record().num_events};
}

AdvanceSearchUpdate FailStep(const SearchView& view, std::string code, std::string message) {
  AdvanceSearchUpdate step = StepOf(view);
  step.next = SearchPhase::kFailed;
  step.error_code = std::move(code);
  step.error = std::move(message);
  return step;
}

void AddEvaluations(const SearchView& view, const SearchContext& context, const TaskKey& series,
                    const std::vector<Architecture>& architectures, AdvanceSearchUpdate& step) {
  const bool alone = !HasSupernet(view.job());
  EvaluateWork common;
  if (alone) {
    common.teacher = TeacherOf(view, context);
  } else {
    common.checkpoint = view.ChainEnd({.stage = TaskStage::kTrain})->checkpoint;
  }
  size_t number = 0;
  InBatches(architectures.size(), alone ? kTrainedPerTask : kNetworksPerTask, [&](size_t begin, size_t end) {
    EvaluateWork work = common;
    for (size_t i = begin; i < end; ++i) {
      work.architectures.push_back(architectures[i]);
      work.graph_digests.push_back(context.GraphDigestOf(architectures[i]));
      if (alone) work.steps.push_back(context.StepsAsCostly(architectures[i], view.job().sampling.steps));
    }
    step.tasks.emplace_back(view.TextOf(series.At(number++)), std::move(work));
  });
}

void AddMeasurements(const SearchView& view, const SearchContext& context, const TaskKey& series,
                     const std::vector<Architecture>& architectures, AdvanceSearchUpdate& step) {
  size_t number = 0;
  InBatches(architectures.size(), kNetworksPerTask, [&](size_t begin, size_t end) {
    MeasureNetworksWork work;
    for (size_t i = begin; i < end; ++i) {
      work.architectures.push_back(architectures[i]);
      work.plan_digests.push_back(context.PlanDigestOf(architectures[i], view.target().caps));
    }
    step.tasks.emplace_back(view.TextOf(series.At(number++)), std::move(work));
  });
}

std::optional<TeacherRef> TeacherOf(const SearchView& view, const SearchContext& context) {
  if (context.teacher() == nullptr) return std::nullopt;
  // As it was trained: a preset may have changed since.
  const TaskKey chain = {.stage = TaskStage::kTeacher};
  const TrainWork& work = std::get<TrainWork>(view.Numbered(chain).back()->work);
  return TeacherRef{view.ChainEnd(chain)->checkpoint, *work.space, work.slice};
}

std::string MemberLine(const SearchView& view, const MemberRecord& member) {
  const auto* verified = view.Done<VerifyOutcome>(view.MemberKey(TaskStage::kMemberVerify, member));
  return absl::StrFormat("%s%s: %.1f %% on %d test images, %s p50 on the device", view.For(member.target).TargetPrefix(), member.id,
                         100 * verified->exported.fraction(), verified->exported.images, FormatMicroseconds(verified->device.p50_us));
}

}  // namespace hanas::coordinator
