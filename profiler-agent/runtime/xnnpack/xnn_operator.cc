// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/runtime/xnnpack/xnn_operator.h"

#include <xnnpack.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/plan/op_limits.h"
#include "profiler-agent/runtime/arena.h"

namespace hanas {
namespace {

static_assert(kTensorSlackBytes >= XNN_EXTRA_BYTES, "tensors need XNNPACK's slack");

constexpr pthreadpool_t kCallingThread = nullptr;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

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

struct DeleteOperator {
  void operator()(xnn_operator_t op) const { xnn_delete_operator(op); }
};
using OwnedOperator = std::unique_ptr<xnn_operator, DeleteOperator>;

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

xnn_quantization_params Params(const Quantizer& quantizer) { return {quantizer.zero_point, quantizer.scale}; }
size_t Size(int64_t value) { return static_cast<size_t>(value); }
uint32_t U32(int64_t value) { return static_cast<uint32_t>(value); }

int32_t RoundToInt32(double value) {
  return static_cast<int32_t>(std::nearbyint(std::clamp(value, -1073741824.0, 1073741824.0)));  // half to even, room to accumulate
}

/// Weights and clamp of an operator as it executes, with the activation folded in.
struct FloatWeights {
  std::vector<float> kernel;  // output channel first, then spatial, then input channel
  std::vector<float> bias;
  float low = -kInfinity;
  float high = kInfinity;
};
struct IntegerWeights {
  std::vector<int8_t> kernel;
  std::vector<float> scales;
  std::vector<int32_t> bias;
  int8_t low = -128;
  int8_t high = 127;
};

/// [out][in/groups][kh][kw] -> [out][kh][kw][in/groups].
template <typename T>
std::vector<T> ChannelsLast(const OpKey& key, const std::vector<T>& weights) {
  const size_t in = Size(key.input.back() / key.groups);
  const size_t taps = Size(int64_t{key.kernel} * key.kernel);
  if (in == 1 || taps == 1) return weights;
  std::vector<T> result(weights.size());
  for (size_t o = 0; o < Size(key.output_channels); ++o) {
    for (size_t i = 0; i < in; ++i) {
      for (size_t t = 0; t < taps; ++t) result[(o * taps + t) * in + i] = weights[(o * in + i) * taps + t];
    }
  }
  return result;
}

FloatWeights MakeFloatWeights(const OpKey& key, const BoundWeights& bound) {
  FloatWeights result;
  std::vector<float> weights = bound.floats;
  if (weights.empty()) {
    const size_t per_channel = bound.integers.size() / bound.scales.size();
    weights.resize(bound.integers.size());
    for (size_t i = 0; i < weights.size(); ++i) weights[i] = bound.scales[i / per_channel] * static_cast<float>(bound.integers[i]);
  }
  result.kernel = ChannelsLast(key, weights);
  result.bias = bound.bias;
  if (key.activation == FusedActivation::kRelu) result.low = 0;
  if (key.activation == FusedActivation::kHardSigmoid) {
    for (float& weight : result.kernel) weight /= 6;
    for (float& bias : result.bias) bias = bias / 6 + 0.5F;
    result.low = 0;
    result.high = 1;
  }
  return result;
}

int8_t Quantize(float real, const Quantizer& quantizer) {
  return static_cast<int8_t>(
      std::clamp(std::nearbyint(real / quantizer.scale) + static_cast<float>(quantizer.zero_point), -128.0F, 127.0F));
}

IntegerWeights MakeIntegerWeights(const OpKey& key, const BoundWeights& bound, const Quantizer& input, const Quantizer& output) {
  IntegerWeights result{.kernel = ChannelsLast(key, bound.integers), .scales = bound.scales};
  result.bias.resize(bound.bias.size());
  const bool hard_sigmoid = key.activation == FusedActivation::kHardSigmoid;
  for (size_t o = 0; o < result.bias.size(); ++o) {
    const double step = static_cast<double>(input.scale) * bound.scales[o];
    // (w x + b) / 6 + 1/2 with steps divided by 6 is (b + 3) in the old steps.
    result.bias[o] = RoundToInt32((bound.bias[o] + (hard_sigmoid ? 3.0 : 0.0)) / step);
    if (hard_sigmoid) result.scales[o] /= 6;
  }
  if (key.activation != FusedActivation::kNone) result.low = Quantize(0, output);
  if (hard_sigmoid) result.high = std::max(Quantize(1, output), static_cast<int8_t>(std::min<int>(result.low + 1, 127)));
  if (result.low >= result.high) result.low = static_cast<int8_t>(result.high - 1);  // XNNPACK wants a range, not a point
  return result;
}

/// One XNNPACK operator with the function that sets its tensors.
class SingleOperator : public XnnOperator {
 public:
  SingleOperator(OpKey key, xnn_operator_t op) : key_(std::move(key)), op_(op) {}

