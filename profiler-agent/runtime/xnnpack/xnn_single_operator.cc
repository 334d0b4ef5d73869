// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/runtime/xnnpack/xnn_single_operator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"

namespace hanas {

absl::Status ToStatus(xnn_status status, absl::string_view call, const OpKey& key) {
  if (status == xnn_status_success) return absl::OkStatus();
  const std::string message = absl::StrCat("xnnpack: ", call, " returned ", static_cast<int>(status), " for ", ToString(key));
  switch (status) {
    case xnn_status_out_of_memory:
      return absl::ResourceExhaustedError(message);
    case xnn_status_unsupported_hardware:
      return absl::UnimplementedError(message);
    default:
      return absl::InternalError(message);
  }
}

xnn_datatype DataType(ElementType type) {
  switch (type) {
    case ElementType::kFloat16:
      return xnn_datatype_fp16;
    case ElementType::kInt8:
      return xnn_datatype_qint8;
    default:
      return xnn_datatype_fp32;
  }
}

int8_t Quantize(float real, const Quantizer& quantizer) {
  return static_cast<int8_t>(
      std::clamp(std::nearbyint(real / quantizer.scale) + static_cast<float>(quantizer.zero_point), -128.0F, 127.0F));
}

LevelRange RangeOf(FusedActivation activation, const Quantizer& output) {
  LevelRange range;
  if (activation == FusedActivation::kNone) return range;
  range.low = Quantize(0, output);
  const auto above_low = static_cast<int8_t>(std::min(range.low + 1, 127));
  if (activation == FusedActivation::kHardSigmoid) range.high = std::max(Quantize(1, output), above_low);
  if (activation == FusedActivation::kRelu6) range.high = std::max(Quantize(6, output), above_low);
  if (range.low >= range.high) range.low = static_cast<int8_t>(range.high - 1);
  return range;
}

FloatRange RangeOf(FusedActivation activation) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  switch (activation) {
    case FusedActivation::kNone:
      break;
    case FusedActivation::kRelu:
      return {0, kInfinity};
    case FusedActivation::kHardSigmoid:
      return {0, 1};
    case FusedActivation::kRelu6:
      return {0, 6};
  }
  return {-kInfinity, kInfinity};
}

absl::Status SingleOperator::AllocateWorkspace(size_t bytes) {
  if (bytes == 0) return absl::OkStatus();
  workspace_ = AlignedBuffer(bytes);
  if (workspace_.data() != nullptr) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("xnnpack: no memory for a workspace of ", bytes, " bytes for ", ToString(key_)));
}

}  // namespace hanas
