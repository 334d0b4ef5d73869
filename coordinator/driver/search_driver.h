// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_DRIVER_SEARCH_DRIVER_H_
#define HANAS_COORDINATOR_DRIVER_SEARCH_DRIVER_H_

#include <optional>

#include "absl/status/statusor.h"
#include "coordinator/judging/search_context.h"
#include "coordinator/state/search_view.h"
#include "coordinator/state/updates.h"

namespace hanas::coordinator {

/// The life of a search: the next step that its state calls for, or nothing while it waits for tasks. Steps are applied one at a time until
/// there is none, and none is taken while the search is paused.
///
/// Deterministic and idempotent: a pure function of the state (`context` only remembers). Tasks have keys that say what they are, their
/// order of completion plays no part, and after a restart the same steps follow. A search whose task failed, or whose inputs turn out to be
/// unusable, gets the step to FAILED; a status is returned only for what is a defect of this program (INTERNAL). A network of the report
/// of which a task failed is left out instead, as long as a member remains.
///
/// Searches and tasks:
///   PROFILING  profile/operators/N, profile/networks/N      what the space costs on this device; infeasible limits end here
///   TRAINING   train/N                                      checkpoint to checkpoint; none with Screening::kAlone
///   SAMPLING   sample/N, sample/predictor, witness/N        networks evaluated, the first predictor; one within limits
///   SEARCHING  round/R/evaluate/N, round/R/measure/N, round/R/predictor
///   VERIFYING  members/ID/train/N, members/ID/screen, members/ID/final/N, members/ID/bind, verify/images, members/ID/verify
///              with opponents, once all members are verified: opponents/measure/N, opponents/ID/probe/0, then the same of them
///
/// Tasks of TRAINING and SAMPLING are shared with other searches (sharing.h), but for the witness, and for samples that are trained alone.
///
/// Every round is proposed from the results of all rounds before it and told as a whole in the order asked: the window is the round.
/// `context` may be null while the search is PENDING: thousands may wait for a device, and none needs its space for that.
absl::StatusOr<std::optional<AdvanceSearchUpdate>> NextStep(const SearchView& view, SearchContext* context);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_DRIVER_SEARCH_DRIVER_H_
