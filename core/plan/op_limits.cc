// SPDX-License-Identifier: Apache-2.0
#include "core/plan/op_limits.h"

#include "absl/strings/str_cat.h"
#include "core/base/bounds.h"

namespace hanas {
namespace {

bool IsComputeType(ElementType type) {
  return type == ElementType::kFloat32 || type == ElementType::kFloat16 || type == ElementType::kInt8;
}

/// Empty when the shape is usable.
absl::string_view ShapeProblem(const Shape& shape) {
  if (shape.size() != 2 && shape.size() != 4) return "expected a shape of rank 2 or 4";
  int64_t elements = 1;
  for (const int64_t extent : shape) {
    if (extent < 1 || extent > bounds::kMaxExtent) return "expected extents from 1 to 2^20";
    elements *= extent;
    if (elements > bounds::kMaxTensorElements) return "expected at most 2^26 elements";
  }
  return "";
}

absl::string_view WindowProblem(const OpKey& key) {
  if (key.kernel < 1 || key.kernel > bounds::kMaxOperatorKernel) return "expected a kernel from 1 to 64";
  if (key.stride < 1 || key.stride > bounds::kMaxOperatorStride) return "expected a stride from 1 to 64";
  if (key.dilation < 1 || key.dilation > bounds::kMaxOperatorDilation) return "expected a dilation from 1 to 64";
  const int extent = key.dilation * (key.kernel - 1) + 1;
  if (key.padding < 0 || key.padding >= extent) return "expected a padding below the kernel's extent";
  if (!SchemaOf(key.kind).has_window) return key.kernel == 1 && key.stride == 1 && key.dilation == 1 ? "" : "expected no window";
  // Padding never wins a maximum, so no window may lie in it alone.
  if (key.kind == OpKind::kMaxPool && 2 * key.padding >= key.kernel) return "expected a padding of less than half of the kernel";
  if (key.input[1] + 2 * key.padding < extent || key.input[2] + 2 * key.padding < extent)
    return "expected a kernel that fits the padded image";
  return "";
}

absl::string_view ChannelProblem(const OpKey& key) {
  const int64_t in = key.input.back();
  if (key.output_channels < 1 || key.output_channels > bounds::kMaxExtent) return "expected output channels from 1 to 2^20";
  if (key.groups < 1 || key.groups > in) return "expected groups from 1 to the input channels";
  const OpSchema& schema = SchemaOf(key.kind);
  if (schema.has_groups) {
    if (in % key.groups != 0 || key.output_channels % key.groups != 0) return "expected groups that divide the channels";
  } else {
    if (key.groups != 1) return "expected one group";
    if (!schema.has_weights && key.output_channels != in) return "expected as many output as input channels";
  }
  return "";
}

absl::string_view TypeProblem(const OpKey& key) {
  if (!IsComputeType(key.input_type) || !IsComputeType(key.output_type)) return "expected inputs and outputs of type f32, f16 or i8";
  if (key.kind == OpKind::kConvert)
    return key.weight_type == key.input_type ? "" : "expected the weight type of a conversion to be its input type";
  if (key.output_type != key.input_type) return "expected one type for inputs and outputs";
  if (key.weight_type == key.input_type) return "";
  const bool packed = key.kind == OpKind::kFullyConnected && key.weight_type == ElementType::kInt4 && key.input_type == ElementType::kInt8;
  return packed ? "" : "expected weights of the inputs' type, or i4 for a fully connected layer on i8";
}

/// Enumerators that exist; without them a key has no text.
bool Nameable(const OpKey& key) {
  if (!IsOpKind(static_cast<int64_t>(key.kind))) return false;
  if (static_cast<int>(key.activation) >= kNumFusedActivations) return false;
  for (const ElementType type : {key.input_type, key.weight_type, key.output_type}) {
    if (static_cast<uint8_t>(type) > static_cast<uint8_t>(ElementType::kInt32)) return false;
  }
  return true;
}

absl::string_view Problem(const OpKey& key) {
  if (absl::string_view problem = ShapeProblem(key.input); !problem.empty()) return problem;
  const OpSchema& schema = SchemaOf(key.kind);
  if (schema.rank == 4 && key.input.size() != 4) return "expected an image";
  if (schema.rank == 2 && key.input.size() != 2) return "expected a matrix";
  for (const absl::string_view problem : {ChannelProblem(key), WindowProblem(key), TypeProblem(key)}) {
    if (!problem.empty()) return problem;
  }
  if (!schema.Allows(key.activation)) return "expected an activation that this operator can have";
  if (absl::string_view problem = ShapeProblem(OutputShape(key)); !problem.empty()) return problem;
  if (schema.has_window && !schema.has_weights) {
    const Shape output = OutputShape(key);
    const int64_t taps = int64_t{key.kernel} * key.kernel;
    // Runtimes keep a pointer for each position of each window.
    if (output[1] * output[2] * taps > bounds::kMaxTensorElements) return "expected at most 2^26 positions in all windows";
    if (NumElements(output) * taps > bounds::kMaxMacs) return "expected at most 2^36 comparisons";
  }
  if (schema.has_weights) {
    // Extents are below 2^20 and kernels below 2^7, so that this cannot overflow.
    if (NumWeights(key) > bounds::kMaxWeightElements) return "expected at most 2^26 weights";
    if (Macs(key) > bounds::kMaxMacs) return "expected at most 2^36 multiply-accumulates";
  }
  return "";
}

}  // namespace

absl::Status CheckOpKey(const OpKey& key) {
  if (!Nameable(key))
    return absl::InvalidArgumentError("operator: expected a known kind, activation and element types, found an unknown enumerator");
  const absl::string_view problem = Problem(key);
  if (problem.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("operator: ", problem, ", found ", ToString(key)));
}

}  // namespace hanas
