// SPDX-License-Identifier: Apache-2.0
#include "core/base/field_violation.h"

#include <algorithm>
#include <optional>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/text.h"

namespace hanas {
namespace {

constexpr absl::string_view kPayloadUrl = "hanas/field-violations";
// Neither byte can occur in a path or message: FieldViolations::Add escapes control characters.
constexpr char kFieldSeparator = '\x1f';
constexpr char kRecordSeparator = '\x1e';

std::string OneLine(absl::string_view text, size_t max_bytes) {
  return Shorten(absl::StrReplaceAll(Printable(text), {{"\n", "\\n"}}), max_bytes);
}

}  // namespace

FieldViolation MoreViolations(int64_t count) { return {"", absl::StrCat("and ", count, " more")}; }

int64_t CountOf(const FieldViolation& violation) {
  absl::string_view text = violation.message;
  int64_t count = 0;
  const bool is_more = violation.path.empty() && absl::ConsumePrefix(&text, "and ") && absl::ConsumeSuffix(&text, " more") &&
                       absl::SimpleAtoi(text, &count) && count > 0;
  return is_more ? count : 1;
}

void FieldViolations::Add(absl::string_view path, absl::string_view message) {
  if (items_.size() == kMaxKept) return LeaveOut(1);
  items_.push_back({OneLine(path, kMaxPathBytes), OneLine(message, kMaxMessageBytes)});
}

absl::Status FieldViolations::ToStatus() const {
  if (empty()) return absl::OkStatus();
  std::vector<FieldViolation> shown(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(std::min(items_.size(), kMaxShown)));
  const int64_t more = left_out_ + static_cast<int64_t>(items_.size() - shown.size());
  if (more > 0) shown.push_back(MoreViolations(more));
  absl::Status status = absl::InvalidArgumentError(Lines(shown));
  status.SetPayload(kPayloadUrl,
                    absl::Cord(absl::StrJoin(shown, std::string(1, kRecordSeparator), [](std::string* out, const FieldViolation& v) {
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

std::string Lines(const std::vector<FieldViolation>& violations) {
  return absl::StrJoin(violations, "\n", [](std::string* out, const FieldViolation& v) {
    absl::StrAppend(out, v.path, v.path.empty() ? "" : ": ", v.message);
  });
}

}  // namespace hanas
