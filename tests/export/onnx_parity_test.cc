// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime reads what WriteOnnx writes and computes what BoundModel means (the plain-loops reference).

#include <algorithm>
#include <cmath>
#include <exception>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "config/presets.h"
#include "core/graph/op_schema.h"
#include "export/bound_model_file.h"
#include "export/onnx_check.h"
#include "export/onnx_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"
#include "tests/export/dense_model.h"
#include "tests/export/onnx_session.h"
#include "tests/export/onnx_values.h"
#include "tests/export/random_bound_model.h"
#include "tests/support/reference_interpreter.h"

namespace hanas {
namespace {

constexpr int kArchitectures = 40;
constexpr int kImages = 5;
constexpr uint64_t kDenseNetworks = 20;

SpaceSpec FourBitSpec() {
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

std::vector<BoundModel> Models(const SpaceSpec& spec, int count) {
  const Lowering lowering(ConvnetSpace::Define(spec).value());
  std::vector<BoundModel> models;
  for (int i = 0; i < count; ++i) {
    CounterRandom random(11, "onnx-parity", static_cast<uint64_t>(i));
    models.push_back(RandomBoundModel(lowering, lowering.space().Random(random), static_cast<uint64_t>(i)));
  }
  return models;
}

/// Dense networks by hand: every type mixed, then all in int8, then all in float.
std::vector<BoundModel> DenseModels() {
  std::vector<BoundModel> models;
  for (uint64_t i = 0; i < kDenseNetworks; ++i) models.push_back(DenseModel(i));
  models.push_back(DenseModel(1, {ElementType::kInt8}));
  models.push_back(DenseModel(2, {ElementType::kFloat16}));
  return models;
}

std::vector<BoundModel> EveryModel() {
  std::vector<BoundModel> models = Models(FourBitSpec(), kArchitectures);
  for (BoundModel& model : DenseModels()) models.push_back(std::move(model));
  return models;
}

/// What a set of random models covers, to be sure that the tests below see every kind of operator.
std::set<std::string> Features(const std::vector<BoundModel>& models) {
  std::set<std::string> features;
  for (const BoundModel& model : models) {
    for (const Operator& op : model.graph.operators) {
      std::string feature(SchemaOf(op.kind).name);
      if (op.has_weights()) feature += "/" + std::string(Name(op.weight_type));
      features.insert(feature + "/" + std::string(Name(op.compute)));
      if (op.activation != FusedActivation::kNone)
        features.insert(absl::StrCat(SchemaOf(op.kind).name, " then ", Name(op.activation), "/", Name(op.compute)));
      for (const ValueId id : op.inputs) {
        const ElementType native = model.graph.value(id).type;
        if ((native == ElementType::kInt8) != (op.compute == ElementType::kInt8))
          features.insert(op.compute == ElementType::kInt8 ? "narrowing read" : "widening read");
      }
    }
  }
  return features;
}

TEST(OnnxParityTest, TheModelsBelowCoverEveryOperatorAndBoundary) {
  EXPECT_THAT(Features(EveryModel()), testing::IsSupersetOf({"conv2d/i8/i8",
                                                             "conv2d/i4/i8",
                                                             "conv2d/i2/i8",
                                                             "conv2d/f16/f16",
                                                             "conv2d/i8/f16",
                                                             "conv2d/i4/f16",
                                                             "conv2d/i2/f16",
                                                             "fc/i8/i8",
                                                             "fc/i4/i8",
                                                             "fc/i2/i8",
                                                             "fc/f16/f16",
                                                             "gap/i8",
                                                             "gap/f16",
                                                             "add/i8",
                                                             "add/f16",
                                                             "mul/i8",
                                                             "mul/f16",
                                                             "hswish/i8",
                                                             "hswish/f16",
                                                             "narrowing read",
                                                             "widening read",
                                                             "maxpool/i8",
                                                             "maxpool/f16",
                                                             "gmp/i8",
                                                             "gmp/f16",
                                                             "sigmoid/i8",
                                                             "sigmoid/f16",
                                                             "product/i8",
                                                             "product/f16",
                                                             "add then relu/i8",
                                                             "add then relu/f16",
                                                             "add then relu6/i8",
                                                             "add then relu6/f16",
                                                             "conv2d then relu6/i8",
                                                             "conv2d then relu6/f16",
                                                             "fc then relu6/i8",
                                                             "fc then relu6/f16"}));
}

/// What it takes apart it reads as text first, with the decimal point of the process's locale.
TEST(OnnxParityTest, TheRuntimeHasAKernelForEveryOperator) {
  for (const BoundModel& model : EveryModel()) {
    const std::string file = WriteOnnx(model).value();
    const std::multiset<std::string> executed = OnnxExecutedOperators(file, /*optimise=*/false);
    const std::multiset<std::string> written = OnnxWrittenOperators(file);
    ASSERT_EQ(std::set(executed.begin(), executed.end()), std::set(written.begin(), written.end())) << model.architecture_json;
  }
}

/// In a network of 8 bits throughout, the optimiser leaves nothing in float but the whole-image max-pool, which has no integer kernel.
TEST(OnnxParityTest, IntegerNetworksAreExecutedInIntegers) {
  Graph graph = DenseGraph(3, {ElementType::kInt8});
  for (Operator& op : graph.operators) op.weight_type = ElementType::kInt8;
  const std::string file = WriteOnnx(RandomBoundModel(std::move(graph), 3)).value();
  EXPECT_EQ(OnnxExecutedOperators(file, /*optimise=*/true),
            (std::multiset<std::string>{"QuantizeLinear", "QLinearConv", "QLinearSigmoid", "QLinearMul", "MaxPool", "QLinearConv",
                                        "QLinearConv", "QLinearAdd", "QLinearConv", "QLinearAdd", "MaxPool", "DequantizeLinear",
                                        "GlobalMaxPool", "QuantizeLinear", "Flatten", "QGemm", "QGemm", "DequantizeLinear"}));
}

/// The optimiser takes no bits from a wider layer, also where it reads and leaves integers.
TEST(OnnxParityTest, WiderLayersAreExecutedInFloat) {
  int wider = 0;
  for (const BoundModel& model : EveryModel()) {
    const std::multiset<std::string> executed = OnnxExecutedOperators(WriteOnnx(model).value(), /*optimise=*/true);
    const auto expect = [&](OpKind kind, std::initializer_list<const char*> names) {
      const auto layers = std::count_if(model.graph.operators.begin(), model.graph.operators.end(),
                                        [&](const Operator& op) { return op.kind == kind && op.compute != ElementType::kInt8; });
      size_t in_float = 0;
      for (const char* const name : names) in_float += executed.count(name);
      EXPECT_GE(in_float, static_cast<size_t>(layers)) << Name(kind) << ", " << model.architecture_json;
      wider += static_cast<int>(layers);
    };
    expect(OpKind::kConv2d, {"Conv", "FusedConv"});
    expect(OpKind::kFullyConnected, {"Gemm", "FusedGemm"});
  }
  EXPECT_GT(wider, 100);
}

/// Names, numbers and shapes that are changed and admitted all the same: the runtime loads and executes them, or says why not.
TEST(OnnxParityTest, ChangedFilesThatAreAdmittedDoTheRuntimeNoHarm) {
  constexpr uint64_t kSeed = 19;
  const BoundModel model = Models(FourBitSpec(), 1)[0];
  const std::string good = WriteOnnx(model).value();
  const std::vector<float> image = RandomImage(model, 3);
  int executed = 0;
  for (uint64_t i = 0; i < 600 && executed < 60; ++i) {
    CounterRandom random(kSeed, "onnx-parity/mutations", i);
    std::string bytes = good;
    for (uint64_t change = 0; change <= random.UniformInt(3); ++change)
      bytes[random.UniformInt(bytes.size())] = static_cast<char>(random.NextUint32());
    if (!CheckOnnx(bytes).ok()) continue;
    try {
      OnnxSession session(bytes, /*optimise=*/i % 2 == 0);
      EXPECT_EQ(OnnxLogits(model, session, image).size(), 10U) << "seed " << kSeed << ", number " << i;
      ++executed;
    } catch (const std::exception& refused) {
      EXPECT_STRNE(refused.what(), "");
    }
  }
  EXPECT_GE(executed, 60);
}

TEST(OnnxParityTest, EveryOperatorIsWithinOneStepOnTheSameInput) {
  Deviation worst;
  for (const BoundModel& model : EveryModel()) {
    const absl::StatusOr<std::string> file = WriteOnnx(model, {.expose_values = true});
    ASSERT_THAT(file, absl_testing::IsOk());
    OnnxSession session(*file, /*optimise=*/false);
    const ReferenceInterpreter reference(&model);
    const std::vector<float> image = RandomImage(model, 99);
    const std::vector<ReferenceTensor> values = OnnxValues(model, session, image);
    for (size_t i = 0; i < model.graph.operators.size(); ++i) {
      const Operator& op = model.graph.operators[i];
      const Deviation deviation = Compare(reference.RunOperator(static_cast<int>(i), values), values[static_cast<size_t>(op.output)]);
      EXPECT_LE(deviation.steps, 1) << model.graph.name(op) << " of " << model.architecture_json;
      EXPECT_LE(deviation.relative, 1e-5) << model.graph.name(op) << " of " << model.architecture_json;
      worst.Include(deviation);
    }
  }
  RecordProperty("largest_step_difference", worst.steps);
  RecordProperty("largest_share_off_by_one", absl::StrCat(worst.share));
  RecordProperty("largest_relative_float_difference", absl::StrCat(worst.relative));
}

TEST(OnnxParityTest, Float32NetworksHaveTheReferencesLogits) {
  SpaceSpec spec = SmallSpaceSpec();
  for (StageSpec& stage : spec.stages) {
    for (BlockSpec& block : stage.blocks)
      block.expand_precisions = block.depthwise_precisions = block.project_precisions = {{16, 16}, {4, 16}};
  }
  spec.stem.precisions = spec.head.precisions = spec.head.classifier_precisions = {{16, 16}};
  double worst = 0;
  for (const BoundModel& model : Models(spec, 15)) {
    OnnxSession session(WriteOnnx(model).value(), /*optimise=*/false);
    const ReferenceInterpreter reference(&model);
    for (uint64_t i = 0; i < kImages; ++i) {
      const std::vector<float> image = RandomImage(model, 50 + i);
      const std::vector<float> expected = reference.Logits(reference.Run(image));
      const std::vector<float> found = OnnxLogits(model, session, image);
      ASSERT_EQ(found.size(), expected.size());
      for (size_t c = 0; c < found.size(); ++c) {
        EXPECT_NEAR(found[c], expected[c], 1e-4) << model.architecture_json;
        worst = std::max(worst, std::fabs(static_cast<double>(found[c]) - expected[c]));
      }
    }
  }
  RecordProperty("largest_logit_difference", absl::StrCat(worst));
}

TEST(OnnxParityTest, WholeNetworksAgreeOnTheClass) {
  int same = 0;
  int images = 0;
  for (const BoundModel& model : EveryModel()) {
    OnnxSession session(WriteOnnx(model).value(), /*optimise=*/false);
    const ReferenceInterpreter reference(&model);
    for (uint64_t i = 0; i < kImages; ++i) {
      const std::vector<float> image = RandomImage(model, 300 + i);
      const std::vector<float> expected = reference.Logits(reference.Run(image));
      const std::vector<float> found = OnnxLogits(model, session, image);
      // Int8 logits may tie: the class that was found has to be one of the best.
      if (expected[Top1(found)] == expected[Top1(expected)]) ++same;
      ++images;
    }
  }
  RecordProperty("same_class", same);
  RecordProperty("images", images);
  EXPECT_GE(same, images * 99 / 100);
}

TEST(OnnxParityTest, OptionsOfTheFileChangeNothingThatIsComputed) {
  for (const BoundModel& model : Models(FourBitSpec(), 5)) {
    const std::vector<float> image = RandomImage(model, 7);
    OnnxSession plain(WriteOnnx(model).value(), /*optimise=*/false);
    OnnxSession fixed(WriteOnnx(model, {.dynamic_batch = false, .half_weights = false}).value(), /*optimise=*/false);
    EXPECT_THAT(OnnxLogits(model, plain, image), testing::Pointwise(testing::FloatNear(1e-5F), OnnxLogits(model, fixed, image)));
  }
}

TEST(OnnxParityTest, ABatchIsItsImagesOneByOne) {
  for (const BoundModel& model : Models(FourBitSpec(), 3)) {
    OnnxSession session(WriteOnnx(model).value(), /*optimise=*/false);
    std::vector<float> batch;
    std::vector<float> expected;
    for (uint64_t i = 0; i < 3; ++i) {
      const std::vector<float> image = RandomImage(model, i);
      batch.insert(batch.end(), image.begin(), image.end());
      const std::vector<float> logits = OnnxLogits(model, session, image);
      expected.insert(expected.end(), logits.begin(), logits.end());
    }
    EXPECT_THAT(OnnxLogits(model, session, batch), testing::Pointwise(testing::FloatNear(1e-3F), expected));
  }
}

/// MobileNetV3-Large on small images: real depth and width, fifteen blocks of quantised layers one after another.
TEST(OnnxParityTest, MobileNetV3LargeAgrees) {
  SpaceSpec spec = config::SpecOf(config::FindPreset("mobilenet-v3-large").value());
  spec.resolutions = {48};
  for (StageSpec& stage : spec.stages) {
    for (BlockSpec& block : stage.blocks) {
      block.expand_precisions = block.project_precisions = {{4, 8}};
      block.depthwise_precisions = {{16, 16}};
    }
  }
  spec.stem.precisions = spec.head.precisions = spec.head.hidden_precisions = spec.head.classifier_precisions = {{8, 8}};
  const BoundModel model = Models(spec, 1)[0];
  const std::string file = WriteOnnx(model, {.expose_values = true}).value();
  RecordProperty("onnx_bytes", static_cast<int>(file.size()));
  RecordProperty("bound_model_bytes", static_cast<int>(SerializeBoundModel(model).size()));
  OnnxSession session(file, /*optimise=*/false);
  const ReferenceInterpreter reference(&model);
  const std::vector<float> image = RandomImage(model, 5);
  const std::vector<ReferenceTensor> values = OnnxValues(model, session, image);
  Deviation worst;
  for (size_t i = 0; i < model.graph.operators.size(); ++i) {
    const Operator& op = model.graph.operators[i];
    worst.Include(Compare(reference.RunOperator(static_cast<int>(i), values), values[static_cast<size_t>(op.output)]));
  }
  RecordProperty("largest_share_off_by_one", absl::StrCat(worst.share));
  EXPECT_LE(worst.steps, 1);
  EXPECT_LE(worst.relative, 1e-5);
  const std::vector<float> expected = reference.Logits(reference.Run(image));
  EXPECT_EQ(expected[Top1(reference.Logits(values))], expected[Top1(expected)]);
}

/// The largest difference between the reference's logits and those of the file with the runtime's optimiser on, over the spread of the
/// logits. Only whole networks can be compared: a value that is an output of the file is not fused away.
double OptimisedDifference(const BoundModel& model, uint64_t image_index) {
  OnnxSession session(WriteOnnx(model).value(), /*optimise=*/true);
  const ReferenceInterpreter reference(&model);
  const std::vector<float> image = RandomImage(model, image_index);
  const std::vector<float> expected = reference.Logits(reference.Run(image));
  const std::vector<float> found = OnnxLogits(model, session, image);
  const auto [low, high] = std::minmax_element(expected.begin(), expected.end());
  const double spread = std::max(static_cast<double>(*high) - *low, 1e-3);
  double worst = 0;
  for (size_t c = 0; c < found.size(); ++c) worst = std::max(worst, std::fabs(static_cast<double>(found[c]) - expected[c]) / spread);
  return worst;
}

/// With its optimiser on the runtime fuses to integer kernels, which round the rescaling in other places: a step here and there.
TEST(OnnxParityTest, TheOptimisedFileStaysCloseToTheReference) {
  double worst = 0;
  for (const BoundModel& model : Models(FourBitSpec(), 10)) worst = std::max(worst, OptimisedDifference(model, 21));
  for (const BoundModel& model : DenseModels()) worst = std::max(worst, OptimisedDifference(model, 21));
  RecordProperty("largest_difference_over_spread", absl::StrCat(worst));
  EXPECT_LT(worst, 0.25);
}

/// Integer kernels of x86 processors without VNNI add pairs of products in 16 bits: unsigned times signed saturates at weights like these,
/// unsigned times unsigned does not.
TEST(OnnxParityTest, TheLargestWeightsDoNotSaturateTheOptimisedFile) {
  SpaceSpec spec = SmallSpaceSpec();
  for (StageSpec& stage : spec.stages) {
    for (BlockSpec& block : stage.blocks) block.expand_precisions = block.depthwise_precisions = block.project_precisions = {{8, 8}};
  }
  spec.stem.precisions = spec.head.precisions = spec.head.classifier_precisions = {{8, 8}};
  double worst = 0;
  for (BoundModel model : Models(spec, 5)) {
    for (BoundWeights& weights : model.weights) {
      for (size_t c = 0; c < weights.scales.size(); ++c) weights.scales[c] /= 2;  // keeps activations where calibration saw them
      for (int8_t& weight : weights.integers) weight = weight < 0 ? -127 : 127;
    }
    worst = std::max(worst, OptimisedDifference(model, 22));
  }
  RecordProperty("largest_difference_over_spread", absl::StrCat(worst));
  EXPECT_LT(worst, 0.25);
}

}  // namespace
}  // namespace hanas
