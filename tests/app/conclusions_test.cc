// SPDX-License-Identifier: Apache-2.0
#include "coordinator/reporting/conclusions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hanas::coordinator {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

ReportMember Network(std::string id, double accuracy, double us) {
  ReportMember member;
  member.record = {.id = std::move(id), .steps = 100};
  member.verified.exported = {.correct = static_cast<int64_t>(accuracy * 10000), .images = 10000};
  member.measured_us = us;
  member.costs = {us, 1000, 2000, 3000, 4000, CostOf(Quantity::kAccuracy, member.accuracy())};  // by Quantity
  member.within_limits = true;
  return member;
}

ReportData Data(std::vector<ReportMember> front, ReportMember reference) {
  ReportData data;
  data.goals.objectives = {Quantity::kAccuracy, Quantity::kLatency};
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
                  "The search did not beat the middle network at 8 bits, trained alone for 100 steps (as many as the supernet and a member "
                  "together): member-1 is 1.2x slower at -5.0 points, outside the noise")));
}

TEST(ConclusionsTest, TheFastestThatIsNotWorseIsCompared) {
  EXPECT_THAT(Conclusions(Data({Network("member-1", 0.80, 100), Network("member-2", 0.899, 300), Network("member-3", 0.92, 600)},
                               Network("largest-8bit", 0.9, 900))),
              Contains(HasSubstr("member-2 is 3.0x faster at -0.1 points, within the noise")));
}

TEST(ConclusionsTest, AWinInTheJobsOwnObjectivesIsFound) {
  ReportMember fast = Network("member-1", 0.90, 300);
  ReportMember small = Network("member-2", 0.90, 600);
  const ReportMember reference = Network("largest-8bit", 0.90, 900);
  fast.costs[1] = 1.1 * reference.costs[1];  // the size
  small.costs[1] = 0.5 * reference.costs[1];
  ReportData data = Data({fast, small}, reference);
  data.goals.objectives = {Quantity::kAccuracy, Quantity::kSize};
  EXPECT_THAT(Conclusions(data), Contains(HasSubstr("member-2 is 1.5x faster at +0.0 points, within the noise, with 0.50x the size.")));
}

std::vector<std::string> Codes(const ReportData& data) {
  std::vector<std::string> codes;
  for (const Warning& warning : Warnings(data)) codes.push_back(warning.code);
  return codes;
}

TEST(WarningsTest, DominatedMembersAreNamed) {
  const std::vector<Warning> warnings =
      Warnings(Data({Network("member-1", 0.91, 300), Network("member-2", 0.90, 600)}, Network("largest-8bit", 0.9, 900)));
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_EQ(warnings[0].code, kDominatedMember);
  EXPECT_THAT(warnings[0].text, HasSubstr("As trained, member-2 is dominated by member-1, which is 2.0x faster at +1.0 points"));
  EXPECT_THAT(warnings[0].members, ElementsAre("member-2"));
}

TEST(WarningsTest, ATieInOneFigureIsDominanceAndOneInBothLeavesTheFirst) {
  const ReportMember reference = Network("largest-8bit", 0.9, 900);
  // The same accuracy, slower; the same time, less accurate; the same in both.
  for (const ReportMember& second : {Network("member-2", 0.91, 600), Network("member-2", 0.90, 300), Network("member-2", 0.91, 300)}) {
    const std::vector<Warning> warnings = Warnings(Data({Network("member-1", 0.91, 300), second}, reference));
    ASSERT_THAT(warnings, SizeIs(1));
    EXPECT_THAT(warnings[0].members, ElementsAre("member-2"));
  }
  EXPECT_THAT(Codes(Data({Network("member-1", 0.90, 300), Network("member-2", 0.91, 600)}, reference)), IsEmpty());
}

TEST(WarningsTest, ABrokenLimitIsSaid) {
  ReportMember member = Network("member-1", 0.9, 500);
  member.within_limits = false;
  const std::vector<Warning> warnings = Warnings(Data({member}, Network("largest-8bit", 0.9, 900)));
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_EQ(warnings[0].text, "member-1 breaks its limits as measured.");
}

TEST(WarningsTest, NetworksThatGuessAreNamed) {
  // 10 classes: a tenth by guessing, with a standard deviation of 0.3 %.
  ReportData data = Data({Network("member-1", 0.105, 300), Network("member-2", 0.91, 600)}, Network("largest-8bit", 0.9, 900));
  std::vector<Warning> warnings = Warnings(data);
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_EQ(warnings[0].code, kNoBetterThanGuessing);
  EXPECT_THAT(warnings[0].members, ElementsAre("member-1"));
  EXPECT_THAT(Conclusions(data), Contains(warnings[0].text));
  EXPECT_THAT(NextSteps(data), Contains(HasSubstr("longer training")));

  // No search that only guesses is told to go on.
  data.front.pop_back();
  warnings = Warnings(data);
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_THAT(warnings[0].text,
              HasSubstr("Every network of the front is no better than guessing, which is right for 10.0 % of the test images."));
  EXPECT_THAT(NextSteps(data), ElementsAre(HasSubstr("Look at a few pictures of each class first")));
}

TEST(WarningsTest, GuessingIsNamingTheMostFrequentClassWhereItsShareIsKnown) {
  ReportData data = Data({Network("member-1", 0.91, 300)}, Network("largest-8bit", 0.9, 900));
  EXPECT_THAT(Warnings(data), IsEmpty());

  data.survey.classes = {{.name = "cat", .train = 1, .test = 9100}, {.name = "dog", .train = 1, .test = 900}};
  const std::vector<Warning> warnings = Warnings(data);
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_EQ(warnings[0].code, kNoBetterThanGuessing);
  EXPECT_THAT(warnings[0].text, HasSubstr("right for 91.0 % of the test images"));
}

TEST(WarningsTest, WhatIsKnownOfTheDataSetComesFirst) {
  ReportData data = Data({Network("member-1", 0.105, 300)}, Network("largest-8bit", 0.9, 900));
  data.survey.warnings = {{std::string(kDrawnData), "The data set was drawn."}};
  const std::vector<Warning> warnings = Warnings(data);
  ASSERT_THAT(warnings, SizeIs(2));
  EXPECT_EQ(warnings[0].code, kDrawnData);
  EXPECT_THAT(Conclusions(data), Contains("The data set was drawn."));
}

TEST(ConclusionsTest, OperatorComparison) {
  EXPECT_EQ(ComparisonSentence({"depthwise 3x3", 12, 945, 630}),
            "depthwise 3x3 is 1.5x slower in int8 than in float32 here (12 shapes, 945 µs against 630 µs in all)");
  EXPECT_EQ(ComparisonSentence({"pointwise convolution", 3, 100, 300}),
            "pointwise convolution is 3.0x faster in int8 than in float32 here (3 shapes, 100 µs against 300 µs in all)");
}

}  // namespace
}  // namespace hanas::coordinator
