// SPDX-License-Identifier: Apache-2.0
#include "rpc/convert/device.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/field_violation.h"
#include "core/base/plain_name.h"

namespace hanas::rpc {
namespace {

constexpr size_t kMaxTextBytes = 256;
constexpr int kMaxPatterns = 256;  // of a backend: more than there are kinds and types

void CheckText(const std::string& path, const std::string& text, bool required, FieldViolations& violations) {
  if (required && text.empty()) violations.Add(path, "expected a name, found none");
  if (const absl::Status status = CheckOneLine(text, kMaxTextBytes); !status.ok()) violations.Add(path, std::string(status.message()));
}

void CheckTime(const std::string& path, double microseconds, FieldViolations& violations) {
  if (!(std::isfinite(microseconds) && microseconds > 0)) {
    violations.Add(path, absl::StrCat("expected a positive number of microseconds, found ", microseconds));
  }
}

}  // namespace

v1::BackendCaps ToProto(const BackendCaps& caps) {
  v1::BackendCaps proto;
  proto.set_name(caps.name);
  proto.set_version(caps.version);
  proto.set_isa(caps.isa);
  for (const OperatorPattern& pattern : caps.native) proto.add_native(ToString(pattern));
  return proto;
}

absl::StatusOr<BackendCaps> BackendCapsFromProto(const v1::BackendCaps& proto) {
  FieldViolations violations;
  CheckText("caps.name", proto.name(), /*required=*/true, violations);
  CheckText("caps.version", proto.version(), /*required=*/false, violations);
  CheckText("caps.isa", proto.isa(), /*required=*/false, violations);
  BackendCaps caps;
  if (proto.native_size() > kMaxPatterns) {
    violations.Add("caps.native", absl::StrCat("expected at most ", kMaxPatterns, " patterns, found ", proto.native_size()));
  }
  for (int i = 0; i < std::min(proto.native_size(), kMaxPatterns); ++i) {
    const absl::StatusOr<OperatorPattern> pattern = OperatorPatternFromString(proto.native(i));
    if (pattern.ok()) {
      caps.native.push_back(*pattern);
    } else {
      violations.Add(absl::StrCat("caps.native[", i, "]"), pattern.status().message());
    }
  }
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  caps.name = proto.name();
  caps.version = proto.version();
  caps.isa = proto.isa();
  return caps;
}

v1::OperatorRow ToProto(const MeasuredOperator& measured) {
  v1::OperatorRow proto;
  proto.set_key(ToString(measured.key));
  proto.set_flushed_us(measured.row.flushed_us);
  proto.set_hot_us(measured.row.hot_us);
  proto.set_cv(measured.row.cv);
  proto.set_rounds(measured.row.num_rounds);
  proto.set_noisy(measured.row.noisy);
  return proto;
}

absl::StatusOr<MeasuredOperator> MeasuredOperatorFromProto(const v1::OperatorRow& proto) {
  FieldViolations violations;
  const absl::StatusOr<OpKey> key = OpKeyFromString(proto.key());
  if (!key.ok()) violations.Add("key", std::string(key.status().message()));
  CheckTime("flushed_us", proto.flushed_us(), violations);
  CheckTime("hot_us", proto.hot_us(), violations);
  if (!(std::isfinite(proto.cv()) && proto.cv() >= 0)) violations.Add("cv", absl::StrCat("expected 0 or more, found ", proto.cv()));
  if (proto.rounds() < 1) violations.Add("rounds", absl::StrCat("expected at least 1, found ", proto.rounds()));
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  return MeasuredOperator{*key, {proto.flushed_us(), proto.hot_us(), proto.cv(), proto.rounds(), proto.noisy()}};
}

}  // namespace hanas::rpc
