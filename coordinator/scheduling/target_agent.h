// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SCHEDULING_TARGET_AGENT_H_
#define HANAS_COORDINATOR_SCHEDULING_TARGET_AGENT_H_

#include <string>

#include "coordinator/state/state.h"
#include "core/job/search_job.h"

namespace hanas::coordinator {

/// The agent that a search on `target` is bound to, null when none is registered. That is the agent that target.device names, else the
/// first one of that kind or class of devices that does not drain, those in quarantine last; each only if its runtime is the target's
/// backend and it has the threads that the target asks for.
const PartyRecord* FindTargetAgent(const State& state, const TargetSpec& target);

/// Why FindTargetAgent finds none, as a sentence that says what to do. Requires that it finds none.
std::string ExplainMissingAgent(const State& state, const TargetSpec& target);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_SCHEDULING_TARGET_AGENT_H_
