// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BASE_TEXT_H_
#define HANAS_CORE_BASE_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace hanas {

// Text that quotes what came from outside, on its way into messages, records and terminals. Thread-safe: free functions without state.

/// The text as valid UTF-8 that no terminal obeys: bytes that are not UTF-8 become U+FFFD, and control characters other than the newline,
/// among them those that turn the direction of writing, become escapes ("\x1b", "\u202e"). What was printable stays as it is.
std::string Printable(absl::string_view text);

/// The text, when it has at most `max_bytes`; else its beginning and its end with " … " between them, in at most `max_bytes`, so that both
/// what a message says and what it advises survive a long quotation. UTF-8 sequences are never cut. `max_bytes` is at least 16.
std::string Shorten(absl::string_view text, size_t max_bytes);

/// The position of `name` among `words`. Returns INVALID_ARGUMENT with what was expected and found.
absl::StatusOr<uint8_t> IndexOfWord(absl::string_view name, absl::Span<const absl::string_view> words);

}  // namespace hanas

#endif  // HANAS_CORE_BASE_TEXT_H_
