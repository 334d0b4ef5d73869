// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_JOB_JOB_COST_H_
#define HANAS_CORE_JOB_JOB_COST_H_

#include <cstdint>

#include "absl/status/status.h"
#include "core/base/field_violation.h"
#include "core/base/stop.h"
#include "core/job/search_job.h"
#include "core/lowering/lowering.h"

namespace hanas {

/// What a job costs before anything of it is done, from a walk of the contexts of its space.
struct JobCost {
  int64_t lowerings = 0;         // of units, to find the operators to measure
  int64_t table_entries = 0;     // of the cost tables that candidates are scored with
  int64_t supernet_weights = 0;  // of all slots; four bytes each in a checkpoint, twice while momentum is carried
  int64_t training_bytes = 0;    // activations and their gradients of one batch of the largest network
};
/// Requires a space that ValidateSpaceSpec accepts.
JobCost CostOf(const SearchJob& job, const Lowering& lowering);

/// Adds a violation for everything that the job would make the coordinator, a worker or an agent do beyond core/base/bounds.h: with the
/// field to change, the bound and what was found. Takes milliseconds for
/// most jobs, and a second or two for the largest. Requires a space and a training that are valid one by one.
void CheckJobCost(const SearchJob& job, FieldViolations& violations);

/// Whether every network of the space is evaluated and measured, since the job asks for as many evaluations anyway, or since they are too
/// few to learn a predictor from. Then there is nothing to sample, to predict or to propose.
bool IsSearchedWhole(const SearchJob& job, const SearchSpace& space);

/// Whether the space has few enough operators on every device; they are enumerated, which takes a second or two at most. Returns
/// INVALID_ARGUMENT with a violation of `space`, and CANCELLED when `stop` says so.
absl::Status CheckOperatorCount(const Lowering& lowering, StopCheck stop);

}  // namespace hanas

#endif  // HANAS_CORE_JOB_JOB_COST_H_
