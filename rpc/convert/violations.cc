// SPDX-License-Identifier: Apache-2.0
#include "rpc/convert/violations.h"

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

namespace hanas::rpc {

void ConversionViolations::AddUnspecified(std::string path, absl::string_view expected) {
  Add(std::move(path), absl::StrCat("expected one of ", expected, ", found none or one that this version does not know"));
}

uint8_t ConversionViolations::Byte(int64_t value, const std::string& path) {
  if (value >= 0 && value <= 255) return static_cast<uint8_t>(value);
  Add(path, absl::StrCat("expected a whole number from 0 to 255, found ", value));
  return 0;
}

absl::Status ConversionViolations::ToStatus() const {
  absl::flat_hash_set<std::string> seen;
  FieldViolations all;
  for (const FieldViolation& violation : converting_.items()) {
    // A violation below a path (bits of a precision) stands for what the validator says of the path itself.
    for (absl::string_view path = violation.path; !path.empty();
         path = path.substr(0, path.rfind('.') == path.npos ? 0 : path.rfind('.'))) {
      seen.insert(std::string(path));
    }
    all.Add(violation.path, violation.message);
  }
  for (const FieldViolation& violation : validated_.items()) {
    if (!seen.contains(violation.path)) all.Add(violation.path, violation.message);
  }
  all.LeaveOut(converting_.left_out() + validated_.left_out());
  return all.ToStatus();
}

}  // namespace hanas::rpc
