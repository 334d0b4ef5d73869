// SPDX-License-Identifier: Apache-2.0
#include "core/space/precision.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hanas {

std::string ToString(Precision precision) { return absl::StrCat("w", precision.weight_bits, "a", precision.activation_bits); }

bool IsLegal(Precision p) {
  const bool narrow = p.weight_bits == 8 || p.weight_bits == 4 || p.weight_bits == 2;
  return (p.activation_bits == 16 && (narrow || p.weight_bits == 16)) || (p.activation_bits == 8 && narrow);
}

absl::StatusOr<Precision> PrecisionFromString(absl::string_view text) {
  for (const int activation_bits : {16, 8}) {
    for (const int weight_bits : {16, 8, 4, 2}) {
      const Precision precision = {static_cast<uint8_t>(weight_bits), static_cast<uint8_t>(activation_bits)};
      if (IsLegal(precision) && ToString(precision) == text) return precision;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("expected a precision (", LegalPrecisions(), "), found \"", text, "\""));
}

absl::string_view LegalPrecisions() { return "one of w16a16, w8a16, w4a16, w2a16, w8a8, w4a8, w2a8"; }

}  // namespace hanas
