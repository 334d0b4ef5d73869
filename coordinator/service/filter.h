// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SERVICE_FILTER_H_
#define HANAS_COORDINATOR_SERVICE_FILTER_H_

#include <google/protobuf/message.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace hanas::coordinator {

/// What a list is asked for, in a part of AIP-160: comparisons joined by AND.
///
///   filter     = comparison { "AND" comparison }
///   comparison = field ( "=" | "!=" | "<" | "<=" | ">" | ">=" | ":" ) value
///   value      = characters other than spaces, quotes and operators | '"' text with \" and \\ '"'
///
/// Enumerators are written as words (FAILED) or names (PHASE_FAILED), true and false as such. Only numbers are ordered. ":" holds for a
/// text that contains the value, in upper or lower case, and for a repeated text of which one element is the value. Thread-compatible.
class Filter {
 public:
  /// Holds for everything.
  Filter() = default;

  /// Of messages of this type by some of their fields ("spec.name"), which are texts, lists of texts, numbers, truths and enumerations.
  /// Returns INVALID_ARGUMENT with a violation of "filter", which says at which character, from 1, what was expected.
  static absl::StatusOr<Filter> Parse(absl::string_view text, const google::protobuf::Descriptor& type,
                                      absl::Span<const absl::string_view> fields);

  bool empty() const { return comparisons_.empty(); }
  /// Of a message of the type that it was parsed for.
  bool Matches(const google::protobuf::Message& message) const;

 private:
  enum class Relation : uint8_t { kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual, kHas };
  struct Comparison {
    std::vector<const google::protobuf::FieldDescriptor*> path;
    Relation relation = Relation::kEqual;
    std::variant<std::string, bool, int64_t, double> value;  // enumerators by their number
  };
  class Parser;

  static bool Holds(const Comparison& comparison, const google::protobuf::Message& message);

  std::vector<Comparison> comparisons_;
};

// The fields that each list is filtered by, as proto/hanas/v1 documents them.
absl::Span<const absl::string_view> SearchFilterFields();
absl::Span<const absl::string_view> TaskFilterFields();
absl::Span<const absl::string_view> CandidateFilterFields();
absl::Span<const absl::string_view> WorkerFilterFields();
absl::Span<const absl::string_view> DeviceFilterFields();

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_SERVICE_FILTER_H_
