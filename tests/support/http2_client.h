// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SUPPORT_HTTP2_CLIENT_H_
#define HANAS_TESTS_SUPPORT_HTTP2_CLIENT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/support/loopback.h"

namespace hanas {

/// HTTP/2 (RFC 9113) as a client of another kind than gRPC's speaks it: it reads, and answers settings and pings, and never opens a window
/// that is closed. Confined to one thread.
class Http2Client {
 public:
  enum FrameType : uint8_t { kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6, kGoAway = 7 };
  struct Frame {
    uint8_t type = 0;
    uint8_t flags = 0;
    uint32_t stream = 0;
    std::string payload;
  };

  /// Connects to loopback. Streams begin with a window of `window` bytes.
  Http2Client(int port, uint32_t window) : connection_(port) {
    connection_.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    constexpr uint16_t kInitialWindowSize = 4;
    WriteFrame(kSettings, 0, 0, Integer(kInitialWindowSize, 2) + Integer(window, 4));
  }

  /// A gRPC call with one request.
  void Call(uint32_t stream, absl::string_view path, absl::string_view request) {
    std::string headers;
    const auto add = [&](absl::string_view name, absl::string_view value) {  // a literal without indexing and Huffman's code (RFC 7541)
      headers += Integer(0, 1) + Integer(name.size(), 1) + std::string(name) + Integer(value.size(), 1) + std::string(value);
    };
    add(":method", "POST");
    add(":scheme", "http");
    add(":authority", "localhost");
    add(":path", path);
    add("content-type", "application/grpc");
    add("te", "trailers");
    constexpr uint8_t kEndStream = 1;
    constexpr uint8_t kEndHeaders = 4;
    WriteFrame(kHeaders, kEndHeaders, stream, headers);
    WriteFrame(kData, kEndStream, stream, Integer(0, 1) + Integer(request.size(), 4) + std::string(request));
  }

  /// The next frame that is not about the connection alone; none when there is none by `deadline`, or the connection was closed.
  std::optional<Frame> Read(absl::Time deadline) {
    while (std::optional<Frame> frame = ReadAny(deadline)) {
      constexpr uint8_t kAcknowledges = 1;
      const bool asks = (frame->flags & kAcknowledges) == 0;
      if (frame->type == kSettings && asks) WriteFrame(kSettings, kAcknowledges, 0, "");
      if (frame->type == kPing && asks) WriteFrame(kPing, kAcknowledges, 0, frame->payload);
      if (frame->stream != 0) return frame;
    }
    return std::nullopt;
  }
  /// The next frame of this type.
  std::optional<Frame> Read(FrameType type, absl::Time deadline) {
    while (std::optional<Frame> frame = Read(deadline)) {
      if (frame->type == type) return frame;
    }
    return std::nullopt;
  }

 private:
  static std::string Integer(uint64_t value, int bytes) {
    std::string text;
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text.push_back(static_cast<char>((value >> shift) & 0xFF));
    return text;
  }
  void WriteFrame(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload) {
    connection_.Send(Integer(payload.size(), 3) + Integer(type, 1) + Integer(flags, 1) + Integer(stream, 4) + payload);
  }
  std::optional<Frame> ReadAny(absl::Time deadline) {
    constexpr size_t kHeaderBytes = 9;
    const auto at = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(received_[i])); };
    while (true) {
      const size_t length = received_.size() < kHeaderBytes ? 0 : (at(0) << 16) | (at(1) << 8) | at(2);
      if (received_.size() >= kHeaderBytes + length) {
        Frame frame = {static_cast<uint8_t>(at(3)), static_cast<uint8_t>(at(4)),
                       ((at(5) & 0x7F) << 24) | (at(6) << 16) | (at(7) << 8) | at(8), received_.substr(kHeaderBytes, length)};
        received_.erase(0, kHeaderBytes + length);
        return frame;
      }
      const absl::Duration left = deadline - absl::Now();
      if (left <= absl::ZeroDuration() || !connection_.AwaitReadable(static_cast<int>(absl::ToInt64Milliseconds(left)) + 1))
        return std::nullopt;
      const std::string bytes = connection_.Read();
      if (bytes.empty()) return std::nullopt;
      received_ += bytes;
    }
  }

  LoopbackConnection connection_;
  std::string received_;
};

}  // namespace hanas

#endif  // HANAS_TESTS_SUPPORT_HTTP2_CLIENT_H_
