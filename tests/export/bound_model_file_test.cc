// SPDX-License-Identifier: Apache-2.0
#include "export/bound_model_file.h"
#include "config/presets.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/cost/cost.h"
#include "export/bound_model.pb.h"
#include "export/tensor_packing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"
#include "tests/export/dense_model.h"
#include "tests/export/random_bound_model.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

constexpr size_t kFixedBytes = 32;  // magic 8, version 4, digest 16, header length 4
constexpr int kRandomModels = 30;

BoundModel ModelAt(uint64_t index) {
  SpaceSpec spec = SmallSpaceSpec();
  spec.head.precisions = {{2, 8}, {4, 8}, {8, 8}, {16, 16}, {4, 16}};
  const Lowering lowering(ConvnetSpace::Define(spec).value());
  CounterRandom random(5, "bound-model-file", index);
  return RandomBoundModel(lowering, lowering.space().Random(random), index);
}

/// The smallest network of the space: a short file for the tests that try every byte.
BoundModel SmallModel() {
  const Lowering lowering(SmallConvnet());
  return RandomBoundModel(lowering, lowering.space().Smallest({8, 8}), 1);
}

void ExpectEqual(const Graph& a, const Graph& b) {
  EXPECT_EQ(GraphDigest(a), GraphDigest(b));
  ASSERT_EQ(a.values.size(), b.values.size());
  for (size_t i = 0; i < a.values.size(); ++i) EXPECT_EQ(a.values[i].name, b.values[i].name);
  EXPECT_EQ(a.output_name, b.output_name);
}

void ExpectEqual(const BoundModel& a, const BoundModel& b) {
  ExpectEqual(a.graph, b.graph);
  ASSERT_EQ(a.weights.size(), b.weights.size());
  for (size_t i = 0; i < a.weights.size(); ++i) {
    EXPECT_EQ(a.weights[i].integers, b.weights[i].integers);
    EXPECT_EQ(a.weights[i].scales, b.weights[i].scales);
    EXPECT_EQ(a.weights[i].floats, b.weights[i].floats);
    EXPECT_EQ(a.weights[i].bias, b.weights[i].bias);
  }
  ASSERT_EQ(a.quantizers.size(), b.quantizers.size());
  for (size_t i = 0; i < a.quantizers.size(); ++i) {
    EXPECT_EQ(a.quantizers[i].scale, b.quantizers[i].scale);
    EXPECT_EQ(a.quantizers[i].zero_point, b.quantizers[i].zero_point);
  }
  EXPECT_EQ(a.preprocessing.input_height, b.preprocessing.input_height);
  EXPECT_EQ(a.preprocessing.input_width, b.preprocessing.input_width);
  EXPECT_EQ(a.preprocessing.mean, b.preprocessing.mean);
  EXPECT_EQ(a.preprocessing.stddev, b.preprocessing.stddev);
  EXPECT_EQ(a.labels, b.labels);
  EXPECT_EQ(a.space_name, b.space_name);
  EXPECT_EQ(a.architecture_json, b.architecture_json);
  EXPECT_EQ(a.architecture_digest, b.architecture_digest);
  EXPECT_EQ(a.checkpoint_sha256, b.checkpoint_sha256);
}

/// The file with a header and tensors of the test's choosing and a digest that fits them.
std::string Seal(absl::string_view file, absl::string_view header, absl::string_view tensors) {
  std::string content;
  AppendUint32(static_cast<uint32_t>(header.size()), content);
  absl::StrAppend(&content, header, tensors);
  const Digest digest = DigestBuilder().Add(absl::string_view(content)).Build();
  std::string out(file.substr(0, 12));
  for (const uint64_t half : {digest.low, digest.high}) {
    AppendUint32(static_cast<uint32_t>(half), out);
    AppendUint32(static_cast<uint32_t>(half >> 32), out);
  }
  return out + content;
}

struct Parts {
  std::string header;
  std::string tensors;
};
Parts Split(absl::string_view file) {
  const uint32_t header_bytes = ReadUint32(file.substr(kFixedBytes - 4));
  return {std::string(file.substr(kFixedBytes, header_bytes)), std::string(file.substr(kFixedBytes + header_bytes))};
}

