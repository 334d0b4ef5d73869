// SPDX-License-Identifier: Apache-2.0
// What an agent lets near a runtime: every model that the writer writes, and nothing else.
#include "export/onnx_check.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "export/onnx_operators.h"
#include "export/onnx_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "onnx/defs/schema.h"
#include "onnx/onnx_pb.h"
#include "tests/core/small_space.h"
#include "tests/export/dense_model.h"
#include "tests/export/random_bound_model.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

SpaceSpec EverythingSpec() {
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

BoundModel ModelAt(uint64_t index) {
  static const auto* const kLowering = new Lowering(ConvnetSpace::Define(EverythingSpec()).value());
  CounterRandom random(21, "onnx-check", index);
  return RandomBoundModel(*kLowering, kLowering->space().Random(random), index);
}

onnx::ModelProto Good() {
  static const auto* const kFile = new std::string(WriteOnnx(ModelAt(0)).value());
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(*kFile));
  return model;
}

onnx::ModelProto GoodDense() {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(WriteOnnx(DenseModel(0)).value()));
  return model;
}

onnx::NodeProto* FirstNode(onnx::ModelProto& model, const std::string& type) {
  for (onnx::NodeProto& node : *model.mutable_graph()->mutable_node()) {
    if (node.op_type() == type) return &node;
  }
  ADD_FAILURE() << "no " << type;
  return model.mutable_graph()->add_node();
}

