// SPDX-License-Identifier: Apache-2.0
#include "export/onnx_model.h"

#include "absl/log/check.h"
#include "export/tensor_packing.h"

namespace hanas {
namespace {

int DataType(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return onnx::TensorProto::FLOAT;
    case ElementType::kFloat16:
      return onnx::TensorProto::FLOAT16;
    case ElementType::kInt8:
      return onnx::TensorProto::UINT8;
    case ElementType::kInt4:
      return onnx::TensorProto::INT4;
    case ElementType::kInt2:
      return kOnnxInt2;
    case ElementType::kInt32:
      return onnx::TensorProto::INT32;
  }
  CHECK(false) << "no such element type";
}

onnx::AttributeProto::AttributeType OnnxTypeOf(OnnxAttributeType type) {
  switch (type) {
    case OnnxAttributeType::kInt:
      return onnx::AttributeProto::INT;
    case OnnxAttributeType::kFloat:
      return onnx::AttributeProto::FLOAT;
    case OnnxAttributeType::kInts:
      return onnx::AttributeProto::INTS;
  }
  CHECK(false) << "no such attribute type";
}

std::string Text(absl::string_view text) { return std::string(text); }

void SetValueInfo(absl::string_view name, ElementType type, absl::Span<const int64_t> dims, onnx::ValueInfoProto* info) {
  info->set_name(Text(name));
  onnx::TypeProto::Tensor* tensor = info->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(DataType(type));
  for (const int64_t extent : dims) {
    onnx::TensorShapeProto::Dimension* dim = tensor->mutable_shape()->add_dim();
    if (extent == 0) {
      dim->set_dim_param(kOnnxBatchSymbol);
    } else {
      dim->set_dim_value(extent);
    }
  }
}

}  // namespace

OnnxModel::OnnxModel(const OnnxVersion& version) {
  model_.set_ir_version(version.ir);
  model_.add_opset_import()->set_version(version.opset);
}

void OnnxModel::Define(absl::string_view name) {
  if (!names_.emplace(name).second) name_given_twice_ = Text(name);
}

std::string OnnxModel::AddNode(OnnxOp op, std::initializer_list<absl::string_view> inputs, absl::string_view output) {
  Define(output);
  onnx::NodeProto* node = model_.mutable_graph()->add_node();
  node->set_op_type(Text(Describe(op).name));
  node->set_name(Text(output));
  for (const absl::string_view input : inputs) node->add_input(Text(input));
  node->add_output(Text(output));
  return Text(output);
}

onnx::AttributeProto& OnnxModel::AddAttribute(absl::string_view name, OnnxAttributeType type) {
  onnx::GraphProto& graph = *model_.mutable_graph();
  onnx::NodeProto& node = *graph.mutable_node(graph.node_size() - 1);
  const OnnxAttribute* known = FindAttribute(*FindOnnxOp(node.op_type()), name);
  CHECK(known != nullptr && known->type == type) << node.op_type() << " has no such attribute: " << name;
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(Text(name));
  attribute.set_type(OnnxTypeOf(type));
  return attribute;
}

void OnnxModel::SetInt(absl::string_view name, int64_t value) { AddAttribute(name, OnnxAttributeType::kInt).set_i(value); }

void OnnxModel::SetFloat(absl::string_view name, float value) { AddAttribute(name, OnnxAttributeType::kFloat).set_f(value); }

void OnnxModel::SetInts(absl::string_view name, absl::Span<const int64_t> values) {
  onnx::AttributeProto& attribute = AddAttribute(name, OnnxAttributeType::kInts);
  for (const int64_t value : values) attribute.add_ints(value);
}

onnx::TensorProto& OnnxModel::AddTensor(absl::string_view name, int data_type, absl::Span<const int64_t> dims) {
  Define(name);
  onnx::TensorProto& tensor = *model_.mutable_graph()->add_initializer();
  tensor.set_name(Text(name));
  tensor.set_data_type(data_type);
  for (const int64_t extent : dims) tensor.add_dims(extent);
  return tensor;
}

std::string OnnxModel::AddFloats(absl::string_view name, absl::Span<const float> values, absl::Span<const int64_t> dims, ElementType type) {
  AppendFloats(values, type, *AddTensor(name, DataType(type), dims).mutable_raw_data());
  return Text(name);
}

std::string OnnxModel::AddIntegers(absl::string_view name, absl::Span<const int8_t> values, absl::Span<const int64_t> dims,
                                   ElementType type) {
  std::string& bytes = *AddTensor(name, DataType(type), dims).mutable_raw_data();
  AppendIntegers(values, type, bytes);
  if (type == ElementType::kInt8) {
    for (char& byte : bytes) byte = static_cast<char>(static_cast<unsigned char>(byte) ^ 0x80U);  // 128 higher
  }
  return Text(name);
}

std::string OnnxModel::AddInt32s(absl::string_view name, absl::Span<const int32_t> values) {
  std::string& bytes = *AddTensor(name, onnx::TensorProto::INT32, {static_cast<int64_t>(values.size())}).mutable_raw_data();
  for (const int32_t value : values) AppendUint32(static_cast<uint32_t>(value), bytes);
  return Text(name);
}

std::string OnnxModel::AddInt64s(absl::string_view name, absl::Span<const int64_t> values) {
  std::string& bytes = *AddTensor(name, onnx::TensorProto::INT64, {static_cast<int64_t>(values.size())}).mutable_raw_data();
  for (const int64_t value : values) {
    AppendUint32(static_cast<uint32_t>(static_cast<uint64_t>(value)), bytes);
    AppendUint32(static_cast<uint32_t>(static_cast<uint64_t>(value) >> 32), bytes);
  }
  return Text(name);
}

std::string OnnxModel::AddFloatScalar(absl::string_view name, float value) { return AddFloats(name, {value}, {}, ElementType::kFloat32); }

std::string OnnxModel::AddInt8Scalar(absl::string_view name, int8_t value) { return AddIntegers(name, {value}, {}, ElementType::kInt8); }

void OnnxModel::AddInput(absl::string_view name, ElementType type, absl::Span<const int64_t> dims) {
  Define(name);
  SetValueInfo(name, type, dims, model_.mutable_graph()->add_input());
}

void OnnxModel::AddOutput(absl::string_view name, ElementType type, absl::Span<const int64_t> dims) {
  SetValueInfo(name, type, dims, model_.mutable_graph()->add_output());
}

void OnnxModel::AddMetadata(absl::string_view key, absl::string_view value) {
  onnx::StringStringEntryProto* entry = model_.add_metadata_props();
  entry->set_key(Text(key));
  entry->set_value(Text(value));
}

void OnnxModel::SetProducer(absl::string_view name, absl::string_view version, absl::string_view graph_name) {
  model_.set_producer_name(Text(name));
  model_.set_producer_version(Text(version));
  model_.mutable_graph()->set_name(Text(graph_name));
}

}  // namespace hanas
