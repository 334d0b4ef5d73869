// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_CLIENT_H_
#define HANAS_RPC_CLIENT_H_

#include <grpc/compression.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hanas::rpc {

/// Messages beyond this are refused on both sides; artifacts travel in chunks.
inline constexpr int kMaxMessageBytes = 16 << 20;
/// No compressed message is taken, on either side: gRPC expands one before it looks at its size, and 16 MiB expand to 16 GiB.
inline constexpr int kEnabledCompressions = 1 << GRPC_COMPRESS_NONE;
/// Trailers carry error details (rpc/status.h).
inline constexpr int kMaxMetadataBytes = 128 << 10;

/// A dead peer is noticed within keepalive_time + keepalive_timeout, with or without calls in flight.
struct ChannelOptions {
  bool insecure_connect = false;  // allows hosts other than loopback, without encryption
  std::string token_file;         // holds the token that calls on TCP show; empty: FindToken (rpc/token.h) says where it is
  absl::Duration keepalive_time = absl::Seconds(10);
  absl::Duration keepalive_timeout = absl::Seconds(10);
  absl::Duration min_reconnect_backoff = absl::Milliseconds(100);
  absl::Duration max_reconnect_backoff = absl::Seconds(2);
};

/// A channel to a coordinator, without encryption; proxies of the environment are not used. It connects with the first call. On TCP every
/// call shows the token (rpc/authentication.h). Returns ParseAddress's and ShowToken's statuses.
absl::StatusOr<std::shared_ptr<grpc::Channel>> CreateChannel(absl::string_view address, const ChannelOptions& options = {});

/// Gives the call that uses `context` this long.
void SetDeadline(grpc::ClientContext& context, absl::Duration timeout);

}  // namespace hanas::rpc

#endif  // HANAS_RPC_CLIENT_H_
