// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/runtime/xnnpack/xnn_operator.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/graph/op_schema.h"
#include "core/plan/op_limits.h"
#include "profiler-agent/runtime/xnnpack/xnn_single_operator.h"

namespace hanas {
namespace {

bool Usable(const Quantizer& q) { return std::isfinite(q.scale) && q.scale > 0 && q.zero_point >= -128 && q.zero_point <= 127; }

absl::Status CheckSpec(const XnnOperatorSpec& spec) {
  const OpKey& key = spec.key;
  if (absl::Status status = CheckOpKey(key); !status.ok()) return status;
  const OpSchema& schema = SchemaOf(key.kind);
  const bool int8_in = key.input_type == ElementType::kInt8;
  if ((int8_in && (!Usable(spec.inputs[0]) || (schema.num_inputs() > 1 && !Usable(spec.inputs[1])))) ||
      (key.output_type == ElementType::kInt8 && !Usable(spec.output))) {
    return absl::InvalidArgumentError(
        absl::StrCat("operator: expected positive scales and zero points in [-128, 127] for ", ToString(key)));
  }
  if (key.output_type == ElementType::kInt8) {
    if (schema.keeps_quantizer && spec.output != spec.inputs[0])
      return absl::InvalidArgumentError(absl::StrCat("operator: expected one quantiser of input and output for ", ToString(key)));
    if (key.kind == OpKind::kSigmoid && spec.output != kSigmoidQuantizer)
      return absl::InvalidArgumentError(absl::StrCat("operator: expected an output at 1/256 with zero point -128 for ", ToString(key)));
  }
  const auto count = static_cast<size_t>(NumWeights(key));
  if (count == 0) return absl::OkStatus();
  const BoundWeights* w = spec.weights;
  const auto out = static_cast<size_t>(key.output_channels);
  const bool integers = w != nullptr && w->integers.size() == count && w->scales.size() == out && w->floats.empty();
  const bool floats = w != nullptr && w->floats.size() == count && w->integers.empty() && BitWidth(key.weight_type) > 8;
  if ((!integers && !floats) || w->bias.size() != out) {
    return absl::InvalidArgumentError(absl::StrCat("operator: the weights do not fit ", ToString(key)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<XnnOperator>> XnnOperator::Create(const XnnOperatorSpec& spec) {
  if (absl::Status status = CheckSpec(spec); !status.ok()) return status;
  switch (spec.key.kind) {
    case OpKind::kConv2d:
      return CreateConvolution(spec);
    case OpKind::kFullyConnected:
      return CreateFullyConnected(spec);
    case OpKind::kGlobalAveragePool:
      return CreateMean(spec);
    case OpKind::kMaxPool:
    case OpKind::kGlobalMaxPool:
      return CreateMaxPool(spec);
    case OpKind::kAdd:
    case OpKind::kMultiply:
    case OpKind::kProduct:
      return CreateBinary(spec);
    case OpKind::kConvert:
    case OpKind::kHardSwish:
    case OpKind::kSigmoid:
      return CreateUnary(spec);
  }
  return absl::InvalidArgumentError("operator: expected a known kind");  // CheckSpec refuses it
}

}  // namespace hanas
