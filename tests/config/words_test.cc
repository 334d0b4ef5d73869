// SPDX-License-Identifier: Apache-2.0
#include "absl/status/status_matchers.h"
#include "config/quantity.h"
#include "config/spelling.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::config {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;

TEST(WordsTest, BytesWithAndWithoutUnit) {
  EXPECT_THAT(ParseBytes("150 kB"), IsOkAndHolds(150000));
  EXPECT_THAT(ParseBytes("1.5MB"), IsOkAndHolds(1500000));
  EXPECT_THAT(ParseBytes("512 KiB"), IsOkAndHolds(524288));
  EXPECT_THAT(ParseBytes("4096"), IsOkAndHolds(4096));
  EXPECT_THAT(ParseBytes("0.3 kB"), IsOkAndHolds(300));
}

TEST(WordsTest, BytesThatAreNone) {
  for (const char* text : {"", "kB", "-1 kB", "1.5 B", "1 Kb", "1 mB", "1e3 kB", "99999999999 GB", "1 kB x", "nan", "inf", "1..2 kB"}) {
    EXPECT_THAT(ParseBytes(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
  EXPECT_EQ(ParseBytes("150 kb").status().message(),
            "expected a size such as \"150 kB\" (units B, kB, MB, GB, KiB, MiB, GiB; none: bytes), found \"150 kb\"");
}

TEST(WordsTest, Times) {
  EXPECT_THAT(ParseMilliseconds("0.4 ms"), IsOkAndHolds(0.4));
  EXPECT_THAT(ParseMilliseconds("400us"), IsOkAndHolds(0.4));
  EXPECT_THAT(ParseMilliseconds("2 s"), IsOkAndHolds(2000.0));
  EXPECT_THAT(ParseSeconds("1.5 h"), IsOkAndHolds(5400.0));
  EXPECT_THAT(ParseSeconds("30min"), IsOkAndHolds(1800.0));
  EXPECT_THAT(ParseSeconds("2 d"), IsOkAndHolds(172800.0));
  EXPECT_EQ(ParseSeconds("2 ms").status().message(), "expected a time such as \"2 h\" (units s, min, h, d), found \"2 ms\"");
  EXPECT_EQ(ParseMilliseconds("3").status().message(), "expected a time such as \"0.4 ms\" (units us, ms, s), found \"3\"");
}

TEST(WordsTest, EditDistance) {
  EXPECT_EQ(EditDistance("", "abc"), 3);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
  EXPECT_EQ(EditDistance("width", "widht"), 1);
  EXPECT_EQ(EditDistance("same", "same"), 0);
}

TEST(WordsTest, ClosestWordIsCloseEnoughToBeMeant) {
  const std::vector<std::string> known = {"steps", "batch_size", "learning_rate"};
  EXPECT_EQ(ClosestWord("step", known), "steps");
  EXPECT_EQ(ClosestWord("batchsize", known), "batch_size");
  EXPECT_EQ(ClosestWord("colour", known), "");
}

}  // namespace
}  // namespace hanas::config
