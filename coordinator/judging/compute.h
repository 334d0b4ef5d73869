// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_JUDGING_COMPUTE_H_
#define HANAS_COORDINATOR_JUDGING_COMPUTE_H_

#include <cstdint>
#include <optional>

#include "coordinator/state/search_view.h"

namespace hanas::coordinator {

/// Seconds of processors that workers spent on a search, and seconds of devices: of results, and of training that was handed back. What
/// another search trained or evaluated for both is counted in each, as each would have had to do it. The references of a search's own space
/// are in none of these.
struct ComputeUse {
  double shared_seconds = 0;     // supernet, samples, predictors and test images: whatever the number of targets
  double targets_seconds = 0;    // profiling, rounds and members, of all targets together
  double opponents_seconds = 0;  // measuring plain networks, their probes, and training, exporting and verifying those that were chosen

  /// What the search itself spent, which opponents are given too.
  double search_seconds() const { return shared_seconds + targets_seconds; }
};

/// Of all targets together. Pure; O(tasks).
ComputeUse ComputeOf(const SearchView& view);

/// The least number of targets from which on a search for all of them costs no more than `one_network_seconds` for each; none when a target
/// alone costs as much. `shared_seconds` are spent once, `per_target_seconds` for each.
std::optional<int64_t> BreakEvenTargets(double shared_seconds, double per_target_seconds, double one_network_seconds);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_JUDGING_COMPUTE_H_
