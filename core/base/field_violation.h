// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BASE_FIELD_VIOLATION_H_
#define HANAS_CORE_BASE_FIELD_VIOLATION_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace hanas {

/// One thing wrong with an input. `path` addresses the field the same way in files, protos and messages: "space.stages[2].widths[0]".
/// `message` says what was expected and what was found.
struct FieldViolation {
  std::string path;
  std::string message;

  friend bool operator==(const FieldViolation&, const FieldViolation&) = default;
};

/// Collects violations so that a user sees every mistake at once.
///
/// Thread-compatible.
class FieldViolations {
 public:
  void Add(std::string path, std::string message) { items_.push_back({std::move(path), std::move(message)}); }
  bool empty() const { return items_.empty(); }
  const std::vector<FieldViolation>& items() const { return items_; }

  /// OK when empty, else INVALID_ARGUMENT: "path: message" lines in order. The violations travel in the status as a payload, from which
  /// ViolationsOf reads them back.
  absl::Status ToStatus() const;

 private:
  std::vector<FieldViolation> items_;
};

/// The violations that FieldViolations::ToStatus put into `status`; empty for any other status.
std::vector<FieldViolation> ViolationsOf(const absl::Status& status);

}  // namespace hanas

#endif  // HANAS_CORE_BASE_FIELD_VIOLATION_H_
