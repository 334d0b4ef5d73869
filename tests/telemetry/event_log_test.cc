// SPDX-License-Identifier: Apache-2.0
#include "telemetry/event_log.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::telemetry {
namespace {

using ::testing::Eq;
using ::testing::Optional;

const absl::Time kNoon = absl::FromUnixMicros(1769860800000001);

std::string Json(absl::string_view event, const std::vector<Field>& fields) {
  return FormatEvent(LogFormat::kJson, kNoon, Severity::kWarning, event, fields);
}

/// The fields of a line as a JSON parser that is not ours sees them.
google::protobuf::Struct Parse(const std::string& line) {
  google::protobuf::Struct parsed;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(line, &parsed).ok()) << line;
  return parsed;
}

TEST(EventLogTest, ALineOfTextHasTimeSeverityEventAndFields) {
  EXPECT_EQ(FormatEvent(LogFormat::kText, kNoon, Severity::kInfo, "lease_expired", {{"task", "tasks/3"}, {"note", "a \"b\"\nc"}}),
            "2026-01-31T12:00:00.000001Z INFO lease_expired task=\"tasks/3\" note=\"a \\\"b\\\"\\nc\"");
}

TEST(EventLogTest, ALineOfJsonParses) {
  const google::protobuf::Struct parsed =
      Parse(Json("task_failed", {{"task", "tasks/3"}, {"message", "line\nline\ttab \"q\" \\ é \x01\x7f"}}));
  EXPECT_EQ(parsed.fields().at("time").string_value(), "2026-01-31T12:00:00.000001Z");
  EXPECT_EQ(parsed.fields().at("severity").string_value(), "WARNING");
  EXPECT_EQ(parsed.fields().at("event").string_value(), "task_failed");
  EXPECT_EQ(parsed.fields().at("message").string_value(), "line\nline\ttab \"q\" \\ é \x01\x7f");
}

TEST(EventLogTest, BytesThatAreNotTextAreReplaced) {
  // A stray continuation, an overlong slash, a surrogate, a sequence cut short.
  for (const std::string bad : {"\x80", "\xC0\xAF", "\xED\xA0\x80", "\xE2\x82"}) {
    const std::string line = Json("log", {{"message", bad + "!"}});
    EXPECT_THAT(Parse(line).fields().at("message").string_value(), ::testing::EndsWith("\xEF\xBF\xBD!"));
  }
}

TEST(EventLogTest, EqualEventsAreHeldBackAndCounted) {
  EventLimiter limiter(absl::Seconds(30));
  EXPECT_THAT(limiter.Admit("away", absl::Seconds(100)), Optional(0));
  EXPECT_THAT(limiter.Admit("away", absl::Seconds(101)), Eq(std::nullopt));
  EXPECT_THAT(limiter.Admit("another", absl::Seconds(101)), Optional(0));
  EXPECT_THAT(limiter.Admit("away", absl::Seconds(129)), Eq(std::nullopt));
  EXPECT_THAT(limiter.Admit("away", absl::Seconds(130)), Optional(2));
  EXPECT_THAT(limiter.Admit("away", absl::Seconds(131)), Eq(std::nullopt));
  limiter.Reset();
  EXPECT_THAT(limiter.Admit("away", absl::Seconds(132)), Optional(0));
}

}  // namespace
}  // namespace hanas::telemetry
