// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_DRIVER_OPPONENTS_H_
#define HANAS_COORDINATOR_DRIVER_OPPONENTS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/judging/search_context.h"
#include "coordinator/state/search_view.h"
#include "coordinator/state/updates.h"

namespace hanas::coordinator {

// The plain networks that the members of a search with ReferencesKind::kFamily are compared with. They are measured, chosen and trained
// when every member is verified, so that nothing of the members waits for them, and what the search spent is known: each family gets as
// much, and so does one network alone. With them the whole takes about four times as long: three times as long again, for one target. From
// then on they are references like others. Everything here is pure.

/// A network of a family as it was measured on a target, with random weights.
struct OpponentCandidate {
  double latency_us = 0;  // the job's statistic
  bool keeps_limits = false;
};

/// For each latency of a member the widest network of `family`, which ascends in width, that keeps the limits and is as fast; the narrowest
/// that keeps them when none is so fast. They are distinct: one that is taken already is replaced by the nearest free one that keeps the
/// limits, the narrower one of two, and when none is free there are fewer. Ascending indices.
std::vector<size_t> ChooseOpponents(absl::Span<const OpponentCandidate> family, std::vector<double> member_latencies_us);

/// The steps that take `seconds` at this rate: at least 1, at most bounds::kMaxSteps.
int64_t StepsFor(double seconds, double images_per_second, int batch_size);

/// Steps of training that tell the rate of a network.
inline constexpr int64_t kProbeSteps = 40;

struct OpponentsStep {
  bool done = false;                                       // opponents are chosen, and it is known for how long each trains
  std::optional<AdvanceSearchUpdate> step = std::nullopt;  // none while it waits for tasks
};

/// What is next before opponents are trained: measuring the families, choosing and probing, then their steps. Requires that all members are
/// verified. A network that could not be measured is not chosen. Returns INVALID_ARGUMENT for a stored space that is not valid any more,
/// and the statuses of SearchContext::GoalsOfJob.
absl::StatusOr<OpponentsStep> StepOfOpponents(const SearchView& view, SearchContext& context);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_DRIVER_OPPONENTS_H_
