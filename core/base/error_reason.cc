// SPDX-License-Identifier: Apache-2.0
#include "core/base/error_reason.h"

#include <utility>

#include "absl/strings/cord.h"

namespace hanas {
namespace {

constexpr absl::string_view kPayloadUrl = "hanas/error-reason";

}  // namespace

void SetReason(absl::Status& status, absl::string_view reason) { status.SetPayload(kPayloadUrl, absl::Cord(reason)); }

absl::Status WithReason(absl::Status status, absl::string_view reason) {
  SetReason(status, reason);
  return status;
}

std::string ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayloadUrl);
  return payload.has_value() ? std::string(*payload) : std::string();
}

bool HasReason(const absl::Status& status, absl::string_view reason) { return ReasonOf(status) == reason; }

}  // namespace hanas
