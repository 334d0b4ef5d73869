// SPDX-License-Identifier: Apache-2.0
#include "core/base/quantity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "core/base/utf8.h"

namespace hanas {
namespace {

constexpr double kMaxBytes = 1152921504606846976.0;  // 2^60
constexpr double kMaxCount = 1e18;
constexpr int kMostDecimals = 18;
constexpr double kExactWithin = 1e-12;  // relative: what is left to floating point

/// A name of a unit, and how many of the smallest things it is.
struct Unit {
  absl::string_view name;
  double factor;
};

// Ascending; the first name of a factor is the one that is written.
constexpr std::array<Unit, 4> kDecimalByteUnits = {{{"B", 1}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}}};
constexpr std::array<Unit, 8> kByteUnits = {
    {{"", 1}, {"B", 1}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}}};
constexpr std::array<Unit, 4> kCountUnits = {{{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}}};
constexpr std::array<Unit, 1> kShareUnits = {{{"%", 1}}};                            // in hundredths
constexpr std::array<Unit, 3> kTimeUnits = {{{"µs", 1e-3}, {"ms", 1}, {"s", 1e3}}};  // in milliseconds
constexpr std::array<Unit, 4> kLongTimeUnits = {{{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}}};

struct Quantity {
  double value = 0;
  std::string unit;
};

bool IsSpace(absl::string_view sequence) {
  // No-break, figure, thin and narrow no-break space: what typesetting puts between a number and its unit.
  static constexpr absl::string_view kSpaces[] = {"\xC2\xA0", "\xE2\x80\x87", "\xE2\x80\x89", "\xE2\x80\xAF"};
  return sequence.size() == 1 ? absl::ascii_isspace(static_cast<unsigned char>(sequence[0]))
                              : std::find(std::begin(kSpaces), std::end(kSpaces), sequence) != std::end(kSpaces);
}

/// `text` with one spelling of everything that has several: spaces, and the micro sign, which is also a Greek letter and often a "u".
std::string Plain(absl::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const absl::string_view sequence = text.substr(0, std::max<size_t>(1, Utf8SequenceLength(text)));
    text.remove_prefix(sequence.size());
    if (IsSpace(sequence)) {
      plain.push_back(' ');
    } else if (sequence == "\xCE\xBC") {
      absl::StrAppend(&plain, "µ");
    } else if (sequence == "u" && absl::StartsWith(text, "s")) {
      absl::StrAppend(&plain, "µ");
    } else {
      absl::StrAppend(&plain, sequence);
    }
  }
  return plain;
}

size_t NumDigits(absl::string_view text) { return std::min(text.find_first_not_of("0123456789"), text.size()); }

/// How many bytes of `text` are a number: digits with at most one point, and an exponent when digits follow it.
size_t NumberLength(absl::string_view text) {
  size_t length = NumDigits(text);
  if (length < text.size() && text[length] == '.') length += 1 + NumDigits(text.substr(length + 1));
  if (length == 0 || length == text.size() || (text[length] != 'e' && text[length] != 'E')) return length;
  const size_t sign = length + 1 < text.size() && (text[length + 1] == '-' || text[length + 1] == '+') ? 1 : 0;
  const size_t digits = NumDigits(text.substr(length + 1 + sign));
  return digits == 0 ? length : length + 1 + sign + digits;
}

/// Takes a number and its unit off the front of `text`. Nothing for a missing, negative or unbounded number.
std::optional<Quantity> Take(absl::string_view& text) {
  text = absl::StripLeadingAsciiWhitespace(text);
  const size_t length = NumberLength(text);
  Quantity quantity;
  if (!absl::SimpleAtod(text.substr(0, length), &quantity.value) || !std::isfinite(quantity.value)) return std::nullopt;
  text = absl::StripLeadingAsciiWhitespace(text.substr(length));
  const size_t end = std::min(text.find_first_of(" 0123456789.,+-"), text.size());
  quantity.unit = std::string(text.substr(0, end));
  text = absl::StripLeadingAsciiWhitespace(text.substr(end));
  return quantity;
}

