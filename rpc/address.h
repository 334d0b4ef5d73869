// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_ADDRESS_H_
#define HANAS_RPC_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas::rpc {

/// Where a server listens. Only loopback: without transport security and authentication nothing may be reachable from elsewhere.
struct Address {
  std::string host;  // "127.0.0.1", "::1", "localhost"
  int port = 0;

  /// "127.0.0.1:7700", "[::1]:7700".
  std::string ToString() const;
};

/// Reads "HOST:PORT" or "[IPV6]:PORT". Returns INVALID_ARGUMENT for anything else, for a port outside 1 to 65535 (0 only with
/// `allow_port_zero`: the system chooses), and for a host that is not loopback.
absl::StatusOr<Address> ParseLoopbackAddress(absl::string_view text, bool allow_port_zero = false);

}  // namespace hanas::rpc

#endif  // HANAS_RPC_ADDRESS_H_
