// SPDX-License-Identifier: Apache-2.0
// Operators with weights.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "profiler-agent/runtime/arena.h"
#include "profiler-agent/runtime/xnnpack/xnn_single_operator.h"

namespace hanas {
namespace {

int32_t RoundToInt32(double value) {
  return static_cast<int32_t>(std::nearbyint(std::clamp(value, -1073741824.0, 1073741824.0)));  // half to even, room to accumulate
}

/// Weights and clamp of an operator as it executes, with the activation folded in.
struct FloatWeights {
  std::vector<float> kernel;  // output channel first, then spatial, then input channel
  std::vector<float> bias;
  FloatRange range;
};
struct IntegerWeights {
  std::vector<int8_t> kernel;
  std::vector<float> scales;
  std::vector<int32_t> bias;
  LevelRange range;
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
  result.range = RangeOf(key.activation);
  if (key.activation == FusedActivation::kHardSigmoid) {
    for (float& weight : result.kernel) weight /= 6;
    for (float& bias : result.bias) bias = bias / 6 + 0.5F;
  }
  return result;
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
  result.range = RangeOf(key.activation, output);
  return result;
}

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
    const xnn_status status =
        reshape(op_.get(), Size(key_.input[0]), Size(key_.input[1]), Size(key_.input[2]), &bytes, &alignment, &height, &width, pool_);
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
    return ToStatus(reshape(op_.get(), Size(key_.input[0]), pool_), "reshape of a fully connected operator", key_);
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
    xnn_status status =
        xnn_create_fully_connected_nc_qd8_f32_qc4w(in, out, in, out, kNibbleZero, scales.data(), nibbles.data(), floats.bias.data(),
                                                   floats.range.low, floats.range.high, 0, nullptr, nullptr, &op);
    if (status != xnn_status_success) return ToStatus(status, "xnn_create_fully_connected_nc_qd8_f32_qc4w", key);
    auto made = std::make_unique<PackedFullyConnected>();
    made->key_ = key;
    made->matrix_.reset(op);
    made->pool_ = PoolOf(spec.threads);
    status = xnn_reshape_fully_connected_nc_qd8_f32_qc4w(op, Size(key.input[0]), made->pool_);
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
    absl::StatusOr<std::unique_ptr<XnnOperator>> convert =
        XnnOperator::Create({.key = quantize, .output = spec.output, .threads = spec.threads});
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
    const xnn_status status = xnn_run_operator(matrix_.get(), pool_);
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
  pthreadpool_t pool_ = nullptr;
  std::vector<xnn_quantization_params> input_params_;
  AlignedBuffer real_;
  std::unique_ptr<XnnOperator> quantize_;
};

}  // namespace

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
        static_cast<int8_t>(spec.output.zero_point), spec.output.scale, w.range.low, w.range.high, 0, nullptr, nullptr, &op);
  } else {
    const FloatWeights w = MakeFloatWeights(key, *spec.weights);
    if (key.input_type == ElementType::kFloat16) {
      status = xnn_create_convolution2d_nhwc_f16(pad, pad, pad, pad, kernel, kernel, stride, stride, dilation, dilation, U32(key.groups),
                                                 group_in, group_out, in, out, w.kernel.data(), w.bias.data(), w.range.low, w.range.high,
                                                 XNN_FLAG_FP32_STATIC_WEIGHTS, nullptr, nullptr, &op);
    } else {
      status = xnn_create_convolution2d_nhwc_f32(pad, pad, pad, pad, kernel, kernel, stride, stride, dilation, dilation, U32(key.groups),
                                                 group_in, group_out, in, out, w.kernel.data(), w.bias.data(), w.range.low, w.range.high, 0,
                                                 nullptr, nullptr, &op);
    }
  }
  return Finish<Convolution>(spec, status, "create of a convolution", op);
}

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
        w.bias.data(), static_cast<int8_t>(spec.output.zero_point), spec.output.scale, w.range.low, w.range.high, 0, nullptr, nullptr, &op);
  } else {
    const FloatWeights w = MakeFloatWeights(key, *spec.weights);
    if (key.input_type == ElementType::kFloat16) {
      status = xnn_create_fully_connected_nc_f16(in, out, in, out, w.kernel.data(), w.bias.data(), w.range.low, w.range.high,
                                                 XNN_FLAG_FP32_STATIC_WEIGHTS, nullptr, nullptr, &op);
    } else {
      status = xnn_create_fully_connected_nc_f32(in, out, in, out, w.kernel.data(), w.bias.data(), w.range.low, w.range.high, 0, nullptr,
                                                 nullptr, &op);
    }
  }
  return Finish<FullyConnected>(spec, status, "create of a fully connected operator", op);
}

}  // namespace hanas
