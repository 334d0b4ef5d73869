// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/fused_ops.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "worker/engine/quantize.h"

namespace hanas {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

kernels::DepthwiseShape ShapeOf(const torch::Tensor& input, const ConvGeometry& g) {
  return {input.size(0), input.size(1), input.size(2), input.size(3), g.kernel, g.stride, g.padding};
}

/// [C, 1, k, k] -> [k * k, C].
torch::Tensor Taps(const torch::Tensor& weight) { return weight.reshape({weight.size(0), -1}).t().contiguous(); }

torch::Tensor Columns(const torch::Tensor& input, const ConvGeometry& g) {
  const kernels::DepthwiseShape shape = ShapeOf(input, g);
  torch::Tensor columns =
      torch::empty({shape.batch * shape.out_height() * shape.out_width(), g.kernel * g.kernel * shape.channels}, input.options());
  kernels::Im2Col(shape, input.const_data_ptr<float>(), columns.mutable_data_ptr<float>());
  return columns;
}

/// OIHW -> [O, kh * kw * I], the order of Columns.
torch::Tensor ColumnWeights(const torch::Tensor& weight) { return weight.permute({0, 2, 3, 1}).reshape({weight.size(0), -1}); }

struct ConvGradients {
  torch::Tensor input;
  torch::Tensor weight;
};

ConvGradients DepthwiseGradients(const torch::Tensor& input, const torch::Tensor& weight, const torch::Tensor& gradient,
                                 const ConvGeometry& g) {
  const kernels::DepthwiseShape shape = ShapeOf(input, g);
  const torch::Tensor taps = Taps(weight);
  ConvGradients result = {torch::empty_like(input), torch::empty_like(taps)};
  kernels::DepthwiseBackwardInput(shape, gradient.const_data_ptr<float>(), taps.const_data_ptr<float>(),
                                  result.input.mutable_data_ptr<float>());
  kernels::DepthwiseBackwardWeights(shape, input.const_data_ptr<float>(), gradient.const_data_ptr<float>(),
                                    result.weight.mutable_data_ptr<float>());
  result.weight = result.weight.t().reshape(weight.sizes()).contiguous();
  return result;
}

ConvGradients DenseGradients(const torch::Tensor& input, const torch::Tensor& weight, const torch::Tensor& gradient, const ConvGeometry& g,
                             bool need_input) {
  const torch::Tensor flat = gradient.view({-1, gradient.size(-1)});
  if (g.kernel == 1 && g.stride == 1 && g.padding == 0) {
    ConvGradients result = {{}, flat.t().mm(input.view({-1, input.size(3)})).view(weight.sizes())};
    if (need_input) result.input = flat.mm(weight.view({weight.size(0), -1})).view(input.sizes());
    return result;
  }
  ConvGradients result;
  const torch::Tensor weight_gradient = flat.t().mm(Columns(input, g));
  result.weight = weight_gradient.view({weight.size(0), g.kernel, g.kernel, weight.size(1)}).permute({0, 3, 1, 2}).contiguous();
  if (need_input) {
    auto [input_gradient, unused_weight, unused_bias] =
        at::convolution_backward(gradient.permute({0, 3, 1, 2}), input.permute({0, 3, 1, 2}), weight, std::nullopt, {g.stride, g.stride},
                                 {g.padding, g.padding}, {1, 1}, false, {0, 0}, 1, {true, false, false});
    result.input = input_gradient.permute({0, 2, 3, 1}).contiguous();
  }
  return result;
}

/// Per-channel affine map of a normalisation and the range that it and the nonlinearity reach on what `moments` saw.
struct Affine {
  torch::Tensor scale;
  torch::Tensor shift;
  torch::Tensor inverse_stddev;
  kernels::Range range;
};

Affine AffineOf(const torch::Tensor& gamma, const torch::Tensor& beta, const kernels::Moments& moments,
                kernels::Nonlinearity nonlinearity) {
  const torch::Tensor g = gamma.detach().contiguous();
  const torch::Tensor b = beta.detach().contiguous();
  Affine affine = {torch::empty_like(g), torch::empty_like(g), torch::empty_like(g), {}};
  for (int64_t c = 0; c < g.size(0); ++c) {
    const auto k = static_cast<size_t>(c);
    const float inverse = 1.0F / std::sqrt(moments.variance[k] + kNormEpsilon);
    const float scale = g.const_data_ptr<float>()[c] * inverse;
    const float shift = b.const_data_ptr<float>()[c] - scale * moments.mean[k];
    affine.inverse_stddev.mutable_data_ptr<float>()[c] = inverse;
    affine.scale.mutable_data_ptr<float>()[c] = scale;
    affine.shift.mutable_data_ptr<float>()[c] = shift;
    const float low = scale * (scale >= 0 ? moments.minimum[k] : moments.maximum[k]) + shift;
    const float high = scale * (scale >= 0 ? moments.maximum[k] : moments.minimum[k]) + shift;
    affine.range.low = std::min(affine.range.low, low);
    affine.range.high = std::max(affine.range.high, high);
  }
  if (nonlinearity == kernels::Nonlinearity::kRelu) affine.range.low = 0;
  return affine;
}

kernels::FakeQuantizer QuantizerOf(const kernels::Range& range, bool enabled) {
  if (!enabled) return {};
  return ToFakeQuantizer(QuantizerForRange(range.low, range.high));
}

class TrainConvFunction : public torch::autograd::Function<TrainConvFunction> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& input, const torch::Tensor& weight,
                               const torch::Tensor& gamma, const torch::Tensor& beta, const ConvGeometry& g, const ConvTail& tail,
                               ConvObservation* observation) {
    const torch::Tensor sums = Convolve(input, weight, g);
    const int64_t channels = sums.size(3);
    const int64_t rows = sums.numel() / channels;
    observation->moments = kernels::ComputeMoments(sums.const_data_ptr<float>(), rows, channels);
    const Affine affine = AffineOf(gamma, beta, observation->moments, tail.nonlinearity);
    observation->first = affine.range;
    const Interval swished = HardSwishInterval(affine.range.low, affine.range.high);
    observation->second = {swished.low, swished.high};
    const kernels::AffineActivation what = {affine.scale.const_data_ptr<float>(), affine.shift.const_data_ptr<float>(), tail.nonlinearity,
                                            QuantizerOf(observation->first, tail.quantize_first),
                                            QuantizerOf(observation->second, tail.quantize_second)};
    torch::Tensor output = torch::empty_like(sums);
    kernels::AffineForward(what, sums.const_data_ptr<float>(), rows, channels, output.mutable_data_ptr<float>());
    const torch::Tensor mean = torch::empty_like(affine.scale);
    std::copy(observation->moments.mean.begin(), observation->moments.mean.end(), mean.mutable_data_ptr<float>());
    context->save_for_backward({input, weight, sums, affine.scale, affine.shift, mean, affine.inverse_stddev});
    context->saved_data["depthwise"] = g.depthwise;
    context->saved_data["geometry"] = std::vector<int64_t>{g.kernel, g.stride, g.padding};
    context->saved_data["nonlinearity"] = static_cast<int64_t>(tail.nonlinearity);
    return output;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const std::vector<int64_t> numbers = context->saved_data["geometry"].toIntVector();
    const ConvGeometry g = {context->saved_data["depthwise"].toBool(), numbers[0], numbers[1], numbers[2]};
    const torch::Tensor& input = saved[0];
    const torch::Tensor& weight = saved[1];
    const torch::Tensor& sums = saved[2];
    const int64_t channels = sums.size(3);
    const kernels::AffineActivation what = {saved[3].const_data_ptr<float>(),
                                            saved[4].const_data_ptr<float>(),
                                            static_cast<kernels::Nonlinearity>(context->saved_data["nonlinearity"].toInt()),
                                            {},
                                            {}};
    const torch::Tensor gradient = gradients[0].contiguous();
    torch::Tensor sum_gradient = torch::empty_like(sums);
    const kernels::NormGradients norm =
        kernels::NormBackward(what, saved[5].const_data_ptr<float>(), saved[6].const_data_ptr<float>(), sums.const_data_ptr<float>(),
                              gradient.const_data_ptr<float>(), sums.numel() / channels, channels, sum_gradient.mutable_data_ptr<float>());
    ConvGradients conv = g.depthwise ? DepthwiseGradients(input, weight, sum_gradient, g)
                                     : DenseGradients(input, weight, sum_gradient, g, context->needs_input_grad(0));
    const auto to_tensor = [&](const std::vector<float>& values) {
      return torch::from_blob(const_cast<float*>(values.data()), {channels}, torch::kFloat32).clone();
    };
    return {conv.input, conv.weight, to_tensor(norm.gamma), to_tensor(norm.beta), {}, {}, {}};
  }
};

