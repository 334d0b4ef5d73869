// SPDX-License-Identifier: Apache-2.0
#include "coordinator/service/task_convert.h"

#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/judging/forecast.h"
#include "coordinator/service/plain_networks.h"
#include "core/base/bounds.h"
#include "core/family/convnet/convnet_space.h"
#include "core/family/convnet/scaled.h"
#include "tests/core/small_space.h"

namespace hanas::coordinator {
namespace {

using ::testing::ElementsAre;

v1::Task AsMessage(Work work) {
  auto job = std::make_shared<SearchJob>();
  job->name = "job";
  job->space = SmallSpaceSpec();
  return ToProto(GrantedTask{.task = {.id = 1, .search = 2, .work = std::move(work)}, .job = std::move(job)});
}

SpaceSpec PlainSpace() { return ScaledNetworks(PlainNetworksOfPresets().families.front(), SmallSpaceSpec()).front().space; }

TEST(TaskConvertTest, ANetworkIsOfTheJobsSpaceUnlessItBringsItsOwn) {
  const v1::Task of_job = AsMessage(TrainWork{.kind = TrainingKind::kAlone, .slice = {{1}}, .total_steps = 7});
  EXPECT_EQ(of_job.train().space().name(), "small");
  const v1::Task train = AsMessage(TrainWork{.kind = TrainingKind::kAlone, .slice = {{1}}, .total_steps = 7, .space = PlainSpace()});
  EXPECT_EQ(train.train().space().name(), "dense-80k");
  EXPECT_EQ(train.train().training().steps(), 7);
  EXPECT_THAT(train.train().space().resolutions(), ElementsAre(16, 24)) << "for the job's images";

  EXPECT_EQ(AsMessage(BindWork{.architecture = {{1}}}).bind().space().name(), "small");
  EXPECT_EQ(AsMessage(BindWork{.architecture = {{1}}, .space = PlainSpace()}).bind().space().name(), "dense-80k");

  const v1::Task measure = AsMessage(MeasureNetworksWork{{{{1}}, {{2}}}, {"a", "b"}});
  EXPECT_EQ(measure.measure_networks().networks(1).space().name(), "small");
  const v1::Task plain = AsMessage(MeasureNetworksWork{{{{1}}, {{2}}}, {"a", "b"}, {PlainSpace(), SmallSpaceSpec()}});
  EXPECT_EQ(plain.measure_networks().networks(0).space().name(), "dense-80k");
  EXPECT_EQ(plain.measure_networks().networks(1).space().name(), "small");
}

TEST(TaskConvertTest, WhatNothingIsTrainedBesideIsInShardsAndTrainedWeightsHaveRatesOfTheirOwn) {
  SearchJob job;
  job.space = SmallSpaceSpec();
  job.training.shards = 4;
  job.training.learning_rate = 0.1;
  job.training.muon_learning_rate = 0.04;
  job.fine_tune.learning_rate = 0.05;
  const auto training_of = [&](TrainingKind kind, const SearchJob& of_job) {
    GrantedTask granted = {.task = {.id = 1, .search = 2, .work = TrainWork{.kind = kind, .total_steps = 7}},
                           .job = std::make_shared<SearchJob>(of_job)};
    return ToProto(granted).train().training();
  };
  EXPECT_EQ(training_of(TrainingKind::kSupernet, job).shards(), 4);
  EXPECT_EQ(training_of(TrainingKind::kSupernet, job).muon_learning_rate(), 0.04);
  EXPECT_EQ(training_of(TrainingKind::kAlone, job).shards(), 1);
  EXPECT_EQ(training_of(TrainingKind::kAlone, job).learning_rate(), 0.1);
  EXPECT_EQ(training_of(TrainingKind::kFineTune, job).learning_rate(), 0.05);
  EXPECT_NEAR(training_of(TrainingKind::kFineTune, job).muon_learning_rate(), 0.02, 1e-12);
  EXPECT_EQ(training_of(TrainingKind::kFineTune, job).shards(), 1);
  EXPECT_EQ(training_of(TrainingKind::kFinal, job).shards(), 4);
  EXPECT_EQ(training_of(TrainingKind::kFinal, job).learning_rate(), 0.05);
  EXPECT_EQ(training_of(TrainingKind::kTeacher, job).shards(), 4);
  EXPECT_EQ(training_of(TrainingKind::kTeacher, job).label_smoothing(), 0);
  job.training.learning_rate = 1e-4;
  EXPECT_EQ(training_of(TrainingKind::kFineTune, job).muon_learning_rate(), bounds::kMaxLearningRate) << "what a worker accepts";
}

TEST(TaskConvertTest, ATeacherTravelsWithWhatTheJobSaysOfIt) {
  EXPECT_FALSE(AsMessage(TrainWork{.total_steps = 7}).train().has_teacher());
  const v1::Teacher teacher =
      AsMessage(TrainWork{.total_steps = 7, .teacher = TeacherRef{{"a", 1}, PlainSpace(), {{1}}}}).train().teacher();
  EXPECT_EQ(teacher.checkpoint().sha256(), "a");
  EXPECT_EQ(teacher.space().name(), "dense-80k");
  EXPECT_EQ(teacher.weight(), SearchJob().teacher.weight);
  EXPECT_EQ(teacher.temperature(), SearchJob().teacher.temperature);
  EXPECT_EQ(teacher.calibration_images(), 512) << "whatever sampling takes";
  EXPECT_TRUE(AsMessage(TrainWork{.kind = TrainingKind::kTeacher, .total_steps = 7}).train().teaches());
  EXPECT_FALSE(AsMessage(TrainWork{.kind = TrainingKind::kAlone, .total_steps = 7}).train().teaches());
}

TEST(TaskConvertTest, FinalTrainingDrawsAnew) {
  auto job = std::make_shared<SearchJob>();
  job->space = SmallSpaceSpec();
  const auto seed_of = [&](const std::string& key) {
    const GrantedTask granted = {
        .task = {.id = 1, .search = 2, .key = key, .work = TrainWork{.kind = TrainingKind::kFineTune, .total_steps = 7}}, .job = job};
    return ToProto(granted).train().seed();
  };
  EXPECT_EQ(seed_of("members/member-1/train/0"), job->seed);
  EXPECT_NE(seed_of("members/member-1/final/0"), job->seed);
  EXPECT_EQ(seed_of("members/member-1/final/1"), seed_of("members/member-1/final/0")) << "one chain";
}

TEST(TaskConvertTest, NetworksThatAreTrainedAloneHaveTheRatesOfTheTraining) {
  auto job = std::make_shared<SearchJob>();
  job->space = SmallSpaceSpec();
  job->screening = Screening::kAlone;
  job->seed = 11;
  job->training.shards = 2;
  const auto converted = [&](Work work) {
    return ToProto(GrantedTask{.task = {.id = 1, .search = 2, .key = "sample/0", .work = std::move(work)}, .job = job});
  };
  const v1::EvaluateTask evaluate =
      converted(EvaluateWork{.architectures = {{{1}}, {{2}}}, .steps = {40, 90}, .teacher = TeacherRef{{"a", 1}, PlainSpace(), {{1}}}})
          .evaluate();
  EXPECT_FALSE(evaluate.has_checkpoint());
  ASSERT_TRUE(evaluate.has_train());
  EXPECT_THAT(evaluate.train().steps(), ElementsAre(40, 90));
  EXPECT_EQ(evaluate.train().seed(), 11u);
  EXPECT_EQ(evaluate.train().teacher().checkpoint().sha256(), "a");
  EXPECT_EQ(evaluate.train().training().steps(), 90);
  EXPECT_EQ(evaluate.train().training().shards(), 1) << "others are trained beside it";
  const v1::TrainTask last = converted(TrainWork{.kind = TrainingKind::kFinal, .total_steps = 7}).train();
  EXPECT_EQ(last.training().learning_rate(), job->training.learning_rate) << "nothing was fine-tuned";
  EXPECT_EQ(last.training().shards(), 2);
}

TEST(TaskConvertTest, ScreeningTakesAllValidationImages) {
  const SearchJob job;
  EXPECT_EQ(AsMessage(EvaluateWork{}).evaluate().validation_images(), job.sampling.validation_images);
  EXPECT_FALSE(AsMessage(EvaluateWork{}).evaluate().has_train());
  EXPECT_EQ(AsMessage(EvaluateWork{.all_validation_images = true}).evaluate().validation_images(), job.dataset.validation_images);
}

TEST(PlainNetworksTest, AreAsManyAsForecastsCountWith) {
  EXPECT_EQ(PlainNetworksOfPresets().families.size(), static_cast<size_t>(kPlainFamilies));
}

TEST(PlainNetworksTest, FitSmallAndLargeImages) {
  ASSERT_FALSE(PlainNetworksOfPresets().families.empty());
  const std::vector<PlainFamily> families = PlainNetworksOfPresets().families;
  for (const PlainFamily& family : families) {
    for (const auto& [resolution, channels] : {std::pair(28, 1), std::pair(32, 3), std::pair(96, 3)}) {
      const SpaceSpec images = {.resolutions = {resolution}, .input_channels = channels, .num_classes = 10};
      const std::vector<ScaledNetwork> networks = ScaledNetworks(family, images);
      EXPECT_GE(networks.size(), 11u) << family.name << " at " << resolution;
      for (const ScaledNetwork& network : networks) EXPECT_TRUE(ConvnetSpace::Define(network.space).ok()) << family.name;
    }
  }
}

}  // namespace
}  // namespace hanas::coordinator