onnx::AttributeProto* AttributeOf(onnx::NodeProto* node, const std::string& name) {
  for (onnx::AttributeProto& attribute : *node->mutable_attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  onnx::AttributeProto* attribute = node->add_attribute();
  attribute->set_name(name);
  return attribute;
}

onnx::TensorProto* Weights(onnx::ModelProto& model) {
  for (onnx::TensorProto& tensor : *model.mutable_graph()->mutable_initializer()) {
    if (tensor.dims_size() == 4) return &tensor;
  }
  ADD_FAILURE() << "no weights";
  return model.mutable_graph()->add_initializer();
}

TEST(OnnxCheckTest, EveryModelThatIsWrittenIsAdmitted) {
  for (uint64_t i = 0; i < 180; ++i) {
    const BoundModel model = i < 150 ? ModelAt(i) : DenseModel(i);
    for (const OnnxOptions& options : {OnnxOptions{}, OnnxOptions{.dynamic_batch = false, .half_weights = false},
                                       OnnxOptions{.native_int2 = true}, OnnxOptions{.expose_values = true}}) {
      EXPECT_THAT(CheckOnnx(WriteOnnx(model, options).value()), IsOk()) << model.architecture_json;
    }
  }
}

TEST(OnnxCheckTest, OperatorsAndAttributesAreOnnxsOwn) {
  for (const OnnxOpDescription& op : OnnxOps()) {
    const onnx::OpSchema* schema = onnx::OpSchemaRegistry::Schema(std::string(op.name), static_cast<int>(kOnnxVersion.opset));
    ASSERT_NE(schema, nullptr) << op.name;
    for (const OnnxAttribute& attribute : op.attributes)
      EXPECT_TRUE(schema->attributes().contains(std::string(attribute.name))) << op.name << " " << attribute.name;
  }
}

using Change = std::function<void(onnx::ModelProto&)>;
struct Hostile {
  const char* name;
  Change change;
  const char* said;
};

void AddExternal(onnx::TensorProto* tensor, const std::string& location) {
  tensor->clear_raw_data();
  tensor->set_data_location(onnx::TensorProto::EXTERNAL);
  onnx::StringStringEntryProto* entry = tensor->add_external_data();
  entry->set_key("location");
  entry->set_value(location);
}
Change External(const std::string& location) {
  return [location](onnx::ModelProto& model) { AddExternal(Weights(model), location); };
}

const std::vector<Hostile>& HostileModels() {
  static const auto* const kModels = new std::vector<Hostile>{
      {"external data, absolute", External("/etc/passwd"), "TensorProto.external_data"},
      {"external data, relative", External("../../etc/passwd"), "TensorProto.external_data"},
      {"external data, memory", External("/proc/self/mem"), "TensorProto.external_data"},
      {"external data, endless", External("/dev/zero"), "TensorProto.external_data"},
      {"external data in a directory of its own", External("secret.bin"), "TensorProto.external_data"},
      {"external data, said and not named", [](auto& model) { Weights(model)->set_data_location(onnx::TensorProto::EXTERNAL); },
       "TensorProto.data_location"},
      {"external data in an attribute",
       [](auto& model) { AddExternal(AttributeOf(FirstNode(model, "Conv"), "value")->mutable_t(), "/etc/passwd"); }, "AttributeProto.t"},
      {"sparse tensors", [](auto& model) { model.mutable_graph()->add_sparse_initializer()->add_dims(4); },
       "GraphProto.sparse_initializer"},
      {"a constant of 64 GiB",
       [](auto& model) {
         onnx::NodeProto* node = FirstNode(model, "HardSigmoid");
         node->set_op_type("ConstantOfShape");
       },
       "an operator that this program writes"},
      {"a loop", [](auto& model) { FirstNode(model, "Conv")->set_op_type("Loop"); }, "an operator that this program writes"},
      {"a subgraph", [](auto& model) { AttributeOf(FirstNode(model, "Conv"), "body")->mutable_g()->set_name("body"); }, "AttributeProto.g"},
      {"subgraphs", [](auto& model) { AttributeOf(FirstNode(model, "Conv"), "bodies")->add_graphs()->set_name("body"); },
       "AttributeProto.graphs"},
      {"a condition", [](auto& model) { FirstNode(model, "Mul")->set_op_type("If"); }, "an operator that this program writes"},
      {"another domain", [](auto& model) { FirstNode(model, "Conv")->set_domain("com.microsoft"); }, "NodeProto.domain"},
      {"another operator set",
       [](auto& model) {
         onnx::OperatorSetIdProto* set = model.add_opset_import();
         set->set_domain("com.example");
         set->set_version(1);
       },
       "OperatorSetIdProto.domain"},
      {"two operator sets", [](auto& model) { model.add_opset_import()->set_version(21); }, "expected one operator set, found 2"},
      {"a newer operator set", [](auto& model) { model.mutable_opset_import(0)->set_version(22); }, "expected operator set 21"},
      {"a function that takes an operator's place",
       [](auto& model) {
         onnx::FunctionProto* function = model.add_functions();
         function->set_name("Conv");
         function->set_domain("");
       },
       "ModelProto.functions"},
      {"training", [](auto& model) { model.add_training_info()->mutable_algorithm()->set_name("a"); }, "ModelProto.training_info"},
      {"a setting of the runtime",
       [](auto& model) {
         onnx::StringStringEntryProto* entry = model.add_metadata_props();
         entry->set_key("ort_config");
         entry->set_value("{}");
       },
       "keys that begin with hanas., found \"ort_config\""},
      {"a field of a newer format", [](auto& model) { model.GetReflection()->MutableUnknownFields(&model)->AddVarint(900, 1); },
       "an unknown field in a ModelProto"},
      {"weights larger than any memory",
       [](auto& model) {
         for (int axis = 0; axis < 4; ++axis) Weights(model)->set_dims(axis, int64_t{1} << 40);
       },
       "268435456 elements, found [1099511627776,"},
      {"weights with a negative extent", [](auto& model) { Weights(model)->set_dims(0, -1); }, "found [-1,"},
      {"weights with an extent of 0", [](auto& model) { Weights(model)->set_dims(0, 0); }, "found [0,"},
      {"more weights than bytes", [](auto& model) { Weights(model)->set_dims(0, Weights(model)->dims(0) + 1); }, "bytes for ["},
      {"weights of another type", [](auto& model) { Weights(model)->set_data_type(onnx::TensorProto::STRING); },
       "a type of tensors that is written, found 8"},
      {"a huge image",
       [](auto& model) {
         for (int axis = 2; axis < 4; ++axis)
           model.mutable_graph()
               ->mutable_input(0)
               ->mutable_type()
               ->mutable_tensor_type()
               ->mutable_shape()
               ->mutable_dim(axis)
               ->set_dim_value(1 << 20);
       },
       "elements, found [1, 1, 1048576, 1048576]"},
      {"an image of any size",
       [](auto& model) {
         model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(2)->set_dim_param(
             "H");
       },
       "extents that are numbers"},
      {"a huge padding", [](auto& model) { AttributeOf(FirstNode(model, "Conv"), "pads")->set_ints(0, int64_t{1} << 40); },
       "of at most 255"},
      {"a negative padding", [](auto& model) { AttributeOf(FirstNode(model, "Conv"), "pads")->set_ints(0, -1); }, "of at most 255"},
      {"a stride of 0", [](auto& model) { AttributeOf(FirstNode(model, "Conv"), "strides")->set_ints(0, 0); }, "of at most 255"},
      {"0 groups", [](auto& model) { AttributeOf(FirstNode(model, "Conv"), "group")->set_i(0); }, "channels in 0 groups"},
      {"an attribute that is not written",
       [](auto& model) { AttributeOf(FirstNode(model, "Conv"), "auto_pad")->set_type(onnx::AttributeProto::INT); },
       "attributes that this program writes, found \"auto_pad\""},
      {"an attribute that is missing", [](auto& model) { FirstNode(model, "Conv")->mutable_attribute()->RemoveLast(); },
       "expected the attribute group"},
      {"a cycle", [](auto& model) { FirstNode(model, "Conv")->set_input(0, model.graph().node(model.graph().node_size() - 1).output(0)); },
       "inputs that are computed before"},
      {"an operator that reads itself",
       [](auto& model) {
         onnx::NodeProto* node = FirstNode(model, "Conv");
         node->set_input(0, node->output(0));
       },
       "inputs that are computed before"},
      {"a tensor of two operators", [](auto& model) { *model.mutable_graph()->add_node() = *FirstNode(model, "Conv"); },
       "to be defined once"},
      {"no output", [](auto& model) { model.mutable_graph()->clear_output(); }, "expected an output logits"},
      {"a declared output of another shape",
       [](auto& model) {
         model.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(1)->set_dim_value(
             1 << 30);
       },
       "to be declared as it is computed"},
      {"two inputs", [](auto& model) { *model.mutable_graph()->add_input() = model.graph().input(0); }, "expected one input, found 2"},
      {"a scale for each of other channels",
       [](auto& model) {
         onnx::NodeProto* node = nullptr;
         for (onnx::NodeProto& each : *model.mutable_graph()->mutable_node()) {
           if (each.op_type() == "DequantizeLinear" && each.attribute_size() > 0 && each.attribute(0).i() == 1) node = &each;
         }
         ASSERT_NE(node, nullptr);
         node->mutable_attribute(0)->set_i(0);
       },
       "or with axis 1 both for each channel"},
      {"no operators", [](auto& model) { model.mutable_graph()->clear_node(); }, "operators, found 0"},
  };
  return *kModels;
}

TEST(OnnxCheckTest, HostileModelsAreRefusedAndSayWhy) {
  EXPECT_THAT(CheckOnnx(Good().SerializeAsString()), IsOk());
  for (const Hostile& hostile : HostileModels()) {
    onnx::ModelProto model = Good();
    hostile.change(model);
    EXPECT_THAT(CheckOnnx(model.SerializePartialAsString()), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(hostile.said)))
        << hostile.name;
  }
}

