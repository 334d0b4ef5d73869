// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_SERVICE_CHILD_JOBS_H_
#define HANAS_PROFILER_AGENT_SERVICE_CHILD_JOBS_H_

#include "profiler-agent/measure/child.h"

namespace hanas {

/// The kind of job that all measuring tasks are.
inline constexpr char kMeasureJob[] = "measure";

/// The child's side of measuring tasks: a ChildRequest comes in, ChildRecords go out. Everything in the request is validated again: keys,
/// spaces, models and images come from outside. Refuses plans whose digest differs from the task's (reason PLAN_DISAGREES).
ChildHandlers AgentChildHandlers();

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_SERVICE_CHILD_JOBS_H_
