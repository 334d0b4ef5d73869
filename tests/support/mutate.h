// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SUPPORT_MUTATE_H_
#define HANAS_TESTS_SUPPORT_MUTATE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/base/counter_random.h"

namespace hanas {

// Damage for parsers of outside bytes: every draw is a function of a seed, so that a failure is repeated by its number.

/// `bytes` with one to four changes: bits turned, bytes replaced by extremes, integers of one to eight bytes overwritten by limits, pieces
/// cut, repeated, moved or swapped for one of `words` (tokens of the format), the end cut off.
std::string Mutated(absl::string_view bytes, CounterRandom& random, absl::Span<const absl::string_view> words = {});

}  // namespace hanas

#endif  // HANAS_TESTS_SUPPORT_MUTATE_H_