TEST(OnnxCheckTest, HostileDenseModelsAreRefusedAndSayWhy) {
  const std::vector<Hostile> models = {
      {"a window that lies in the padding", [](auto& model) { AttributeOf(FirstNode(model, "MaxPool"), "pads")->set_ints(3, 2); },
       "paddings of less than half the window"},
      {"a window larger than the image", [](auto& model) { AttributeOf(FirstNode(model, "MaxPool"), "dilations")->set_ints(1, 99); },
       "a window no larger than the padded image"},
      {"a window of three axes", [](auto& model) { AttributeOf(FirstNode(model, "MaxPool"), "kernel_shape")->add_ints(2); },
       "of at most 255"},
      {"rounding up",
       [](auto& model) {
         onnx::AttributeProto* attribute = AttributeOf(FirstNode(model, "MaxPool"), "ceil_mode");
         attribute->set_type(onnx::AttributeProto::INT);
         attribute->set_i(1);
       },
       "attributes that this program writes, found \"ceil_mode\""},
      {"positions as a second output", [](auto& model) { FirstNode(model, "MaxPool")->add_output("positions"); }, "expected one output"},
      {"a bound that is computed", [](auto& model) { FirstNode(model, "Clip")->set_input(1, FirstNode(model, "Clip")->input(0)); },
       "two stored bounds"},
      {"one bound", [](auto& model) { FirstNode(model, "Clip")->mutable_input()->RemoveLast(); }, "expected 3 to 3 inputs, found 2"},
      {"features as an image", [](auto& model) { FirstNode(model, "GlobalMaxPool")->set_input(0, FirstNode(model, "Gemm")->input(0)); },
       "GlobalMaxPool"},
  };
  EXPECT_THAT(CheckOnnx(GoodDense().SerializeAsString()), IsOk());
  for (const Hostile& hostile : models) {
    onnx::ModelProto model = GoodDense();
    hostile.change(model);
    EXPECT_THAT(CheckOnnx(model.SerializePartialAsString()), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(hostile.said)))
        << hostile.name;
  }
}

