// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BASE_QUANTITY_H_
#define HANAS_CORE_BASE_QUANTITY_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas {

// Times, sizes, counts and shares as people read and write them: job files, messages, reports and the screen use these forms, and no
// others.
//
// Law: what Format writes, Parse reads. The value that is read differs from the one that was written by at most half a unit of the last
// digit; with kUp it is never below, and at most a unit above; with kExact it differs by at most 1e-12 of it. Thread-safe.

enum class Rounding : uint8_t {
  kNearest,  // three figures, at most two decimals
  kUp,       // as many, never less than the value: for limits that somebody may type in, which the value must keep
  kExact,    // as many figures as it takes
};

/// "1 thread", "4 threads".
std::string FormatThreads(int threads);

/// "312 µs", "1.84 ms", "2.50 s". Requires a finite value, not negative.
std::string FormatMicroseconds(double us, Rounding rounding = Rounding::kNearest);

/// "45.2 kB", powers of 1000. Requires a finite value, not negative; fractions of a byte are rounded.
std::string FormatBytes(double bytes, Rounding rounding = Rounding::kNearest);

/// "987", "217 M", powers of 1000. Requires a finite value, not negative; fractions are rounded.
std::string FormatCount(double count, Rounding rounding = Rounding::kNearest);

/// "87.5 %" for 0.875, with one decimal; with kUp never less than the value. Requires a finite value.
std::string FormatPercent(double fraction, Rounding rounding = Rounding::kNearest);

/// "42 s", "3 min 05 s", "1 h 12 min": the unit after the last is dropped. Requires a finite value; below 0 counts as 0.
std::string FormatSeconds(double seconds);

// Numbers are decimal, with or without an exponent ("1e3"). Between number and unit may be any kind of space, or none. Both micro signs of
// Unicode and "u" are the same. All return INVALID_ARGUMENT with what was expected and found for other text.

/// "150 kB", "1.5MB", "512 KiB", "4096" (bytes). Decimal units are powers of 1000, binary ones of 1024. Refuses fractions of a byte and
/// anything above 2^60 bytes.
absl::StatusOr<int64_t> ParseBytes(absl::string_view text);

/// "80 k", "12.5M", "2 G", "80000": powers of 1000, at most 1e18.
absl::StatusOr<double> ParseCount(absl::string_view text);

/// "87.5 %" as 0.875; the sign is required.
absl::StatusOr<double> ParsePercent(absl::string_view text);

/// "0.4 ms", "400us", "60 µs", "1 s" as milliseconds; a unit is required.
absl::StatusOr<double> ParseMilliseconds(absl::string_view text);

/// "90 s", "20 min", "1.5 h", "2 d", "1 h 12 min" as seconds; a unit is required.
absl::StatusOr<double> ParseSeconds(absl::string_view text);

}  // namespace hanas

#endif  // HANAS_CORE_BASE_QUANTITY_H_
