// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/record_key.h"

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace hanas::coordinator {
namespace {

constexpr size_t kHeaderBytes = 17;

void AppendBigEndian(uint64_t value, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>((value >> shift) & 0xff));
}

uint64_t ReadBigEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (const char c : bytes) value = (value << 8) | static_cast<unsigned char>(c);
  return value;
}

bool IsKind(char c) {
  switch (static_cast<RecordKind>(c)) {
    case RecordKind::kCounter:
    case RecordKind::kEvent:
    case RecordKind::kLatency:
    case RecordKind::kParty:
    case RecordKind::kSearch:
    case RecordKind::kTask:
      return true;
  }
  return false;
}

}  // namespace

std::string EncodeKey(const RecordKey& key) {
  std::string bytes(1, static_cast<char>(key.kind));
  AppendBigEndian(key.parent, bytes);
  AppendBigEndian(key.sequence, bytes);
  bytes.append(key.text);
  return bytes;
}

absl::StatusOr<RecordKey> DecodeKey(absl::string_view bytes) {
  if (bytes.size() < kHeaderBytes || !IsKind(bytes[0])) {
    return absl::DataLossError(absl::StrCat("expected a record key of at least ", kHeaderBytes, " bytes with a known kind, found \"",
                                            absl::CHexEscape(bytes), "\""));
  }
  return RecordKey{.kind = static_cast<RecordKind>(bytes[0]),
                   .parent = ReadBigEndian(bytes.substr(1, 8)),
                   .sequence = ReadBigEndian(bytes.substr(9, 8)),
                   .text = std::string(bytes.substr(kHeaderBytes))};
}

}  // namespace hanas::coordinator
