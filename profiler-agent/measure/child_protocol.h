// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_MEASURE_CHILD_PROTOCOL_H_
#define HANAS_PROFILER_AGENT_MEASURE_CHILD_PROTOCOL_H_

#include "absl/strings/string_view.h"

namespace hanas {

// What both sides of measure/child.h know: PROGRAM --child KIND CPU_SECONDS,MEMORY_BYTES,THREADS,PIN,PARENT_PID.
inline constexpr absl::string_view kChildFlag = "--child";
inline constexpr int kChildRecordDescriptor = 3;
inline constexpr int kChildBadCallExit = 64;
inline constexpr int kChildOutOfMemoryExit = 65;

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_MEASURE_CHILD_PROTOCOL_H_
