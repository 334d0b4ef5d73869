// SPDX-License-Identifier: Apache-2.0
// Damaged bytes from a measuring child.
#include "profiler-agent/measure/child_frames.h"

#include <algorithm>

#include "tests/parsers/damage.h"

namespace hanas {
namespace {

constexpr int64_t kMaxPayloadBytes = 1 << 16;

/// Every frame until the stream ends or is lost. OK only when it ends between frames.
absl::Status ReadFrames(const std::string& bytes, size_t step) {
  FrameReader reader(kMaxPayloadBytes);
  for (size_t at = 0; at < bytes.size(); at += step) {
    reader.Append(absl::string_view(bytes).substr(at, step));
    while (true) {
      const absl::StatusOr<std::optional<Frame>> frame = reader.Next();
      if (!frame.ok()) return frame.status();
      if (!frame->has_value()) break;
      EXPECT_LE((*frame)->payload.size(), static_cast<size_t>(kMaxPayloadBytes));
      // Whatever a child says in place of a status is a status.
      if ((*frame)->type == FrameType::kFailure) {
        EXPECT_FALSE(DecodeStatus((*frame)->payload).ok());
      }
    }
  }
  return reader.pending() == 0 ? absl::OkStatus() : absl::DataLossError("the stream ended within a frame");
}

TEST(ChildFramesDamageTest, Stream) {
  const std::string stream = EncodeFrame(FrameType::kRecord, "a row") +
                             EncodeFrame(FrameType::kFailure, EncodeStatus(absl::InternalError("it broke"))) +
                             EncodeFrame(FrameType::kEnd, "");
  for (const size_t step : {1, 7, 1000}) {
    ExpectSurvivesDamage(
        {.name = "frames", .good = {stream}, .parse = [step](const std::string& bytes) { return ReadFrames(bytes, step); }});
  }
}

TEST(ChildFramesDamageTest, Status) {
  const std::string good = EncodeStatus(absl::ResourceExhaustedError("no memory"));
  ASSERT_EQ(DecodeStatus(good).code(), absl::StatusCode::kResourceExhausted);
  for (uint64_t round = 0; round < 3000; ++round) {
    CounterRandom random(4, "test/damage", round);
    EXPECT_FALSE(DecodeStatus(Mutated(good, random)).ok()) << "round " << round;
  }
}

}  // namespace
}  // namespace hanas
