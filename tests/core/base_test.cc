// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <vector>

#include "absl/status/status_matchers.h"
#include "core/base/counter_random.h"
#include "core/base/digest.h"
#include "core/base/field_violation.h"
#include "core/base/utf8.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

using ::testing::ElementsAre;

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
