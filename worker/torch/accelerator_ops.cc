// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/accelerator_ops.h"

#include <tuple>
#include <utility>

#include "worker/engine/quantize.h"

namespace hanas {
namespace {

/// A range whose ends are numbers on the device.
struct DeviceRange {
  torch::Tensor low;
  torch::Tensor high;
};

DeviceRange RangeOf(const torch::Tensor& value) {
  auto [low, high] = torch::aminmax(value.detach());
  return {std::move(low), std::move(high)};
}

/// RangeBehind of device_ops.h.
DeviceRange Behind(kernels::Nonlinearity nonlinearity, const DeviceRange& before) {
  DeviceRange range = {torch::clamp_max(before.low, 0), torch::clamp_min(before.high, 0)};
  const bool clamps = nonlinearity == kernels::Nonlinearity::kRelu || nonlinearity == kernels::Nonlinearity::kRelu6;
  if (clamps) range.low = torch::zeros_like(range.low);
  if (nonlinearity == kernels::Nonlinearity::kRelu6) range.high = torch::clamp_max(range.high, 6);
  return range;
}

/// HardSwishInterval of worker/engine/quantize.h.
DeviceRange Swished(const DeviceRange& before) {
  const auto swish = [](const torch::Tensor& x) { return x * torch::clamp(x + 3.0, 0.0, 6.0) / 6.0; };
  const torch::Tensor low = swish(before.low);
  const torch::Tensor high = swish(before.high);
  const torch::Tensor dips = torch::logical_and(before.low.le(kHardSwishLowestAt), before.high.ge(kHardSwishLowestAt));
  return {torch::where(dips, torch::full_like(low, kHardSwishLowest), torch::minimum(low, high)), torch::maximum(low, high)};
}

kernels::Range Fetched(const DeviceRange& range) { return {range.low.item<float>(), range.high.item<float>()}; }

/// The values on the grid of QuantizerForRange(range), with the gradient of what they were.
torch::Tensor OnGrid(const torch::Tensor& value, const DeviceRange& range) {
  const torch::Tensor low = torch::clamp_max(range.low, 0);
  const torch::Tensor high = torch::clamp_min(range.high, 0);
  const torch::Tensor scale = torch::clamp_min(high - low, kSmallestRange) / 255.0;
  const torch::Tensor zero = torch::clamp(torch::round((low / scale).neg().sub(128.0)), -128.0, 127.0);
  const torch::Tensor source = value.detach();
  const torch::Tensor steps = torch::maximum(torch::minimum(torch::round(source / scale), zero.neg().add(127.0)), zero.neg().sub(128.0));
  return (steps * scale).detach() + (value - source);
}

}  // namespace

std::unique_ptr<DeviceOps> AcceleratorOps::With(Numerics numerics, const ShardPlace& place) const {
  TORCH_CHECK(place.group == nullptr, "an accelerator takes a batch as a whole");
  return std::make_unique<AcceleratorOps>(numerics);
}

bool AcceleratorOps::UsesBf16(const ConvGeometry& /*geometry*/, int64_t /*input_channels*/) const { return numerics() == Numerics::kBf16; }

torch::Tensor AcceleratorOps::TrainConv(const torch::Tensor& input, const OperatorTensors& tensors, const ConvGeometry& geometry,
                                        const ConvTail& tail, ConvObservation& observation) const {
  torch::Tensor value = Convolution(input, tensors.weight, geometry, UsesBf16(geometry, input.size(3)));
  if (tensors.bias.defined()) value = value + tensors.bias;
  if (tensors.gamma.defined()) {
    if (observation.wanted) observation.moments = MomentsOf(value);
    value = at::batch_norm(value.permute({0, 3, 1, 2}), tensors.gamma, tensors.beta, {}, {}, /*training=*/true, 0.1,
                           static_cast<double>(kNormEpsilon), /*cudnn_enabled=*/true)
                .permute({0, 2, 3, 1});
  }
  const bool swishes = tail.nonlinearity == kernels::Nonlinearity::kHardSwish;
  DeviceRange first;
  DeviceRange second;
  if (tail.quantize_first || tail.quantize_second || observation.wanted) {
    first = Behind(tail.nonlinearity, RangeOf(value));
    if (tail.quantize_second || observation.wanted) second = Swished(first);
  }
  if (observation.wanted) {
    observation.first = Fetched(first);
    observation.second = Fetched(second);
  }
  const auto on_first = [&](const torch::Tensor& each) { return tail.quantize_first ? OnGrid(each, first) : each; };
  const auto on_second = [&](const torch::Tensor& each) { return tail.quantize_second ? OnGrid(each, second) : each; };
  if (tail.nonlinearity == kernels::Nonlinearity::kRelu) value = torch::relu(value);
  if (tail.nonlinearity == kernels::Nonlinearity::kRelu6) value = torch::clamp(value, 0.0, 6.0);
  if (!swishes) return on_first(value).contiguous();
  if (!tail.quantize_first && !tail.quantize_second) return HardSwish(value).contiguous();
  // The slope is that where nothing is quantised.
  return StraightThrough(on_second(HardSwish(on_first(value))), HardSwish(value)).contiguous();
}

torch::Tensor AcceleratorOps::QuantizeToOwnRange(const torch::Tensor& input, kernels::Range* range) const {
  const DeviceRange own = RangeOf(input);
  if (range != nullptr) *range = Fetched(own);
  return OnGrid(input, own);
}

torch::Tensor AcceleratorOps::QuantizeWeights(const torch::Tensor& weight, ElementType type) const {
  if (BitWidth(type) > 8) return weight;
  // WeightStep of worker/engine/quantize.h, of all channels at once.
  const torch::Tensor rows = weight.detach().reshape({weight.size(0), -1});
  const int limit = NarrowRangeLimit(type);
  torch::Tensor step = rows.abs().amax(1) / static_cast<double>(limit);
  const auto rms = [&] { return rows.square().mean(1).sqrt(); };
  if (type == ElementType::kInt4) step = torch::minimum(step, kInt4StepOfRms * rms());
  if (type == ElementType::kInt2) step = kInt2StepOfRms * rms();
  step = torch::clamp_min(step, kSmallestWeightStep).unsqueeze(1);
  const torch::Tensor quantised = torch::round(torch::clamp(rows / step, -limit, limit)) * step;
  return StraightThrough(quantised.view(weight.sizes()), weight);
}

}  // namespace hanas