TEST(BoundModelFileTest, ReadsBackWhatWasWritten) {
  for (uint64_t i = 0; i < kRandomModels; ++i) {
    const BoundModel model = ModelAt(i);
    const std::string bytes = SerializeBoundModel(model);
    const absl::StatusOr<BoundModel> read = ParseBoundModel(bytes);
    ASSERT_THAT(read, IsOk()) << model.architecture_json;
    ExpectEqual(model, *read);
    EXPECT_EQ(SerializeBoundModel(*read), bytes);
  }
}

TEST(BoundModelFileTest, ReadsBackDenseNetworks) {
  for (uint64_t i = 0; i < kRandomModels; ++i) {
    const BoundModel model = DenseModel(i);
    const std::string bytes = SerializeBoundModel(model);
    const absl::StatusOr<BoundModel> read = ParseBoundModel(bytes);
    ASSERT_THAT(read, IsOk());
    ExpectEqual(model, *read);
    EXPECT_EQ(SerializeBoundModel(*read), bytes);
    EXPECT_EQ(static_cast<int64_t>(Split(bytes).tensors.size()), GraphCost(model.graph).size_bytes);
  }
}

TEST(BoundModelFileTest, ReadsBackAPartOfANetwork) {
  Graph graph = DenseGraph(1);
  graph.output_name.clear();
  const absl::StatusOr<Graph> read = ParseGraph(SerializeGraph(graph));
  ASSERT_THAT(read, IsOk());
  ExpectEqual(graph, *read);
}

TEST(BoundModelFileTest, ReadsBackAGraphAlone) {
  for (uint64_t i = 0; i < kRandomModels; ++i) {
    const Graph graph = ModelAt(i).graph;
    const absl::StatusOr<Graph> read = ParseGraph(SerializeGraph(graph));
    ASSERT_THAT(read, IsOk());
    ExpectEqual(graph, *read);
  }
}