std::optional<double> FactorOf(absl::string_view unit, absl::Span<const Unit> units) {
  for (const Unit& each : units) {
    if (each.name == unit) return each.factor;
  }
  return std::nullopt;
}

/// The value of "number unit", in what the factors count. Nothing for other text.
std::optional<double> ParseOne(absl::string_view text, absl::Span<const Unit> units) {
  const std::string plain = Plain(text);
  absl::string_view rest = plain;
  const std::optional<Quantity> quantity = Take(rest);
  const std::optional<double> factor = quantity && rest.empty() ? FactorOf(quantity->unit, units) : std::nullopt;
  return factor ? std::optional<double>(quantity->value * *factor) : std::nullopt;
}

absl::Status Mismatch(absl::string_view expected, absl::string_view found) {
  return absl::InvalidArgumentError(absl::StrCat("expected ", expected, ", found \"", found, "\""));
}

/// Decimals that show three figures of `value`, which is below 999.5.
int DecimalsOf(double value) { return value < 9.995 ? 2 : value < 99.95 ? 1 : 0; }

/// What a value is written with.
struct Scale {
  absl::Span<const Unit> units;  // ascending; the last one is for all that is larger
  double value_per_factor;       // the unit of the value, in what the factors count
  bool whole;                    // nothing is smaller than the first unit
};

/// `value` as text. `read` is the parser: it gives the value that the text stands for, which decides whether the promise of `rounding` is
/// kept.
std::string Format(double value, const Scale& scale, Rounding rounding, absl::FunctionRef<double(absl::string_view)> read) {
  const auto in_units = [&](size_t unit) { return value / (scale.units[unit].factor * scale.value_per_factor); };
  size_t chosen = 0;
  while (chosen + 1 < scale.units.size() && in_units(chosen) >= 999.5) ++chosen;
  const auto text_of = [&](double number, int decimals) {
    const absl::string_view unit = scale.units[chosen].name;
    return absl::StrFormat("%.*f%s%s", decimals, number, unit.empty() ? "" : " ", unit);
  };
  if (rounding == Rounding::kExact) {
    std::string text;
    for (int decimals = 0; decimals <= kMostDecimals; ++decimals) {
      text = text_of(in_units(chosen), decimals);
      if (std::abs(read(text) - value) <= kExactWithin * value) break;
    }
    return text;
  }
  const int decimals = scale.whole && chosen == 0 ? 0 : DecimalsOf(in_units(chosen));
  std::string text = text_of(in_units(chosen), decimals);
  if (rounding == Rounding::kUp && read(text) < value) {
    const double half_a_digit = std::pow(10, -decimals) / 2;
    text = text_of((in_units(chosen) + half_a_digit) * (1 + kExactWithin), decimals);
  }
  return text;
}

constexpr Scale kBytes = {kDecimalByteUnits, 1, true};
constexpr Scale kMicroseconds = {kTimeUnits, 1e3, false};
constexpr Scale kCounts = {kCountUnits, 1, true};

}  // namespace

std::string FormatThreads(int threads) { return absl::StrCat(threads, threads == 1 ? " thread" : " threads"); }

std::string FormatMicroseconds(double us, Rounding rounding) {
  return Format(us, kMicroseconds, rounding, [](absl::string_view text) { return 1e3 * ParseMilliseconds(text).value_or(0); });
}

std::string FormatBytes(double bytes, Rounding rounding) {
  return Format(rounding == Rounding::kUp ? std::ceil(bytes) : std::round(bytes), kBytes, rounding,
                [](absl::string_view text) { return static_cast<double>(ParseBytes(text).value_or(0)); });
}

