// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/task_key.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::coordinator {
namespace {

using ::testing::Eq;
using ::testing::Optional;

struct Named {
  TaskKey key;
  std::string text;
  SearchPhase phase;
};

// The texts are stored: they stay what they are.
const std::vector<Named>& AllStages() {
  static const std::vector<Named>* const kNamed = new std::vector<Named>{
      {{.stage = TaskStage::kOperators, .index = 12}, "profile/operators/12", SearchPhase::kProfiling},
      {{.stage = TaskStage::kNetworks}, "profile/networks/0", SearchPhase::kProfiling},
      {{.stage = TaskStage::kTrain, .index = 3}, "train/3", SearchPhase::kTraining},
      {{.stage = TaskStage::kSample, .index = 1}, "sample/1", SearchPhase::kSampling},
      {{.stage = TaskStage::kSamplePredictor}, "sample/predictor", SearchPhase::kSampling},
      {{.stage = TaskStage::kWitness}, "witness/0", SearchPhase::kSampling},
      {{.stage = TaskStage::kRoundMeasure, .round = 2, .index = 1}, "round/2/measure/1", SearchPhase::kSearching},
      {{.stage = TaskStage::kRoundEvaluate, .round = 10}, "round/10/evaluate/0", SearchPhase::kSearching},
      {{.stage = TaskStage::kRoundPredictor, .round = 1}, "round/1/predictor", SearchPhase::kSearching},
      {{.stage = TaskStage::kMemberTrain, .member = "member-1", .index = 4}, "members/member-1/train/4", SearchPhase::kVerifying},
      {{.stage = TaskStage::kMemberBind, .member = "largest-8bit"}, "members/largest-8bit/bind", SearchPhase::kVerifying},
      {{.stage = TaskStage::kMemberVerify, .member = "member-2"}, "members/member-2/verify", SearchPhase::kVerifying},
      {{.stage = TaskStage::kTestImages}, "verify/images", SearchPhase::kVerifying},
      {{.stage = TaskStage::kOpponentMeasure, .index = 3}, "opponents/measure/3", SearchPhase::kVerifying},
      {{.stage = TaskStage::kOpponentProbe, .member = "dense-2"}, "opponents/dense-2/probe/0", SearchPhase::kVerifying},
  };
  return *kNamed;
}

TEST(TaskKeyTest, EveryStageHasItsTextAndIsReadBack) {
  for (const Named& named : AllStages()) {
    EXPECT_EQ(named.key.ToString(), named.text);
    EXPECT_THAT(ParseTaskKey(named.text), Optional(Eq(named.key))) << named.text;
    EXPECT_EQ(PhaseOfTask(named.text), named.phase) << named.text;
    EXPECT_EQ(PhaseOf(named.key.stage), named.phase) << named.text;
  }
}

TEST(TaskKeyTest, TargetsAmongSeveralHaveKeysOfTheirOwn) {
  SearchJob job;
  job.targets = {{.name = "phone"}, {.name = "watch"}};
  for (const Named& named : AllStages()) {
    TaskKey key = named.key;
    key.target = "watch";
    const std::string text = "targets/watch/" + named.text;
    if (!IsOfTarget(named.key.stage)) {
      EXPECT_THAT(ParseTaskKey(text), Eq(std::nullopt)) << "targets have it in common: " << text;
      EXPECT_EQ(TargetOfTask(named.text, job), 0);
      continue;
    }
    EXPECT_EQ(key.ToString(), text);
    EXPECT_THAT(ParseTaskKey(text), Optional(Eq(key))) << text;
    EXPECT_EQ(PhaseOfTask(text), named.phase) << text;
    EXPECT_EQ(TargetOfTask(text, job), 1) << text;
    EXPECT_EQ(TargetOfTask(text, SearchJob{}), 0) << "of a job with one target: " << text;
  }
  for (const char* text : {"targets/witness/0", "targets//witness/0", "targets/watch", "targets/a/targets/b/witness/0"})
    EXPECT_THAT(ParseTaskKey(text), Eq(std::nullopt)) << text;
}

TEST(TaskKeyTest, WhatIsNotWrittenIsNotRead) {
  for (const char* text : {"", "train", "train/", "train/-1", "train/01", "train/x", "train/1/2", "sample/predictors", "round//evaluate/0",
                           "round/1/evaluate", "members//bind", "members/m/bind/0", "verify/images/0", "/train/1", "train/99999999999"}) {
    EXPECT_THAT(ParseTaskKey(text), Eq(std::nullopt)) << text;
    EXPECT_EQ(PhaseOfTask(text), SearchPhase::kVerifying) << text;
  }
}

TEST(TaskKeyTest, OnlyWhatASupernetDecidesIsShared) {
  for (const Named& named : AllStages()) {
    TaskSharing expected = TaskSharing::kNobody;
    if (named.phase == SearchPhase::kTraining) expected = TaskSharing::kSameSupernet;
    if (named.text.starts_with("sample/")) expected = TaskSharing::kSameSamples;
    EXPECT_EQ(SharingOf(named.key.stage), expected) << named.text;
  }
}

TEST(TaskKeyTest, ARoundUsesThePredictorOfTheOneBefore) {
  EXPECT_EQ(PredictorKey(0).ToString(), "sample/predictor");
  EXPECT_EQ(PredictorKey(3).ToString(), "round/2/predictor");
}

}  // namespace
}  // namespace hanas::coordinator
