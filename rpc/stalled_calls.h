// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_STALLED_CALLS_H_
#define HANAS_RPC_STALLED_CALLS_H_

#include <memory>

#include <grpcpp/support/server_interceptor.h>

#include "absl/time/time.h"

namespace hanas::rpc {

/// Cancels a call of which a message, or its end, waits longer than `max_stall` for the client to take it: one that opens no window of
/// HTTP/2 would else hold the call's memory, and its thread when it has one, for as long as it answers pings. Every kind of call, of every
/// service. What a call sends before a message is not looked at, nor is a client that takes its time to ask.
///
/// Thread-safe.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> EndStalledCalls(absl::Duration max_stall);

}  // namespace hanas::rpc

#endif  // HANAS_RPC_STALLED_CALLS_H_
