// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_DRIVER_CHOOSE_MEMBERS_H_
#define HANAS_COORDINATOR_DRIVER_CHOOSE_MEMBERS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/judging/search_context.h"
#include "coordinator/state/search_view.h"

namespace hanas::coordinator {

/// The networks of all targets' reports, but for opponents, which come later (opponents.h). Of each: at most fine_tune.members of all truly
/// evaluated ones within its limits, the non-dominated first, spread over the job's objectives, in the order of latency, then the
/// references. When none keeps the limits, the one that comes closest. Pure.
absl::StatusOr<std::vector<MemberRecord>> ChooseMembers(const SearchView& view, SearchContext& context);

/// The index of the network that `member` is trained as: the same one, trained alike, before it in the list; -1 when there is none.
int32_t TrainedAs(absl::Span<const MemberRecord> earlier, const MemberRecord& member);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_DRIVER_CHOOSE_MEMBERS_H_
