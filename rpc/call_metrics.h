// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_CALL_METRICS_H_
#define HANAS_RPC_CALL_METRICS_H_

#include <grpcpp/support/server_interceptor.h>

#include <memory>

#include "telemetry/metrics.h"

namespace hanas::rpc {

/// Records duration, status code and number of the calls of a server, whatever API its services use. Calls of services that are not in
/// this program's protos (health, reflection, what a client made up) are told apart from ours as "other" only. Borrows `metrics`.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MeasureCalls(telemetry::Metrics* metrics);

}  // namespace hanas::rpc

#endif  // HANAS_RPC_CALL_METRICS_H_
