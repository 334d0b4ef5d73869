// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STATE_TRAIN_MEMBER_H_
#define HANAS_COORDINATOR_STATE_TRAIN_MEMBER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "coordinator/state/state.h"

namespace hanas::coordinator {

/// The index of a member, not a reference, of the target of that name, the first if it is empty; none when there is no such member.
std::optional<size_t> IndexOfMember(const SearchState& search, absl::string_view target, absl::string_view id);

/// Makes the member at `index` one that is trained on for `steps`, and so is the one that it is trained as, unless it was begun for another
/// target already: then it goes on for as many steps.
void TrainOn(std::vector<MemberRecord>& members, size_t index, int64_t steps);

/// A member that was set aside is trained on, exported and verified after all: the search is in VERIFYING again until it is, and its other
/// members stay as they are. Nothing changes for one that was asked for before, unless it failed: then it is tried anew. Cancelling the
/// search meanwhile gives up what was asked for and is not verified, and nothing else. Returns NOT_FOUND with SEARCH_NOT_FOUND or
/// MEMBER_NOT_FOUND, FAILED_PRECONDITION with SEARCH_NOT_SUCCEEDED or MEMBER_TRAINED, and JOB_REFUSED of a search whose job this version
/// refuses.
struct TrainMemberUpdate {
  uint64_t search = 0;
  std::string target;  // its name; empty: the first
  std::string member;
  int64_t steps = 0;  // > 0
  absl::Status Check(const State& state) const;
  void Apply(State& state, Changes& changes) const;
};

/// Sets the members that a user asked for and that are not verified aside again, and erases what was done for them since. Their names;
/// empty when there is none.
std::string GiveUpAsked(State& state, SearchState& search, Changes& changes);

/// How many members a user has asked for; only a search that has succeeded has any.
int32_t NumAsked(const std::vector<MemberRecord>& members);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STATE_TRAIN_MEMBER_H_
