// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_DRIVER_STEP_BUILDER_H_
#define HANAS_COORDINATOR_DRIVER_STEP_BUILDER_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "coordinator/judging/search_context.h"
#include "coordinator/state/search_view.h"
#include "coordinator/state/updates.h"

namespace hanas::coordinator {

// What the phases' steps are put together from. Pure.

/// A step of the search from its current phase.
AdvanceSearchUpdate StepOf(const SearchView& view);
/// The step to FAILED.
AdvanceSearchUpdate FailStep(const SearchView& view, std::string code, std::string message);

/// Evaluation tasks of the series from index 0 on, in batches, with the digests of the graphs.
void AddEvaluations(const SearchView& view, const SearchContext& context, const TaskKey& series,
                    const std::vector<Architecture>& architectures, AdvanceSearchUpdate& step);
/// The same for whole networks to measure, with the digests of their plans.
void AddMeasurements(const SearchView& view, const SearchContext& context, const TaskKey& series,
                     const std::vector<Architecture>& architectures, AdvanceSearchUpdate& step);

/// Whose answers the networks of the search learn from; none without a teacher. Requires that it is trained.
std::optional<TeacherRef> TeacherOf(const SearchView& view, const SearchContext& context);

/// "member-1: 88.1 % on 10000 test images, 812 µs p50 on the device". Of one that is verified.
std::string MemberLine(const SearchView& view, const MemberRecord& member);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_DRIVER_STEP_BUILDER_H_
