// SPDX-License-Identifier: Apache-2.0
#include "core/base/text.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/base/utf8.h"

namespace hanas {
namespace {

constexpr absl::string_view kReplacement = "\uFFFD";
constexpr absl::string_view kGap = " … ";

/// Of a well-formed sequence.
uint32_t CodePoint(absl::string_view sequence) {
  const auto lead = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return lead;
  uint32_t value = lead & (0xFFU >> (sequence.size() + 1));
  for (const char c : sequence.substr(1)) value = (value << 6) | (static_cast<unsigned char>(c) & 0x3FU);
  return value;
}

/// Whether a terminal may do something else than show it.
bool IsControl(uint32_t c) {
  if (c == '\n') return false;
  const bool turns = c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
  const bool breaks = c == 0x2028 || c == 0x2029;
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || turns || breaks;
}

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

std::string Printable(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const absl::string_view first = text.substr(0, Utf8SequenceLength(text));
    const uint32_t value = first.empty() ? 0 : CodePoint(first);
    if (first.empty()) {
      absl::StrAppend(&out, kReplacement);
    } else if (IsControl(value)) {
      absl::StrAppend(&out, value < 0x100 ? absl::StrFormat("\\x%02x", value) : absl::StrFormat("\\u%04x", value));
    } else {
      absl::StrAppend(&out, first);
    }
    text.remove_prefix(std::max(size_t{1}, first.size()));
  }
  return out;
}

std::string Shorten(absl::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return std::string(text);
  size_t head = (max_bytes - kGap.size()) * 2 / 3;
  size_t tail = text.size() - (max_bytes - kGap.size() - head);
  while (head > 0 && IsContinuation(text[head])) --head;
  while (tail < text.size() && IsContinuation(text[tail])) ++tail;
  return absl::StrCat(text.substr(0, head), kGap, text.substr(tail));
}

absl::StatusOr<uint8_t> IndexOfWord(absl::string_view name, absl::Span<const absl::string_view> words) {
  const auto found = std::find(words.begin(), words.end(), name);
  if (found != words.end()) return static_cast<uint8_t>(found - words.begin());
  return absl::InvalidArgumentError(absl::StrCat("expected one of ", absl::StrJoin(words, ", "), ", found \"", name, "\""));
}

}  // namespace hanas