  absl::Status Run() override {
    const xnn_status status = xnn_run_operator(op_.get(), kCallingThread);
    if (status == xnn_status_success) [[likely]]
      return absl::OkStatus();
    return ToStatus(status, "xnn_run_operator", key_);
  }

 protected:
  absl::Status AllocateWorkspace(size_t bytes) {
    if (bytes == 0) return absl::OkStatus();
    workspace_ = AlignedBuffer(bytes);
    if (workspace_.data() != nullptr) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat("xnnpack: no memory for a workspace of ", bytes, " bytes for ", ToString(key_)));
  }

  OpKey key_;
  OwnedOperator op_;
  AlignedBuffer workspace_;
};

class Convolution : public SingleOperator {
 public:
  using SingleOperator::SingleOperator;

  absl::Status Reshape() {
    const auto reshape = key_.input_type == ElementType::kInt8      ? &xnn_reshape_convolution2d_nhwc_qs8_qc8w
                         : key_.input_type == ElementType::kFloat16 ? &xnn_reshape_convolution2d_nhwc_f16
                                                                    : &xnn_reshape_convolution2d_nhwc_f32;
    size_t bytes = 0;
    size_t alignment = 0;
    size_t height = 0;
    size_t width = 0;
    const xnn_status status = reshape(op_.get(), Size(key_.input[0]), Size(key_.input[1]), Size(key_.input[2]), &bytes, &alignment, &height,
                                      &width, kCallingThread);
    if (status != xnn_status_success) return ToStatus(status, "reshape of a convolution", key_);
    const Shape expected = OutputShape(key_);
    if (height != Size(expected[1]) || width != Size(expected[2])) {
      return absl::InternalError(absl::StrCat("xnnpack: expected an output of ", ToString(expected), ", found ", height, "x", width));
    }
    return AllocateWorkspace(bytes);
  }

  absl::Status Bind(const void* first, const void*, void* output) override {
    const auto call = [&]() {
      switch (key_.input_type) {
        case ElementType::kInt8:
          return xnn_setup_convolution2d_nhwc_qs8_qc8w(op_.get(), workspace_.data(), static_cast<const int8_t*>(first),
                                                       static_cast<int8_t*>(output));
        case ElementType::kFloat16:
          return xnn_setup_convolution2d_nhwc_f16(op_.get(), workspace_.data(), first, output);
        default:
          return xnn_setup_convolution2d_nhwc_f32(op_.get(), workspace_.data(), static_cast<const float*>(first),
                                                  static_cast<float*>(output));
      }
    };
    return ToStatus(call(), "setup of a convolution", key_);
  }
};

class FullyConnected : public SingleOperator {
 public:
  using SingleOperator::SingleOperator;

  absl::Status Reshape() {
    const auto reshape = key_.input_type == ElementType::kInt8      ? &xnn_reshape_fully_connected_nc_qs8_qc8w
                         : key_.input_type == ElementType::kFloat16 ? &xnn_reshape_fully_connected_nc_f16
                                                                    : &xnn_reshape_fully_connected_nc_f32;
    return ToStatus(reshape(op_.get(), Size(key_.input[0]), kCallingThread), "reshape of a fully connected operator", key_);
  }

  absl::Status Bind(const void* first, const void*, void* output) override {
    const auto call = [&]() {
      switch (key_.input_type) {
        case ElementType::kInt8:
          return xnn_setup_fully_connected_nc_qs8_qc8w(op_.get(), static_cast<const int8_t*>(first), static_cast<int8_t*>(output));
        case ElementType::kFloat16:
          return xnn_setup_fully_connected_nc_f16(op_.get(), first, output);
        default:
          return xnn_setup_fully_connected_nc_f32(op_.get(), static_cast<const float*>(first), static_cast<float*>(output));
      }
    };
    return ToStatus(call(), "setup of a fully connected operator", key_);
  }
};

class Reduction : public SingleOperator {
 public:
  using SingleOperator::SingleOperator;

