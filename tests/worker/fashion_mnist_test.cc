// SPDX-License-Identifier: Apache-2.0
// On the real data set; skipped without HANAS_DATA_DIR.
#include <cstdlib>
#include <filesystem>

#include "absl/status/status_matchers.h"
#include "dataset/dataset.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"
#include "worker/torch/create_engine.h"

namespace hanas {
namespace {

TEST(FashionMnistTest, AMiddleNetworkLearnsInSecondsAndItsBoundModelScoresTheSame) {
  const char* const root = std::getenv("HANAS_DATA_DIR");
  if (root == nullptr || !std::filesystem::exists(std::filesystem::path(root) / "fashion_mnist"))
    GTEST_SKIP() << "HANAS_DATA_DIR has no fashion_mnist";
  const absl::StatusOr<Dataset> data = Dataset::Load(
      {.name = "fashion-mnist", .format = DatasetFormat::kIdx, .directory = "fashion_mnist", .validation_images = 5000}, root);
  ASSERT_THAT(data, absl_testing::IsOk());
  EXPECT_EQ(data->size(Split::kTrain), 55000);
  EXPECT_EQ(data->size(Split::kTest), 10000);
  EXPECT_EQ(data->class_names()[9], "Ankle boot");
  EXPECT_NEAR(data->mean()[0], 0.286, 0.002);
  EXPECT_NEAR(data->stddev()[0], 0.353, 0.002);

  const Lowering lowering(SmallConvnet());
  const Architecture middle = lowering.space().Middle({8, 8});
  const std::unique_ptr<TrainingEngine> engine = CreateTorchEngine({});
  TrainRequest request = {.lowering = &lowering, .architecture = middle, .dataset = &*data, .from_step = 0, .to_step = 120, .seed = 1};
  request.training = {.steps = 120, .batch_size = 128, .learning_rate = 0.3};
  const absl::StatusOr<TrainResult> trained = engine->Train(request, {});
  ASSERT_THAT(trained, absl_testing::IsOk());
  const EvaluateRequest evaluate = {
      .lowering = &lowering, .dataset = &*data, .checkpoint = trained->checkpoint, .split = Split::kValidation, .max_images = 1000};
  const auto scored = engine->Evaluate(evaluate, {middle}, {});
  ASSERT_THAT(scored, absl_testing::IsOk());
  EXPECT_GT((*scored)[0].accuracy(), 0.7);
  const absl::StatusOr<BoundModel> model = engine->Bind({.lowering = &lowering,
                                                         .dataset = &*data,
                                                         .checkpoint = trained->checkpoint,
                                                         .checkpoint_sha256 = "",
                                                         .architecture = middle,
                                                         .calibration = {}});
  ASSERT_THAT(model, absl_testing::IsOk());
  const auto bound = engine->EvaluateBound({.model = &*model, .dataset = &*data, .split = Split::kValidation, .max_images = 1000}, {});
  ASSERT_THAT(bound, absl_testing::IsOk());
  EXPECT_NEAR(bound->evaluation.accuracy(), (*scored)[0].accuracy(), 0.015);
}

}  // namespace
}  // namespace hanas