TEST(OnnxCheckTest, BytesThatAreNoModelAreRefused) {
  const std::string good = Good().SerializeAsString();
  std::string noise(5000, '\0');
  CounterRandom random(4, "onnx-check/noise");
  for (char& byte : noise) byte = static_cast<char>(random.NextUint32());
  for (const std::string& bytes : {std::string(), noise, std::string(10'000'000, '\0'), good.substr(0, good.size() / 2), good + "x"})
    EXPECT_THAT(CheckOnnx(bytes), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("model file: expected")));
}

TEST(OnnxCheckTest, TensorsThatAreMuchTogetherAreRefused) {
  onnx::ModelProto model = Good();
  // Each product is small enough; a thousand of them are not.
  onnx::TensorProto large;
  large.set_data_type(kOnnxInt2);
  large.add_dims(int64_t{1} << 16);
  large.set_raw_data(std::string(size_t{1} << 14, '\0'));
  for (int i = 0; i < 4097; ++i) {
    large.set_name(absl::StrCat("large", i));
    *model.mutable_graph()->add_initializer() = large;
  }
  EXPECT_THAT(CheckOnnx(model.SerializeAsString()), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("elements together")));
}

/// Whatever the bytes, the check ends and answers.
TEST(OnnxCheckTest, ChangedBytesAreJudgedWithoutHarm) {
  constexpr uint64_t kSeed = 17;
  const std::string good = Good().SerializeAsString();
  int refused = 0;
  for (uint64_t i = 0; i < 3000; ++i) {
    CounterRandom random(kSeed, "onnx-check/mutations", i);
    std::string bytes = good;
    for (uint64_t change = 0; change <= random.UniformInt(4); ++change) {
      const size_t at = random.UniformInt(bytes.size());
      switch (random.UniformInt(4)) {
        case 0:
          bytes[at] = static_cast<char>(random.NextUint32());
          break;
        case 1:
          bytes[at] ^= static_cast<char>(1U << random.UniformInt(8));
          break;
        case 2:
          bytes.erase(at, random.UniformInt(20));
          break;
        default:
          bytes.insert(at, bytes.substr(random.UniformInt(bytes.size()), random.UniformInt(40)));
      }
    }
    refused += CheckOnnx(bytes).ok() ? 0 : 1;  // others changed a weight or a name
  }
  EXPECT_GT(refused, 1000) << "seed " << kSeed;
}

}  // namespace
}  // namespace hanas
