// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STATE_TRANSITIONS_H_
#define HANAS_COORDINATOR_STATE_TRANSITIONS_H_

#include <cstdint>
#include <string>

#include "coordinator/state/state.h"

namespace hanas::coordinator {

// What several updates do to a search. Each notes what it touched.

/// "searches/7".
std::string SearchName(uint64_t id);

void AddEvent(SearchState& search, std::string kind, std::string text, Changes& changes);
void EnterPhase(SearchState& search, SearchPhase phase, Changes& changes);
/// Enters a phase in which nothing happens any more, at `now_us`.
void End(SearchState& search, SearchPhase phase, int64_t now_us, Changes& changes);

/// Those that no other search wants.
void CancelOpenTasks(State& state, const SearchState& search, Changes& changes);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STATE_TRANSITIONS_H_
