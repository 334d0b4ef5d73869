// SPDX-License-Identifier: Apache-2.0
#include "rpc/convert/device.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/field_violation.h"
#include "core/base/plain_name.h"

namespace hanas::rpc {
namespace {

constexpr size_t kMaxTextBytes = 256;

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
  proto.set_native_float16(caps.native_float16);
  proto.set_int8_hard_swish(caps.int8_hard_swish);
  proto.set_int4_fully_connected(caps.int4_fully_connected);
  return proto;
}

absl::StatusOr<BackendCaps> BackendCapsFromProto(const v1::BackendCaps& proto) {
  FieldViolations violations;
  CheckText("caps.name", proto.name(), /*required=*/true, violations);
  CheckText("caps.version", proto.version(), /*required=*/false, violations);
  CheckText("caps.isa", proto.isa(), /*required=*/false, violations);
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  BackendCaps caps;
  caps.name = proto.name();
  caps.version = proto.version();
  caps.isa = proto.isa();
  caps.native_float16 = proto.native_float16();
  caps.int8_hard_swish = proto.int8_hard_swish();
  caps.int4_fully_connected = proto.int4_fully_connected();
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
