// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_REPORT_PALETTE_H_
#define HANAS_CLI_REPORT_PALETTE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace hanas::cli {

enum class Tint : int { kNone = 0, kGood, kWarn, kBad, kDim };

/// Colours of words, or none. Immutable, hence thread-safe.
class Palette {
 public:
  explicit Palette(bool on = false) : on_(on) {}

  /// `text` between the escape sequences of a terminal when colours are on.
  std::string Paint(Tint tint, absl::string_view text) const;

 private:
  bool on_;
};

/// `text` from elsewhere for a terminal: every run of ASCII control characters and blanks is one blank, other control characters are
/// escaped, so that it can neither break a table nor steer the terminal. Thread-safe.
std::string OneLine(absl::string_view text);

}  // namespace hanas::cli

#endif  // HANAS_CLI_REPORT_PALETTE_H_
