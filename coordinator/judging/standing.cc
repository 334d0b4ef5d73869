// SPDX-License-Identifier: Apache-2.0
#include "coordinator/judging/standing.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/judging/goals.h"
#include "coordinator/search/hypervolume.h"

namespace hanas::coordinator {

bool IsOutsideNoise(double difference, double stddev) { return std::abs(difference) > kNoiseDeviations * stddev; }

FamilyAccuracy AccuracyAt(absl::Span<const Standing> networks, double latency_us) {
  // Nobody takes a network that is slower and no better than another one.
  std::vector<Standing> family;
  for (const Standing& network : networks) {
    if (!family.empty() && network.accuracy <= family.back().accuracy) continue;
    if (!family.empty() && network.latency_us == family.back().latency_us) family.pop_back();
    family.push_back(network);
  }
  if (family.empty() || latency_us < family.front().latency_us) return {};
  const Standing& slowest = family.back();
  if (latency_us > slowest.latency_us) return {FamilyBasis::kSlowest, slowest.accuracy, slowest.stddev};
  const auto above = std::find_if(family.begin(), family.end(), [&](const Standing& network) { return network.latency_us >= latency_us; });
  if (above->latency_us == latency_us) return {FamilyBasis::kInterpolated, above->accuracy, above->stddev};
  const Standing& below = *(above - 1);
  const double share = std::log(latency_us / below.latency_us) / std::log(above->latency_us / below.latency_us);
  return {FamilyBasis::kInterpolated, (1 - share) * below.accuracy + share * above->accuracy,
          std::hypot((1 - share) * below.stddev, share * above->stddev)};
}

VolumeCorner CornerOf(absl::Span<const CostLimit> limits, absl::Span<const Standing> networks) {
  constexpr double kMargin = 1.1;
  VolumeCorner corner;
  for (const Standing& network : networks) {
    corner.latency_us = std::max(corner.latency_us, kMargin * network.latency_us);
    corner.error = std::max(corner.error, kMargin * (1 - network.accuracy));
  }
  for (const CostLimit& limit : limits) {
    if (limit.cost == static_cast<int>(IndexOf(Quantity::kLatency))) corner.latency_us = limit.limit;
    if (limit.cost == static_cast<int>(IndexOf(Quantity::kAccuracy))) corner.error = limit.limit;
  }
  return corner;
}

double DominatedShare(absl::Span<const Standing> networks, const VolumeCorner& corner) {
  if (!(corner.latency_us > 0) || !(corner.error > 0)) return 0;
  std::vector<double> objectives;
  for (const Standing& network : networks) {
    objectives.push_back(network.latency_us / corner.latency_us);
    objectives.push_back((1 - network.accuracy) / corner.error);
  }
  const absl::StatusOr<double> volume = Hypervolume(objectives, {1, 1});
  return volume.ok() ? *volume : 0;
}

}  // namespace hanas::coordinator
