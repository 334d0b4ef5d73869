// SPDX-License-Identifier: Apache-2.0
#include "export/bound_model_file.h"
#include "config/presets.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/crc/crc32c.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/cost/cost.h"
#include "export/bound_model_generated.h"
#include "export/graph_codec.h"
#include "export/tensor_packing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"
#include "tests/export/dense_model.h"
#include "tests/export/random_bound_model.h"
#include "tests/support/mutate.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

using Header = file::BoundModelT;

constexpr size_t kFixedBytes = 24;  // magic 8, version 4, checksum 4, sizes of header and tensors 4 each
constexpr int kRandomModels = 30;

/// The number of an enumerator in the file.
template <typename Enum>
uint8_t Number(Enum enumerator) {
  return static_cast<uint8_t>(enumerator);
}

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
  EXPECT_EQ(a.preprocessing.picture, b.preprocessing.picture);
  EXPECT_EQ(a.labels, b.labels);
  EXPECT_EQ(a.space_name, b.space_name);
  EXPECT_EQ(a.architecture_json, b.architecture_json);
  EXPECT_EQ(a.architecture_digest, b.architecture_digest);
  EXPECT_EQ(a.checkpoint_sha256, b.checkpoint_sha256);
}

/// A file with a header and tensors of the test's choosing and a checksum that fits them.
std::string Seal(absl::string_view header, absl::string_view tensors) {
  std::string content;
  AppendUint32(static_cast<uint32_t>(header.size()), content);
  AppendUint32(static_cast<uint32_t>(tensors.size()), content);
  absl::StrAppend(&content, header, tensors);
  std::string out = "HANASBM\n";
  AppendUint32(kBoundModelFileVersion, out);
  AppendUint32(static_cast<uint32_t>(absl::ComputeCrc32c(content)), out);
  return out + content;
}

struct Parts {
  std::string header;
  std::string tensors;
};
Parts Split(absl::string_view file) {
  const uint32_t header_bytes = ReadUint32(file.substr(kFixedBytes - 8));
  return {std::string(file.substr(kFixedBytes, header_bytes)), std::string(file.substr(kFixedBytes + header_bytes))};
}

Header UnpackHeader(const std::string& header) {
  Header out;
  file::GetBoundModel(header.data())->UnPackTo(&out);
  return out;
}

