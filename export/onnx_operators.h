// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_EXPORT_ONNX_OPERATORS_H_
#define HANAS_EXPORT_ONNX_OPERATORS_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace hanas {

// The operators of the models that this project writes, said once: OnnxModel writes no other, CheckOnnx admits no other.
//
// They are primitive: ONNX Runtime has a kernel for each. Operators that it knows only as a function of others (HardSwish, say) are written
// as what they mean, because the runtime reads the text of such functions, with their constants, by the rules of the process's locale.

enum class OnnxOp : uint8_t {
  kAdd,
  kCast,
  kClip,
  kConv,
  kDequantizeLinear,
  kFlatten,
  kGemm,
  kGlobalAveragePool,
  kGlobalMaxPool,
  kHardSigmoid,
  kMaxPool,
  kMul,
  kQuantizeLinear,
  kRelu,
  kSigmoid,
  kUnsqueeze,
};

enum class OnnxAttributeType : uint8_t { kInt, kFloat, kInts };

struct OnnxAttribute {
  absl::string_view name;
  OnnxAttributeType type;
  bool required = true;
};

struct OnnxOpDescription {
  OnnxOp op;
  absl::string_view name;  // the op_type, of the default domain
  int min_inputs = 1;
  int max_inputs = 1;
  absl::Span<const OnnxAttribute> attributes;
};

/// In the order of the enumeration.
absl::Span<const OnnxOpDescription> OnnxOps();
const OnnxOpDescription& Describe(OnnxOp op);
/// Null when no operator has the name.
const OnnxOpDescription* FindOnnxOp(absl::string_view name);
/// Null when the operator has no such attribute.
const OnnxAttribute* FindAttribute(const OnnxOpDescription& op, absl::string_view name);

/// What else a file is made of.
struct OnnxVersion {
  int64_t opset = 21;  // the first with INT4; ONNX Runtime 1.18 and later
  int64_t ir = 10;
};
inline constexpr OnnxVersion kOnnxVersion;
inline constexpr OnnxVersion kOnnxInt2Version = {.opset = 25, .ir = 13};
/// TensorProto.DataType of ONNX 1.20; the distribution's headers end before it.
inline constexpr int kOnnxInt2 = 26;
/// The first axis of input and output where the batch is symbolic.
inline constexpr char kOnnxBatchSymbol[] = "N";
/// Begins the key of every entry of the metadata.
inline constexpr char kOnnxMetadataPrefix[] = "hanas.";

}  // namespace hanas

#endif  // HANAS_EXPORT_ONNX_OPERATORS_H_
