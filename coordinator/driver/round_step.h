// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_DRIVER_ROUND_STEP_H_
#define HANAS_COORDINATOR_DRIVER_ROUND_STEP_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/judging/search_context.h"
#include "coordinator/state/search_view.h"
#include "coordinator/state/updates.h"

namespace hanas::coordinator {

/// The next step of SEARCHING: propose a round on the surrogates, wait for its true evaluations and measurements, refit, log it, and so on
/// for the job's rounds. A space that has no new network left ends the rounds early. Pure.
absl::StatusOr<std::optional<AdvanceSearchUpdate>> RoundStep(const SearchView& view, SearchContext& context);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_DRIVER_ROUND_STEP_H_
