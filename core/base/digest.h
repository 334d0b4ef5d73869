// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BASE_DIGEST_H_
#define HANAS_CORE_BASE_DIGEST_H_

#include <compare>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas {

/// A stable 128-bit fingerprint of a value: the same on every machine, build and run. Names things (architectures, graphs, plans, operator
/// keys); it is not cryptographic, so artifacts and data files use SHA-256 instead.
///
/// Thread-compatible.
struct Digest {
  uint64_t high = 0;
  uint64_t low = 0;

  friend auto operator<=>(const Digest&, const Digest&) = default;

  /// 32 lower-case hexadecimal digits.
  std::string ToHex() const;

  /// Inverse of ToHex. Returns INVALID_ARGUMENT unless `hex` is exactly 32 hexadecimal digits.
  static absl::StatusOr<Digest> FromHex(absl::string_view hex);

  template <typename H>
  friend H AbslHashValue(H state, const Digest& digest) {
    return H::combine(std::move(state), digest.high, digest.low);
  }
};

/// Accumulates fields into a Digest (FNV-1a, 128 bits; Fowler, Noll, Vo 1991). Every Add is length- or width-delimited, so that
/// ("ab","c") and ("a","bc") differ.
///
/// Thread-compatible.
class DigestBuilder {
 public:
  DigestBuilder& Add(absl::string_view bytes);
  DigestBuilder& Add(int64_t value);
  DigestBuilder& Add(const Digest& digest);
  Digest Build() const;

 private:
  void AddByte(uint8_t byte);

  unsigned __int128 state_ = (static_cast<unsigned __int128>(0x6c62272e07bb0142ULL) << 64) | 0x62b821756295c58dULL;
};

}  // namespace hanas

#endif  // HANAS_CORE_BASE_DIGEST_H_
