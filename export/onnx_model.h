// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_EXPORT_ONNX_MODEL_H_
#define HANAS_EXPORT_ONNX_MODEL_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/graph/element_type.h"
#include "export/onnx_operators.h"
#include "onnx/onnx_pb.h"

namespace hanas {

/// Appends nodes, initialisers, inputs and outputs to an ONNX model; knows the protobuf and nothing of networks. Tensors are named by the
/// caller; every Add returns the name of the tensor it made, so that calls nest. Tensors of kInt8 are UINT8 in the model, every integer 128
/// higher (see onnx_writer.h).
///
/// Internal to export/. Thread-compatible.
class OnnxModel {
 public:
  explicit OnnxModel(const OnnxVersion& version);

  /// One node with one output, named after it.
  std::string AddNode(OnnxOp op, std::initializer_list<absl::string_view> inputs, absl::string_view output);
  // Attributes of the node added last, as export/onnx_operators.h lists them.
  void SetInt(absl::string_view name, int64_t value);
  void SetFloat(absl::string_view name, float value);
  void SetInts(absl::string_view name, absl::Span<const int64_t> values);

  /// kFloat32 or kFloat16.
  std::string AddFloats(absl::string_view name, absl::Span<const float> values, absl::Span<const int64_t> dims, ElementType type);
  /// kInt8, kInt4, or kInt2.
  std::string AddIntegers(absl::string_view name, absl::Span<const int8_t> values, absl::Span<const int64_t> dims, ElementType type);
  std::string AddInt32s(absl::string_view name, absl::Span<const int32_t> values);
  std::string AddInt64s(absl::string_view name, absl::Span<const int64_t> values);
  std::string AddFloatScalar(absl::string_view name, float value);
  std::string AddInt8Scalar(absl::string_view name, int8_t value);  // UINT8, 128 higher

  /// A first extent of 0 is the symbol "N". kFloat32 or kInt8.
  void AddInput(absl::string_view name, ElementType type, absl::Span<const int64_t> dims);
  void AddOutput(absl::string_view name, ElementType type, absl::Span<const int64_t> dims);
  void AddMetadata(absl::string_view key, absl::string_view value);

  /// A name that was given to two tensors, if there is one.
  const std::string& name_given_twice() const { return name_given_twice_; }

  void SetProducer(absl::string_view name, absl::string_view version, absl::string_view graph_name);
  std::string Serialize() const { return model_.SerializeAsString(); }

 private:
  /// Takes note of the name of a tensor that is made.
  void Define(absl::string_view name);
  onnx::TensorProto& AddTensor(absl::string_view name, int data_type, absl::Span<const int64_t> dims);
  onnx::AttributeProto& AddAttribute(absl::string_view name, OnnxAttributeType type);

  onnx::ModelProto model_;
  absl::flat_hash_set<std::string> names_;
  std::string name_given_twice_;
};

}  // namespace hanas

#endif  // HANAS_EXPORT_ONNX_MODEL_H_
