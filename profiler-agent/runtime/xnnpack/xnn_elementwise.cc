// SPDX-License-Identifier: Apache-2.0
// Operators without weights.

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/graph/op_schema.h"
#include "profiler-agent/runtime/xnnpack/xnn_single_operator.h"

namespace hanas {
namespace {

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
        xnn_reshape_reduce_nd(op_.get(), axes.size(), axes.data(), shape.size(), shape.data(), &bytes, &alignment, pool_);
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
    if (SchemaOf(key_.kind).second == SecondOperand::kChannels) second = {first[0], 1, 1, first[3]};
    return ToStatus(xnn_reshape_binary_elementwise_nd(op_.get(), first.size(), first.data(), second.size(), second.data(), pool_),
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
        xnn_reshape_unary_elementwise_nc(op_.get(), Size(NumElements(key_.input)) / channels, channels, channels, channels, pool_),
        "xnn_reshape_unary_elementwise_nc", key_);
  }

  absl::Status Bind(const void* first, const void*, void* output) override {
    return ToStatus(xnn_setup_unary_elementwise_nc(op_.get(), first, output), "xnn_setup_unary_elementwise_nc", key_);
  }
};

/// A binary operator, then a clamp of its output in place: XNNPACK's binary operators have no bounds of their own.
class Clamped : public XnnOperator {
 public:
  Clamped(std::unique_ptr<XnnOperator> binary, std::unique_ptr<XnnOperator> clamp) : binary_(std::move(binary)), clamp_(std::move(clamp)) {}

  absl::Status Bind(const void* first, const void* second, void* output) override {
    if (absl::Status status = binary_->Bind(first, second, output); !status.ok()) return status;
    return clamp_->Bind(output, nullptr, output);
  }

  absl::Status Run() override {
    if (absl::Status status = binary_->Run(); !status.ok()) return status;
    return clamp_->Run();
  }

 private:
  std::unique_ptr<XnnOperator> binary_;
  std::unique_ptr<XnnOperator> clamp_;
};

/// Null when every result of the type lies within the bounds anyway.
absl::StatusOr<std::unique_ptr<XnnOperator>> CreateClamp(const XnnOperatorSpec& spec) {
  const OpKey& key = spec.key;
  const Quantizer& output = spec.output;
  if (key.activation == FusedActivation::kNone) return nullptr;
  FloatRange range = RangeOf(key.activation);
  if (key.output_type == ElementType::kInt8) {
    // XNNPACK quantises the bounds that it is given: these are levels exactly.
    const LevelRange levels = RangeOf(key.activation, output);
    if (levels.low == -128 && levels.high == 127) return nullptr;
    range = {output.scale * static_cast<float>(levels.low - output.zero_point),
             output.scale * static_cast<float>(levels.high - output.zero_point)};
  }
  const xnn_unary_params bounds = {.clamp = {.min = range.low, .max = range.high}};
  const xnn_quantization_params quantization = Params(output);
  const xnn_datatype type = DataType(key.output_type);
  xnn_operator_t op = nullptr;
  const xnn_status status = xnn_create_unary_elementwise_nc(xnn_unary_clamp, type, type, &bounds, &quantization, &quantization, 0, &op);
  return Finish<Unary>(spec, status, "xnn_create_unary_elementwise_nc of a clamp", op);
}

/// Height and width of the window of a max-pool, which is the whole image for a global one.
struct Window {
  int64_t height = 0;
  int64_t width = 0;
};
Window WindowOf(const OpKey& key) {
  if (SchemaOf(key.kind).output == OutputRule::kPooled) return {key.input[1], key.input[2]};
  return {key.kernel, key.kernel};
}
Window StepOf(const OpKey& key) {
  if (SchemaOf(key.kind).output == OutputRule::kPooled) return {1, 1};
  return {key.stride, key.stride};
}

class MaxPool : public SingleOperator {
 public:
  using SingleOperator::SingleOperator;

