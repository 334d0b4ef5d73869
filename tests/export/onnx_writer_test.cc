// SPDX-License-Identifier: Apache-2.0
#include "export/onnx_writer.h"

#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/cost/cost.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "onnx/checker.h"
#include "onnx/onnx_pb.h"
#include "tests/core/small_space.h"
#include "tests/export/dense_model.h"
#include "tests/export/random_bound_model.h"

namespace hanas {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

constexpr int kOnnxInt2 = 26;

BoundModel ModelOf(Precision precision, bool largest = true) {
  SpaceSpec spec = SmallSpaceSpec();
  for (StageSpec& stage : spec.stages) {
    for (BlockSpec& block : stage.blocks) block.expand_precisions = block.depthwise_precisions = block.project_precisions = {precision};
  }
  spec.head.precisions = {precision};
  const Lowering lowering(ConvnetSpace::Define(spec).value());
  return RandomBoundModel(lowering, largest ? lowering.space().Largest(precision) : lowering.space().Smallest(precision), 1);
}

onnx::ModelProto Decode(const absl::StatusOr<std::string>& file) {
  onnx::ModelProto proto;
  EXPECT_TRUE(file.ok() && proto.ParseFromString(*file)) << file.status();
  return proto;
}

std::map<int, int> InitializerTypes(const onnx::ModelProto& proto) {
  std::map<int, int> types;
  for (const onnx::TensorProto& tensor : proto.graph().initializer()) {
    if (absl::EndsWith(tensor.name(), ".weight.integers") || absl::EndsWith(tensor.name(), ".half")) ++types[tensor.data_type()];
  }
  return types;
}

TEST(OnnxWriterTest, EveryFilePassesOnnxsOwnChecker) {
  const Lowering lowering(SmallConvnet());
  for (uint64_t i = 0; i < 40; ++i) {
    CounterRandom random(3, "onnx-writer", i);
    const BoundModel model = RandomBoundModel(lowering, lowering.space().Random(random), i);
    for (const bool flag : {false, true}) {
      const onnx::ModelProto proto = Decode(WriteOnnx(model, {.dynamic_batch = flag, .half_weights = flag, .expose_values = flag}));
      EXPECT_NO_THROW(onnx::checker::check_model(proto, /*full_check=*/true)) << model.architecture_json;
      EXPECT_EQ(proto.ir_version(), 10);
      EXPECT_EQ(proto.opset_import(0).version(), 21);
    }
  }
}

TEST(OnnxWriterTest, FilesOfDenseNetworksPassOnnxsOwnChecker) {
  for (uint64_t i = 0; i < 20; ++i) {
    const onnx::ModelProto proto = Decode(WriteOnnx(DenseModel(i), {.expose_values = i % 2 == 0}));
    EXPECT_NO_THROW(onnx::checker::check_model(proto, /*full_check=*/true)) << i;
  }
}

/// Then a runtime can leave both out.
TEST(OnnxWriterTest, AnInt8MaxPoolStandsBetweenEqualQuantizers) {
  const onnx::ModelProto proto = Decode(WriteOnnx(DenseModel(1, {ElementType::kInt8})));
  std::map<std::string, const onnx::NodeProto*> by_output;
  std::map<std::string, const onnx::TensorProto*> stored;
  for (const onnx::NodeProto& node : proto.graph().node()) by_output[node.output(0)] = &node;
  for (const onnx::TensorProto& tensor : proto.graph().initializer()) stored[tensor.name()] = &tensor;
  const onnx::NodeProto& quantize = *by_output.at("pool.q");
  const onnx::NodeProto& pool = *by_output.at(quantize.input(0));
  const onnx::NodeProto& dequantize = *by_output.at(pool.input(0));
  EXPECT_EQ(quantize.op_type(), "QuantizeLinear");
  EXPECT_EQ(pool.op_type(), "MaxPool");
  EXPECT_EQ(dequantize.op_type(), "DequantizeLinear");
  for (const int input : {1, 2}) EXPECT_EQ(stored.at(quantize.input(input))->raw_data(), stored.at(dequantize.input(input))->raw_data());
}

TEST(OnnxWriterTest, WeightsKeepTheirStoredWidth) {
  EXPECT_THAT(InitializerTypes(Decode(WriteOnnx(ModelOf({4, 16})))), testing::Contains(testing::Key(onnx::TensorProto::INT4)));
  EXPECT_THAT(InitializerTypes(Decode(WriteOnnx(ModelOf({2, 8})))), testing::Contains(testing::Key(onnx::TensorProto::INT4)));
  EXPECT_THAT(InitializerTypes(Decode(WriteOnnx(ModelOf({16, 16})))), testing::Contains(testing::Key(onnx::TensorProto::FLOAT16)));
}

TEST(OnnxWriterTest, EightBitIntegersAreUnsignedAnd128Higher) {
  const BoundModel model = ModelOf({8, 8});
  const onnx::ModelProto proto = Decode(WriteOnnx(model));
  EXPECT_THAT(InitializerTypes(proto), testing::ElementsAre(testing::Pair(onnx::TensorProto::UINT8, testing::Gt(5))));
  std::map<std::string, std::string> raw;
  for (const onnx::TensorProto& tensor : proto.graph().initializer()) {
    EXPECT_NE(tensor.data_type(), onnx::TensorProto::INT8) << tensor.name();
    raw[tensor.name()] = tensor.raw_data();
  }
  for (size_t i = 0; i < model.graph.operators.size(); ++i) {
    const Operator& op = model.graph.operators[i];
    if (!op.has_weights()) continue;
    const std::string& stored = raw.at(model.graph.name(op) + ".weight.integers");
    ASSERT_EQ(stored.size(), model.weights[i].integers.size());
    for (size_t k = 0; k < stored.size(); ++k)
      ASSERT_EQ(static_cast<int>(static_cast<uint8_t>(stored[k])) - 128, model.weights[i].integers[k]) << model.graph.name(op);
    EXPECT_EQ(raw.at(model.graph.name(op) + ".weight.zero_points"), std::string(model.weights[i].scales.size(), '\x80'));
  }
}

TEST(OnnxWriterTest, NativeInt2IsAnOptionOfNewerRuntimes) {
  const BoundModel model = ModelOf({2, 8});
  const std::string narrow = WriteOnnx(model, {.native_int2 = true}).value();
  const onnx::ModelProto proto = Decode(narrow);
  EXPECT_EQ(proto.opset_import(0).version(), 25);
  EXPECT_EQ(proto.ir_version(), 13);
  EXPECT_THAT(InitializerTypes(proto), testing::Contains(testing::Key(kOnnxInt2)));
  EXPECT_LT(narrow.size(), WriteOnnx(model)->size());
}

TEST(OnnxWriterTest, TheFileIsTheWeightsPlusAHeaderThatDoesNotGrowWithThem) {
  for (const Precision precision : {Precision{8, 8}, Precision{4, 8}, Precision{16, 16}}) {
    const BoundModel small = ModelOf(precision, /*largest=*/false);
    const BoundModel large = ModelOf(precision);
    for (const BoundModel* model : {&small, &large}) {
      const auto bytes = static_cast<int64_t>(WriteOnnx(*model)->size());
      const int64_t promised = GraphCost(model->graph).size_bytes;
      const auto operators = static_cast<int64_t>(model->graph.operators.size());
      RecordProperty(absl::StrCat("bytes_", ToString(precision), "_", operators), absl::StrCat(bytes, " of which promised ", promised));
      EXPECT_GT(bytes, promised);
      // Names and attributes of an operator's handful of nodes, and the scales of its bias.
      EXPECT_LT(bytes, promised + 4096 + operators * 1400);
    }
  }
}

TEST(OnnxWriterTest, MetadataSaysWhatTheModelIsAndHowToFeedIt) {
  BoundModel model = ModelOf({8, 8});
  model.labels[0] = "T-shirt \"top\"\n";
  model.labels[2] = "C:\\shoes \xf0\x9f\x91\x9f\x7f\x01";
  model.preprocessing.mean = {0.1F};
  model.preprocessing.picture.reset();
  std::map<std::string, std::string> metadata;
  const OnnxOptions options = {.warnings = {{std::string(kDrawnData), "It was \"drawn\"."}}};
  const onnx::ModelProto proto = Decode(WriteOnnx(model, options));
  for (const onnx::StringStringEntryProto& entry : proto.metadata_props()) metadata[entry.key()] = entry.value();
  EXPECT_EQ(metadata["hanas.warnings"], R"([{"code":"DRAWN_DATA","text":"It was \"drawn\"."}])");
  EXPECT_EQ(
      metadata["hanas.preprocessing"],
      "{\"height\":24,\"width\":24,\"mean\":[0.1],\"stddev\":[0.5],\"resize\":\"bilinear, half-pixel centres, no "
      "antialiasing\",\"scale\":\"byte/255\",\"steps\":[\"resize to 24x24, bilinear with half-pixel centres and no antialiasing, where the "
      "size is another\",\"divide by 255, subtract the mean, divide by the standard deviation, channel by channel\"]}");
  // Pictures in files have a way of their own before.
  model.preprocessing.picture = PictureForm{.side = 48, .fit = PictureFit::kPad};
  std::string of_pictures;
  const onnx::ModelProto with_pictures = Decode(WriteOnnx(model, options));
  for (const onnx::StringStringEntryProto& entry : with_pictures.metadata_props()) {
    if (entry.key() == "hanas.preprocessing") of_pictures = entry.value();
  }
  EXPECT_THAT(of_pictures, testing::AllOf(HasSubstr(R"("picture":{"side":48,"fit":"pad","padding":128})"),
                                          HasSubstr(R"("steps":["decode to grey, a JPEG picture at)")));
  EXPECT_THAT(metadata["hanas.labels"], testing::StartsWith(R"(["T-shirt \"top\"\n","class 1","C:\\shoes )"
                                                            "\xf0\x9f\x91\x9f\x7f"
                                                            R"(\u0001",)"));
  EXPECT_EQ(metadata["hanas.space"], "small");
  EXPECT_EQ(metadata["hanas.architecture"], model.architecture_json);
  EXPECT_EQ(metadata["hanas.architecture_digest"], model.architecture_digest);
  EXPECT_EQ(metadata["hanas.graph_digest"], GraphDigest(model.graph).ToHex());
  EXPECT_EQ(metadata["hanas.checkpoint_sha256"], model.checkpoint_sha256);
}

TEST(OnnxWriterTest, EqualModelsGiveEqualBytes) { EXPECT_EQ(*WriteOnnx(ModelOf({4, 8})), *WriteOnnx(ModelOf({4, 8}))); }

TEST(OnnxWriterTest, RefusesWhatItCannotWrite) {
  BoundModel broken = ModelOf({8, 8});
  broken.weights[0].bias.pop_back();
  EXPECT_THAT(WriteOnnx(broken), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("biases, found")));

  BoundModel twice = ModelOf({8, 8});
  twice.graph.values[2].name = twice.graph.values[1].name;
  EXPECT_THAT(WriteOnnx(twice), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("of the file one of its own, found two at stem")));

  BoundModel derived = ModelOf({16, 16});
  derived.graph.values[2].name = "stem.weight";  // what the file calls the weights of "stem"
  EXPECT_THAT(WriteOnnx(derived), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found two at stem.weight")));

  BoundModel part = ModelOf({8, 8});
  part.graph.output_name.clear();
  EXPECT_THAT(WriteOnnx(part), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("whose output is called logits, found \"\"")));

  // One entry that is no text makes readers refuse the file.
  const std::vector<std::pair<std::function<void(BoundModel&)>, std::string>> changes = {
      {[](BoundModel& model) { model.labels[3] = "caf\xe9"; }, "expected labels in UTF-8"},
      {[](BoundModel& model) { model.space_name = "\xff"; }, "expected names and digests in UTF-8"},
      {[](BoundModel& model) { model.architecture_json = "{\"space\": "; }, "expected an architecture in JSON"},
      {[](BoundModel& model) { model.preprocessing.mean[0] = std::nanf(""); }, "finite means"}};
  for (const auto& [change, said] : changes) {
    BoundModel model = ModelOf({8, 8});
    change(model);
    EXPECT_THAT(WriteOnnx(model), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(said)));
  }

  BoundModel large = ModelOf({16, 16});
  for (BoundWeights& weights : large.weights) {
    if (!weights.floats.empty()) weights.floats[0] = 1e6F;
  }
  EXPECT_THAT(WriteOnnx(large), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("within the range of a half, found 1")));
  EXPECT_THAT(WriteOnnx(large, {.half_weights = false}), absl_testing::IsOk());
}

}  // namespace
}  // namespace hanas
