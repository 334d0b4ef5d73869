// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CONFIG_QUANTITY_H_
#define HANAS_CONFIG_QUANTITY_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas::config {

/// "150 kB", "1.5MB", "512 KiB", "4096" (bytes). Decimal units are powers of 1000, binary ones of 1024. Returns INVALID_ARGUMENT with what
/// was expected and found for other text, fractions of a byte and anything above 2^60 bytes. Thread-safe.
absl::StatusOr<int64_t> ParseBytes(absl::string_view text);

/// "0.4 ms", "400us", "1 s" as milliseconds; a unit is required. Returns INVALID_ARGUMENT for other text. Thread-safe.
absl::StatusOr<double> ParseMilliseconds(absl::string_view text);

/// "90 s", "30 min", "2 h", "1.5 d" as seconds; a unit is required. Returns INVALID_ARGUMENT for other text. Thread-safe.
absl::StatusOr<double> ParseSeconds(absl::string_view text);

}  // namespace hanas::config

#endif  // HANAS_CONFIG_QUANTITY_H_
