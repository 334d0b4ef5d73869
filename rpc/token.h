// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_TOKEN_H_
#define HANAS_RPC_TOKEN_H_

#include <string>

#include "absl/status/statusor.h"
#include "rpc/secret.h"

namespace hanas::rpc {

// The token of a coordinator: what shows that a caller on TCP, where the system does not say who calls, may do what it asks. Whoever has it
// may do everything. Thread-safe, as long as nobody changes the environment.

/// Where a process has its token from.
struct TokenPlace {
  std::string file;     // empty: it stands in the variable HANAS_TOKEN
  bool chosen = false;  // by an option or a variable; else it is the user's own place, where the first coordinator puts one

  /// "HANAS_TOKEN", or the file.
  std::string ToString() const;
};

/// The place: `file` (of --token-file) when it is not empty, else the file that HANAS_TOKEN_FILE names, else HANAS_TOKEN, else `token` in
/// UserStateDirectory. Returns FAILED_PRECONDITION when there is none.
absl::StatusOr<TokenPlace> FindToken(const std::string& file);

/// Returns ReadSecret's statuses.
absl::StatusOr<Secret> ReadToken(const TokenPlace& place);

/// The same; a token that is not there yet is made, and so is a directory for it that is missing. The user's own one is made private.
absl::StatusOr<Secret> ReadOrMakeToken(const TokenPlace& place);

}  // namespace hanas::rpc

#endif  // HANAS_RPC_TOKEN_H_
