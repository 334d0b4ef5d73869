// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_JUDGING_STANDING_H_
#define HANAS_COORDINATOR_JUDGING_STANDING_H_

#include <cstdint>

#include "absl/types/span.h"
#include "coordinator/search/feasibility.h"

namespace hanas::coordinator {

// How networks of a front stand against networks of a family, as both were measured. Pure functions of the numbers.

/// Where a network stands.
struct Standing {
  double latency_us = 0;
  double accuracy = 0;  // fraction
  double stddev = 0;    // of the accuracy
  friend bool operator==(const Standing&, const Standing&) = default;
};

/// Up to so many standard deviations a difference of two accuracies passes for chance.
inline constexpr double kNoiseDeviations = 2;
/// Whether a difference of two accuracies is claimed: it is more than kNoiseDeviations of its standard deviations. Both are in one unit.
bool IsOutsideNoise(double difference, double stddev);

/// What an accuracy of a family rests on.
enum class FamilyBasis : uint8_t {
  kInterpolated = 0,  // between the two networks around the latency
  kSlowest = 1,       // all are faster: the accuracy is the best one's
  kNoneAsFast = 2,    // all are slower: there is no accuracy
};
struct FamilyAccuracy {
  FamilyBasis basis = FamilyBasis::kNoneAsFast;
  double accuracy = 0;
  double stddev = 0;
  friend bool operator==(const FamilyAccuracy&, const FamilyAccuracy&) = default;
};

/// What a family would reach at this latency: linear in the logarithm of latency between the two networks around it, whose errors are
/// independent. Networks that another one is as fast and as accurate as play no part. `networks` ascend in latency, which is above 0.
/// Example: 0.80 at 100 µs and 0.90 at 400 µs are 0.85 at 200 µs.
FamilyAccuracy AccuracyAt(absl::Span<const Standing> networks, double latency_us);

/// The corner that volumes are bounded by.
struct VolumeCorner {
  double latency_us = 0;
  double error = 0;  // 1 - accuracy
};
/// The limits on latency and accuracy among `limits`; where there is none, 1.1 times the worst of `networks`.
VolumeCorner CornerOf(absl::Span<const CostLimit> limits, absl::Span<const Standing> networks);

/// The hypervolume over latency and error as a share of the box that ends at the corner, from 0 to 1; 0 for a box that is none.
double DominatedShare(absl::Span<const Standing> networks, const VolumeCorner& corner);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_JUDGING_STANDING_H_
