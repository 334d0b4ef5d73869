// SPDX-License-Identifier: Apache-2.0
#include "core/base/digest.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace hanas {

std::string Digest::ToHex() const { return absl::StrFormat("%016x%016x", high, low); }

absl::StatusOr<Digest> Digest::FromHex(absl::string_view hex) {
  const auto error = [&] {
    return absl::InvalidArgumentError(absl::StrCat("expected a digest of 32 hexadecimal digits, found \"", hex, "\""));
  };
  if (hex.size() != 32) return error();
  Digest digest;
  for (size_t i = 0; i < hex.size(); ++i) {
    const char c = hex[i];
    uint64_t nibble = 0;
    if (c >= '0' && c <= '9') {
      nibble = static_cast<uint64_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      nibble = static_cast<uint64_t>(c - 'a' + 10);
    } else {
      return error();
    }
    uint64_t& half = i < 16 ? digest.high : digest.low;
    half = (half << 4) | nibble;
  }
  return digest;
}

void DigestBuilder::AddByte(uint8_t byte) {
  constexpr unsigned __int128 kPrime = (static_cast<unsigned __int128>(1) << 88) | 0x13b;
  state_ ^= byte;
  state_ *= kPrime;
}

DigestBuilder& DigestBuilder::Add(int64_t value) {
  auto bits = static_cast<uint64_t>(value);
  for (int i = 0; i < 8; ++i, bits >>= 8) AddByte(static_cast<uint8_t>(bits));
  return *this;
}

DigestBuilder& DigestBuilder::Add(absl::string_view bytes) {
  Add(static_cast<int64_t>(bytes.size()));
  for (const char c : bytes) AddByte(static_cast<uint8_t>(c));
  return *this;
}

DigestBuilder& DigestBuilder::Add(const Digest& digest) {
  return Add(static_cast<int64_t>(digest.high)).Add(static_cast<int64_t>(digest.low));
}

Digest DigestBuilder::Build() const { return {.high = static_cast<uint64_t>(state_ >> 64), .low = static_cast<uint64_t>(state_)}; }

}  // namespace hanas