  absl::Status Reshape() {
    const auto reshape = key_.input_type == ElementType::kInt8      ? &xnn_reshape_max_pooling2d_nhwc_s8
                         : key_.input_type == ElementType::kFloat16 ? &xnn_reshape_max_pooling2d_nhwc_f16
                                                                    : &xnn_reshape_max_pooling2d_nhwc_f32;
    const size_t channels = Size(key_.input[3]);
    size_t height = 0;
    size_t width = 0;
    const xnn_status status = reshape(op_.get(), Size(key_.input[0]), Size(key_.input[1]), Size(key_.input[2]), channels, channels,
                                      channels, &height, &width, pool_);
    if (status != xnn_status_success) return ToStatus(status, "reshape of a max-pool", key_);
    if (const Shape expected = OutputShape(key_); height * width * Size(expected[0]) * channels != Size(NumElements(expected))) {
      return absl::InternalError(absl::StrCat("xnnpack: expected an output of ", ToString(expected), ", found ", height, "x", width));
    }
    return absl::OkStatus();
  }

  absl::Status Bind(const void* first, const void*, void* output) override {
    const auto call = [&]() {
      switch (key_.input_type) {
        case ElementType::kInt8:
          return xnn_setup_max_pooling2d_nhwc_s8(op_.get(), static_cast<const int8_t*>(first), static_cast<int8_t*>(output));
        case ElementType::kFloat16:
          return xnn_setup_max_pooling2d_nhwc_f16(op_.get(), first, output);
        default:
          return xnn_setup_max_pooling2d_nhwc_f32(op_.get(), static_cast<const float*>(first), static_cast<float*>(output));
      }
    };
    return ToStatus(call(), "setup of a max-pool", key_);
  }
};

/// Max-pools that XNNPACK refuses as meaningless: windows of one pixel, and those further apart than they are wide. Plain loops, a row of
/// the output at a time.
template <typename Number>
class PlainMaxPool : public XnnOperator {
 public:
  PlainMaxPool(OpKey key, XnnThreads* threads)
      : key_(std::move(key)), pool_(PoolOf(threads)), window_(WindowOf(key_)), step_(StepOf(key_)) {
    const Shape output = OutputShape(key_);
    if (output.size() != 4) return;
    rows_ = output[1];
    columns_ = output[2];
  }

  absl::Status Bind(const void* first, const void*, void* output) override {
    input_ = static_cast<const Number*>(first);
    output_ = static_cast<Number*>(output);
    return absl::OkStatus();
  }

  absl::Status Run() override {
    const pthreadpool_task_2d_t row = [](void* self, size_t n, size_t y) {
      static_cast<const PlainMaxPool*>(self)->PoolRow(static_cast<int64_t>(n), static_cast<int64_t>(y));
    };
    pthreadpool_parallelize_2d(pool_, row, this, Size(key_.input[0]), Size(rows_), 0);
    return absl::OkStatus();
  }

 private:
  static Number Lowest() {
    if constexpr (std::is_same_v<Number, int8_t>) return -128;
    return static_cast<Number>(-std::numeric_limits<float>::infinity());
  }

  void PoolRow(int64_t n, int64_t y) const {
    Number* output = output_ + (n * rows_ + y) * columns_ * key_.input[3];
    for (int64_t x = 0; x < columns_; ++x, output += key_.input[3]) Pool(n, y, x, output);
  }

  void Pool(int64_t n, int64_t y, int64_t x, Number* output) const {
    const int64_t channels = key_.input[3];
    std::fill(output, output + channels, Lowest());
    for (int64_t ky = 0; ky < window_.height; ++ky) {
      const int64_t row = y * step_.height - key_.padding + ky * key_.dilation;
      if (row < 0 || row >= key_.input[1]) continue;
      for (int64_t kx = 0; kx < window_.width; ++kx) {
        const int64_t column = x * step_.width - key_.padding + kx * key_.dilation;
        if (column < 0 || column >= key_.input[2]) continue;
        const Number* pixel = input_ + ((n * key_.input[1] + row) * key_.input[2] + column) * channels;
        for (int64_t c = 0; c < channels; ++c) output[c] = std::max(output[c], pixel[c]);
      }
    }
  }

  const OpKey key_;
  const pthreadpool_t pool_;
  const Window window_;
  const Window step_;
  int64_t rows_ = 1;
  int64_t columns_ = 1;
  const Number* input_ = nullptr;
  Number* output_ = nullptr;
};