std::string Bytes(const flatbuffers::FlatBufferBuilder& builder) {
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

std::string PackHeader(const Header& header) {
  flatbuffers::FlatBufferBuilder builder;
  file::FinishBoundModelBuffer(builder, file::BoundModel::Pack(builder, &header));
  return Bytes(builder);
}

/// As PackHeader, but with values and labels of the caller's making.
std::string PackHeader(flatbuffers::FlatBufferBuilder& builder, const Header& header,
                       const std::vector<flatbuffers::Offset<file::Value>>& values,
                       const std::vector<flatbuffers::Offset<flatbuffers::String>>& labels) {
  const auto graph =
      file::CreateGraph(builder, builder.CreateVector(values), builder.CreateVector(std::vector<flatbuffers::Offset<file::Operator>>{}), 0,
                        0, builder.CreateString(""));
  const auto preprocessing = file::CreatePreprocessing(builder, header.preprocessing.get());
  const auto text = builder.CreateString("text");
  file::FinishBoundModelBuffer(builder, file::CreateBoundModel(builder, graph, builder.CreateVectorOfStructs(header.quantizers),
                                                               preprocessing, builder.CreateVector(labels), text, text, text, text));
  return Bytes(builder);
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
  BoundModel model = DenseModel(1);
  model.graph.output_name.clear();
  const absl::StatusOr<BoundModel> read = ParseBoundModel(SerializeBoundModel(model));
  ASSERT_THAT(read, IsOk());
  ExpectEqual(model, *read);
}

TEST(BoundModelFileTest, ReadsBackFromAnywhereInMemory) {
  const std::string bytes = SerializeBoundModel(SmallModel());
  for (size_t offset = 1; offset < 8; ++offset) {
    const std::string moved = std::string(offset, ' ') + bytes;
    EXPECT_THAT(ParseBoundModel(absl::string_view(moved).substr(offset)), IsOk()) << offset;
  }
}

TEST(BoundModelFileTest, MobileNetV3LargeFitsItsBounds) {
  const Lowering lowering(ConvnetSpace::Define(config::SpecOf(config::FindPreset("mobilenet-v3-large").value())).value());
  const Graph graph = lowering.Lower(lowering.space().Largest({16, 16}));
  file::GraphT tables;
  GraphToFile(graph, tables);
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(file::Graph::Pack(builder, &tables));
  RecordProperty("graph_bytes", static_cast<int>(builder.GetSize()));
  EXPECT_LT(builder.GetSize(), 32'000u);
  const absl::StatusOr<Graph> read = GraphFromFile(*flatbuffers::GetRoot<file::Graph>(builder.GetBufferPointer()));
  ASSERT_THAT(read, IsOk());
  ExpectEqual(graph, *read);
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
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(ParseBoundModel(absl::string_view(bytes).substr(0, length)).ok()) << length;
  }
  EXPECT_FALSE(ParseBoundModel(bytes + '\0').ok());
}

/// A header that ends too early, in a file that is otherwise whole.
TEST(BoundModelFileTest, EveryPrefixOfAHeaderIsRefused) {
  const Parts parts = Split(SerializeBoundModel(SmallModel()));
  for (size_t length = 0; length < parts.header.size(); ++length) {
    EXPECT_THAT(ParseBoundModel(Seal(absl::string_view(parts.header).substr(0, length), parts.tensors)),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << length;
  }
}

TEST(BoundModelFileTest, EveryChangedBitIsRefused) {
  std::string bytes = SerializeBoundModel(SmallModel());
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
      EXPECT_FALSE(ParseBoundModel(bytes).ok()) << "byte " << i << " bit " << bit;
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
    }
  }
}

TEST(BoundModelFileTest, DamageIsRefused) {
  const std::string bytes = SerializeBoundModel(DenseModel(1));
  for (uint64_t i = 0; i < 4000; ++i) {
    CounterRandom random(16, "bound-model-damage", i);
    const std::string damaged = Mutated(bytes, random);
    EXPECT_EQ(ParseBoundModel(damaged).ok(), damaged == bytes) << i;
  }
}

/// Damage behind a checksum that fits: nothing protects the reader but the verifier and its own checks.
TEST(BoundModelFileTest, ResealedDamageIsRefusedOrHarmless) {
  int accepted = 0;
  for (const BoundModel& model : {SmallModel(), DenseModel(1)}) {
    const Parts parts = Split(SerializeBoundModel(model));
    for (uint64_t i = 0; i < 6000; ++i) {
      CounterRandom random(17, "bound-model-fuzz", i);
      Parts damaged = parts;
      std::string& victim = random.Bernoulli(0.8) ? damaged.header : damaged.tensors;
      victim = Mutated(victim, random);
      const absl::StatusOr<BoundModel> read = ParseBoundModel(Seal(damaged.header, damaged.tensors));
      if (!read.ok()) continue;
      ++accepted;
      EXPECT_THAT(CheckBoundModel(*read), IsOk());
      EXPECT_THAT(ParseBoundModel(SerializeBoundModel(*read)), IsOk());
    }
  }
  RecordProperty("accepted_and_consistent", accepted);
}

