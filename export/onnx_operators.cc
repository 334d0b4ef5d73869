// SPDX-License-Identifier: Apache-2.0
#include "export/onnx_operators.h"

#include <algorithm>
#include <array>

namespace hanas {
namespace {

constexpr auto kInt = OnnxAttributeType::kInt;
constexpr auto kFloat = OnnxAttributeType::kFloat;
constexpr auto kInts = OnnxAttributeType::kInts;

constexpr OnnxAttribute kCastAttributes[] = {{"to", kInt}};
constexpr OnnxAttribute kConvAttributes[] = {
    {"kernel_shape", kInts}, {"strides", kInts}, {"pads", kInts}, {"dilations", kInts}, {"group", kInt}};
constexpr OnnxAttribute kDequantizeAttributes[] = {
    {"axis", kInt, /*required=*/false}};  // of weights and biases, and of what wider layers read
constexpr OnnxAttribute kFlattenAttributes[] = {{"axis", kInt}};
constexpr OnnxAttribute kGemmAttributes[] = {{"transB", kInt}};
constexpr OnnxAttribute kHardSigmoidAttributes[] = {{"alpha", kFloat}, {"beta", kFloat}};
constexpr OnnxAttribute kMaxPoolAttributes[] = {{"kernel_shape", kInts}, {"strides", kInts}, {"pads", kInts}, {"dilations", kInts}};

constexpr std::array kOps = {
    OnnxOpDescription{OnnxOp::kAdd, "Add", 2, 2, {}},
    OnnxOpDescription{OnnxOp::kCast, "Cast", 1, 1, kCastAttributes},
    OnnxOpDescription{OnnxOp::kClip, "Clip", 3, 3, {}},
    OnnxOpDescription{OnnxOp::kConv, "Conv", 3, 3, kConvAttributes},
    OnnxOpDescription{OnnxOp::kDequantizeLinear, "DequantizeLinear", 2, 3, kDequantizeAttributes},
    OnnxOpDescription{OnnxOp::kFlatten, "Flatten", 1, 1, kFlattenAttributes},
    OnnxOpDescription{OnnxOp::kGemm, "Gemm", 3, 3, kGemmAttributes},
    OnnxOpDescription{OnnxOp::kGlobalAveragePool, "GlobalAveragePool", 1, 1, {}},
    OnnxOpDescription{OnnxOp::kGlobalMaxPool, "GlobalMaxPool", 1, 1, {}},
    OnnxOpDescription{OnnxOp::kHardSigmoid, "HardSigmoid", 1, 1, kHardSigmoidAttributes},
    OnnxOpDescription{OnnxOp::kMaxPool, "MaxPool", 1, 1, kMaxPoolAttributes},
    OnnxOpDescription{OnnxOp::kMul, "Mul", 2, 2, {}},
    OnnxOpDescription{OnnxOp::kQuantizeLinear, "QuantizeLinear", 3, 3, {}},
    OnnxOpDescription{OnnxOp::kRelu, "Relu", 1, 1, {}},
    OnnxOpDescription{OnnxOp::kSigmoid, "Sigmoid", 1, 1, {}},
    OnnxOpDescription{OnnxOp::kUnsqueeze, "Unsqueeze", 2, 2, {}},
};

constexpr bool IsInOrder() {
  for (size_t i = 0; i < kOps.size(); ++i) {
    if (static_cast<size_t>(kOps[i].op) != i) return false;
  }
  return true;
}
static_assert(IsInOrder());

}  // namespace

absl::Span<const OnnxOpDescription> OnnxOps() { return kOps; }

const OnnxOpDescription& Describe(OnnxOp op) { return kOps[static_cast<size_t>(op)]; }

const OnnxOpDescription* FindOnnxOp(absl::string_view name) {
  const auto* const found = std::find_if(kOps.begin(), kOps.end(), [name](const OnnxOpDescription& op) { return op.name == name; });
  return found == kOps.end() ? nullptr : &*found;
}

const OnnxAttribute* FindAttribute(const OnnxOpDescription& op, absl::string_view name) {
  const auto found =
      std::find_if(op.attributes.begin(), op.attributes.end(), [name](const OnnxAttribute& attribute) { return attribute.name == name; });
  return found == op.attributes.end() ? nullptr : &*found;
}

}  // namespace hanas
