// SPDX-License-Identifier: Apache-2.0
#include "config/quantity.h"

#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace hanas::config {
namespace {

struct Quantity {
  double value = 0;
  absl::string_view unit;
};

/// The number that `text` starts with, and what follows it. Nothing for a missing, negative or unbounded number.
std::optional<Quantity> Split(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  const size_t end = text.find_first_not_of("0123456789.");
  Quantity quantity;
  if (!absl::SimpleAtod(text.substr(0, end), &quantity.value) || !std::isfinite(quantity.value)) return std::nullopt;
  if (end != absl::string_view::npos) quantity.unit = absl::StripLeadingAsciiWhitespace(text.substr(end));
  return quantity;
}

template <size_t kSize>
std::optional<double> FactorOf(absl::string_view unit, const std::array<std::pair<absl::string_view, double>, kSize>& units) {
  for (const auto& [name, factor] : units) {
    if (name == unit) return factor;
  }
  return std::nullopt;
}

constexpr std::array<std::pair<absl::string_view, double>, 8> kByteUnits = {
    {{"", 1}, {"B", 1}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}}};
constexpr std::array<std::pair<absl::string_view, double>, 3> kTimeUnits = {{{"us", 1e-3}, {"ms", 1}, {"s", 1e3}}};
constexpr std::array<std::pair<absl::string_view, double>, 4> kLongTimeUnits = {{{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}}};
constexpr double kMaxBytes = 1152921504606846976.0;  // 2^60

}  // namespace

absl::StatusOr<int64_t> ParseBytes(absl::string_view text) {
  const std::optional<Quantity> quantity = Split(text);
  const std::optional<double> factor = quantity ? FactorOf(quantity->unit, kByteUnits) : std::nullopt;
  const double bytes = factor ? std::round(quantity->value * *factor * 1000) / 1000 : -1;
  if (bytes < 0 || bytes > kMaxBytes || bytes != std::floor(bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a size such as \"150 kB\" (units B, kB, MB, GB, KiB, MiB, GiB; none: bytes), found \"", text, "\""));
  }
  return static_cast<int64_t>(bytes);
}

absl::StatusOr<double> ParseMilliseconds(absl::string_view text) {
  const std::optional<Quantity> quantity = Split(text);
  const std::optional<double> factor = quantity ? FactorOf(quantity->unit, kTimeUnits) : std::nullopt;
  if (!factor)
    return absl::InvalidArgumentError(absl::StrCat("expected a time such as \"0.4 ms\" (units us, ms, s), found \"", text, "\""));
  return quantity->value * *factor;
}

absl::StatusOr<double> ParseSeconds(absl::string_view text) {
  const std::optional<Quantity> quantity = Split(text);
  const std::optional<double> factor = quantity ? FactorOf(quantity->unit, kLongTimeUnits) : std::nullopt;
  if (!factor)
    return absl::InvalidArgumentError(absl::StrCat("expected a time such as \"2 h\" (units s, min, h, d), found \"", text, "\""));
  return quantity->value * *factor;
}

}  // namespace hanas::config