TEST(BoundModelFileTest, OtherFilesAreToldApart) {
  const std::string bytes = SerializeBoundModel(SmallModel());
  EXPECT_THAT(ParseBoundModel("GIF89a, not a model at all, but long enough to be one"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("does not begin as one")));
  EXPECT_THAT(ParseBoundModel(bytes.substr(0, 20)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected at least 24 bytes, found 20")));
  std::string newer = bytes;
  newer[8] = 9;
  EXPECT_THAT(ParseBoundModel(newer), StatusIs(absl::StatusCode::kFailedPrecondition,
                                               HasSubstr("reads version 3, the file has version 9; use the release that wrote it")));
  std::string older = bytes;
  older[8] = 2;
  EXPECT_THAT(ParseBoundModel(older), StatusIs(absl::StatusCode::kFailedPrecondition,
                                               HasSubstr("reads version 3, the file has version 2; bind the network again")));
  EXPECT_THAT(ParseBoundModel(bytes.substr(0, bytes.size() - 1)),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr(absl::StrCat("cut short: expected ", bytes.size(), " bytes, found "))));
  std::string damaged = bytes;
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  EXPECT_THAT(ParseBoundModel(damaged), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("does not have the checksum")));
}

TEST(BoundModelFileTest, TensorsAreThoseOfTheGraph) {
  const Parts parts = Split(SerializeBoundModel(SmallModel()));
  EXPECT_THAT(ParseBoundModel(Seal(parts.header, parts.tensors.substr(4))),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("bytes of tensors, found")));
  EXPECT_THAT(ParseBoundModel(Seal(parts.header, parts.tensors + "rest")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found 4 more bytes")));
  // A consistent graph whose last weights would lie beyond the end of the file.
  Header header = UnpackHeader(parts.header);
  header.graph->values.back()->shape.back() = 1 << 20;
  header.graph->operators.back()->weight->slices[0] = {0, 1 << 20};
  EXPECT_THAT(ParseBoundModel(Seal(PackHeader(header), parts.tensors)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("bytes of tensors, found")));
}

TEST(BoundModelFileTest, TheHeaderIsAVerifiedFlatBuffer) {
  const Parts parts = Split(SerializeBoundModel(SmallModel()));
  const Header header = UnpackHeader(parts.header);
  std::string other = parts.header;
  other.replace(4, 4, "\x01TFL");
  EXPECT_THAT(ParseBoundModel(Seal(other, parts.tensors)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(R"(expected a header with the identifier HNBM, found "\x01TFL")")));
  EXPECT_THAT(ParseBoundModel(Seal("", parts.tensors)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("a header of at least 8 bytes, found 0")));
  EXPECT_THAT(ParseBoundModel(Seal(std::string(kMaxBoundModelHeaderBytes + 1, '\0'), "")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("a header of at most 4194304 bytes, found 4194305")));

  flatbuffers::FlatBufferBuilder nothing;  // of what is required
  nothing.Finish(flatbuffers::Offset<file::BoundModel>(nothing.EndTable(nothing.StartTable())), file::BoundModelIdentifier());
  EXPECT_THAT(ParseBoundModel(Seal(Bytes(nothing), parts.tensors)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("its header is not a FlatBuffer of the schema")));

  flatbuffers::FlatBufferBuilder many;  // tables, all in one place
  const auto value = file::CreateValue(many, header.graph->values[0].get());
  EXPECT_THAT(ParseBoundModel(Seal(PackHeader(many, header, std::vector(500'000, value), {}), parts.tensors)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("or has too many tables")));
}

/// A megabyte that a thousand labels name would be read as a gigabyte.
TEST(BoundModelFileTest, PartsThatOverlapAreRefused) {
  const Parts parts = Split(SerializeBoundModel(SmallModel()));
  const Header header = UnpackHeader(parts.header);
  flatbuffers::FlatBufferBuilder builder;
  const auto value = file::CreateValue(builder, header.graph->values[0].get());
  const auto label = builder.CreateString(std::string(1 << 20, 'a'));
  EXPECT_THAT(ParseBoundModel(Seal(PackHeader(builder, header, {value}, std::vector(1000, label)), parts.tensors)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected parts of the header that do not overlap, found 104858")));
}

struct Rejection {
  std::string name;
  std::function<void(Header&)> damage;
  std::string message;
};

class RejectionTest : public testing::TestWithParam<Rejection> {};

TEST_P(RejectionTest, NamesWhatIsWrong) {
  const Parts parts = Split(SerializeBoundModel(SmallModel()));
  Header header = UnpackHeader(parts.header);
  GetParam().damage(header);
  EXPECT_THAT(ParseBoundModel(Seal(PackHeader(header), parts.tensors)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(GetParam().message)));
}

INSTANTIATE_TEST_SUITE_P(
    BoundModelFileTest, RejectionTest,
    testing::Values(
        Rejection{"NoValues", [](Header& h) { h.graph->values.clear(); }, "expected number of values in [1, 65536], found 0"},
        Rejection{"UnknownKind", [](Header& h) { h.graph->operators[0]->kind = 77; },
                  "graph.operators[0]: expected a kind of operator that this program knows, found 77"},
        Rejection{"PlannedConversion", [](Header& h) { h.graph->operators[0]->kind = Number(OpKind::kConvert); },
                  "expected a kind of operator that this program knows, found 0"},
        Rejection{"UnknownActivation", [](Header& h) { h.graph->operators[0]->activation = 4; },
                  "graph.operators[0]: expected activation in [0, 3], found 4"},
        Rejection{"NoName", [](Header& h) { h.graph->values[1]->name.clear(); },
                  "graph.values[1]: expected a name of 1 to 200 letters, digits, '-', '_' or '.', found \"\" of 0 bytes"},
        Rejection{"NameOfAnotherFile", [](Header& h) { h.graph->values[1]->name = "../stem"; }, "found \"../stem\""},
        Rejection{"NameThatATerminalObeys", [](Header& h) { h.graph->values[1]->name = "a\x1b[2J"; }, "found \"a\\x1b[2J\""},
        Rejection{"LongName", [](Header& h) { h.graph->values[1]->name = std::string(201, 'a'); }, "of 201 bytes"},
        Rejection{"NameTwice", [](Header& h) { h.graph->values[2]->name = h.graph->values[1]->name; },
                  "graph.values[2]: expected a name of its own"},
        Rejection{"OutputName", [](Header& h) { h.graph->output_name = "lo\ngits"; }, "graph.output_name: expected a name"},
        Rejection{"UnknownType", [](Header& h) { h.graph->values[1]->type = 6; }, "graph.values[1]: expected type in [0, 2], found 6"},
        Rejection{"ValueOfWeights", [](Header& h) { h.graph->values[1]->type = Number(ElementType::kInt4); },
                  "graph.values[1]: expected type in [0, 2], found 3"},
        Rejection{"WeightsOfSums", [](Header& h) { h.graph->operators[0]->weight_type = Number(ElementType::kInt32); },
                  "graph.operators[0]: expected weight_type in [0, 4], found 5"},
        Rejection{"NoExtent", [](Header& h) { h.graph->values[1]->shape[1] = 0; }, "expected extent in [1, 16777216], found 0"},
        Rejection{"HugeValue", [](Header& h) { h.graph->values[1]->shape = {1 << 24, 1 << 24, 1 << 24, 1 << 24}; },
                  "expected number of elements in [1, 268435456]"},
        Rejection{"HugeValuesTogether",
                  [](Header& h) {
                    for (const size_t value : {1, 2}) {
                      h.graph->values[value]->shape = {1, 1 << 14, 1 << 14, 1};
                    }
                  },
                  "expected number of elements of all values in [1, 268435456]"},
        Rejection{"Rank", [](Header& h) { h.graph->values[1]->shape.push_back(1); }, "expected 2 or 4 extents, found 5"},
        Rejection{"InputOutOfRange", [](Header& h) { h.graph->operators[1]->inputs[0] = 4000; }, "operators[1]: expected input in"},
        Rejection{"InputNotYetProduced", [](Header& h) { h.graph->operators[0]->inputs[0] = 2; }, "graph"},
        Rejection{"OutputOutOfRange", [](Header& h) { h.graph->operators[0]->output = -1; }, "operators[0]: expected output in"},
        Rejection{"GraphOutputOutOfRange", [](Header& h) { h.graph->output = 1 << 20; }, "input or output is not one of its values"},
        Rejection{"ThreeInputs", [](Header& h) { h.graph->operators[0]->inputs = {0, 0, 0}; },
                  "expected number of inputs in [1, 1], found 3"},
        Rejection{"NoStride", [](Header& h) { h.graph->operators[0]->stride = 0; }, "expected stride in [1, 255], found 0"},
        Rejection{"HugeKernel", [](Header& h) { h.graph->operators[0]->kernel = 1 << 30; }, "expected kernel in"},
        Rejection{"WindowBeyondTheImage", [](Header& h) { h.graph->operators[0]->dilation = 99; }, "no larger than the padded input"},
        Rejection{"IndivisibleGroups", [](Header& h) { h.graph->operators[0]->groups = 3; }, "expected groups that divide 1 input and"},
        Rejection{"MissingSlices", [](Header& h) { h.graph->operators[0]->weight->slices.clear(); },
                  "operators[0].weight: expected 4 slices"},
        Rejection{"HalfANorm", [](Header& h) { h.graph->operators[0]->norm_beta.reset(); }, "both or none of norm_gamma and norm_beta"},
        Rejection{"FloatWeightsInAnInt8Layer", [](Header& h) { h.graph->operators[0]->weight_type = Number(ElementType::kFloat16); },
                  "expected integer weights in an int8 layer"},
        Rejection{"OutputOfAnotherType", [](Header& h) { h.graph->values[1]->type = Number(ElementType::kFloat16); },
                  "expected the output to have the operator's compute type"},
        Rejection{"TooFewQuantizers", [](Header& h) { h.quantizers.pop_back(); }, "quantisers, found"},
        Rejection{"InfiniteScale", [](Header& h) { h.quantizers[1] = {std::numeric_limits<float>::infinity(), 0}; },
                  "a scale of 0 or more"},
        Rejection{"ScaleOfAnInt8Value", [](Header& h) { h.quantizers[1] = {0, 0}; }, "expected a positive scale"},
        Rejection{"ZeroPoint", [](Header& h) { h.quantizers[1] = {1, 128}; }, "and 128 at stem"},
        Rejection{"OtherInputSize", [](Header& h) { h.preprocessing->input_width = 7; }, "expected preprocessing to the network's input"},
        Rejection{"HugePictures", [](Header& h) { h.preprocessing->picture_side = (1U << 20) + 1; },
                  "expected pictures of at most 1048576"},
        Rejection{"NoSuchFit",
                  [](Header& h) {
                    h.preprocessing->picture_side = 8;
                    h.preprocessing->picture_fit = 3;
                  },
                  "fitted in one of 3 ways, found 8 and 3"},
        Rejection{"NoMean", [](Header& h) { h.preprocessing->mean.clear(); }, "means and standard deviations"},
        Rejection{"ZeroDeviation", [](Header& h) { h.preprocessing->stddev[0] = 0; }, "expected positive standard deviations"},
        Rejection{"TooManyLabels", [](Header& h) { h.labels.emplace_back("eleven"); }, "expected at most 10 labels, found 11"}),
    [](const testing::TestParamInfo<Rejection>& rejection) { return rejection.param.name; });

/// The dense network with every operator in int8, whose operators are found by the name of what they leave.
class DenseRejectionTest : public testing::TestWithParam<Rejection> {
 public:
  static file::OperatorT* Op(Header& header, absl::string_view name) {
    for (const auto& op : header.graph->operators) {
      if (header.graph->values[static_cast<size_t>(op->output)]->name == name) return op.get();
    }
    ADD_FAILURE() << "no " << name;
    return nullptr;
  }
  static file::Quantizer& QuantizerOf(Header& header, absl::string_view name) {
    return header.quantizers[static_cast<size_t>(Op(header, name)->output)];
  }
};

TEST_P(DenseRejectionTest, NamesWhatIsWrong) {
  const Parts parts = Split(SerializeBoundModel(DenseModel(1, {ElementType::kInt8})));
  Header header = UnpackHeader(parts.header);
  GetParam().damage(header);
  EXPECT_THAT(ParseBoundModel(Seal(PackHeader(header), parts.tensors)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(GetParam().message)));
}

INSTANTIATE_TEST_SUITE_P(
    BoundModelFileTest, DenseRejectionTest,
    testing::Values(
        Rejection{"ActivationOfAnother",
                  [](Header& h) { DenseRejectionTest::Op(h, "block.0")->activation = Number(FusedActivation::kHardSigmoid); },
                  "expected no activation that add cannot have, found hsigmoid"},
        Rejection{"ActivationOfAPool", [](Header& h) { DenseRejectionTest::Op(h, "pool")->activation = Number(FusedActivation::kRelu); },
                  "expected no activation that maxpool cannot have, found relu"},
        Rejection{"WindowOfAnAddition", [](Header& h) { DenseRejectionTest::Op(h, "block.0")->kernel = 3; }, "expected no window in add"},
        Rejection{"GroupsOfAPool", [](Header& h) { DenseRejectionTest::Op(h, "pool")->groups = 2; },
                  "expected groups that divide 1 input and 1 output channels, found 2"},
        Rejection{"WindowInThePadding", [](Header& h) { DenseRejectionTest::Op(h, "pool")->padding = 2; },
                  "expected a padding of less than half the kernel in maxpool"},
        Rejection{"WeightsOfAPool",
                  [](Header& h) {
                    const file::WeightViewT& view = *DenseRejectionTest::Op(h, "whiten")->weight;
                    DenseRejectionTest::Op(h, "pool")->weight = std::make_unique<file::WeightViewT>(view);
                  },
                  "weights do not fit the operator kind at pool"},
        Rejection{"OneFactor", [](Header& h) { DenseRejectionTest::Op(h, "whiten.act")->inputs.pop_back(); },
                  "expected number of inputs in [2, 2], found 1"},
        Rejection{"FactorOfAnotherShape", [](Header& h) { DenseRejectionTest::Op(h, "whiten.act")->inputs[1] = 0; },
                  "the second operand does not fit the first at whiten.act"},
        Rejection{"RankOfAPool",
                  [](Header& h) {
                    DenseRejectionTest::Op(h, "hidden")->kind = Number(OpKind::kGlobalMaxPool);
                    DenseRejectionTest::Op(h, "hidden")->activation = Number(FusedActivation::kNone);
                  },
                  "expected an input of 4 extents, found 2"},
        Rejection{"QuantizerOfAPool",
                  [](Header& h) {
                    file::Quantizer& quantizer = DenseRejectionTest::QuantizerOf(h, "block.1.pool");
                    quantizer = {quantizer.scale() * 2, quantizer.zero_point()};
                  },
                  "expected the scale and zero point of its input"},
        Rejection{
            "QuantizerOfASigmoid", [](Header& h) { DenseRejectionTest::QuantizerOf(h, "whiten.gate") = {1.0F / 256.0F, -127}; },
            "expected the scale and zero point of every int8 sigmoid, 0.00390625 and -128, found 0.00390625 and -127 at whiten.gate"}),
    [](const testing::TestParamInfo<Rejection>& rejection) { return rejection.param.name; });

TEST(TensorPackingTest, IntegersOfEveryWidthComeBack) {
  for (const ElementType type : {ElementType::kInt8, ElementType::kInt4, ElementType::kInt2}) {
    const int limit = NarrowRangeLimit(type);
    for (size_t count = 0; count < 12; ++count) {
      std::vector<int8_t> values;
      values.reserve(count);
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
