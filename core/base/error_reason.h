// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BASE_ERROR_REASON_H_
#define HANAS_CORE_BASE_ERROR_REASON_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace hanas {

/// A machine-readable reason beside a status code: upper case with underscores ("STALE_LEASE", "LOWERING_DISAGREES"). It travels in the
/// status as a payload and survives the wire (rpc/status.h), so that programs branch on it and never on a message.
///
/// Thread-safe: free functions without state.

/// Of RESOURCE_EXHAUSTED: somebody who stores things for us has no room on the disk. It passes when space is freed, so whoever holds
/// something worth keeping waits and tries again.
inline constexpr absl::string_view kDiskFull = "DISK_FULL";

/// Attaches `reason` to an error; an earlier one is replaced. OK stays OK.
absl::Status WithReason(absl::Status status, absl::string_view reason);
void SetReason(absl::Status& status, absl::string_view reason);

/// The reason of `status`; empty when it has none.
std::string ReasonOf(const absl::Status& status);

/// Whether `status` carries `reason`.
bool HasReason(const absl::Status& status, absl::string_view reason);

}  // namespace hanas

#endif  // HANAS_CORE_BASE_ERROR_REASON_H_
