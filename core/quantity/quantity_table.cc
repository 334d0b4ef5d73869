// SPDX-License-Identifier: Apache-2.0
#include "core/quantity/quantity_table.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "core/base/bounds.h"

namespace hanas {
namespace {

using Source = QuantitySource;
using Unit = QuantityUnit;

constexpr std::array<QuantityRow, kNumQuantities> kRows = {{
    {Quantity::kLatency, "latency", "latency_us", "latency", false, Source::kDevice, Unit::kMicroseconds, bounds::kMaxLatencyLimitUs,
     "of one image on the device, by `target.statistic`"},
    {Quantity::kSize, "size", "size_bytes", "size", false, Source::kGraph, Unit::kBytes, bounds::kMaxBytesLimit, "of the stored model"},
    {Quantity::kPeakMemory, "peak_memory", "peak_memory_bytes", "peak memory", false, Source::kPlan, Unit::kBytes, bounds::kMaxBytesLimit,
     "weights as executed and the largest set of live activations"},
    {Quantity::kMacs, "macs", "macs", "MACs", false, Source::kGraph, Unit::kCount, bounds::kMaxCountLimit,
     "multiply-accumulates of one image"},
    {Quantity::kParameters, "parameters", "parameters", "parameters", false, Source::kGraph, Unit::kCount, bounds::kMaxCountLimit,
     "as reference implementations count them"},
    {Quantity::kAccuracy, "accuracy", "accuracy", "accuracy", true, Source::kImages, Unit::kFraction, bounds::kMaxAccuracyLimit,
     "the share of images that get their class: of the validation images while searching, of the test images at the end"},
}};

}  // namespace

absl::Span<const QuantityRow> Quantities() { return kRows; }

const QuantityRow& RowOf(Quantity quantity) { return kRows.at(static_cast<size_t>(quantity)); }

std::optional<Quantity> QuantityNamed(absl::string_view name) {
  for (const QuantityRow& row : kRows) {
    if (row.name == name) return row.id;
  }
  return std::nullopt;
}

std::string QuantityNames() {
  std::string names;
  for (const QuantityRow& row : kRows) absl::StrAppend(&names, names.empty() ? "" : ", ", row.name);
  return names;
}

std::string QuantitiesAsMarkdown() {
  const auto example = [](const QuantityRow& row) {
    switch (row.unit) {
      case QuantityUnit::kMicroseconds:
        return "`0.4 ms`";
      case QuantityUnit::kBytes:
        return "`80 kB`";
      case QuantityUnit::kCount:
        return "`12.5 M`";
      case QuantityUnit::kFraction:
        return "`87.5 %`";
    }
    return "";
  };
  const auto source = [](const QuantityRow& row) {
    switch (row.source) {
      case QuantitySource::kDevice:
        return "predicted from what was measured on the device, then measured";
      case QuantitySource::kPlan:
        return "computed for the device's backend";
      case QuantitySource::kGraph:
        return "computed, the same everywhere";
      case QuantitySource::kImages:
        return "measured on images";
    }
    return "";
  };
  std::string table = "| quantity | written as | better | known by | what it is |\n|---|---|---|---|---|\n";
  for (const QuantityRow& row : kRows) {
    absl::StrAppend(&table, "| `", row.name, "` | ", example(row), " | ", row.more_is_better ? "more" : "less", " | ", source(row), " | ",
                    row.about, " |\n");
  }
  return table;
}

std::string FormatValue(Quantity quantity, double value, Rounding rounding) {
  switch (RowOf(quantity).unit) {
    case QuantityUnit::kMicroseconds:
      return FormatMicroseconds(value, rounding);
    case QuantityUnit::kBytes:
      return FormatBytes(value, rounding);
    case QuantityUnit::kCount:
      return FormatCount(value, rounding);
    case QuantityUnit::kFraction:
      return FormatPercent(value, rounding);
  }
  return "";
}

absl::StatusOr<double> ParseValue(Quantity quantity, absl::string_view text) {
  switch (RowOf(quantity).unit) {
    case QuantityUnit::kMicroseconds: {
      const absl::StatusOr<double> milliseconds = ParseMilliseconds(text);
      return milliseconds.ok() ? absl::StatusOr<double>(*milliseconds * 1000) : milliseconds;
    }
    case QuantityUnit::kBytes: {
      const absl::StatusOr<int64_t> bytes = ParseBytes(text);
      return bytes.ok() ? absl::StatusOr<double>(static_cast<double>(*bytes)) : bytes.status();
    }
    case QuantityUnit::kCount:
      return ParseCount(text);
    case QuantityUnit::kFraction:
      return ParsePercent(text);
  }
  return absl::InternalError("a quantity without a unit");
}

double CostOf(Quantity quantity, double value) { return RowOf(quantity).more_is_better ? 1 - value : value; }

}  // namespace hanas
