// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_DRIVER_PROFILE_STEP_H_
#define HANAS_COORDINATOR_DRIVER_PROFILE_STEP_H_

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/judging/search_context.h"
#include "coordinator/state/search_view.h"
#include "coordinator/state/updates.h"

namespace hanas::coordinator {

/// The next step of PROFILING, for whichever target is ready for one: operators without a row, whole networks to calibrate and to test the
/// calibration, then the reachable ranges and whether the limits can be met. Pure.
absl::StatusOr<std::optional<AdvanceSearchUpdate>> ProfileStep(const SearchView& view, SearchContext& context);

/// Whether any network keeps the limits of the view's target, with latencies estimated by `calibration`. Returns FindFeasibility's
/// statuses. Pure.
absl::StatusOr<FeasibilityReport> ProbeLimits(const SearchView& view, SearchContext& context, const CandidateScorer& scorer,
                                              const LatencyCalibration& calibration);
/// What stands in the way, in keys, units and forms of the job file, with limits that can be kept: typed in as they are printed, they are
/// met, with the confidence that each limit asks for. Requires a report that is not feasible.
std::string InfeasibleMessage(const SearchView& view, const FeasibilityReport& report, const LatencyCalibration& calibration);

/// Networks that keep the limits of the view's target as far as costs are known after profiling (or come closest), cheapest first; few.
/// Pure.
std::vector<Architecture> FeasibleNetworks(const SearchView& view, SearchContext& context);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_DRIVER_PROFILE_STEP_H_