std::string FormatCount(double count, Rounding rounding) {
  return Format(rounding == Rounding::kUp ? std::ceil(count) : std::round(count), kCounts, rounding,
                [](absl::string_view text) { return ParseCount(text).value_or(0); });
}

std::string FormatPercent(double fraction, Rounding rounding) {
  constexpr int kDecimals = 1;
  std::string text = absl::StrFormat("%.*f %%", kDecimals, fraction * 100);
  const auto read = [&] { return ParsePercent(text).value_or(0); };
  if (rounding == Rounding::kUp && read() < fraction) text = absl::StrFormat("%.*f %%", kDecimals, fraction * 100 + 0.05);
  for (int decimals = 0; rounding == Rounding::kExact && decimals <= kMostDecimals; ++decimals) {
    text = absl::StrFormat("%.*f %%", decimals, fraction * 100);
    if (std::abs(read() - fraction) <= kExactWithin * fraction) break;
  }
  return text;
}

std::string FormatSeconds(double seconds) {
  const int64_t whole = std::llround(std::max(0.0, seconds));
  if (whole < 60) return absl::StrCat(whole, " s");
  if (whole < 3600) return absl::StrFormat("%d min %02d s", whole / 60, whole % 60);
  return absl::StrFormat("%d h %02d min", whole / 3600, whole / 60 % 60);
}

absl::StatusOr<int64_t> ParseBytes(absl::string_view text) {
  const std::optional<double> value = ParseOne(text, kByteUnits);
  const double bytes = value ? std::round(*value * 1000) / 1000 : -1;
  if (bytes < 0 || bytes > kMaxBytes || bytes != std::floor(bytes))
    return Mismatch("a size such as \"150 kB\" (units B, kB, MB, GB, KiB, MiB, GiB; none: bytes)", text);
  return static_cast<int64_t>(bytes);
}

absl::StatusOr<double> ParseCount(absl::string_view text) {
  const std::optional<double> value = ParseOne(text, kCountUnits);
  const double count = value ? std::round(*value * 1000) / 1000 : -1;
  if (!(count >= 0 && count <= kMaxCount) || count != std::floor(count))
    return Mismatch("a number such as \"80 k\" or \"12.5 M\" (k, M, G; none: as it is)", text);
  return count;
}

absl::StatusOr<double> ParsePercent(absl::string_view text) {
  const std::optional<double> value = ParseOne(text, kShareUnits);
  if (!value || !std::isfinite(*value)) return Mismatch("a share such as \"87.5 %\"", text);
  // The number nearest to the decimal, which neither a quotient nor a product needs to be: limits are compared with shares of images.
  double fraction = 0;
  return absl::SimpleAtod(absl::StrFormat("%.15g", *value / 100), &fraction) ? fraction : *value / 100;
}

absl::StatusOr<double> ParseMilliseconds(absl::string_view text) {
  const std::optional<double> value = ParseOne(text, kTimeUnits);
  if (!value || !std::isfinite(*value)) return Mismatch("a time such as \"0.4 ms\" (units µs or us, ms, s)", text);
  return *value;
}

absl::StatusOr<double> ParseSeconds(absl::string_view text) {
  const std::string plain = Plain(text);
  absl::string_view rest = plain;
  double sum = 0;
  double last = kLongTimeUnits.back().factor * 2;  // each unit is smaller than the one before it
  do {
    const std::optional<Quantity> quantity = Take(rest);
    const std::optional<double> factor = quantity ? FactorOf(quantity->unit, kLongTimeUnits) : std::nullopt;
    if (!factor || *factor >= last) return Mismatch("a time such as \"2 h\" or \"1 h 12 min\" (units s, min, h, d)", text);
    sum += quantity->value * *factor;
    last = *factor;
  } while (!rest.empty());
  if (!std::isfinite(sum)) return Mismatch("a time such as \"2 h\" or \"1 h 12 min\" (units s, min, h, d)", text);
  return sum;
}

}  // namespace hanas
