// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_SPACE_PRECISION_H_
#define HANAS_CORE_SPACE_PRECISION_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas {

/// Bits of one convolution or fully connected layer. Legal: weights 16, 8, 4 or 2 with activations 16; weights 8, 4 or 2 with
/// activations 8.
struct Precision {
  uint8_t weight_bits = 16;
  uint8_t activation_bits = 16;
  friend bool operator==(const Precision&, const Precision&) = default;
};
/// "w4a8".
std::string ToString(Precision precision);
/// Inverse of ToString. Returns INVALID_ARGUMENT naming the legal ones.
absl::StatusOr<Precision> PrecisionFromString(absl::string_view text);
bool IsLegal(Precision precision);
/// For messages: "one of w16a16, w8a16, ...".
absl::string_view LegalPrecisions();

}  // namespace hanas

#endif  // HANAS_CORE_SPACE_PRECISION_H_
