// SPDX-License-Identifier: Apache-2.0
#include "core/base/plain_name.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace hanas {
namespace {

std::string Quote(absl::string_view text) {
  constexpr size_t kShown = 40;
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, kShown)), text.size() > kShown ? "…\" of " : "\"",
                      text.size() > kShown ? absl::StrCat(text.size(), " bytes") : "");
}

}  // namespace

bool IsPlainName(absl::string_view text) {
  const auto plain = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.'; };
  return !text.empty() && text.size() <= kMaxPlainNameBytes && text != "." && text != ".." && std::all_of(text.begin(), text.end(), plain);
}

absl::Status CheckPlainName(absl::string_view text) {
  if (IsPlainName(text)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("expected 1 to ", kMaxPlainNameBytes, " letters, digits, '-', '_' or '.', found ", Quote(text)));
}

bool IsOneLine(absl::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (absl::ascii_iscntrl(c)) return false;
    // U+0080 to U+009F are control characters too: 0x9B begins a command to a terminal as ESC [ does.
    if (c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) return false;
  }
  return true;
}

absl::Status CheckOneLine(absl::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes && IsOneLine(text)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("expected at most ", max_bytes, " bytes without control characters, found ", Quote(text)));
}

}  // namespace hanas
