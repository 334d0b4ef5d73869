// SPDX-License-Identifier: Apache-2.0
#include "core/base/quantity.h"

#include <cmath>
#include <string>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::DoubleNear;

TEST(ParseBytesTest, WithAndWithoutUnit) {
  EXPECT_THAT(ParseBytes("150 kB"), IsOkAndHolds(150000));
  EXPECT_THAT(ParseBytes("1.5MB"), IsOkAndHolds(1500000));
  EXPECT_THAT(ParseBytes("512 KiB"), IsOkAndHolds(524288));
  EXPECT_THAT(ParseBytes("4096"), IsOkAndHolds(4096));
  EXPECT_THAT(ParseBytes("0.3 kB"), IsOkAndHolds(300));
  EXPECT_THAT(ParseBytes("1e3 kB"), IsOkAndHolds(1000000));
  EXPECT_THAT(ParseBytes("80\u00A0kB"), IsOkAndHolds(80000));
  EXPECT_THAT(ParseBytes("80\u202FkB"), IsOkAndHolds(80000));
  EXPECT_THAT(ParseBytes("\t80  kB "), IsOkAndHolds(80000));
}

TEST(ParseBytesTest, TextThatIsNoSizeIsRefused) {
  for (const char* text : {"", "kB", "-1 kB", "1.5 B", "1 Kb", "1 mB", "99999999999 GB", "1 kB x", "nan", "inf", "1..2 kB", "1e kB",
                           "e3 kB", "1e400", "0x10", "1 kB 2 B", ".", "1,5 MB", "\xE4 kB"}) {
    EXPECT_THAT(ParseBytes(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
  EXPECT_EQ(ParseBytes("150 kb").status().message(),
            "expected a size such as \"150 kB\" (units B, kB, MB, GB, KiB, MiB, GiB; none: bytes), found \"150 kb\"");
}

TEST(ParseTimeTest, EverySpellingOfAMicrosecond) {
  for (const char* text : {"60 us", "60us", "60 \u00B5s", "60\u00B5s", "60 \u03BCs", "60\u00A0\u03BCs", "60\u202Fus", "6e1 us", "6E+1us",
                           "0.06 ms", "0.60e-1 ms", "60.0 µs"}) {
    EXPECT_THAT(ParseMilliseconds(text), IsOkAndHolds(DoubleNear(0.06, 1e-15))) << text;
  }
  EXPECT_THAT(ParseMilliseconds("1e3 us"), IsOkAndHolds(1.0));
  EXPECT_THAT(ParseMilliseconds("0.4 ms"), IsOkAndHolds(0.4));
  EXPECT_THAT(ParseMilliseconds("2 s"), IsOkAndHolds(2000.0));
}

TEST(ParseTimeTest, LongTimesMayHaveSeveralParts) {
  EXPECT_THAT(ParseSeconds("1.5 h"), IsOkAndHolds(5400.0));
  EXPECT_THAT(ParseSeconds("30min"), IsOkAndHolds(1800.0));
  EXPECT_THAT(ParseSeconds("2 d"), IsOkAndHolds(172800.0));
  EXPECT_THAT(ParseSeconds("3 min 05 s"), IsOkAndHolds(185.0));
  EXPECT_THAT(ParseSeconds("1h12min"), IsOkAndHolds(4320.0));
  for (const char* text : {"", "2 ms", "2", "5 s 3 min", "1 h 1 h", "1 h 5", "1 h,", "-1 h"})
    EXPECT_THAT(ParseSeconds(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
}

TEST(ParseTimeTest, AMessageSaysWhatWouldBeRead) {
  EXPECT_EQ(ParseSeconds("2 ms").status().message(),
            "expected a time such as \"2 h\" or \"1 h 12 min\" (units s, min, h, d), found \"2 ms\"");
  EXPECT_EQ(ParseMilliseconds("3").status().message(), "expected a time such as \"0.4 ms\" (units µs or us, ms, s), found \"3\"");
}

TEST(FormatTest, ThreeFigures) {
  EXPECT_EQ(FormatMicroseconds(4.238), "4.24 µs");
  EXPECT_EQ(FormatMicroseconds(312.4), "312 µs");
  EXPECT_EQ(FormatMicroseconds(999.6), "1.00 ms");
  EXPECT_EQ(FormatMicroseconds(2.5e6), "2.50 s");
  EXPECT_EQ(FormatMicroseconds(99.96), "100 µs");
  EXPECT_EQ(FormatBytes(999), "999 B");
  EXPECT_EQ(FormatBytes(999.6), "1.00 kB");
  EXPECT_EQ(FormatBytes(45230), "45.2 kB");
  EXPECT_EQ(FormatSeconds(59.6), "1 min 00 s");
  EXPECT_EQ(FormatSeconds(185), "3 min 05 s");
  EXPECT_EQ(FormatSeconds(3600 + 12 * 60), "1 h 12 min");
}

TEST(FormatTest, UpNeverPromisesTooLittle) {
  EXPECT_EQ(FormatMicroseconds(2.1, Rounding::kUp), "2.10 µs");
  EXPECT_EQ(FormatMicroseconds(2.1001, Rounding::kUp), "2.11 µs");
  EXPECT_EQ(FormatMicroseconds(999.2, Rounding::kUp), "1000 µs");
  EXPECT_EQ(FormatBytes(2101, Rounding::kUp), "2.11 kB");
  EXPECT_EQ(FormatBytes(0.2, Rounding::kUp), "1 B");
}

TEST(FormatTest, ExactIsWhatWasTypedIn) {
  EXPECT_EQ(FormatMicroseconds(60, Rounding::kExact), "60 µs");
  EXPECT_EQ(FormatMicroseconds(300, Rounding::kExact), "300 µs");
  EXPECT_EQ(FormatMicroseconds(1234.5, Rounding::kExact), "1.2345 ms");
  EXPECT_EQ(FormatMicroseconds(0, Rounding::kExact), "0 µs");
  EXPECT_EQ(FormatBytes(65536, Rounding::kExact), "65.536 kB");
}

/// What one unit of the last digit of a text that Format wrote is worth, where the text is worth `value`.
double LastDigit(const std::string& text, double value) {
  const std::string number = text.substr(0, text.find(' '));
  const size_t point = number.find('.');
  const double decimals = point == std::string::npos ? 0 : static_cast<double>(number.size() - point - 1);
  return value * std::pow(10, -decimals) / std::stod(number);
}

// What is printed is read, and keeps the promise of its rounding, over eleven orders of magnitude.
TEST(FormatTest, WhatIsWrittenIsRead) {
  CounterRandom random(1, "quantities");
  for (int i = 0; i < 20'000; ++i) {
    const double us = std::pow(10, 11 * random.UniformDouble() - 2);
    const auto read = [&](Rounding rounding) {
      const absl::StatusOr<double> ms = ParseMilliseconds(FormatMicroseconds(us, rounding));
      EXPECT_THAT(ms, IsOk()) << us;
      return 1e3 * ms.value_or(0);
    };
    const double nearest = read(Rounding::kNearest);
    EXPECT_NEAR(nearest, us, 0.5001 * LastDigit(FormatMicroseconds(us), nearest));
    const double up = read(Rounding::kUp);
    EXPECT_GE(up, us);
    EXPECT_LE(up - us, 1.0001 * LastDigit(FormatMicroseconds(us, Rounding::kUp), up));
    EXPECT_NEAR(read(Rounding::kExact), us, 1e-12 * us);

    const double bytes = std::floor(std::pow(10, 12 * random.UniformDouble()));
    const auto size = [&](Rounding rounding) {
      const absl::StatusOr<int64_t> read_back = ParseBytes(FormatBytes(bytes, rounding));
      EXPECT_THAT(read_back, IsOk()) << bytes;
      return static_cast<double>(read_back.value_or(0));
    };
    EXPECT_NEAR(size(Rounding::kNearest), bytes, bytes * 0.006);
    EXPECT_GE(size(Rounding::kUp), bytes);
    EXPECT_LE(size(Rounding::kUp), bytes * 1.011);
    EXPECT_EQ(size(Rounding::kExact), bytes);

    const double seconds = std::pow(10, 7 * random.UniformDouble());
    EXPECT_THAT(ParseSeconds(FormatSeconds(seconds)), IsOkAndHolds(DoubleNear(seconds, seconds < 3600 ? 0.5 : 60))) << seconds;
  }
}

TEST(CountTest, IsReadAsItIsWritten) {
  EXPECT_EQ(FormatCount(987), "987");
  EXPECT_EQ(FormatCount(216590000), "217 M");
  EXPECT_EQ(FormatCount(216590001, Rounding::kExact), "216.590001 M");
  EXPECT_THAT(ParseCount("12.5M"), IsOkAndHolds(12.5e6));
  EXPECT_THAT(ParseCount("80 k"), IsOkAndHolds(80e3));
  EXPECT_THAT(ParseCount("80000"), IsOkAndHolds(80e3));
  for (const char* text : {"", "k", "-1", "1.5", "80 kB", "1e19", "nan"})
    EXPECT_THAT(ParseCount(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  for (uint64_t i = 0; i < 1000; ++i) {
    CounterRandom random(1, "counts", i);
    const auto count = static_cast<double>(random.UniformInt(1 << 30));
    EXPECT_GE(ParseCount(FormatCount(count, Rounding::kUp)).value(), count);
    EXPECT_EQ(ParseCount(FormatCount(count, Rounding::kExact)).value(), count);
  }
}

TEST(PercentTest, IsReadAsItIsWritten) {
  EXPECT_EQ(FormatPercent(0.875), "87.5 %");
  EXPECT_EQ(FormatPercent(0.87512, Rounding::kExact), "87.512 %");
  EXPECT_EQ(FormatPercent(0.87512, Rounding::kUp), "87.6 %");
  EXPECT_THAT(ParsePercent("87.5 %"), IsOkAndHolds(DoubleNear(0.875, 1e-15)));
  for (int tenths = 0; tenths <= 1000; ++tenths) {
    const std::string text = absl::StrCat(tenths / 10, ".", tenths % 10, " %");
    EXPECT_THAT(ParsePercent(text), IsOkAndHolds(tenths / 1000.0)) << text;
  }
  EXPECT_THAT(ParsePercent("60%"), IsOkAndHolds(0.6));
  for (const char* text : {"", "87.5", "%", "-1 %", "1 kB"})
    EXPECT_THAT(ParsePercent(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
}

}  // namespace
}  // namespace hanas
