// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STORE_CODEC_RECORD_CODEC_H_
#define HANAS_COORDINATOR_STORE_CODEC_RECORD_CODEC_H_

#include <cstdint>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/store/records.h"

namespace hanas::coordinator {

/// The newest version of a record that this build reads, and the one it writes.
inline constexpr int kRecordVersion = 4;

struct CounterRecord {
  uint64_t last = 0;
  friend bool operator==(const CounterRecord&, const CounterRecord&) = default;
};
struct LatencyRecord {
  std::string key;
  LatencyRow row;
};
using AnyRecord = std::variant<CounterRecord, SearchRecord, TaskRecord, EventRecord, PartyRecord, LatencyRecord>;

std::string SerialiseRecord(const AnyRecord& record);

/// Inverse. Returns DATA_LOSS for bytes that are no record (or hold a number outside its enum), FAILED_PRECONDITION for a newer version.
absl::StatusOr<AnyRecord> ParseRecord(absl::string_view bytes);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STORE_CODEC_RECORD_CODEC_H_
