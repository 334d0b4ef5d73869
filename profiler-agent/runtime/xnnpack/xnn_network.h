// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_XNN_NETWORK_H_
#define HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_XNN_NETWORK_H_

#include <memory>

#include "absl/status/statusor.h"
#include "profiler-agent/runtime/runtime.h"

namespace hanas {

class XnnThreads;

/// A plan as a list of XnnOperators over one arena, executed by `threads`; null: by the calling thread. See DeviceRuntime::PrepareNetwork
/// for the other arguments and statuses.
absl::StatusOr<std::unique_ptr<NetworkInstance>> CreateXnnNetwork(const Graph& graph, const ExecPlan& plan, const BoundModel* model,
                                                                  const NetworkOptions& options, std::shared_ptr<XnnThreads> threads);

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_XNN_NETWORK_H_
