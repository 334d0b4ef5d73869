// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_ADDRESS_H_
#define HANAS_RPC_ADDRESS_H_

#include <sys/un.h>

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas::rpc {

/// Where a server listens: on TCP, or on a Unix socket, which the system lets nobody but its user reach.
///
/// Invariant: either `path` is absolute and fits a socket's address, and host and port are not set, or it is empty and they are.
struct Address {
  std::string host;  // "127.0.0.1", "::1", "localhost", "coordinator.example"
  int port = 0;
  std::string path;  // of a Unix socket

  bool is_unix() const { return !path.empty(); }
  /// "127.0.0.1:7700", "[::1]:7700", "unix:/run/user/1000/hanas/socket".
  std::string ToString() const;
  /// The same as gRPC reads it: what a URI does not allow in a path is escaped.
  std::string Target() const;
};

/// The longest path that a Unix socket can have.
inline constexpr size_t kMaxUnixPathBytes = sizeof(sockaddr_un::sun_path) - 1;

enum class AddressUse {
  kListen,     // port 0: the system chooses
  kListenTcp,  // the same without Unix sockets
  kConnect,    // a port from 1
};

/// Reads "HOST:PORT", "[IPV6]:PORT" or "unix:/PATH". Nothing is encrypted, so only loopback hosts are accepted unless `insecure`
/// (--insecure-listen, --insecure-connect) says that somebody knows and wants it. Returns INVALID_ARGUMENT for any other text, a port out
/// of range, a path that is relative or too long, and another host without `insecure`.
absl::StatusOr<Address> ParseAddress(absl::string_view text, AddressUse use, bool insecure = false);

}  // namespace hanas::rpc

#endif  // HANAS_RPC_ADDRESS_H_
