// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_CONVERT_VIOLATIONS_H_
#define HANAS_RPC_CONVERT_VIOLATIONS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/base/field_violation.h"

namespace hanas::rpc {

/// What converting found, and what the core validator found afterwards, without saying anything twice about one field: a value that could
/// not be converted is reported as it came, not as its replacement. Thread-compatible.
class ConversionViolations {
 public:
  void Add(std::string path, std::string message) { converting_.Add(std::move(path), std::move(message)); }
  void AddUnspecified(std::string path, absl::string_view expected);

  /// `value` when it fits in a byte, else 0 and a violation.
  uint8_t Byte(int64_t value, const std::string& path);

  /// For the core validator to fill.
  FieldViolations& validated() { return validated_; }

  /// OK, or INVALID_ARGUMENT with every violation.
  absl::Status ToStatus() const;

 private:
  FieldViolations converting_;
  FieldViolations validated_;
};

}  // namespace hanas::rpc

#endif  // HANAS_RPC_CONVERT_VIOLATIONS_H_
