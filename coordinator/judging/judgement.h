// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_JUDGING_JUDGEMENT_H_
#define HANAS_COORDINATOR_JUDGING_JUDGEMENT_H_

#include <vector>

#include "coordinator/calibration/calibration.h"
#include "coordinator/judging/search_context.h"
#include "coordinator/search/evaluation.h"
#include "coordinator/state/search_view.h"
#include "coordinator/surrogate/candidate_scorer.h"

namespace hanas::coordinator {

// What a search makes of what it knows of networks: which limit a prediction must keep, and how evaluated networks compare. The driver and
// the candidates that users list judge by the same functions. They are pure, and thus thread-safe.

/// Truly evaluated networks as the search compares them: the job's objectives, with the latency that was measured, else predicted, and the
/// violation of the limits. A latency that was only predicted keeps its limit with the confidence that the limit asks for, or counts as
/// violated.
std::vector<Individual> TrueIndividuals(const SearchView& view, const Goals& goals, const std::vector<EvaluatedNetwork>& networks,
                                        const CandidateScorer& scorer, const LatencyCalibration& calibration);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_JUDGING_JUDGEMENT_H_
