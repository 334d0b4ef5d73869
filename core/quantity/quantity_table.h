// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_QUANTITY_QUANTITY_TABLE_H_
#define HANAS_CORE_QUANTITY_QUANTITY_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/base/quantity.h"

namespace hanas {

// Everything about a network that a search may optimise or limit, each said once. Jobs name quantities; cost vectors, messages, columns and
// axes of the report read this table. One more quantity is one row here, and its value: docs/howto/add-a-quantity.md. Immutable, hence
// thread-safe.

/// Also the index in a vector of costs. Those known before anything is trained come first.
enum class Quantity : uint8_t { kLatency = 0, kSize, kPeakMemory, kMacs, kParameters, kAccuracy };
inline constexpr size_t kNumQuantities = 6;
inline constexpr size_t kNumUntrainedQuantities = 5;  // all before kAccuracy

/// What tells the value.
enum class QuantitySource : uint8_t {
  kDevice,  // measured on the device, or predicted from what was measured there: the only one that a prediction can be wrong about
  kPlan,    // computed from how the device's backend executes the network
  kGraph,   // computed from the network alone, the same everywhere
  kImages,  // measured on images, of a trained network
};

/// The unit that values have in the program, and how people write them.
enum class QuantityUnit : uint8_t {
  kMicroseconds,  // "1.5 ms"
  kBytes,         // "80 kB"
  kCount,         // "12.5 M"
  kFraction,      // 0 to 1, "87.5 %"
};

struct QuantityRow {
  Quantity id;
  absl::string_view name;    // in jobs: "peak_memory"
  absl::string_view metric;  // on the wire and in reports, with the unit: "peak_memory_bytes"
  absl::string_view label;   // in sentences: "peak memory"
  bool more_is_better;       // then a limit is what a network has at least
  QuantitySource source;
  QuantityUnit unit;
  double highest_limit;  // that a job may set
  absl::string_view about;
};

/// In the order of Quantity.
absl::Span<const QuantityRow> Quantities();
const QuantityRow& RowOf(Quantity quantity);
/// Nothing for a name that is not in the table.
std::optional<Quantity> QuantityNamed(absl::string_view name);
/// "latency, size, peak_memory, …": for messages.
std::string QuantityNames();
/// The table of docs/job-file.md.
std::string QuantitiesAsMarkdown();

/// A value with its unit, as jobs and reports have it: "87.5 %". Requires a finite value, not negative.
std::string FormatValue(Quantity quantity, double value, Rounding rounding = Rounding::kNearest);
/// Inverse. Returns INVALID_ARGUMENT with what was expected and found.
absl::StatusOr<double> ParseValue(Quantity quantity, absl::string_view text);

/// What is minimised: the value itself, or its distance from 1 where more is better (an error for an accuracy). Its own inverse.
double CostOf(Quantity quantity, double value);

}  // namespace hanas

#endif  // HANAS_CORE_QUANTITY_QUANTITY_TABLE_H_
