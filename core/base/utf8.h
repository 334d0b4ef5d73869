// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BASE_UTF8_H_
#define HANAS_CORE_BASE_UTF8_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace hanas {

// File names, environments and the network hand us bytes; protobuf, JSON and YAML take only UTF-8. These functions are the door between
// them. Well-formed is meant as in Unicode, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF. Thread-safe.

/// The number of bytes of the well-formed sequence that `text` begins with; 0 when it begins with none, or is empty.
size_t Utf8SequenceLength(absl::string_view text);

bool IsUtf8(absl::string_view text);

/// `text` with U+FFFD in place of every byte that belongs to no well-formed sequence: for messages that quote what was found.
std::string ToUtf8(absl::string_view text);

/// The longest beginning of `text` of at most `limit` bytes that does not end within a sequence.
absl::string_view CutUtf8(absl::string_view text, size_t limit);

}  // namespace hanas

#endif  // HANAS_CORE_BASE_UTF8_H_
