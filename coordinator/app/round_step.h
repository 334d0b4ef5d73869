// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_APP_ROUND_STEP_H_
#define HANAS_COORDINATOR_APP_ROUND_STEP_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/app/search_context.h"
#include "coordinator/app/search_view.h"
#include "coordinator/app/updates.h"

namespace hanas::coordinator {

/// The next step of SEARCHING: propose a round on the surrogates, wait for its true evaluations and measurements, refit, log it, and so on
/// for the job's rounds. A space that has no new network left ends the rounds early. Pure.
absl::StatusOr<std::optional<AdvanceSearchUpdate>> RoundStep(const SearchView& view, SearchContext& context);

/// The latency that a prediction must stay under to keep the job's limit with 95 % confidence; 0 without a limit.
double LatencyBound(const SearchView& view, const LatencyCalibration& calibration);

/// How sure the search must be that a network which was only predicted keeps its latency limit.
inline constexpr double kLimitConfidence = 0.95;

/// Truly evaluated networks as the search compares them: error and latency (measured where it was, else predicted), and the violation of
/// the limits. A latency that was only predicted keeps its limit with 95 % confidence or counts as violated.
std::vector<Individual> TrueIndividuals(const SearchView& view, const std::vector<EvaluatedNetwork>& networks,
                                        const CandidateScorer& scorer, const LatencyCalibration& calibration);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_APP_ROUND_STEP_H_