absl::StatusOr<std::unique_ptr<XnnOperator>> CreatePlainMaxPool(const XnnOperatorSpec& spec) {
  switch (spec.key.input_type) {
    case ElementType::kInt8:
      return std::make_unique<PlainMaxPool<int8_t>>(spec.key, spec.threads);
    case ElementType::kFloat16:
      return std::make_unique<PlainMaxPool<_Float16>>(spec.key, spec.threads);
    default:
      return std::make_unique<PlainMaxPool<float>>(spec.key, spec.threads);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<XnnOperator>> CreateMean(const XnnOperatorSpec& spec) {
  const xnn_quantization_params input = Params(spec.inputs[0]);
  const xnn_quantization_params output = Params(spec.output);
  xnn_operator_t op = nullptr;
  const xnn_status status = xnn_create_reduce_nd(xnn_reduce_mean, DataType(spec.key.input_type), &input, &output, 0, &op);
  return Finish<Reduction>(spec, status, "xnn_create_reduce_nd", op);
}

absl::StatusOr<std::unique_ptr<XnnOperator>> CreateMaxPool(const XnnOperatorSpec& spec) {
  const OpKey& key = spec.key;
  const Window window = WindowOf(key);
  const Window step = StepOf(key);
  if (window.height * window.width == 1 || step.height > window.height || step.width > window.width) return CreatePlainMaxPool(spec);
  const auto make = [&](auto create, auto low, auto high, xnn_operator_t& op) {
    const auto pad = U32(key.padding);
    const auto dilation = U32(key.dilation);
    return create(pad, pad, pad, pad, U32(window.height), U32(window.width), U32(step.height), U32(step.width), dilation, dilation, low,
                  high, 0, &op);
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  xnn_operator_t op = nullptr;
  xnn_status status = xnn_status_invalid_state;
  if (key.input_type == ElementType::kInt8) {
    status = make(&xnn_create_max_pooling2d_nhwc_s8, int8_t{-128}, int8_t{127}, op);
  } else {
    const bool half = key.input_type == ElementType::kFloat16;
    status = make(half ? &xnn_create_max_pooling2d_nhwc_f16 : &xnn_create_max_pooling2d_nhwc_f32, -kInfinity, kInfinity, op);
  }
  return Finish<MaxPool>(spec, status, "create of a max-pool", op);
}

absl::StatusOr<std::unique_ptr<XnnOperator>> CreateBinary(const XnnOperatorSpec& spec) {
  const OpKey& key = spec.key;
  const xnn_quantization_params first = Params(spec.inputs[0]);
  const xnn_quantization_params second = Params(spec.inputs[1]);
  const xnn_quantization_params output = Params(spec.output);
  const xnn_binary_operator type = key.kind == OpKind::kAdd ? xnn_binary_add : xnn_binary_multiply;
  xnn_operator_t op = nullptr;
  const xnn_status status = xnn_create_binary_elementwise_nd(type, DataType(key.input_type), &first, &second, &output, 0, &op);
  absl::StatusOr<std::unique_ptr<XnnOperator>> binary = Finish<Binary>(spec, status, "xnn_create_binary_elementwise_nd", op);
  if (!binary.ok()) return binary;
  absl::StatusOr<std::unique_ptr<XnnOperator>> clamp = CreateClamp(spec);
  if (!clamp.ok()) return clamp.status();
  if (*clamp == nullptr) return binary;
  return std::make_unique<Clamped>(*std::move(binary), *std::move(clamp));
}

absl::StatusOr<std::unique_ptr<XnnOperator>> CreateUnary(const XnnOperatorSpec& spec) {
  const OpKey& key = spec.key;
  const xnn_quantization_params input = Params(spec.inputs[0]);
  const xnn_quantization_params output = Params(spec.output);
  const xnn_unary_operator type = key.kind == OpKind::kHardSwish ? xnn_unary_hardswish
                                  : key.kind == OpKind::kSigmoid ? xnn_unary_sigmoid
                                                                 : xnn_unary_convert;
  xnn_operator_t op = nullptr;
  const xnn_status status =
      xnn_create_unary_elementwise_nc(type, DataType(key.input_type), DataType(key.output_type), nullptr, &input, &output, 0, &op);
  return Finish<Unary>(spec, status, "xnn_create_unary_elementwise_nc", op);
}

}  // namespace hanas