class QuantizeFunction : public torch::autograd::Function<QuantizeFunction> {
 public:
  static torch::Tensor forward(AutogradContext* /*context*/, const torch::Tensor& input, const kernels::FakeQuantizer& quantizer) {
    torch::Tensor output = torch::empty_like(input);
    kernels::QuantizeForward(quantizer, input.const_data_ptr<float>(), input.numel(), output.mutable_data_ptr<float>());
    return output;
  }
  static variable_list backward(AutogradContext* /*context*/, const variable_list& gradients) { return {gradients[0], {}}; }
};

class QuantizeWeightsFunction : public torch::autograd::Function<QuantizeWeightsFunction> {
 public:
  static torch::Tensor forward(AutogradContext* /*context*/, const torch::Tensor& weight, ElementType type) {
    const torch::Tensor source = weight.contiguous();
    torch::Tensor output = torch::empty_like(source);
    const int64_t count = source.numel() / source.size(0);
    for (int64_t channel = 0; channel < source.size(0); ++channel) {
      const float* const in = source.const_data_ptr<float>() + channel * count;
      float* const out = output.mutable_data_ptr<float>() + channel * count;
      const float step = WeightStep({in, static_cast<size_t>(count)}, type);
      for (int64_t i = 0; i < count; ++i) out[i] = step * static_cast<float>(QuantizeWeight(in[i], step, type));
    }
    return output;
  }
  static variable_list backward(AutogradContext* /*context*/, const variable_list& gradients) { return {gradients[0], {}}; }
};