  absl::Status Reshape() {
    const std::array<int64_t, 2> axes = {1, 2};
    std::array<size_t, 4> shape;
    std::copy(key_.input.begin(), key_.input.end(), shape.begin());
    size_t bytes = 0;
    size_t alignment = 0;
    const xnn_status status =
        xnn_reshape_reduce_nd(op_.get(), axes.size(), axes.data(), shape.size(), shape.data(), &bytes, &alignment, kCallingThread);
    if (status != xnn_status_success) return ToStatus(status, "xnn_reshape_reduce_nd", key_);
    // float32 sums straight into its output; given a workspace, XNNPACK would call a conversion that this operator does not have.
    return key_.input_type == ElementType::kFloat32 ? absl::OkStatus() : AllocateWorkspace(bytes);
  }

  absl::Status Bind(const void* first, const void*, void* output) override {
    return ToStatus(xnn_setup_reduce_nd(op_.get(), workspace_.data(), first, output), "xnn_setup_reduce_nd", key_);
  }
};

class Binary : public SingleOperator {
 public:
  using SingleOperator::SingleOperator;

  absl::Status Reshape() {
    std::vector<size_t> first(key_.input.begin(), key_.input.end());
    std::vector<size_t> second = first;
    if (key_.kind == OpKind::kMultiply) second = {first[0], 1, 1, first[3]};
    return ToStatus(xnn_reshape_binary_elementwise_nd(op_.get(), first.size(), first.data(), second.size(), second.data(), kCallingThread),
                    "xnn_reshape_binary_elementwise_nd", key_);
  }

  absl::Status Bind(const void* first, const void* second, void* output) override {
    return ToStatus(xnn_setup_binary_elementwise_nd(op_.get(), first, second, output), "xnn_setup_binary_elementwise_nd", key_);
  }
};

class Unary : public SingleOperator {
 public:
  using SingleOperator::SingleOperator;

  absl::Status Reshape() {
    const size_t channels = Size(key_.input.back());
    return ToStatus(
        xnn_reshape_unary_elementwise_nc(op_.get(), Size(NumElements(key_.input)) / channels, channels, channels, channels, kCallingThread),
        "xnn_reshape_unary_elementwise_nc", key_);
  }

