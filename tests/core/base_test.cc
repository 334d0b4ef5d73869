// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cmath>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "core/base/digest.h"
#include "core/base/error_reason.h"
#include "core/base/field_violation.h"
#include "core/base/plain_name.h"
#include "core/base/text.h"
#include "core/base/utf8.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/generated_section.h"

namespace hanas {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Lt;
using ::testing::SizeIs;

// Known answers of Random123 1.14 (kat_vectors, philox4x32 10).
TEST(PhiloxTest, KnownAnswers) {
  EXPECT_THAT(Philox4x32({0, 0, 0, 0}, {0, 0}), ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  EXPECT_THAT(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
              ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(CounterRandomTest, IsAFunctionOfSeedPurposeAndIndex) {
  const auto draw = [](uint64_t seed, const char* purpose, uint64_t index) { return CounterRandom(seed, purpose, index).NextUint64(); };
  EXPECT_EQ(draw(1, "a", 2), draw(1, "a", 2));
  EXPECT_NE(draw(1, "a", 2), draw(2, "a", 2));
  EXPECT_NE(draw(1, "a", 2), draw(1, "b", 2));
  EXPECT_NE(draw(1, "a", 2), draw(1, "a", 3));
}

TEST(CounterRandomTest, DistributionsHaveTheirMoments) {
  CounterRandom random(3, "moments");
  double sum = 0;
  double sum_squares = 0;
  std::vector<int> counts(7, 0);
  constexpr int kDraws = 70'000;
  for (int i = 0; i < kDraws; ++i) {
    const double normal = random.Normal();
    sum += normal;
    sum_squares += normal * normal;
    ++counts[random.UniformInt(7)];
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.02);
  EXPECT_NEAR(sum_squares / kDraws, 1, 0.03);
  for (const int count : counts) EXPECT_NEAR(count, kDraws / 7, 500);
}

TEST(DigestTest, HexRoundTripsAndFieldsAreDelimited) {
  const Digest digest = DigestBuilder().Add("ab").Add("c").Build();
  EXPECT_NE(digest, DigestBuilder().Add("a").Add("bc").Build());
  EXPECT_EQ(Digest::FromHex(digest.ToHex()).value(), digest);
  EXPECT_FALSE(Digest::FromHex("xyz").ok());
  // FNV-1a of no bytes is its offset basis: the digest is stable across builds.
  EXPECT_EQ(DigestBuilder().Build().ToHex(), "6c62272e07bb014262b821756295c58d");
}

TEST(TextTest, PrintableIsUtf8ThatNoTerminalObeys) {
  EXPECT_EQ(Printable("größer als 1 µs, 100 %"), "größer als 1 µs, 100 %");
  EXPECT_EQ(Printable("two\nlines"), "two\nlines");
  EXPECT_EQ(Printable("\x1b[2J\r\t\x7f"), "\\x1b[2J\\x0d\\x09\\x7f");
  EXPECT_EQ(Printable("\u0085\u202Eevil\u2066"), "\\x85\\u202eevil\\u2066");
  EXPECT_EQ(Printable(absl::string_view("a\0b", 3)), "a\\x00b");
  // Not UTF-8: a lone continuation, a cut sequence, an overlong slash, a surrogate, beyond the last code point.
  for (const absl::string_view wrong : {"\x80", "\xe2\x82", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_THAT(Printable(wrong), ::testing::StartsWith("\uFFFD")) << absl::CHexEscape(wrong);
  }
}

TEST(TextTest, ShortenedTextKeepsBothEndsAndWholeCharacters) {
  EXPECT_EQ(Shorten("short enough", 16), "short enough");
  const std::string message = absl::StrCat("expected a name, found \"", std::string(1 << 20, 'x'), "\"; use a shorter one");
  const std::string shortened = Shorten(message, 100);
  EXPECT_LE(shortened.size(), 100U);
  EXPECT_THAT(shortened, ::testing::StartsWith("expected a name, found \"xxx"));
  EXPECT_THAT(shortened, ::testing::EndsWith("xxx\"; use a shorter one"));
  std::string wide;
  for (int i = 0; i < 100; ++i) absl::StrAppend(&wide, "€");
  for (size_t size = 16; size < wide.size(); ++size) {
    EXPECT_LE(Shorten(wide, size).size(), size);
    EXPECT_EQ(Printable(Shorten(wide, size)), Shorten(wide, size)) << size;
  }
}

TEST(ErrorReasonTest, TheTableIsInOrderAndThePageIsThatOfTheTable) {
  absl::string_view before;
  for (const ErrorReason& row : ErrorReasons()) {
    EXPECT_LT(before, row.name);
    EXPECT_THAT(std::string(row.name), ::testing::MatchesRegex("[A-Z][A-Z_]*[A-Z]"));
    before = row.name;
  }
  ExpectGeneratedSection("docs/errors.md", "error reasons", ErrorReasonReference());
}

TEST(ErrorReasonTest, OnlyAFullDiskIsAFullDisk) {
  EXPECT_TRUE(HasReason(ErrnoStatus(ENOSPC, "cannot write x"), kDiskFull));
  EXPECT_TRUE(HasReason(ErrnoStatus(EDQUOT, "cannot write x"), kDiskFull));
  EXPECT_EQ(ReasonOf(ErrnoStatus(EMFILE, "cannot open x")), "");
  EXPECT_EQ(ErrnoStatus(EMFILE, "cannot open x").code(), absl::StatusCode::kResourceExhausted);
}

TEST(FieldViolationsTest, WhatTheyQuoteCanNeitherBreakThemNorFloodAnybody) {
  FieldViolations violations;
  violations.Add("name\x1f\x1e", absl::StrCat("expected a name, found \"", std::string(1 << 20, '\x1e'), "\n\"; choose another"));
  const FieldViolation& kept = violations.items().front();
  EXPECT_EQ(kept.path, "name\\x1f\\x1e");
  EXPECT_LE(kept.message.size(), FieldViolations::kMaxMessageBytes);
  EXPECT_THAT(kept.message, ::testing::StartsWith("expected a name, found"));
  EXPECT_THAT(kept.message, ::testing::EndsWith("\\n\"; choose another"));
  EXPECT_EQ(ViolationsOf(violations.ToStatus()), violations.items());
}

TEST(FieldViolationsTest, ManyAreTwentyAndTheNumberOfTheOthers) {
  FieldViolations violations;
  for (int i = 0; i < 5000; ++i) violations.Add(absl::StrCat("a[", i, "]"), "expected 1, found 2");
  EXPECT_EQ(violations.items().size(), FieldViolations::kMaxKept);
  const std::vector<FieldViolation> shown = ViolationsOf(violations.ToStatus());
  ASSERT_EQ(shown.size(), 21U);
  EXPECT_EQ(shown[19].path, "a[19]");
  EXPECT_EQ(shown[20], MoreViolations(4980));
  EXPECT_EQ(CountOf(shown[20]), 4980);
  EXPECT_EQ(CountOf(shown[19]), 1);
  EXPECT_THAT(std::string(violations.ToStatus().message()), ::testing::EndsWith("a[19]: expected 1, found 2\nand 4980 more"));
}

TEST(PlainNameTest, GoesIntoFileNamesAndOntoTerminals) {
  for (const char* good : {"a", "worker-1", "pi5.a_b", "0", ".hidden", "-x", "..."}) EXPECT_TRUE(IsPlainName(good)) << good;
  EXPECT_TRUE(IsPlainName(std::string(kMaxPlainNameBytes, 'n')));
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("a b"), std::string("\x1b[2J"),
        std::string("a\n"), std::string("a\0b", 3), std::string("ä"), std::string(kMaxPlainNameBytes + 1, 'n')}) {
    EXPECT_FALSE(IsPlainName(bad)) << bad;
  }
  EXPECT_THAT(CheckPlainName("\x1b[2Jpwn").message(), HasSubstr("found \"\\x1b[2Jpwn\""));
  EXPECT_THAT(CheckPlainName(std::string(1'000'000, 'n')).message(), AllOf(HasSubstr("of 1000000 bytes"), SizeIs(Lt(200u))));
}

TEST(OneLineTest, HasNothingThatATerminalObeys) {
  for (const char* good : {"", "AMD EPYC 7B13 (x2) @ 2.45 GHz", "Prozessor für Ärzte", "\u00a0", "日本語"})
    EXPECT_TRUE(IsOneLine(good)) << good;
  for (const char* bad : {"a\nb", "\r", "\t", "\x1b]0;pwn\x07", "\x7f", "\u0085", "\u009b31m"}) EXPECT_FALSE(IsOneLine(bad)) << bad;
  EXPECT_TRUE(CheckOneLine("abc", 3).ok());
  EXPECT_FALSE(CheckOneLine("abcd", 3).ok());
}

TEST(FieldViolationsTest, SurviveTheStatus) {
  FieldViolations violations;
  EXPECT_TRUE(violations.ToStatus().ok());
  violations.Add("a.b[1]", "expected 1, found 2");
  violations.Add("c", "expected text");
  EXPECT_EQ(ViolationsOf(violations.ToStatus()), violations.items());
  EXPECT_EQ(violations.ToStatus().message(), "a.b[1]: expected 1, found 2\nc: expected text");
}

TEST(Utf8Test, WellFormedIsWhatUnicodeSays) {
  for (const char* good : {"", "abc", "\xC2\xB5", "\xE2\x82\xAC", "\xED\x9F\xBF", "\xF0\x9F\x99\x82", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
    EXPECT_EQ(ToUtf8(good), good);
  }
  // Latin-1, cut, overlong, a surrogate, beyond the last code point, a lone continuation.
  for (const char* bad : {"Geb\xE4ude", "\xE2\x82", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
    EXPECT_TRUE(IsUtf8(ToUtf8(bad)));
  }
  EXPECT_EQ(ToUtf8("Geb\xE4ude \xC2\xB5"), "Geb\xEF\xBF\xBDude \xC2\xB5");
}

TEST(Utf8Test, CuttingNeverSplitsASequence) {
  const std::string text = "a\xC2\xB5\xE2\x82\xAC\xF0\x9F\x99\x82z";
  for (size_t limit = 0; limit <= text.size() + 1; ++limit) {
    const absl::string_view cut = CutUtf8(text, limit);
    EXPECT_LE(cut.size(), limit);
    EXPECT_GE(cut.size() + 3, std::min(limit, text.size()));
    EXPECT_TRUE(IsUtf8(cut)) << limit;
  }
  // What is not UTF-8 is cut all the same.
  EXPECT_EQ(CutUtf8(std::string(20, '\x80'), 10).size(), 7);
}

}  // namespace
}  // namespace hanas
