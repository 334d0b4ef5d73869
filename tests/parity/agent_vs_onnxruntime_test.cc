// SPDX-License-Identifier: Apache-2.0
// One BoundModel through the agent's XNNPACK runtime and, exported, through ONNX Runtime with its optimiser off.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/plan/exec_plan.h"
#include "export/bound_model_file.h"
#include "export/onnx_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "profiler-agent/runtime/runtime.h"
#include "profiler-agent/runtime/xnnpack/xnnpack_runtime.h"
#include "tests/core/small_space.h"
#include "tests/export/dense_model.h"
#include "tests/export/onnx_session.h"
#include "tests/export/onnx_values.h"
#include "tests/export/random_bound_model.h"
#include "tests/support/reference_interpreter.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;

constexpr int kArchitectures = 30;
constexpr uint64_t kDenseNetworks = 15;
constexpr double kFloatTolerance = 1e-5;

/// XNNPACK that executes 16-bit layers as float32, as ONNX Runtime does with the exported file.
std::unique_ptr<DeviceRuntime> Runtime() {
  BackendCaps caps = CreateXnnpackRuntime().value()->caps();
  std::erase(caps.native, OperatorPattern{.compute = ElementType::kFloat16});
  return CreateXnnpackRuntime(caps).value();
}

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

/// Runs every step of the plan alone, on the inputs that ONNX Runtime had, and compares with what ONNX Runtime made of them.
class StepParity {
 public:
  StepParity(const BoundModel& model, DeviceRuntime& runtime)
      : model_(model),
        plan_(MakePlan(model.graph, runtime.caps())),
        network_(runtime.PrepareNetwork(model.graph, plan_, &model, {.keep_values = true}).value()) {}

  Deviation Run(const std::vector<ReferenceTensor>& onnx_values) {
    Deviation worst;
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      const ExecStep& step = plan_.steps[i];
      for (const int input : step.inputs) {
        if (IsIntermediate(input)) continue;
        EXPECT_THAT(network_->WriteValue(input, Reals(input, onnx_values)), IsOk());
      }
      EXPECT_THAT(network_->RunStep(static_cast<int>(i)), IsOk());
      if (IsIntermediate(step.output)) continue;
      const std::vector<float> found = network_->ReadValue(step.output).value();
      const Deviation deviation = Compare(AsStored(step.output, Reals(step.output, onnx_values)), AsStored(step.output, found));
      EXPECT_LE(deviation.steps, 1) << ToString(step.key) << " at " << SourceOf(step.output).name;
      EXPECT_LE(deviation.relative, kFloatTolerance) << ToString(step.key) << " at " << SourceOf(step.output).name;
      worst.Include(deviation);
    }
    return worst;
  }

 private:
  const ExecValue& At(int value) const { return plan_.values[static_cast<size_t>(value)]; }
  const Value& SourceOf(int value) const { return model_.graph.value(At(value).source); }

  /// The float32 result of an operator whose graph value is int8: it exists in the plan only, and the step after it quantises it.
  bool IsIntermediate(int value) const {
    if (At(value).type != ElementType::kFloat32 || SourceOf(value).type != ElementType::kInt8) return false;
    return std::any_of(plan_.steps.begin(), plan_.steps.end(), [&](const ExecStep& step) { return step.output == value && step.op >= 0; });
  }

  /// A value of the plan as real numbers.
  std::vector<float> Reals(int value, const std::vector<ReferenceTensor>& onnx_values) const {
    const ValueId source = At(value).source;
    return ReferenceInterpreter(&model_).Reals(source, onnx_values[static_cast<size_t>(source)]);
  }

  /// Real numbers in the element type that the plan gives the value: int8 levels or floats.
  ReferenceTensor AsStored(int value, const std::vector<float>& reals) const {
    ReferenceTensor tensor;
    if (At(value).type != ElementType::kInt8) {
      tensor.floats = reals;
      return tensor;
    }
    for (const float real : reals) {
      tensor.integers.push_back(QuantizeValue(static_cast<double>(real), model_.quantizers[static_cast<size_t>(At(value).source)]));
    }
    return tensor;
  }

  const BoundModel& model_;
  const ExecPlan plan_;
  std::unique_ptr<NetworkInstance> network_;
};

TEST(AgentVersusOnnxRuntimeTest, EveryStepIsWithinOneStepOnTheSameInput) {
  const std::unique_ptr<DeviceRuntime> runtime = Runtime();
  Deviation worst;
  for (const BoundModel& model : EveryModel()) {
    SCOPED_TRACE(model.architecture_json);
    OnnxSession session(WriteOnnx(model, {.expose_values = true}).value(), /*optimise=*/false);
    worst.Include(StepParity(model, *runtime).Run(OnnxValues(model, session, RandomImage(model, 1))));
  }
  RecordProperty("largest_step_difference", worst.steps);
  RecordProperty("largest_share_off_by_one", absl::StrCat(worst.share));
  RecordProperty("largest_relative_float_difference", absl::StrCat(worst.relative));
}

TEST(AgentVersusOnnxRuntimeTest, Float32NetworksHaveTheSameLogits) {
  const std::unique_ptr<DeviceRuntime> runtime = Runtime();
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
  const std::unique_ptr<DeviceRuntime> runtime = Runtime();
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
  const std::vector<float> found = Runtime()->PrepareBoundModel(other).value()->Infer(image).value();
  EXPECT_THAT(found, testing::Not(testing::Pointwise(testing::FloatNear(0.1F), expected)));
}

TEST(AgentVersusOnnxRuntimeTest, WholeNetworksAgreeOnTheClass) {
  const std::unique_ptr<DeviceRuntime> runtime = Runtime();
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