  absl::Status Bind(const void* first, const void*, void* output) override {
    return ToStatus(xnn_setup_unary_elementwise_nc(op_.get(), first, output), "xnn_setup_unary_elementwise_nc", key_);
  }
};

template <typename T>
absl::StatusOr<std::unique_ptr<XnnOperator>> Finish(const OpKey& key, xnn_status status, absl::string_view call, xnn_operator_t op) {
  if (status != xnn_status_success) return ToStatus(status, call, key);
  auto made = std::make_unique<T>(key, op);
  if (absl::Status reshaped = made->Reshape(); !reshaped.ok()) return reshaped;
  return made;
}

absl::StatusOr<std::unique_ptr<XnnOperator>> CreateConvolution(const XnnOperatorSpec& spec) {
  const OpKey& key = spec.key;
  const auto pad = U32(key.padding);
  const auto kernel = U32(key.kernel);
  const auto stride = U32(key.stride);
  const auto dilation = U32(key.dilation);
  const size_t in = Size(key.input[3]);
  const size_t out = Size(key.output_channels);
  const size_t group_in = in / Size(key.groups);
  const size_t group_out = out / Size(key.groups);
  xnn_operator_t op = nullptr;
  xnn_status status = xnn_status_invalid_state;
  if (key.input_type == ElementType::kInt8) {
    const IntegerWeights w = MakeIntegerWeights(key, *spec.weights, spec.inputs[0], spec.output);
    status = xnn_create_convolution2d_nhwc_qs8_qc8w(
        pad, pad, pad, pad, kernel, kernel, stride, stride, dilation, dilation, U32(key.groups), group_in, group_out, in, out,
        static_cast<int8_t>(spec.inputs[0].zero_point), spec.inputs[0].scale, w.scales.data(), w.kernel.data(), w.bias.data(),
        static_cast<int8_t>(spec.output.zero_point), spec.output.scale, w.low, w.high, 0, nullptr, nullptr, &op);
  } else {
    const FloatWeights w = MakeFloatWeights(key, *spec.weights);
    if (key.input_type == ElementType::kFloat16) {
      status = xnn_create_convolution2d_nhwc_f16(pad, pad, pad, pad, kernel, kernel, stride, stride, dilation, dilation, U32(key.groups),
                                                 group_in, group_out, in, out, w.kernel.data(), w.bias.data(), w.low, w.high,
                                                 XNN_FLAG_FP32_STATIC_WEIGHTS, nullptr, nullptr, &op);
    } else {
      status = xnn_create_convolution2d_nhwc_f32(pad, pad, pad, pad, kernel, kernel, stride, stride, dilation, dilation, U32(key.groups),
                                                 group_in, group_out, in, out, w.kernel.data(), w.bias.data(), w.low, w.high, 0, nullptr,
                                                 nullptr, &op);
    }
  }
  return Finish<Convolution>(key, status, "create of a convolution", op);
}

/// int8 inputs, 4-bit weights: the kernel for dynamically quantised inputs with the layer's own quantiser, then a quantisation.
class PackedFullyConnected : public XnnOperator {
 public:
  static absl::StatusOr<std::unique_ptr<XnnOperator>> CreatePacked(const XnnOperatorSpec& spec) {
    const OpKey& key = spec.key;
    const FloatWeights floats = MakeFloatWeights(key, *spec.weights);
    std::vector<float> scales = spec.weights->scales;
    if (key.activation == FusedActivation::kHardSigmoid) {
      for (float& scale : scales) scale /= 6;
    }
    const std::vector<uint8_t> nibbles = Pack(key, spec.weights->integers);
    const size_t in = Size(key.input[1]);
    const size_t out = Size(key.output_channels);
    xnn_operator_t op = nullptr;
    xnn_status status = xnn_create_fully_connected_nc_qd8_f32_qc4w(in, out, in, out, kNibbleZero, scales.data(), nibbles.data(),
                                                                   floats.bias.data(), floats.low, floats.high, 0, nullptr, nullptr, &op);
    if (status != xnn_status_success) return ToStatus(status, "xnn_create_fully_connected_nc_qd8_f32_qc4w", key);
    auto made = std::make_unique<PackedFullyConnected>();
    made->key_ = key;
    made->matrix_.reset(op);
    status = xnn_reshape_fully_connected_nc_qd8_f32_qc4w(op, Size(key.input[0]), kCallingThread);
    if (status != xnn_status_success) return ToStatus(status, "xnn_reshape_fully_connected_nc_qd8_f32_qc4w", key);
    made->input_params_.assign(Size(key.input[0]) + XNN_EXTRA_QUANTIZATION_PARAMS, Params(spec.inputs[0]));
    made->real_ = AlignedBuffer(Size(key.input[0]) * out * sizeof(float));
    if (made->real_.data() == nullptr) return absl::ResourceExhaustedError(absl::StrCat("xnnpack: no memory for ", ToString(key)));
    const OpKey quantize = {.kind = OpKind::kConvert,
                            .input = {key.input[0], key.output_channels},
                            .output_channels = key.output_channels,
                            .input_type = ElementType::kFloat32,
                            .weight_type = ElementType::kFloat32,
                            .output_type = ElementType::kInt8};
    absl::StatusOr<std::unique_ptr<XnnOperator>> convert = XnnOperator::Create({.key = quantize, .output = spec.output});
    if (!convert.ok()) return convert.status();
    made->quantize_ = *std::move(convert);
    return made;
  }

  absl::Status Bind(const void* first, const void*, void* output) override {
    const xnn_status status = xnn_setup_fully_connected_nc_qd8_f32_qc4w(matrix_.get(), static_cast<const int8_t*>(first),
                                                                        reinterpret_cast<float*>(real_.data()), input_params_.data());
    if (status != xnn_status_success) return ToStatus(status, "xnn_setup_fully_connected_nc_qd8_f32_qc4w", key_);
    return quantize_->Bind(real_.data(), nullptr, output);
  }

  absl::Status Run() override {
    const xnn_status status = xnn_run_operator(matrix_.get(), kCallingThread);
    if (status != xnn_status_success) return ToStatus(status, "xnn_run_operator", key_);
    return quantize_->Run();
  }

 private:
  static constexpr uint8_t kNibbleZero = 8;

  /// Two to a byte, low nibble first, rows padded to whole bytes.
  static std::vector<uint8_t> Pack(const OpKey& key, const std::vector<int8_t>& integers) {
    const size_t in = Size(key.input[1]);
    const size_t row_bytes = (in + 1) / 2;
    std::vector<uint8_t> packed(row_bytes * Size(key.output_channels) + XNN_EXTRA_BYTES, kNibbleZero | (kNibbleZero << 4));
    for (size_t i = 0; i < integers.size(); ++i) {
      uint8_t& byte = packed[i / in * row_bytes + i % in / 2];
      const auto nibble = static_cast<uint8_t>(integers[i] + kNibbleZero);
      byte = i % in % 2 == 0 ? static_cast<uint8_t>((byte & 0xF0) | nibble) : static_cast<uint8_t>((byte & 0x0F) | (nibble << 4));
    }
    return packed;
  }

