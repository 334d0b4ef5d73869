// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/measure/child_frames.h"

#include <vector>

#include "absl/crc/crc32c.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/error_reason.h"

namespace hanas {
namespace {

constexpr absl::string_view kMagic = "HNM";
constexpr uint8_t kVersion = 2;
constexpr uint8_t kFirstVersion = 'R';  // what frames of version 1 have in the version's place
constexpr size_t kHeaderBytes = 3 + 1 + 1 + 4 + 4;

void AppendLittleEndian(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t ReadLittleEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

uint32_t Checksum(uint8_t type, absl::string_view payload) {
  const auto first = static_cast<char>(type);
  return static_cast<uint32_t>(absl::ExtendCrc32c(absl::ComputeCrc32c({&first, 1}), payload));
}

}  // namespace

std::string EncodeFrame(FrameType type, absl::string_view payload) {
  std::string frame(kMagic);
  AppendLittleEndian(frame, kVersion, 1);
  AppendLittleEndian(frame, static_cast<uint8_t>(type), 1);
  AppendLittleEndian(frame, payload.size(), 4);
  AppendLittleEndian(frame, Checksum(static_cast<uint8_t>(type), payload), 4);
  frame.append(payload.data(), payload.size());
  return frame;
}

std::string EncodeStatus(const absl::Status& status) {
  return absl::StrCat(static_cast<int>(status.code()), "\n", ReasonOf(status), "\n", status.message());
}

absl::Status DecodeStatus(absl::string_view payload) {
  const std::vector<std::string> parts = absl::StrSplit(payload, absl::MaxSplits('\n', 2));
  int code = 0;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &code) || code <= 0 || code > static_cast<int>(absl::StatusCode::kUnauthenticated)) {
    return absl::DataLossError("the status is unreadable");
  }
  absl::Status status(static_cast<absl::StatusCode>(code), parts[2]);
  return parts[1].empty() ? status : WithReason(std::move(status), parts[1]);
}

absl::StatusOr<std::optional<Frame>> FrameReader::Next() {
  const absl::string_view bytes = buffer_;
  if (bytes.substr(0, kMagic.size()) != kMagic.substr(0, bytes.size())) return absl::DataLossError("bytes that are no frame");
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  if (const auto version = static_cast<uint8_t>(bytes[3]); version != kVersion) {
    return absl::DataLossError(absl::StrCat("a frame of version ", version == kFirstVersion ? 1 : version, ", where ", kVersion,
                                            " is expected: the measuring program is of another release; start the agent again"));
  }
  const auto type = static_cast<uint8_t>(bytes[4]);
  if (type < static_cast<uint8_t>(FrameType::kRecord) || type > static_cast<uint8_t>(FrameType::kEnd)) {
    return absl::DataLossError(absl::StrCat("a frame of unknown type ", type));
  }
  const auto length = static_cast<int64_t>(ReadLittleEndian(bytes.substr(5, 4)));
  if (length > max_payload_bytes_)
    return absl::DataLossError(absl::StrCat("a frame of ", length, " bytes, at most ", max_payload_bytes_, " are allowed"));
  if (bytes.size() < kHeaderBytes + static_cast<size_t>(length)) return std::nullopt;
  Frame frame{.type = static_cast<FrameType>(type), .payload = buffer_.substr(kHeaderBytes, static_cast<size_t>(length))};
  if (ReadLittleEndian(bytes.substr(9, 4)) != Checksum(type, frame.payload)) return absl::DataLossError("a frame with a wrong checksum");
  buffer_.erase(0, kHeaderBytes + static_cast<size_t>(length));
  return frame;
}

}  // namespace hanas
