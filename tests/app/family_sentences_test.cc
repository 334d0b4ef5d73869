// SPDX-License-Identifier: Apache-2.0
#include "coordinator/reporting/family_sentences.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hanas::coordinator {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

ReportMember Network(std::string id, double accuracy, double us) {
  ReportMember member;
  member.record = {.id = std::move(id), .steps = 100};
  member.verified.exported = {.correct = static_cast<int64_t>(accuracy * 10000), .images = 10000};
  member.measured_us = us;
  return member;
}

ReportMember Opponent(std::string id, std::string family, double accuracy, double us) {
  ReportMember member = Network(std::move(id), accuracy, us);
  member.record.reference = true;
  member.record.opponent = OpponentRecord{std::move(family), "dense-80k", 1.6, {}};
  return member;
}

ReportData Data(std::vector<ReportMember> front, std::vector<ReportMember> references) {
  ReportData data;
  data.front = std::move(front);
  data.references = std::move(references);
  data.family = CompareFamilies(data);
  return data;
}

TEST(CompareFamiliesTest, ComparesEachMemberAtItsLatency) {
  const ReportData data =
      Data({Network("member-1", 0.70, 50), Network("member-2", 0.86, 200), Network("member-3", 0.95, 1000)},
           {Opponent("dense-1", "dense", 0.80, 100), Opponent("dense-2", "dense", 0.90, 400), Opponent("all-in", "all-in", 0.93, 400)});
  EXPECT_THAT(data.family->families, ElementsAre("dense"));
  const std::vector<FamilyComparison>& comparisons = data.family->comparisons;
  ASSERT_EQ(comparisons.size(), 3u);
  EXPECT_EQ(comparisons[0].at_latency.basis, FamilyBasis::kNoneAsFast);
  EXPECT_EQ(comparisons[1].at_latency.basis, FamilyBasis::kInterpolated);
  EXPECT_NEAR(comparisons[1].difference, 0.01, 1e-9);
  EXPECT_GT(comparisons[1].stddev, 0.003);
  EXPECT_EQ(comparisons[2].at_latency.basis, FamilyBasis::kSlowest);
  EXPECT_NEAR(comparisons[2].difference, 0.05, 1e-9);
  ASSERT_EQ(data.family->volumes.size(), 2u);
  EXPECT_EQ(data.family->volumes[0].of, "members");
  EXPECT_NEAR(data.family->corner.latency_us, 1100, 1e-9);
}

TEST(FamilySentencesTest, SayWhatWasWonWithItsError) {
  ReportData data = Data({Network("member-1", 0.70, 50), Network("member-2", 0.86, 200)},
                         {Opponent("dense-1", "dense", 0.80, 100), Opponent("dense-2", "dense", 0.90, 400)});
  const std::vector<std::string> sentences = FamilySentences(data);
  EXPECT_THAT(sentences, Contains(HasSubstr("Against 2 plain networks of the family dense (dense-80k, scaled in width)")));
  EXPECT_THAT(sentences, Contains(HasSubstr("member-2 +1.0 ± 0.4 points, +1.0 on average; 1 better and 0 worse outside the noise.")));
  EXPECT_THAT(sentences, Contains(HasSubstr("For 1 member no plain network of the family is as fast.")));
  EXPECT_THAT(sentences, Contains(HasSubstr("may only be claimed as a mean over pairs")));
  EXPECT_THAT(sentences, Not(Contains(HasSubstr("All-in"))));
}

TEST(FamilySentencesTest, SayThatAPlainNetworkIsBetter) {
  const ReportData data =
      Data({Network("member-1", 0.85, 200)}, {Opponent("dense-1", "dense", 0.90, 200), Opponent("all-in", "all-in", 0.93, 400)});
  const std::vector<std::string> sentences = FamilySentences(data);
  EXPECT_THAT(sentences, Contains(HasSubstr("member-1 -5.0 ± 0.5 points, -5.0 on average; 0 better and 1 worse outside the noise.")));
  EXPECT_THAT(sentences, Contains(HasSubstr("(dense-80k x1.6) that got the whole compute of the search, 100 steps, has 93.0 ± 0.3 %")));
  EXPECT_THAT(sentences, Contains(HasSubstr("member-1 -8.0 ± 0.4 points from it, outside the noise")));
}

TEST(FamilySentencesTest, SayWhenNoneIsAsFast) {
  const ReportData data = Data({Network("member-1", 0.85, 50)}, {Opponent("dense-1", "dense", 0.90, 200)});
  EXPECT_THAT(FamilySentences(data), Contains(HasSubstr("no plain network of the family is as fast as any member.")));
}

TEST(FamilySentencesTest, SeparateTheComputeAndTellTheBreakEven) {
  ReportData data = Data({Network("member-1", 0.85, 50)}, {Opponent("dense-1", "dense", 0.90, 200)});
  data.family->compute = {.shared_seconds = 600, .targets_seconds = 400, .opponents_seconds = 3000};
  EXPECT_THAT(FamilySentences(data),
              Contains("The search took 1000 s of compute; its plain networks took 3000 s more, which are not part of the search's."));
  data.family->break_even_targets = 3;
  EXPECT_THAT(FamilySentences(data), Contains(HasSubstr("From 3 targets on, fronts for all of them cost no more than")));
}

TEST(FamilySentencesTest, ThereAreNoneWithoutFamilies) {
  ReportData data;
  data.front = {Network("member-1", 0.85, 50)};
  EXPECT_THAT(FamilySentences(data), IsEmpty());
}

}  // namespace
}  // namespace hanas::coordinator
