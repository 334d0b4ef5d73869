// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BASE_FIELD_VIOLATION_H_
#define HANAS_CORE_BASE_FIELD_VIOLATION_H_

#include <cstddef>
#include <cstdint>
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

/// What stands at the end of a list for `count` violations that it leaves out: no path, "and 12 more".
FieldViolation MoreViolations(int64_t count);
/// How many violations `violation` stands for: 1, unless MoreViolations made it.
int64_t CountOf(const FieldViolation& violation);

/// Collects violations so that a user sees every mistake at once, however many an input makes and whatever it contains.
///
/// Thread-compatible.
class FieldViolations {
 public:
  static constexpr size_t kMaxKept = 1000;         // the others are counted
  static constexpr size_t kMaxShown = 20;          // by a status, which says how many more there are
  static constexpr size_t kMaxPathBytes = 200;     // a longer path is shortened
  static constexpr size_t kMaxMessageBytes = 500;  // a message that quotes a longer value is shortened

  /// Path and message become single lines of printable UTF-8 (text.h): they quote what came from outside.
  void Add(absl::string_view path, absl::string_view message);
  /// Counts `count` more violations without keeping them.
  void LeaveOut(int64_t count) { left_out_ += count; }
  bool empty() const { return items_.empty() && left_out_ == 0; }
  /// Those that were kept, in order.
  const std::vector<FieldViolation>& items() const { return items_; }
  int64_t left_out() const { return left_out_; }

  /// OK when empty, else INVALID_ARGUMENT: "path: message" lines in order, at most kMaxShown and one that says how many more there are. The
  /// violations travel in the status as a payload, from which ViolationsOf reads them back.
  absl::Status ToStatus() const;

 private:
  std::vector<FieldViolation> items_;
  int64_t left_out_ = 0;
};

/// The violations that FieldViolations::ToStatus put into `status`, the last of them perhaps MoreViolations; empty for any other status.
std::vector<FieldViolation> ViolationsOf(const absl::Status& status);

/// "path: message" lines; a violation of the whole input has no path.
std::string Lines(const std::vector<FieldViolation>& violations);

}  // namespace hanas

#endif  // HANAS_CORE_BASE_FIELD_VIOLATION_H_
