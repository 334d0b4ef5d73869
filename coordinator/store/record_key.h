// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STORE_RECORD_KEY_H_
#define HANAS_COORDINATOR_STORE_RECORD_KEY_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas::coordinator {

/// What a record is; the first byte of its key. Written to disk: never renumber.
enum class RecordKind : char {
  kCounter = 'c',
  kEvent = 'e',
  kLatency = 'l',
  kParty = 'p',
  kSearch = 's',
  kTask = 't',
};

/// <kind><parent, 8 bytes big-endian><sequence, 8 bytes big-endian>, and for kLatency the operator key's text after it. Ascending bytes are
/// ascending (kind, parent, sequence), so that all of one parent lies together in order.
struct RecordKey {
  RecordKind kind = RecordKind::kCounter;
  uint64_t parent = 0;
  uint64_t sequence = 0;
  std::string text;
  friend bool operator==(const RecordKey&, const RecordKey&) = default;
};

std::string EncodeKey(const RecordKey& key);
/// Returns DATA_LOSS for bytes that EncodeKey does not produce.
absl::StatusOr<RecordKey> DecodeKey(absl::string_view bytes);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STORE_RECORD_KEY_H_