  OpKey key_;
  OwnedOperator matrix_;
  std::vector<xnn_quantization_params> input_params_;
  AlignedBuffer real_;
  std::unique_ptr<XnnOperator> quantize_;
};

absl::StatusOr<std::unique_ptr<XnnOperator>> CreateFullyConnected(const XnnOperatorSpec& spec) {
  const OpKey& key = spec.key;
  if (key.weight_type == ElementType::kInt4) return PackedFullyConnected::CreatePacked(spec);
  const size_t in = Size(key.input[1]);
  const size_t out = Size(key.output_channels);
  xnn_operator_t op = nullptr;
  xnn_status status = xnn_status_invalid_state;
  if (key.input_type == ElementType::kInt8) {
    const IntegerWeights w = MakeIntegerWeights(key, *spec.weights, spec.inputs[0], spec.output);
    status = xnn_create_fully_connected_nc_qs8_qc8w(
        in, out, in, out, static_cast<int8_t>(spec.inputs[0].zero_point), spec.inputs[0].scale, w.scales.data(), w.kernel.data(),
        w.bias.data(), static_cast<int8_t>(spec.output.zero_point), spec.output.scale, w.low, w.high, 0, nullptr, nullptr, &op);
  } else {
    const FloatWeights w = MakeFloatWeights(key, *spec.weights);
    if (key.input_type == ElementType::kFloat16) {
      status = xnn_create_fully_connected_nc_f16(in, out, in, out, w.kernel.data(), w.bias.data(), w.low, w.high,
                                                 XNN_FLAG_FP32_STATIC_WEIGHTS, nullptr, nullptr, &op);
    } else {
      status = xnn_create_fully_connected_nc_f32(in, out, in, out, w.kernel.data(), w.bias.data(), w.low, w.high, 0, nullptr, nullptr, &op);
    }
  }
  return Finish<FullyConnected>(key, status, "create of a fully connected operator", op);
}

absl::StatusOr<std::unique_ptr<XnnOperator>> CreateElementwise(const XnnOperatorSpec& spec) {
  const OpKey& key = spec.key;
  const xnn_quantization_params first = Params(spec.inputs[0]);
  const xnn_quantization_params second = Params(spec.inputs[1]);
  const xnn_quantization_params output = Params(spec.output);
  xnn_operator_t op = nullptr;
  switch (key.kind) {
    case OpKind::kGlobalAveragePool: {
      const xnn_status status = xnn_create_reduce_nd(xnn_reduce_mean, DataType(key.input_type), &first, &output, 0, &op);
      return Finish<Reduction>(key, status, "xnn_create_reduce_nd", op);
    }
    case OpKind::kAdd:
    case OpKind::kMultiply: {
      const xnn_binary_operator type = key.kind == OpKind::kAdd ? xnn_binary_add : xnn_binary_multiply;
      const xnn_status status = xnn_create_binary_elementwise_nd(type, DataType(key.input_type), &first, &second, &output, 0, &op);
      return Finish<Binary>(key, status, "xnn_create_binary_elementwise_nd", op);
    }
    default: {
      const xnn_unary_operator type = key.kind == OpKind::kHardSwish ? xnn_unary_hardswish : xnn_unary_convert;
      const xnn_status status =
          xnn_create_unary_elementwise_nc(type, DataType(key.input_type), DataType(key.output_type), nullptr, &first, &output, 0, &op);
      return Finish<Unary>(key, status, "xnn_create_unary_elementwise_nc", op);
    }
  }
}

bool Usable(const Quantizer& q) { return std::isfinite(q.scale) && q.scale > 0 && q.zero_point >= -128 && q.zero_point <= 127; }

absl::Status CheckSpec(const XnnOperatorSpec& spec) {
  const OpKey& key = spec.key;
  if (absl::Status status = CheckOpKey(key); !status.ok()) return status;
  const bool two_inputs = key.kind == OpKind::kAdd || key.kind == OpKind::kMultiply;
  const bool int8_in = key.input_type == ElementType::kInt8;
  if ((int8_in && (!Usable(spec.inputs[0]) || (two_inputs && !Usable(spec.inputs[1])))) ||
      (key.output_type == ElementType::kInt8 && !Usable(spec.output))) {
    return absl::InvalidArgumentError(
        absl::StrCat("operator: expected positive scales and zero points in [-128, 127] for ", ToString(key)));
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
    default:
      return CreateElementwise(spec);
  }
}

}  // namespace hanas
