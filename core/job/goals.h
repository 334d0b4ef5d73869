// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_JOB_GOALS_H_
#define HANAS_CORE_JOB_GOALS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/base/field_violation.h"
#include "core/job/search_job.h"
#include "core/quantity/quantity_table.h"
#include "core/space/search_space.h"

namespace hanas {

// What a job wants of networks: its objectives and limits. Pure, hence thread-safe.

/// Adds a violation for objectives that are none, too many, unknown, the same, or leave accuracy to nobody; paths begin with "objectives".
void CheckObjectives(const SearchJob& job, FieldViolations& violations);
/// The same for limits: unknown quantities and targets, two for one quantity and target, values outside their range or on the wrong side,
/// confidence in what is certain.
void CheckLimits(const SearchJob& job, FieldViolations& violations);
/// The same for the list of targets, apart from what the rows of each target say: names that are the same, targets that differ in nothing
/// else, too many.
void CheckTargets(const SearchJob& job, FieldViolations& violations);
/// What is said of `targets` where a `target` stands beside it, in a file or on the wire: which of both is meant cannot be known.
inline constexpr absl::string_view kTargetBesideTargets =
    "expected either target or targets, found both: name the one target, with its limits, in the list too";

/// The job's objectives in its order. Requires a valid job.
std::vector<Quantity> ObjectivesOf(const SearchJob& job);

/// The index in job.limits of those that networks for a target keep.
std::vector<size_t> LimitsFor(const SearchJob& job, const TargetSpec& target);
/// The limit of a quantity for a target; null when the job has none.
const LimitSpec* FindLimit(const SearchJob& job, const TargetSpec& target, Quantity of);

/// The network of the space that a relative limit names, canonical. Requires one of RelativeTo().
Architecture NetworkNamed(absl::string_view name, const SearchSpace& space);

}  // namespace hanas

#endif  // HANAS_CORE_JOB_GOALS_H_
