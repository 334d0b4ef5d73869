// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BASE_PLAIN_NAME_H_
#define HANAS_CORE_BASE_PLAIN_NAME_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/base/bounds.h"

namespace hanas {

// Names and texts that others give us and that end up in file names, resource names, logs and on terminals. Thread-safe: free functions
// without state.

inline constexpr size_t kMaxPlainNameBytes = bounds::kNameBytes;

/// Whether `text` is 1 to 63 letters, digits, '-', '_' or '.', of which neither "." nor "..": the name becomes part of resource names and
/// files.
bool IsPlainName(absl::string_view text);

/// Returns INVALID_ARGUMENT, quoting the beginning of `text`, unless it IsPlainName.
absl::Status CheckPlainName(absl::string_view text);

/// Whether `text`, which is UTF-8, has no control characters: no new line, and nothing that a terminal would obey.
bool IsOneLine(absl::string_view text);

/// Returns INVALID_ARGUMENT, quoting the beginning of `text`, unless it has at most `max_bytes` and IsOneLine.
absl::Status CheckOneLine(absl::string_view text, size_t max_bytes);

}  // namespace hanas

#endif  // HANAS_CORE_BASE_PLAIN_NAME_H_
