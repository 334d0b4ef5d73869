// SPDX-License-Identifier: Apache-2.0
#include "cli/report/palette.h"

#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/text.h"

namespace hanas::cli {

std::string Palette::Paint(Tint tint, absl::string_view text) const {
  static constexpr std::array<absl::string_view, 5> kCodes = {"", "32", "33", "31", "2"};
  if (!on_ || tint == Tint::kNone || text.empty()) return std::string(text);
  return absl::StrCat("\x1b[", kCodes[static_cast<size_t>(tint)], "m", text, "\x1b[0m");
}

std::string OneLine(absl::string_view text) {
  std::string out;
  bool blank = false;
  for (const char c : absl::StripAsciiWhitespace(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7F) {
      blank = true;
      continue;
    }
    if (blank && !out.empty()) out += ' ';
    blank = false;
    out += c;
  }
  return Printable(out);  // what is a control character beyond ASCII
}

}  // namespace hanas::cli
