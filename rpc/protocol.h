// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_PROTOCOL_H_
#define HANAS_RPC_PROTOCOL_H_

namespace hanas::rpc {

/// What workers, profiler-agents and the coordinator must agree on: the meaning of tasks and results. Raised when an old party would
/// misread a task, or the coordinator its result. Register carries it; another one is refused (FAILED_PRECONDITION, PROTOCOL_VERSION).
inline constexpr int kProtocolVersion = 6;

/// Data sets that one worker may offer. Register refuses more.
inline constexpr int kMaxDatasetsOfWorker = 1000;

}  // namespace hanas::rpc

#endif  // HANAS_RPC_PROTOCOL_H_
