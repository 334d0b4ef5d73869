// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/stock_ops.h"

#include <algorithm>
#include <limits>

#include "worker/engine/quantize.h"

namespace hanas {
namespace {

std::vector<float> ToVector(const torch::Tensor& tensor) {
  const torch::Tensor host = tensor.to(torch::kCPU, torch::kFloat32).contiguous();
  return {host.const_data_ptr<float>(), host.const_data_ptr<float>() + host.numel()};
}

torch::Tensor FromVector(const std::vector<float>& values, const torch::Tensor& like) {
  return torch::tensor(values, torch::kFloat32).to(like.options());
}

}  // namespace

ConvGeometry ConvGeometryOf(const Operator& op) { return {op.groups, op.kernel, op.stride, op.padding, op.dilation}; }

bool ConvolvesInBf16(Numerics numerics, const ConvGeometry& geometry, int64_t input_channels) {
  return numerics == Numerics::kBf16 && geometry.groups == 1 && geometry.kernel > 1 && input_channels > kImageChannels;
}

PoolWindow PoolWindowOf(const Operator& op) { return {op.kernel, op.stride, op.padding, op.dilation}; }

kernels::FakeQuantizer ToFakeQuantizer(const Quantizer& quantizer) { return {quantizer.scale > 0, quantizer.scale, quantizer.zero_point}; }

kernels::FakeQuantizer FakeQuantizerFor(const kernels::Range& range, bool enabled) {
  if (!enabled) return {};
  return ToFakeQuantizer(QuantizerForRange(range.low, range.high));
}

kernels::Range RangeBehind(kernels::Nonlinearity nonlinearity, kernels::Range before) {
  kernels::Range range = {std::min(before.low, 0.0F), std::max(before.high, 0.0F)};
  const bool clamps = nonlinearity == kernels::Nonlinearity::kRelu || nonlinearity == kernels::Nonlinearity::kRelu6;
  if (clamps) range.low = 0;
  if (nonlinearity == kernels::Nonlinearity::kRelu6) range.high = std::min(range.high, 6.0F);
  return range;
}

torch::Tensor StockOps::StraightThrough(const torch::Tensor& value, const torch::Tensor& source) {
  return value.detach() + (source - source.detach());
}

kernels::Moments StockOps::MomentsOf(const torch::Tensor& sums) {
  const torch::Tensor rows = sums.detach().reshape({-1, sums.size(-1)});
  return {.mean = ToVector(rows.mean(0)),
          .variance = ToVector(rows.var(0, /*unbiased=*/false)),
          .minimum = ToVector(rows.amin(0)),
          .maximum = ToVector(rows.amax(0))};
}

torch::Tensor StockOps::Convolution(const torch::Tensor& input, const torch::Tensor& weight, const ConvGeometry& g, bool in_bf16) {
  // Numbers of double precision, by which integers are checked, stay that.
  const auto type = in_bf16 ? torch::kBFloat16 : input.scalar_type();
  return at::conv2d(input.permute({0, 3, 1, 2}).to(type), weight.to(type), {}, {g.stride, g.stride}, {g.padding, g.padding},
                    {g.dilation, g.dilation}, g.groups)
      .permute({0, 2, 3, 1})
      .to(input.scalar_type())
      .contiguous();
}

torch::Tensor StockOps::ApplyTail(torch::Tensor value, kernels::Nonlinearity nonlinearity, const kernels::FakeQuantizer& first,
                                  const kernels::FakeQuantizer& second) const {
  if (nonlinearity == kernels::Nonlinearity::kRelu) value = torch::relu(value);
  if (nonlinearity == kernels::Nonlinearity::kRelu6) value = torch::clamp(value, 0.0, 6.0);
  if (nonlinearity != kernels::Nonlinearity::kHardSwish) return Quantize(value, first);
  // The slope is that where nothing is quantised.
  return StraightThrough(Quantize(HardSwish(Quantize(value, first)), second), HardSwish(value));
}

bool StockOps::UsesBf16(const ConvGeometry& geometry, int64_t input_channels) const {
  return ConvolvesInBf16(numerics_, geometry, input_channels);
}

std::unique_ptr<DeviceOps> StockOps::With(Numerics numerics, const ShardPlace& place) const {
  TORCH_CHECK(place.group == nullptr, "stock operators take a batch as a whole");
  return std::make_unique<StockOps>(numerics);
}

torch::Tensor StockOps::TrainConv(const torch::Tensor& input, const OperatorTensors& tensors, const ConvGeometry& geometry,
                                  const ConvTail& tail, ConvObservation& observation) const {
  torch::Tensor value = Convolution(input, tensors.weight, geometry, UsesBf16(geometry, input.size(3)));
  if (tensors.bias.defined()) value = value + tensors.bias;
  if (tensors.gamma.defined()) {
    observation.moments = MomentsOf(value);
    value = at::batch_norm(value.permute({0, 3, 1, 2}), tensors.gamma, tensors.beta, {}, {}, /*training=*/true, 0.1,
                           static_cast<double>(kNormEpsilon), /*cudnn_enabled=*/false)
                .permute({0, 2, 3, 1});
  }
  observation.first = RangeBehind(tail.nonlinearity, FindRange(value));
  const Interval swished = HardSwishInterval(observation.first.low, observation.first.high);
  observation.second = {swished.low, swished.high};
  return ApplyTail(value, tail.nonlinearity, FakeQuantizerFor(observation.first, tail.quantize_first),
                   FakeQuantizerFor(observation.second, tail.quantize_second))
      .contiguous();
}

torch::Tensor StockOps::EvaluateConv(const torch::Tensor& input, const torch::Tensor& weight, const ConvGeometry& geometry,
                                     const CalibratedTail& tail) const {
  const torch::NoGradGuard no_grad;
  const torch::Tensor sums = Convolution(input, weight, geometry, UsesBf16(geometry, input.size(3)));
  return ApplyTail(sums * FromVector(tail.scale, sums) + FromVector(tail.shift, sums), tail.nonlinearity, tail.first, tail.second);
}

torch::Tensor StockOps::Convolve(const torch::Tensor& input, const torch::Tensor& weight, const ConvGeometry& geometry) const {
  const torch::NoGradGuard no_grad;
  return Convolution(input, weight, geometry, /*in_bf16=*/false);
}

torch::Tensor StockOps::Linear(const torch::Tensor& input, const torch::Tensor& weight, const torch::Tensor& bias) const {
  return bias.defined() ? torch::linear(input, weight, bias) : torch::linear(input, weight);
}

torch::Tensor StockOps::Activate(const torch::Tensor& input, FusedActivation activation) const {
  switch (activation) {
    case FusedActivation::kNone:
      return input;
    case FusedActivation::kRelu:
      return torch::relu(input);
    case FusedActivation::kHardSigmoid:
      return torch::clamp(input + 3.0, 0.0, 6.0) / 6.0;
    case FusedActivation::kRelu6:
      return torch::clamp(input, 0.0, 6.0);
  }
  return input;
}

torch::Tensor StockOps::HardSwish(const torch::Tensor& input) const { return input * torch::clamp(input + 3.0, 0.0, 6.0) / 6.0; }
torch::Tensor StockOps::Sigmoid(const torch::Tensor& input) const { return torch::sigmoid(input); }
torch::Tensor StockOps::Add(const torch::Tensor& left, const torch::Tensor& right) const { return left + right; }
torch::Tensor StockOps::Product(const torch::Tensor& left, const torch::Tensor& right) const { return left * right; }
torch::Tensor StockOps::ScaleChannels(const torch::Tensor& left, const torch::Tensor& right) const {
  return left * right.unsqueeze(1).unsqueeze(1);
}

torch::Tensor StockOps::MaxPool(const torch::Tensor& input, const PoolWindow& w) const {
  torch::Tensor images = input.permute({0, 3, 1, 2});
  int64_t padding = w.padding;
  // The tensor library pads by at most half a window.
  if (2 * padding > w.kernel) {
    images = at::constant_pad_nd(images, {padding, padding, padding, padding}, -std::numeric_limits<float>::infinity());
    padding = 0;
  }
  return at::max_pool2d(images, {w.kernel, w.kernel}, {w.stride, w.stride}, {padding, padding}, {w.dilation, w.dilation})
      .permute({0, 2, 3, 1})
      .contiguous();
}

torch::Tensor StockOps::GlobalMaxPool(const torch::Tensor& input) const { return input.amax({1, 2}); }
torch::Tensor StockOps::GlobalAveragePool(const torch::Tensor& input) const { return input.mean({1, 2}); }

kernels::Range StockOps::FindRange(const torch::Tensor& input) const {
  const auto [low, high] = torch::aminmax(input.detach());
  return {low.item<float>(), high.item<float>()};
}

torch::Tensor StockOps::QuantizeToOwnRange(const torch::Tensor& input, kernels::Range* range) const {
  const kernels::Range own = FindRange(input);
  if (range != nullptr) *range = own;
  return Quantize(input, FakeQuantizerFor(own, /*enabled=*/true));
}

torch::Tensor StockOps::Quantize(const torch::Tensor& input, const kernels::FakeQuantizer& q) const {
  if (!q.enabled) return input;
  const torch::Tensor steps = torch::clamp(torch::round(input.detach() * (1.0F / q.scale)), -128 - q.zero_point, 127 - q.zero_point);
  return StraightThrough(steps * q.scale, input);
}

torch::Tensor StockOps::QuantizeWeights(const torch::Tensor& weight, ElementType type) const {
  if (BitWidth(type) > 8) return weight;
  const torch::Tensor rows = weight.detach().reshape({weight.size(0), -1});
  const int limit = NarrowRangeLimit(type);
  std::vector<float> steps;
  const torch::Tensor host = rows.to(torch::kCPU).contiguous();
  for (int64_t channel = 0; channel < host.size(0); ++channel) {
    steps.push_back(WeightStep({host.const_data_ptr<float>() + channel * host.size(1), static_cast<size_t>(host.size(1))}, type));
  }
  const torch::Tensor step = FromVector(steps, rows).unsqueeze(1);
  const torch::Tensor quantised = torch::round(torch::clamp(rows / step, -limit, limit)) * step;
  return StraightThrough(quantised.view(weight.sizes()), weight);
}

}  // namespace hanas
