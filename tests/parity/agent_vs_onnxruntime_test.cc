// SPDX-License-Identifier: Apache-2.0
// One BoundModel through the agent's XNNPACK runtime and, exported, through ONNX Runtime with its optimiser off.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "export/bound_model_file.h"
#include "export/onnx_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "profiler-agent/runtime/runtime.h"
#include "tests/core/small_space.h"
#include "tests/export/dense_model.h"
#include "tests/export/onnx_session.h"
#include "tests/export/onnx_values.h"
#include "tests/export/random_bound_model.h"
#include "tests/parity/step_parity.h"

namespace hanas {
namespace {

constexpr int kArchitectures = 30;
constexpr uint64_t kDenseNetworks = 15;
constexpr double kFloatTolerance = 1e-5;

SpaceSpec EveryPrecision() {
  SpaceSpec spec = SmallSpaceSpec();
  const std::vector<Precision> any = {{8, 8}, {4, 8}, {2, 8}, {16, 16}, {8, 16}, {4, 16}, {2, 16}};
  for (StageSpec& stage : spec.stages) {
    for (BlockSpec& block : stage.blocks) block.expand_precisions = block.depthwise_precisions = block.project_precisions = any;
  }
  spec.head.precisions = any;
  spec.head.hidden = 24;
  spec.head.hidden_precisions = any;
  spec.head.classifier_precisions = {{8, 8}, {16, 16}, {8, 16}};
  return spec;
}

SpaceSpec OnlySixteenBits() {
  SpaceSpec spec = SmallSpaceSpec();
  for (StageSpec& stage : spec.stages) {
    for (BlockSpec& block : stage.blocks)
      block.expand_precisions = block.depthwise_precisions = block.project_precisions = {{16, 16}, {4, 16}};
  }
  spec.stem.precisions = spec.head.precisions = spec.head.classifier_precisions = {{16, 16}};
  return spec;
}

/// What an agent gets: a model that went through its file.
BoundModel ModelAt(const SpaceSpec& spec, uint64_t index) {
  const Lowering lowering(ConvnetSpace::Define(spec).value());
  CounterRandom random(23, "agent-parity", index);
  return ParseBoundModel(SerializeBoundModel(RandomBoundModel(lowering, lowering.space().Random(random), index))).value();
}

/// The spaces' networks, then dense ones by hand.
std::vector<BoundModel> EveryModel() {
  std::vector<BoundModel> models;
  for (uint64_t i = 0; i < kArchitectures; ++i) models.push_back(ModelAt(EveryPrecision(), i));
  for (uint64_t i = 0; i < kDenseNetworks; ++i) models.push_back(ParseBoundModel(SerializeBoundModel(DenseModel(i))).value());
  models.push_back(DenseModel(1, {ElementType::kInt8}));
  return models;
}

TEST(AgentVersusOnnxRuntimeTest, EveryStepIsWithinOneStepOnTheSameInput) {
  const std::unique_ptr<DeviceRuntime> runtime = Float32Xnnpack();
  Deviation worst;
  for (const BoundModel& model : EveryModel()) {
    SCOPED_TRACE(model.architecture_json);
    OnnxSession session(WriteOnnx(model, {.expose_values = true}).value(), /*optimise=*/false);
    worst.Include(StepParity(model, *runtime).Run(OnnxValues(model, session, RandomImage(model, 1)), kFloatTolerance));
  }
  RecordProperty("largest_step_difference", worst.steps);
  RecordProperty("largest_share_off_by_one", absl::StrCat(worst.share));
  RecordProperty("largest_relative_float_difference", absl::StrCat(worst.relative));
}

TEST(AgentVersusOnnxRuntimeTest, Float32NetworksHaveTheSameLogits) {
  const std::unique_ptr<DeviceRuntime> runtime = Float32Xnnpack();
  double worst = 0;
  for (uint64_t i = 0; i < 10; ++i) {
    const BoundModel model = ModelAt(OnlySixteenBits(), i);
    OnnxSession session(WriteOnnx(model).value(), /*optimise=*/false);
    const std::unique_ptr<NetworkInstance> network = runtime->PrepareBoundModel(model).value();
    for (uint64_t k = 0; k < 10; ++k) {
      const std::vector<float> image = RandomImage(model, k);
      const std::vector<float> expected = OnnxLogits(model, session, image);
      const std::vector<float> found = network->Infer(image).value();
      ASSERT_EQ(found.size(), expected.size());
      for (size_t c = 0; c < found.size(); ++c)
        worst = std::max(worst, std::fabs(static_cast<double>(found[c]) - static_cast<double>(expected[c])));
    }
  }
  RecordProperty("largest_logit_difference", absl::StrCat(worst));
  EXPECT_LE(worst, 1e-4);
}

TEST(AgentVersusOnnxRuntimeTest, DenseFloat32NetworksHaveTheSameLogits) {
  const std::unique_ptr<DeviceRuntime> runtime = Float32Xnnpack();
  for (uint64_t i = 0; i < 10; ++i) {
    const BoundModel model = DenseModel(i, {ElementType::kFloat16});
    OnnxSession session(WriteOnnx(model).value(), /*optimise=*/false);
    const std::vector<float> image = RandomImage(model, i);
    EXPECT_THAT(runtime->PrepareBoundModel(model).value()->Infer(image).value(),
                testing::Pointwise(testing::FloatNear(1e-4F), OnnxLogits(model, session, image)));
  }
}

TEST(AgentVersusOnnxRuntimeTest, AnotherWeightIsNoticed) {
  const BoundModel model = ModelAt(EveryPrecision(), 0);
  BoundModel other = model;
  for (int8_t& weight : other.weights.back().integers) weight = static_cast<int8_t>(-weight);
  for (float& weight : other.weights.back().floats) weight = -weight;
  OnnxSession session(WriteOnnx(model).value(), /*optimise=*/false);
  const std::vector<float> image = RandomImage(model, 1);
  const std::vector<float> expected = OnnxLogits(model, session, image);
  const std::vector<float> found = Float32Xnnpack()->PrepareBoundModel(other).value()->Infer(image).value();
  EXPECT_THAT(found, testing::Not(testing::Pointwise(testing::FloatNear(0.1F), expected)));
}

TEST(AgentVersusOnnxRuntimeTest, WholeNetworksAgreeOnTheClass) {
  const std::unique_ptr<DeviceRuntime> runtime = Float32Xnnpack();
  int same = 0;
  int images = 0;
  for (const BoundModel& model : EveryModel()) {
    OnnxSession session(WriteOnnx(model).value(), /*optimise=*/false);
    const std::unique_ptr<NetworkInstance> network = runtime->PrepareBoundModel(model).value();
    for (uint64_t k = 0; k < 10; ++k) {
      const std::vector<float> image = RandomImage(model, k);
      const std::vector<float> expected = OnnxLogits(model, session, image);
      const std::vector<float> found = network->Infer(image).value();
      ++images;
      // Int8 logits may tie: the class that was found has to be one of the best.
      if (expected[Top1(found)] == expected[Top1(expected)]) ++same;
    }
  }
  RecordProperty("same_class", same);
  RecordProperty("images", images);
  EXPECT_GE(same, images * 99 / 100);
}

}  // namespace
}  // namespace hanas