TEST(BoundModelFileTest, MobileNetV3LargeFitsItsBounds) {
  const Lowering lowering(ConvnetSpace::Define(config::SpecOf(config::FindPreset("mobilenet-v3-large").value())).value());
  const Graph graph = lowering.Lower(lowering.space().Largest({16, 16}));
  const std::string bytes = SerializeGraph(graph);
  RecordProperty("graph_bytes", static_cast<int>(bytes.size()));
  EXPECT_LT(bytes.size(), 32'000);
  ASSERT_THAT(ParseGraph(bytes), IsOk());
  EXPECT_EQ(GraphDigest(*ParseGraph(bytes)), GraphDigest(graph));
}

TEST(BoundModelFileTest, TensorsTakeExactlyThePromisedBytes) {
  size_t largest_header = 0;
  for (uint64_t i = 0; i < kRandomModels; ++i) {
    const BoundModel model = ModelAt(i);
    const Parts parts = Split(SerializeBoundModel(model));
    EXPECT_EQ(static_cast<int64_t>(parts.tensors.size()), GraphCost(model.graph).size_bytes) << model.architecture_json;
    largest_header = std::max(largest_header, parts.header.size());
  }
  RecordProperty("largest_header_bytes", static_cast<int>(largest_header));
  EXPECT_LT(largest_header, 10'000u);
}

TEST(BoundModelFileTest, EveryPrefixIsRefused) {
  const std::string bytes = SerializeBoundModel(SmallModel());
  for (size_t length = 0; length < bytes.size(); length += length < 200 ? 1 : 37) {
    EXPECT_FALSE(ParseBoundModel(absl::string_view(bytes).substr(0, length)).ok()) << length;
  }
  EXPECT_FALSE(ParseBoundModel(bytes + '\0').ok());
}

TEST(BoundModelFileTest, EveryChangedBitIsRefused) {
  std::string bytes = SerializeBoundModel(SmallModel());
  for (size_t i = 0; i < bytes.size(); i += i < 200 ? 1 : 29) {
    for (int bit = 0; bit < 8; bit += i < 40 ? 1 : 3) {
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
      EXPECT_FALSE(ParseBoundModel(bytes).ok()) << "byte " << i << " bit " << bit;
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
    }
  }
}

/// Damage behind a digest that fits: nothing protects the reader but its own checks.
TEST(BoundModelFileTest, ResealedDamageIsRefusedOrHarmless) {
  const std::string bytes = SerializeBoundModel(SmallModel());
  const Parts parts = Split(bytes);
  int accepted = 0;
  for (uint64_t i = 0; i < 4000; ++i) {
    CounterRandom random(17, "bound-model-fuzz", i);
    Parts damaged = parts;
    for (uint64_t change = random.UniformInt(3); change < 3; ++change) {
      std::string& victim = random.Bernoulli(0.8) ? damaged.header : damaged.tensors;
      const size_t at = random.UniformInt(victim.size());
      switch (random.UniformInt(4)) {
        case 0:
          victim[at] = static_cast<char>(random.NextUint32());
          break;
        case 1:
          victim[at] = static_cast<char>(victim[at] ^ (1 << random.UniformInt(8)));
          break;
        case 2:
          victim.erase(at, 1 + random.UniformInt(4));
          break;
        default:
          victim.insert(at, 1 + random.UniformInt(4), static_cast<char>(random.NextUint32()));
      }
    }
    const absl::StatusOr<BoundModel> read = ParseBoundModel(Seal(bytes, damaged.header, damaged.tensors));
    if (!read.ok()) continue;
    ++accepted;
    EXPECT_THAT(CheckBoundModel(*read), IsOk());
  }
  RecordProperty("accepted_and_consistent", accepted);
}

TEST(BoundModelFileTest, OtherContainersAreToldApart) {
  const std::string bytes = SerializeBoundModel(SmallModel());
  EXPECT_THAT(ParseBoundModel("GIF89a, not a model at all, but long enough to be one"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("does not begin as one")));
  EXPECT_THAT(ParseBoundModel(SerializeGraph(SmallModel().graph)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("does not begin as one")));
  EXPECT_THAT(ParseBoundModel(bytes.substr(0, 20)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected at least 32 bytes, found 20")));
  std::string newer = bytes;
  newer[8] = 9;
  EXPECT_THAT(ParseBoundModel(newer), StatusIs(absl::StatusCode::kFailedPrecondition,
                                               HasSubstr("reads version 2, the file has version 9; use the release that wrote it")));
  std::string older = bytes;
  older[8] = 1;
  EXPECT_THAT(ParseBoundModel(older), StatusIs(absl::StatusCode::kFailedPrecondition,
                                               HasSubstr("reads version 2, the file has version 1; bind the network again")));
  std::string damaged = bytes;
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  EXPECT_THAT(ParseBoundModel(damaged), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("damaged or cut short")));
  const Parts parts = Split(bytes);
  EXPECT_THAT(ParseBoundModel(Seal(bytes, parts.header, parts.tensors.substr(4))),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("bytes of tensors, found")));
  EXPECT_THAT(ParseBoundModel(Seal(bytes, parts.header, parts.tensors + "rest")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found 4 more bytes")));
}

struct Rejection {
  std::string name;
  std::function<void(model::v1::BoundModel&)> damage;
  std::string message;
};

class RejectionTest : public testing::TestWithParam<Rejection> {};

TEST_P(RejectionTest, NamesWhatIsWrong) {
  const std::string bytes = SerializeBoundModel(SmallModel());
  const Parts parts = Split(bytes);
  model::v1::BoundModel header;
  ASSERT_TRUE(header.ParseFromString(parts.header));
  GetParam().damage(header);
  EXPECT_THAT(ParseBoundModel(Seal(bytes, header.SerializeAsString(), parts.tensors)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(GetParam().message)));
}

using Header = model::v1::BoundModel;
INSTANTIATE_TEST_SUITE_P(
    BoundModelFileTest, RejectionTest,
    testing::Values(
        Rejection{"NoGraph", [](Header& h) { h.clear_graph(); }, "expected number of values in [1, 65536], found 0"},
        Rejection{"UnknownKind", [](Header& h) { h.mutable_graph()->mutable_operators(0)->set_kind(static_cast<model::v1::OpKind>(77)); },
                  "graph.operators[0]: expected a kind of operator that this program knows, found 77"},
        Rejection{"PlannedConversion", [](Header& h) { h.mutable_graph()->mutable_operators(0)->clear_kind(); },
                  "expected a kind of operator that this program knows, found 0"},
        Rejection{"UnknownActivation",
                  [](Header& h) { h.mutable_graph()->mutable_operators(0)->set_activation(static_cast<model::v1::FusedActivation>(4)); },
                  "graph.operators[0]: expected activation in [0, 3], found 4"},
        Rejection{"NoName", [](Header& h) { h.mutable_graph()->mutable_values(1)->clear_name(); },
                  "graph.values[1]: expected a name of 1 to 200 letters, digits, '-', '_' or '.', found \"\" of 0 bytes"},
        Rejection{"NameOfAnotherFile", [](Header& h) { h.mutable_graph()->mutable_values(1)->set_name("../stem"); }, "found \"../stem\""},
        Rejection{"NameThatATerminalObeys", [](Header& h) { h.mutable_graph()->mutable_values(1)->set_name("a\x1b[2J"); },
                  "found \"a\\x1b[2J\""},
        Rejection{"LongName", [](Header& h) { h.mutable_graph()->mutable_values(1)->set_name(std::string(201, 'a')); }, "of 201 bytes"},
        Rejection{"NameTwice", [](Header& h) { h.mutable_graph()->mutable_values(2)->set_name(h.graph().values(1).name()); },
                  "graph.values[2]: expected a name of its own"},
        Rejection{"OutputName", [](Header& h) { h.mutable_graph()->set_output_name("lo\ngits"); }, "graph.output_name: expected a name"},
        Rejection{"MissingType", [](Header& h) { h.mutable_graph()->mutable_values(1)->clear_type(); },
                  "graph.values[1]: expected type in [1, 3], found 0"},
        Rejection{"NegativeExtent", [](Header& h) { h.mutable_graph()->mutable_values(1)->set_shape(1, -4); }, "found -4"},
        Rejection{"HugeValue",
                  [](Header& h) {
                    for (int axis = 0; axis < 4; ++axis) h.mutable_graph()->mutable_values(1)->set_shape(axis, 1 << 24);
                  },
                  "expected number of elements in [1, 268435456]"},
        Rejection{"HugeValuesTogether",
                  [](Header& h) {
                    for (const int value : {1, 2}) {
                      h.mutable_graph()->mutable_values(value)->clear_shape();
                      for (const int extent : {1, 1 << 14, 1 << 14, 1}) h.mutable_graph()->mutable_values(value)->add_shape(extent);
                    }
                  },
                  "expected number of elements of all values in [1, 268435456]"},
        Rejection{"Rank", [](Header& h) { h.mutable_graph()->mutable_values(1)->add_shape(1); }, "expected 2 or 4 extents, found 5"},
        Rejection{"InputOutOfRange", [](Header& h) { h.mutable_graph()->mutable_operators(1)->set_inputs(0, 4000); },
                  "operators[1]: expected input in"},
        Rejection{"InputNotYetProduced", [](Header& h) { h.mutable_graph()->mutable_operators(0)->set_inputs(0, 2); }, "graph"},
        Rejection{"OutputOutOfRange", [](Header& h) { h.mutable_graph()->mutable_operators(0)->set_output(-1); },
                  "operators[0]: expected output in"},
        Rejection{"GraphOutputOutOfRange", [](Header& h) { h.mutable_graph()->set_output(1 << 20); },
                  "input or output is not one of its values"},
        Rejection{"ThreeInputs",
                  [](Header& h) {
                    h.mutable_graph()->mutable_operators(0)->add_inputs(0);
                    h.mutable_graph()->mutable_operators(0)->add_inputs(0);
                  },
                  "expected number of inputs in [1, 1], found 3"},
        Rejection{"NoStride", [](Header& h) { h.mutable_graph()->mutable_operators(0)->set_stride(0); },
                  "expected stride in [1, 255], found 0"},
        Rejection{"HugeKernel", [](Header& h) { h.mutable_graph()->mutable_operators(0)->set_kernel(1 << 30); }, "expected kernel in"},
        Rejection{"WindowBeyondTheImage", [](Header& h) { h.mutable_graph()->mutable_operators(0)->set_dilation(99); },
                  "no larger than the padded input"},
        Rejection{"IndivisibleGroups", [](Header& h) { h.mutable_graph()->mutable_operators(0)->set_groups(3); },
                  "expected groups that divide 1 input and"},
        Rejection{"MissingSlices", [](Header& h) { h.mutable_graph()->mutable_operators(0)->mutable_weight()->clear_count(); },
                  "operators[0].weight: expected 4 slices"},
        Rejection{"HalfANorm", [](Header& h) { h.mutable_graph()->mutable_operators(0)->clear_norm_beta(); },
                  "both or none of norm_gamma and norm_beta"},
        Rejection{"FloatWeightsInAnInt8Layer",
                  [](Header& h) { h.mutable_graph()->mutable_operators(0)->set_weight_type(model::v1::ELEMENT_TYPE_FLOAT16); },
                  "expected integer weights in an int8 layer"},
        Rejection{"OutputOfAnotherType", [](Header& h) { h.mutable_graph()->mutable_values(1)->set_type(model::v1::ELEMENT_TYPE_FLOAT16); },
                  "expected the output to have the operator's compute type"},
        Rejection{"TooFewQuantizers", [](Header& h) { h.mutable_quantizers()->mutable_scales()->RemoveLast(); }, "quantisers, found"},
        Rejection{"InfiniteScale", [](Header& h) { h.mutable_quantizers()->set_scales(1, std::numeric_limits<float>::infinity()); },
                  "a scale of 0 or more"},
        Rejection{"ScaleOfAnInt8Value", [](Header& h) { h.mutable_quantizers()->set_scales(1, 0); }, "expected a positive scale"},
        Rejection{"ZeroPoint", [](Header& h) { h.mutable_quantizers()->set_zero_points(1, 128); }, "and 128 at stem"},
        Rejection{"OtherInputSize", [](Header& h) { h.mutable_preprocessing()->set_input_width(7); },
                  "expected preprocessing to the network's input"},
        Rejection{"NoMean", [](Header& h) { h.mutable_preprocessing()->clear_mean(); }, "means and standard deviations"},
        Rejection{"ZeroDeviation", [](Header& h) { h.mutable_preprocessing()->set_stddev(0, 0); }, "expected positive standard deviations"},
        Rejection{"TooManyLabels", [](Header& h) { h.add_labels("eleven"); }, "expected at most 10 labels, found 11"}),
    [](const testing::TestParamInfo<Rejection>& rejection) { return rejection.param.name; });

/// The dense network with every operator in int8, whose operators are found by the name of what they leave.
class DenseRejectionTest : public testing::TestWithParam<Rejection> {
 public:
  static model::v1::Operator* Op(model::v1::BoundModel& header, absl::string_view name) {
    for (model::v1::Operator& op : *header.mutable_graph()->mutable_operators()) {
      if (header.graph().values(op.output()).name() == name) return &op;
    }
    ADD_FAILURE() << "no " << name;
    return nullptr;
  }
};

TEST_P(DenseRejectionTest, NamesWhatIsWrong) {
  const std::string bytes = SerializeBoundModel(DenseModel(1, {ElementType::kInt8}));
  const Parts parts = Split(bytes);
  model::v1::BoundModel header;
  ASSERT_TRUE(header.ParseFromString(parts.header));
  GetParam().damage(header);
  EXPECT_THAT(ParseBoundModel(Seal(bytes, header.SerializeAsString(), parts.tensors)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(GetParam().message)));
}

INSTANTIATE_TEST_SUITE_P(
    BoundModelFileTest, DenseRejectionTest,
    testing::Values(
        Rejection{"ActivationOfAnother",
                  [](Header& h) { DenseRejectionTest::Op(h, "block.0")->set_activation(model::v1::FUSED_ACTIVATION_HARD_SIGMOID); },
                  "expected no activation that add cannot have, found hsigmoid"},
        Rejection{"ActivationOfAPool",
                  [](Header& h) { DenseRejectionTest::Op(h, "pool")->set_activation(model::v1::FUSED_ACTIVATION_RELU); },
                  "expected no activation that maxpool cannot have, found relu"},
        Rejection{"WindowOfAnAddition", [](Header& h) { DenseRejectionTest::Op(h, "block.0")->set_kernel(3); },
                  "expected no window in add"},
        Rejection{"GroupsOfAPool", [](Header& h) { DenseRejectionTest::Op(h, "pool")->set_groups(2); },
                  "expected groups that divide 1 input and 1 output channels, found 2"},
        Rejection{"WindowInThePadding", [](Header& h) { DenseRejectionTest::Op(h, "pool")->set_padding(2); },
                  "expected a padding of less than half the kernel in maxpool"},
        Rejection{"WeightsOfAPool",
                  [](Header& h) { *DenseRejectionTest::Op(h, "pool")->mutable_weight() = DenseRejectionTest::Op(h, "whiten")->weight(); },
                  "weights do not fit the operator kind at pool"},
        Rejection{"OneFactor", [](Header& h) { DenseRejectionTest::Op(h, "whiten.act")->mutable_inputs()->RemoveLast(); },
                  "expected number of inputs in [2, 2], found 1"},
        Rejection{"FactorOfAnotherShape", [](Header& h) { DenseRejectionTest::Op(h, "whiten.act")->set_inputs(1, 0); },
                  "the second operand does not fit the first at whiten.act"},
        Rejection{"RankOfAPool",
                  [](Header& h) {
                    DenseRejectionTest::Op(h, "hidden")->set_kind(model::v1::OP_KIND_GLOBAL_MAX_POOL);
                    DenseRejectionTest::Op(h, "hidden")->set_activation(model::v1::FUSED_ACTIVATION_UNSPECIFIED);
                  },
                  "expected an input of 4 extents, found 2"},
        Rejection{"QuantizerOfAPool",
                  [](Header& h) {
                    const int value = DenseRejectionTest::Op(h, "block.1.pool")->output();
                    h.mutable_quantizers()->set_scales(value, h.quantizers().scales(value) * 2);
                  },
                  "expected the scale and zero point of its input"},
        Rejection{
            "QuantizerOfASigmoid",
            [](Header& h) { h.mutable_quantizers()->set_zero_points(DenseRejectionTest::Op(h, "whiten.gate")->output(), -127); },
            "expected the scale and zero point of every int8 sigmoid, 0.00390625 and -128, found 0.00390625 and -127 at whiten.gate"}),
    [](const testing::TestParamInfo<Rejection>& rejection) { return rejection.param.name; });

TEST(TensorPackingTest, IntegersOfEveryWidthComeBack) {
  for (const ElementType type : {ElementType::kInt8, ElementType::kInt4, ElementType::kInt2}) {
    const int limit = NarrowRangeLimit(type);
    for (size_t count = 0; count < 12; ++count) {
      std::vector<int8_t> values;
      for (size_t i = 0; i < count; ++i) values.push_back(static_cast<int8_t>(static_cast<int>(i * 5) % (2 * limit + 1) - limit));
      std::string bytes;
      AppendIntegers(values, type, bytes);
      EXPECT_EQ(bytes.size(), PackedBytes(count, type));
      EXPECT_EQ(UnpackIntegers(bytes, count, type), values);
    }
  }
}

TEST(TensorPackingTest, TheFirstIntegerIsInTheLowBits) {
  std::string bytes;
  AppendIntegers({1, -1, 7}, ElementType::kInt4, bytes);
  EXPECT_EQ(bytes, std::string("\xf1\x07", 2));
  bytes.clear();
  AppendIntegers({1, -1, 0, 1, 1}, ElementType::kInt2, bytes);
  EXPECT_EQ(bytes, std::string("\x4d\x01", 2));
}

TEST(TensorPackingTest, EveryHalfComesBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    if ((half & 0x7c00) == 0x7c00 && (half & 0x3ff) != 0) {
      EXPECT_TRUE(std::isnan(HalfToFloat(half)));
    } else {
      EXPECT_EQ(FloatToHalf(HalfToFloat(half)), half) << bits;
    }
  }
}

TEST(TensorPackingTest, HalvesRoundToEven) {
  EXPECT_EQ(FloatToHalf(1.0F), 0x3c00);
  EXPECT_EQ(FloatToHalf(1.0F + 1.0F / 2048), 0x3c00);
  EXPECT_EQ(FloatToHalf(1.0F + 3.0F / 2048), 0x3c02);
  EXPECT_EQ(FloatToHalf(65504.0F), 0x7bff);
  EXPECT_EQ(FloatToHalf(65520.0F), 0x7c00);
  EXPECT_EQ(FloatToHalf(std::ldexp(1.0F, -24)), 0x0001);
  EXPECT_EQ(FloatToHalf(std::ldexp(1.0F, -26)), 0x0000);
  EXPECT_EQ(FloatToHalf(-0.0F), 0x8000);
}

}  // namespace
}  // namespace hanas
