// SPDX-License-Identifier: Apache-2.0
#include "coordinator/app/conclusions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hanas::coordinator {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

ReportMember Network(std::string id, double accuracy, double us) {
  ReportMember member;
  member.record = {.id = std::move(id), .steps = 100};
  member.verified.exported = {.correct = static_cast<int64_t>(accuracy * 10000), .images = 10000};
  member.measured_us = us;
  member.within_limits = true;
  return member;
}

ReportData Data(std::vector<ReportMember> front, ReportMember reference) {
  ReportData data;
  data.front = std::move(front);
  data.references = {std::move(reference)};
  data.test_images = 10000;
  return data;
}

TEST(ConclusionsTest, WinOutsideTheNoise) {
  // 90.6 against 90.0 %, s = 0.29 and 0.30 points: the difference of 0.6 is within 2 x 0.42. With 91.0 it is outside.
  EXPECT_THAT(Conclusions(Data({Network("member-1", 0.910, 500)}, Network("largest-8bit", 0.900, 900))),
              Contains(HasSubstr("member-1 is 1.8x faster at +1.0 points, outside the noise")));
  EXPECT_THAT(Conclusions(Data({Network("member-1", 0.906, 500)}, Network("largest-8bit", 0.900, 900))),
              Contains(HasSubstr("member-1 is 1.8x faster at +0.6 points, within the noise")));
}

TEST(ConclusionsTest, SaysThatItDidNotWin) {
  EXPECT_THAT(Conclusions(Data({Network("member-1", 0.85, 500)}, Network("middle-8bit-long", 0.90, 400))),
              Contains(HasSubstr(
                  "The search did not beat the middle network at 8 bits, trained alone for 100 steps (as many as supernet and fine-tuning "
                  "together): member-1 is 1.2x slower at -5.0 points, outside the noise")));
}

TEST(ConclusionsTest, TheFastestThatIsNotWorseIsCompared) {
  EXPECT_THAT(Conclusions(Data({Network("member-1", 0.80, 100), Network("member-2", 0.899, 300), Network("member-3", 0.92, 600)},
                               Network("largest-8bit", 0.9, 900))),
              Contains(HasSubstr("member-2 is 3.0x faster at -0.1 points, within the noise")));
}

TEST(ConclusionsTest, DominatedMembersAreSaid) {
  const std::vector<std::string> sentences =
      Conclusions(Data({Network("member-1", 0.91, 300), Network("member-2", 0.90, 600)}, Network("largest-8bit", 0.9, 900)));
  EXPECT_THAT(sentences, Contains(HasSubstr("After fine-tuning member-2 is dominated by member-1, which is 2.0x faster at +1.0 points")));
  EXPECT_THAT(sentences, Not(Contains(HasSubstr("member-1 is dominated"))));
}

TEST(ConclusionsTest, BrokenLimitIsSaid) {
  ReportMember member = Network("member-1", 0.9, 500);
  member.within_limits = false;
  EXPECT_THAT(Conclusions(Data({member}, Network("largest-8bit", 0.9, 900))), Contains("member-1 breaks its limits as measured."));
}

TEST(ConclusionsTest, OperatorComparison) {
  EXPECT_EQ(ComparisonSentence({"depthwise 3x3", 12, 945, 630}),
            "depthwise 3x3 is 1.5x slower in int8 than in float32 here (12 shapes, 945 against 630 us in all)");
  EXPECT_EQ(ComparisonSentence({"pointwise convolution", 3, 100, 300}),
            "pointwise convolution is 3.0x faster in int8 than in float32 here (3 shapes, 100 against 300 us in all)");
}

}  // namespace
}  // namespace hanas::coordinator
