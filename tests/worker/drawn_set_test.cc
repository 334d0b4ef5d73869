// SPDX-License-Identifier: Apache-2.0
// The data set that the program draws when none can be had is worth a search: on it, networks of one space differ by much more than noise.
// (That a linear classifier does not suffice is tests/dataset/draw_test.cc.)
#include "absl/status/status_matchers.h"
#include "config/job_file.h"
#include "core/family/convnet/convnet_space.h"
#include "gtest/gtest.h"
#include "tests/worker/drawn_data.h"
#include "worker/torch/create_engine.h"

namespace hanas {
namespace {

constexpr int64_t kSteps = 120;

TEST(DrawnSetTest, SmallestAndLargestNetworkOfTheExampleDifferByFivePoints) {
  const absl::StatusOr<config::JobFile> file = config::JobFile::Load(std::string(HANAS_SOURCE_DIR) + "/examples/fashion-mnist.yaml");
  ASSERT_THAT(file, absl_testing::IsOk());
  const Lowering lowering(ConvnetSpace::Define(file->job().space).value());
  const Dataset data = DrawnData(20000, 2000, 1000);
  const std::unique_ptr<TrainingEngine> engine = CreateTorchEngine({});

  // Each alone, as references are trained.
  const auto accuracy = [&](const Architecture& architecture, uint64_t seed) {
    TrainRequest request = {
        .lowering = &lowering, .architecture = architecture, .dataset = &data, .from_step = 0, .to_step = kSteps, .seed = seed};
    request.training = {.steps = kSteps, .batch_size = 64, .learning_rate = 0.2};
    const absl::StatusOr<TrainResult> trained = engine->Train(request, {});
    EXPECT_THAT(trained, absl_testing::IsOk());
    const auto scored = engine->Evaluate(
        {.lowering = &lowering, .dataset = &data, .checkpoint = trained->checkpoint, .split = Split::kTest}, {architecture}, {});
    EXPECT_THAT(scored, absl_testing::IsOk());
    return (*scored)[0].accuracy();
  };
  // The mean over seeds: what one training ends at depends on the processor's arithmetic.
  double smallest = 0;
  double largest = 0;
  for (const uint64_t seed : {1, 2, 3}) {
    smallest += accuracy(lowering.space().Smallest({8, 8}), seed) / 3;
    largest += accuracy(lowering.space().Largest({8, 8}), seed) / 3;
  }
  RecordProperty("smallest", std::to_string(smallest));
  RecordProperty("largest", std::to_string(largest));
  EXPECT_GE(largest, smallest + 0.05) << "smallest " << smallest;
}

}  // namespace
}  // namespace hanas
