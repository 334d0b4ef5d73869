// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_SHA256_H_
#define HANAS_RPC_SHA256_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace hanas::rpc {

/// Accumulates bytes into a SHA-256 (FIPS 180-4). Movable. Thread-compatible.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Add(absl::string_view bytes);
  /// 64 lower-case hexadecimal digits. The object may not be used afterwards.
  std::string FinishHex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// Of all of `bytes`. Thread-safe.
std::string Sha256Hex(absl::string_view bytes);

/// Returns INVALID_ARGUMENT unless `text` is 64 lower-case hexadecimal digits: it becomes part of file names. `field` is named in the
/// message.
absl::Status CheckSha256Hex(absl::string_view text, absl::string_view field = "sha256");

}  // namespace hanas::rpc

#endif  // HANAS_RPC_SHA256_H_
