// SPDX-License-Identifier: Apache-2.0
// Damaged bytes from a measuring child.
#include "profiler-agent/measure/child_frames.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
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

TEST(ChildFramesDamageTest, FramesOfOtherVersionsAreNamed) {
  const std::string good = EncodeFrame(FrameType::kRecord, "a row");
  EXPECT_EQ(absl::BytesToHexString(good),
            absl::BytesToHexString(absl::string_view("HNM\2\1\5\0\0\0", 9)) + "1af88ca0" + absl::BytesToHexString("a row"))
      << "the layout, with the CRC-32C of \"\\1a row\"";
  for (const auto& [byte, version] : {std::pair('R', "1"), std::pair('\3', "3")}) {
    std::string other = good;
    other[3] = byte;
    const absl::Status status = ReadFrames(other, 1000);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_NE(status.message().find(absl::StrCat("a frame of version ", version, ", where 2 is expected")), absl::string_view::npos)
        << status;
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