class PoolFunction : public torch::autograd::Function<PoolFunction> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& input) {
    context->saved_data["shape"] = input.sizes().vec();
    torch::Tensor output = torch::empty({input.size(0), input.size(3)}, input.options());
    kernels::PoolForward(input.const_data_ptr<float>(), input.size(0), input.size(1) * input.size(2), input.size(3),
                         output.mutable_data_ptr<float>());
    return output;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const std::vector<int64_t> shape = context->saved_data["shape"].toIntVector();
    const torch::Tensor gradient = gradients[0].contiguous();
    torch::Tensor result = torch::empty(shape, gradient.options());
    kernels::PoolBackward(gradient.const_data_ptr<float>(), shape[0], shape[1] * shape[2], shape[3], result.mutable_data_ptr<float>());
    return {result};
  }
};

class ScaleFunction : public torch::autograd::Function<ScaleFunction> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& left, const torch::Tensor& right) {
    torch::Tensor output = torch::empty_like(left);
    kernels::ScaleForward(left.const_data_ptr<float>(), right.const_data_ptr<float>(), left.size(0), left.size(1) * left.size(2),
                          left.size(3), output.mutable_data_ptr<float>());
    context->save_for_backward({left, right});
    return output;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const torch::Tensor& left = saved[0];
    const torch::Tensor gradient = gradients[0].contiguous();
    torch::Tensor left_gradient = torch::empty_like(left);
    torch::Tensor right_gradient = torch::empty_like(saved[1]);
    kernels::ScaleBackward(left.const_data_ptr<float>(), saved[1].const_data_ptr<float>(), gradient.const_data_ptr<float>(), left.size(0),
                           left.size(1) * left.size(2), left.size(3), left_gradient.mutable_data_ptr<float>(),
                           right_gradient.mutable_data_ptr<float>());
    return {left_gradient, right_gradient};
  }
};

}  // namespace

ConvGeometry GeometryOf(const Operator& op) {
  TORCH_CHECK(op.groups == 1 || op.weight.slices[1].count == 1, "grouped convolutions other than depthwise are not supported");
  TORCH_CHECK(op.dilation == 1, "dilation is not supported");
  return {op.groups > 1, op.kernel, op.stride, op.padding};
}

torch::Tensor Convolve(const torch::Tensor& input, const torch::Tensor& weight, const ConvGeometry& g) {
  const kernels::DepthwiseShape shape = ShapeOf(input, g);
  if (g.depthwise) {
    const torch::Tensor taps = Taps(weight);
    torch::Tensor output = torch::empty({shape.batch, shape.out_height(), shape.out_width(), shape.channels}, input.options());
    kernels::DepthwiseForward(shape, input.const_data_ptr<float>(), taps.const_data_ptr<float>(), output.mutable_data_ptr<float>());
    return output;
  }
  const bool pointwise = g.kernel == 1 && g.stride == 1 && g.padding == 0;
  const torch::Tensor rows = pointwise ? input.view({-1, shape.channels}) : Columns(input, g);
  const torch::Tensor matrix = pointwise ? weight.reshape({weight.size(0), -1}) : ColumnWeights(weight);
  return rows.mm(matrix.t()).view({shape.batch, shape.out_height(), shape.out_width(), weight.size(0)});
}

kernels::FakeQuantizer ToFakeQuantizer(const Quantizer& quantizer) { return {quantizer.scale > 0, quantizer.scale, quantizer.zero_point}; }

torch::Tensor TrainConv(const torch::Tensor& input, const torch::Tensor& weight, const torch::Tensor& gamma, const torch::Tensor& beta,
                        const ConvGeometry& geometry, const ConvTail& tail, ConvObservation& observation) {
  return TrainConvFunction::apply(input, weight, gamma, beta, geometry, tail, &observation);
}

torch::Tensor QuantizeStraightThrough(const torch::Tensor& input, const kernels::FakeQuantizer& quantizer) {
  return QuantizeFunction::apply(input.contiguous(), quantizer);
}

torch::Tensor QuantizeWeightsStraightThrough(const torch::Tensor& weight, ElementType type) {
  if (BitWidth(type) > 8) return weight.contiguous();
  return QuantizeWeightsFunction::apply(weight, type);
}

torch::Tensor PoolImages(const torch::Tensor& input) { return PoolFunction::apply(input.contiguous()); }
torch::Tensor ScaleChannels(const torch::Tensor& left, const torch::Tensor& right) {
  return ScaleFunction::apply(left.contiguous(), right.contiguous());
}
torch::Tensor HardSwish(const torch::Tensor& input) { return input * torch::clamp(input + 3.0, 0.0, 6.0) / 6.0; }

}  // namespace hanas
