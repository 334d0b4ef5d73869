// SPDX-License-Identifier: Apache-2.0
#include "core/base/field_violation.h"

#include <optional>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace hanas {
namespace {

constexpr absl::string_view kPayloadUrl = "hanas/field-violations";
// Neither byte can occur in a path or message: both are printable text.
constexpr char kFieldSeparator = '\x1f';
constexpr char kRecordSeparator = '\x1e';

}  // namespace

absl::Status FieldViolations::ToStatus() const {
  if (items_.empty()) return absl::OkStatus();
  absl::Status status = absl::InvalidArgumentError(
      absl::StrJoin(items_, "\n", [](std::string* out, const FieldViolation& v) { absl::StrAppend(out, v.path, ": ", v.message); }));
  status.SetPayload(kPayloadUrl,
                    absl::Cord(absl::StrJoin(items_, std::string(1, kRecordSeparator), [](std::string* out, const FieldViolation& v) {
                      absl::StrAppend(out, v.path, std::string(1, kFieldSeparator), v.message);
                    })));
  return status;
}

std::vector<FieldViolation> ViolationsOf(const absl::Status& status) {
  std::vector<FieldViolation> violations;
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return violations;
  const std::string text(*payload);
  for (const absl::string_view record : absl::StrSplit(text, kRecordSeparator)) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(record, absl::MaxSplits(kFieldSeparator, 1));
    violations.push_back({std::string(parts.first), std::string(parts.second)});
  }
  return violations;
}

}  // namespace hanas
