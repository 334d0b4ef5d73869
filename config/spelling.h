// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CONFIG_SPELLING_H_
#define HANAS_CONFIG_SPELLING_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace hanas::config {

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (Damerau 1964, restricted). O(|a| |b|). Thread-safe.
int EditDistance(absl::string_view a, absl::string_view b);

/// The word of `known` closest to `word`, when it is close enough to be meant (at most a third of its letters differ); else empty.
/// Thread-safe.
std::string ClosestWord(absl::string_view word, const std::vector<std::string>& known);

}  // namespace hanas::config

#endif  // HANAS_CONFIG_SPELLING_H_
