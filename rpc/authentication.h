// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_AUTHENTICATION_H_
#define HANAS_RPC_AUTHENTICATION_H_

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/support/client_interceptor.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "rpc/token.h"

namespace hanas::rpc {

// Both ends of "authorization: Bearer TOKEN", on connections without encryption. gRPC's own call credentials refuse such connections, so a
// client adds the header in an interceptor, and a server looks at it where gRPC authenticates: before any handler, of whatever service,
// sees the call.

/// Credentials of a port that asks every call but those of grpc.health.v1 for `token`. A call without it ends with UNAUTHENTICATED.
std::shared_ptr<grpc::ServerCredentials> AskForToken(Secret token);

/// Shows the token of FindToken(`token_file`) with every call; it is read for each, since a coordinator that starts later may make it. An
/// UNAUTHENTICATED status gets a message that names the place and what to do, and the reason kTokenRequired or kTokenWrong: the server does
/// not know the one, and gRPC does not let it send the other. Returns ReadToken's statuses, but for a user's own file that is not there
/// yet.
absl::StatusOr<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> ShowToken(const std::string& token_file);

}  // namespace hanas::rpc

#endif  // HANAS_RPC_AUTHENTICATION_H_
