// SPDX-License-Identifier: Apache-2.0
#include "coordinator/judging/judgement.h"

namespace hanas::coordinator {

std::vector<Individual> TrueIndividuals(const SearchView& view, const Goals& goals, const std::vector<EvaluatedNetwork>& networks,
                                        const CandidateScorer& scorer, const LatencyCalibration& calibration) {
  const std::vector<CostLimit> for_predictions = LimitsForPredictions(goals.limits, calibration);
  std::vector<Individual> individuals;
  for (const EvaluatedNetwork& network : networks) {
    CostVector costs = CostsOf(scorer.ScoreOne(network.architecture), calibration, network.score.fraction());
    const bool measured = network.measured.has_value();
    if (measured) costs[IndexOf(Quantity::kLatency)] = StatisticUs(*network.measured, view.target_spec().statistic);
    individuals.push_back({network.architecture, EvaluationOf(goals, costs, measured ? goals.limits : for_predictions)});
  }
  return individuals;
}

}  // namespace hanas::coordinator
