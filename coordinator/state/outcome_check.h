// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STATE_OUTCOME_CHECK_H_
#define HANAS_COORDINATOR_STATE_OUTCOME_CHECK_H_

#include "absl/status/status.h"
#include "coordinator/state/state.h"

namespace hanas::coordinator {

/// What comes from a worker or an agent is an outside input: everything that later code relies on is checked here. Returns INVALID_ARGUMENT
/// saying what was expected of which task: the kind of its work, one score or row for each thing asked, finite positive times, finite
/// seconds of 0 or more, steps in range, accuracies within their images, readings of one file that fit together, a predictor of the
/// search's space. Pure.
absl::Status CheckOutcome(const State& state, const TaskRecord& task, const Outcome& outcome);

/// The same for a streamed round.
absl::Status CheckRound(const TaskRecord& task, const RecordedRound& round);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STATE_OUTCOME_CHECK_H_
