// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_ADDRESS_H_
#define HANAS_RPC_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas::rpc {

/// Where a server listens.
struct Address {
  std::string host;  // "127.0.0.1", "::1", "localhost", "coordinator.example"
  int port = 0;

  /// "127.0.0.1:7700", "[::1]:7700".
  std::string ToString() const;
};

enum class AddressUse {
  kListen,   // port 0: the system chooses
  kConnect,  // a port from 1
};

/// Reads "HOST:PORT" or "[IPV6]:PORT". Connections are neither encrypted nor authenticated, so only loopback hosts are accepted unless
/// `insecure` (--insecure-listen, --insecure-connect) says that somebody knows and wants it. Returns INVALID_ARGUMENT for any other text, a
/// port out of range, and another host without `insecure`.
absl::StatusOr<Address> ParseAddress(absl::string_view text, AddressUse use, bool insecure = false);

}  // namespace hanas::rpc

#endif  // HANAS_RPC_ADDRESS_H_
