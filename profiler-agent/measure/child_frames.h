// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_MEASURE_CHILD_FRAMES_H_
#define HANAS_PROFILER_AGENT_MEASURE_CHILD_FRAMES_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas {

// The bytes from a measuring child to its parent: magic, version, type, length, CRC-32C of type and payload, payload; again and again, the
// last one kEnd.

enum class FrameType : uint8_t { kRecord = 1, kFailure = 2, kEnd = 3 };
struct Frame {
  FrameType type = FrameType::kRecord;
  std::string payload;
};

std::string EncodeFrame(FrameType type, absl::string_view payload);

/// A status as the payload of a kFailure: code, reason, message.
std::string EncodeStatus(const absl::Status& status);
/// Returns DATA_LOSS in place of the status when the payload is none, or says OK.
absl::Status DecodeStatus(absl::string_view payload);

/// Cuts a stream into frames. Thread-compatible.
class FrameReader {
 public:
  explicit FrameReader(int64_t max_payload_bytes) : max_payload_bytes_(max_payload_bytes) {}
  void Append(absl::string_view bytes) { buffer_.append(bytes.data(), bytes.size()); }
  /// The next whole frame; nullopt when more bytes are needed. Returns DATA_LOSS saying what is wrong, for instance that the child is of
  /// another release; the stream is lost then.
  absl::StatusOr<std::optional<Frame>> Next();
  /// Bytes of an unfinished frame.
  size_t pending() const { return buffer_.size(); }

 private:
  const int64_t max_payload_bytes_;
  std::string buffer_;
};

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_MEASURE_CHILD_FRAMES_H_
