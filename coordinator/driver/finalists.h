// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_DRIVER_FINALISTS_H_
#define HANAS_COORDINATOR_DRIVER_FINALISTS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/judging/search_context.h"
#include "coordinator/search/evaluation.h"
#include "coordinator/state/search_view.h"
#include "coordinator/state/updates.h"

namespace hanas::coordinator {

/// A network that may be trained on.
struct Contender {
  Individual network;
  double macs = 0;  // multiply-accumulates: how much it can learn, which a short training does not show
};

/// Which of a front's networks deserve the long training, which takes most of a search's time: at most `count` of `contenders`, as indices,
/// the most deserving first.
///
/// The first is the largest one, in MACs, of those whose objective `favourite` (the accuracy, where the job asks for it) is at most
/// `tolerance` worse than the best one's: chance cannot tell them apart, and a large network gains more from a long training than a small
/// one. It may be dominated by others. The second is the knee of the front, which is the network with the smallest sum of objectives when
/// each goes from 0 to 1 over the front, unless it is the first. The rest are farthest from those chosen (SelectSpread).
///
/// Networks within the limits come before all others: the first two are within them when any is, else of those that come closest. Of equal
/// ones the lower index is taken. Requires equally many objectives, and tolerance >= 0. Pure.
std::vector<size_t> ChooseFinalists(const std::vector<Contender>& contenders, size_t favourite, double tolerance, int count);

/// The step that decides which members of each target are trained on, once all that are left have been fine-tuned and evaluated on the
/// validation images; nothing before, after, and for a job that has none trained on. Pure.
absl::StatusOr<std::optional<AdvanceSearchUpdate>> DecideFinalists(const SearchView& view, SearchContext& context);

/// The member of `target` that is trained on when all who were chosen have failed: the one of those set aside after fine-tuning that
/// promises the least error, as an index; none when there is none left. Pure.
std::optional<size_t> NextFinalist(const SearchView& view, const SearchContext& context, uint32_t target);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_DRIVER_FINALISTS_H_
