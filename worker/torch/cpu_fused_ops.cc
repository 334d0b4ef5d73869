// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/cpu_fused_ops.h"

#include <algorithm>
#include <cmath>
#include <optional>
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

/// A tensor [N, H, W, C] as the tensor library's convolutions take it, in the type in which they multiply.
torch::Tensor Factor(const torch::Tensor& tensor, torch::ScalarType type) { return tensor.permute({0, 3, 1, 2}).to(type); }

torch::ScalarType TypeOf(bool in_bf16) { return in_bf16 ? torch::kBFloat16 : torch::kFloat32; }

/// Who multiplies.
enum class Method : uint8_t {
  kTaps,     // our depthwise kernels
  kMatrix,   // pixels times weights
  kColumns,  // the same, of windows written side by side
  kLibrary,  // the tensor library
};

Method MethodFor(const torch::Tensor& input, const torch::Tensor& weight, const ConvGeometry& g) {
  const int64_t channels = input.size(3);
  if (g.dilation != 1) return Method::kLibrary;
  if (g.groups > 1) return g.groups == channels && weight.size(0) == channels ? Method::kTaps : Method::kLibrary;
  if (g.kernel == 1 && g.stride == 1 && g.padding == 0) return Method::kMatrix;
  // For dense kernels of up to 64 channels the library is two to six times faster; at 256 neither clearly is. A first layer takes little
  // time either way, and that of the networks with depthwise kernels is to the bit what it has always been.
  return channels <= kImageChannels && g.kernel % 2 == 1 ? Method::kColumns : Method::kLibrary;
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

/// What of them is wanted: images have no gradient, frozen weights neither.
struct Wanted {
  bool input = true;
  bool weight = true;
};

/// In the type of `input`; what is returned is float32.
ConvGradients LibraryGradients(const torch::Tensor& input, const torch::Tensor& weight, const torch::Tensor& gradient,
                               const ConvGeometry& g, Wanted wanted) {
  if (!wanted.input && !wanted.weight) return {};
  const torch::ScalarType type = input.scalar_type();
  auto [input_gradient, weight_gradient, unused_bias] =
      at::convolution_backward(Factor(gradient, type), Factor(input, type), weight.to(type).contiguous(at::MemoryFormat::ChannelsLast),
                               std::nullopt, {g.stride, g.stride}, {g.padding, g.padding}, {g.dilation, g.dilation}, /*transposed=*/false,
                               {0, 0}, g.groups, {wanted.input, wanted.weight, false});
  ConvGradients result;
  if (wanted.input) result.input = input_gradient.permute({0, 2, 3, 1}).to(torch::kFloat32).contiguous();
  if (wanted.weight) result.weight = weight_gradient.to(torch::kFloat32).contiguous();
  return result;
}

ConvGradients DepthwiseGradients(const torch::Tensor& input, const torch::Tensor& weight, const torch::Tensor& gradient,
                                 const ConvGeometry& g, Wanted wanted) {
  const kernels::DepthwiseShape shape = ShapeOf(input, g);
  const torch::Tensor taps = Taps(weight);
  ConvGradients result;
  if (wanted.input) {
    result.input = torch::empty_like(input);
    kernels::DepthwiseBackwardInput(shape, gradient.const_data_ptr<float>(), taps.const_data_ptr<float>(),
                                    result.input.mutable_data_ptr<float>());
  }
  if (wanted.weight) {
    const torch::Tensor tap_gradient = torch::empty_like(taps);
    kernels::DepthwiseBackwardWeights(shape, input.const_data_ptr<float>(), gradient.const_data_ptr<float>(),
                                      tap_gradient.mutable_data_ptr<float>());
    result.weight = tap_gradient.t().reshape(weight.sizes()).contiguous();
  }
  return result;
}

ConvGradients MatrixGradients(const torch::Tensor& input, const torch::Tensor& weight, const torch::Tensor& gradient, Wanted wanted) {
  const torch::Tensor flat = gradient.view({-1, gradient.size(-1)});
  ConvGradients result;
  if (wanted.weight) result.weight = flat.t().mm(input.view({-1, input.size(3)})).view(weight.sizes());
  if (wanted.input) result.input = flat.mm(weight.view({weight.size(0), -1})).view(input.sizes());
  return result;
}

ConvGradients ColumnGradients(const torch::Tensor& input, const torch::Tensor& weight, const torch::Tensor& gradient, const ConvGeometry& g,
                              Wanted wanted) {
  ConvGradients result = LibraryGradients(input, weight, gradient, g, {.input = wanted.input, .weight = false});
  if (!wanted.weight) return result;
  const torch::Tensor flat = gradient.view({-1, gradient.size(-1)}).t().mm(Columns(input, g));
  result.weight = flat.view({weight.size(0), g.kernel, g.kernel, weight.size(1)}).permute({0, 3, 1, 2}).contiguous();
  return result;
}

ConvGradients GradientsOf(const torch::Tensor& input, const torch::Tensor& weight, const torch::Tensor& gradient, const ConvGeometry& g,
                          Wanted wanted) {
  switch (MethodFor(input, weight, g)) {
    case Method::kTaps:
      return DepthwiseGradients(input, weight, gradient, g, wanted);
    case Method::kMatrix:
      return MatrixGradients(input, weight, gradient, wanted);
    case Method::kColumns:
      return ColumnGradients(input, weight, gradient, g, wanted);
    case Method::kLibrary:
      return LibraryGradients(input, weight, gradient, g, wanted);
  }
  return {};
}

/// `input` may be bf16 where the tensor library multiplies: then its sums are rounded to that, and float32 again.
torch::Tensor SumsOf(const torch::Tensor& input, const torch::Tensor& weight, const ConvGeometry& g) {
  const kernels::DepthwiseShape shape = ShapeOf(input, g);
  const Method method = MethodFor(input, weight, g);
  TORCH_CHECK(method == Method::kLibrary || input.scalar_type() == torch::kFloat32, "only the library convolves bf16");
  switch (method) {
    case Method::kTaps: {
      const torch::Tensor taps = Taps(weight);
      torch::Tensor output = torch::empty({shape.batch, shape.out_height(), shape.out_width(), shape.channels}, input.options());
      kernels::DepthwiseForward(shape, input.const_data_ptr<float>(), taps.const_data_ptr<float>(), output.mutable_data_ptr<float>());
      return output;
    }
    case Method::kMatrix:
      return input.view({-1, shape.channels})
          .mm(weight.reshape({weight.size(0), -1}).t())
          .view({shape.batch, shape.out_height(), shape.out_width(), weight.size(0)});
    case Method::kColumns:
      return Columns(input, g).mm(ColumnWeights(weight).t()).view({shape.batch, shape.out_height(), shape.out_width(), weight.size(0)});
    case Method::kLibrary:
      break;
  }
  const torch::ScalarType type = input.scalar_type();
  return at::conv2d(Factor(input, type), weight.to(type).contiguous(at::MemoryFormat::ChannelsLast), {}, {g.stride, g.stride},
                    {g.padding, g.padding}, {g.dilation, g.dilation}, g.groups)
      .permute({0, 2, 3, 1})
      .to(torch::kFloat32)
      .contiguous();
}

/// Per-channel affine map that follows the sums and the range that it and the nonlinearity reach on what `moments` saw.
struct Affine {
  torch::Tensor scale;
  torch::Tensor shift;
  torch::Tensor mean;  // of what is normalised
  torch::Tensor inverse_stddev;
  kernels::Range range;
};

torch::Tensor ToTensor(const std::vector<float>& values) {
  torch::Tensor tensor = torch::empty({static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), tensor.mutable_data_ptr<float>());
  return tensor;
}

void FindReach(const kernels::Moments& moments, kernels::Nonlinearity nonlinearity, Affine& affine) {
  for (size_t c = 0; c < moments.minimum.size(); ++c) {
    const float scale = affine.scale.const_data_ptr<float>()[c];
    const float shift = affine.shift.const_data_ptr<float>()[c];
    const float low = scale * (scale >= 0 ? moments.minimum[c] : moments.maximum[c]) + shift;
    const float high = scale * (scale >= 0 ? moments.maximum[c] : moments.minimum[c]) + shift;
    affine.range.low = std::min(affine.range.low, low);
    affine.range.high = std::max(affine.range.high, high);
  }
  affine.range = RangeBehind(nonlinearity, affine.range);
}

/// Of a normalisation. A bias in front of it changes nothing: the mean takes it away again.
Affine AffineOf(const torch::Tensor& gamma, const torch::Tensor& beta, const kernels::Moments& moments) {
  const torch::Tensor g = gamma.detach().contiguous();
  const torch::Tensor b = beta.detach().contiguous();
  Affine affine = {torch::empty_like(g), torch::empty_like(g), ToTensor(moments.mean), torch::empty_like(g), {}};
  for (int64_t c = 0; c < g.size(0); ++c) {
    const auto k = static_cast<size_t>(c);
    const float inverse = 1.0F / std::sqrt(moments.variance[k] + kNormEpsilon);
    const float scale = g.const_data_ptr<float>()[c] * inverse;
    const float shift = b.const_data_ptr<float>()[c] - scale * moments.mean[k];
    affine.inverse_stddev.mutable_data_ptr<float>()[c] = inverse;
    affine.scale.mutable_data_ptr<float>()[c] = scale;
    affine.shift.mutable_data_ptr<float>()[c] = shift;
  }
  return affine;
}

/// Of a bias alone.
Affine AffineOf(const torch::Tensor& bias) {
  const torch::Tensor shift = bias.detach().contiguous();
  return {torch::ones_like(shift), shift, torch::zeros_like(shift), torch::ones_like(shift), {}};
}

void AddBias(const torch::Tensor& bias, kernels::Moments& moments) {
  const torch::Tensor values = bias.detach().contiguous();
  for (size_t c = 0; c < moments.mean.size(); ++c) {
    const float value = values.const_data_ptr<float>()[c];
    moments.mean[c] += value;
    moments.minimum[c] += value;
    moments.maximum[c] += value;
  }
}

/// One part's share of the moments of a batch.
struct PartMoments {
  int64_t rows = 0;
  kernels::Moments moments;
};

/// Of all parts together; their variances are taken about the common mean.
kernels::Moments Combined(const std::vector<PartMoments>& parts) {
  int64_t rows = 0;
  for (const PartMoments& part : parts) rows += part.rows;
  kernels::Moments all = parts.front().moments;
  for (size_t c = 0; c < all.mean.size(); ++c) {
    double mean = 0;
    for (const PartMoments& part : parts) {
      mean += static_cast<double>(part.rows) / static_cast<double>(rows) * static_cast<double>(part.moments.mean[c]);
      all.minimum[c] = std::min(all.minimum[c], part.moments.minimum[c]);
      all.maximum[c] = std::max(all.maximum[c], part.moments.maximum[c]);
    }
    double variance = 0;
    for (const PartMoments& part : parts) {
      const double off = static_cast<double>(part.moments.mean[c]) - mean;
      variance += static_cast<double>(part.rows) / static_cast<double>(rows) * (static_cast<double>(part.moments.variance[c]) + off * off);
    }
    all.mean[c] = static_cast<float>(mean);
    all.variance[c] = static_cast<float>(variance);
  }
  return all;
}

/// The moments of the whole batch, of which `sums` are this part's rows.
kernels::Moments BatchMoments(const ShardPlace& place, const torch::Tensor& sums) {
  const int64_t channels = sums.size(3);
  const int64_t rows = sums.numel() / channels;
  kernels::Moments own = kernels::ComputeMoments(sums.const_data_ptr<float>(), rows, channels);
  if (place.group == nullptr) return own;
  return Combined(place.group->Exchange(place.shard, PartMoments{rows, std::move(own)}));
}

/// The sums of a normalisation's backward over the whole batch, and its number of rows.
struct PartSums {
  int64_t rows = 0;
  kernels::NormSums sums;
};
PartSums BatchSums(const ShardPlace& place, const PartSums& own) {
  if (place.group == nullptr) return own;
  PartSums all = {0, {std::vector<double>(own.sums.gradient.size()), std::vector<double>(own.sums.product.size())}};
  for (const PartSums& part : place.group->Exchange(place.shard, own)) {
    all.rows += part.rows;
    for (size_t c = 0; c < all.sums.gradient.size(); ++c) {
      all.sums.gradient[c] += part.sums.gradient[c];
      all.sums.product[c] += part.sums.product[c];
    }
  }
  return all;
}

/// Carries a place from the forward to the backward of a function.
struct SavedPlace final : torch::CustomClassHolder {
  explicit SavedPlace(const ShardPlace& saved) : place(saved) {}
  ShardPlace place;
};

class TrainConvFunction : public torch::autograd::Function<TrainConvFunction> {
 public:
  /// A tensor that may be absent goes through autograd as an optional one.
  using Optional = std::optional<torch::Tensor>;
  static Optional OptionalOf(const torch::Tensor& tensor) { return tensor.defined() ? Optional(tensor) : std::nullopt; }

  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& input, const torch::Tensor& weight, const Optional& bias,
                               const Optional& gamma, const Optional& beta, const ConvGeometry& g, const ConvTail& tail, Numerics numerics,
                               const ShardPlace& place, ConvObservation* observation) {
    const torch::Tensor factor = input.to(TypeOf(ConvolvesInBf16(numerics, g, input.size(3))));
    const torch::Tensor sums = SumsOf(factor, weight, g);
    const int64_t channels = sums.size(3);
    const int64_t rows = sums.numel() / channels;
    const bool normalised = gamma.has_value();
    kernels::Moments moments;
    // Without a normalisation only the range is wanted, and that only when something is to be quantised.
    if (normalised || tail.quantize_first) moments = BatchMoments(place, sums);
    Affine affine = normalised ? AffineOf(*gamma, *beta, moments) : AffineOf(bias.value_or(torch::zeros({channels})));
    FindReach(moments, tail.nonlinearity, affine);
    observation->first = affine.range;
    const Interval swished = HardSwishInterval(affine.range.low, affine.range.high);
    observation->second = {swished.low, swished.high};
    const kernels::AffineActivation what = {affine.scale.const_data_ptr<float>(), affine.shift.const_data_ptr<float>(), tail.nonlinearity,
                                            FakeQuantizerFor(observation->first, tail.quantize_first),
                                            FakeQuantizerFor(observation->second, tail.quantize_second)};
    torch::Tensor output = torch::empty_like(sums);
    kernels::AffineForward(what, sums.const_data_ptr<float>(), rows, channels, output.mutable_data_ptr<float>());
    if (normalised) {
      if (bias.has_value()) AddBias(*bias, moments);
      observation->moments = std::move(moments);
    }
    context->save_for_backward({factor, weight, sums, affine.scale, affine.shift, affine.mean, affine.inverse_stddev});
    context->saved_data["geometry"] = std::vector<int64_t>{g.groups, g.kernel, g.stride, g.padding, g.dilation};
    context->saved_data["nonlinearity"] = static_cast<int64_t>(tail.nonlinearity);
    context->saved_data["normalised"] = normalised;
    context->saved_data["biased"] = bias.has_value();
    context->saved_data["place"] = c10::IValue::make_capsule(c10::make_intrusive<SavedPlace>(place));
    return output;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const std::vector<int64_t> numbers = context->saved_data["geometry"].toIntVector();
    const ConvGeometry g = {numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]};
    const torch::Tensor& sums = saved[2];
    const int64_t channels = sums.size(3);
    const int64_t rows = sums.numel() / channels;
    const kernels::AffineActivation what = {saved[3].const_data_ptr<float>(),
                                            saved[4].const_data_ptr<float>(),
                                            static_cast<kernels::Nonlinearity>(context->saved_data["nonlinearity"].toInt()),
                                            {},
                                            {}};
    const torch::Tensor gradient = gradients[0].contiguous();
    torch::Tensor sum_gradient = torch::empty_like(sums);
    const float* const from = gradient.const_data_ptr<float>();
    float* const to = sum_gradient.mutable_data_ptr<float>();
    torch::Tensor bias;
    torch::Tensor gamma;
    torch::Tensor beta;
    if (context->saved_data["normalised"].toBool()) {
      const c10::intrusive_ptr<torch::CustomClassHolder> saved_place = context->saved_data["place"].toCapsule();
      const PartSums own = {rows, kernels::SumNormGradients(what, sums.const_data_ptr<float>(), from, rows, channels)};
      const PartSums batch = BatchSums(static_cast<const SavedPlace&>(*saved_place).place, own);
      const kernels::NormGradients norm =
          kernels::NormBackward(what, saved[5].const_data_ptr<float>(), saved[6].const_data_ptr<float>(), own.sums, batch.sums, batch.rows,
                                sums.const_data_ptr<float>(), from, rows, channels, to);
      gamma = ToTensor(norm.gamma);
      beta = ToTensor(norm.beta);
      if (context->saved_data["biased"].toBool()) bias = torch::zeros({channels});
    } else {
      const std::vector<float> shift = kernels::AffineBackward(what, sums.const_data_ptr<float>(), from, rows, channels, to);
      if (context->saved_data["biased"].toBool()) bias = ToTensor(shift);
    }
    const Wanted wanted = {.input = context->needs_input_grad(0), .weight = context->needs_input_grad(1)};
    const ConvGradients conv = GradientsOf(saved[0], saved[1], sum_gradient, g, wanted);
    return {conv.input, conv.weight, bias, gamma, beta, {}, {}, {}, {}, {}};
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

std::unique_ptr<DeviceOps> CpuFusedOps::With(Numerics numerics, const ShardPlace& place) const {
  return std::unique_ptr<DeviceOps>(new CpuFusedOps(numerics, place));
}

torch::Tensor CpuFusedOps::TrainConv(const torch::Tensor& input, const OperatorTensors& t, const ConvGeometry& geometry,
                                     const ConvTail& tail, ConvObservation& observation) const {
  using Function = TrainConvFunction;
  return Function::apply(input, t.weight, Function::OptionalOf(t.bias), Function::OptionalOf(t.gamma), Function::OptionalOf(t.beta),
                         geometry, tail, numerics(), place_, &observation);
}

torch::Tensor CpuFusedOps::EvaluateConv(const torch::Tensor& input, const torch::Tensor& weight, const ConvGeometry& geometry,
                                        const CalibratedTail& tail) const {
  const torch::NoGradGuard no_grad;
  const torch::Tensor sums = SumsOf(input.to(TypeOf(ConvolvesInBf16(numerics(), geometry, input.size(3)))), weight, geometry);
  const kernels::AffineActivation what = {tail.scale.data(), tail.shift.data(), tail.nonlinearity, tail.first, tail.second};
  float* const data = sums.mutable_data_ptr<float>();
  kernels::AffineForward(what, data, sums.numel() / sums.size(3), sums.size(3), data);
  return sums;
}

torch::Tensor CpuFusedOps::Convolve(const torch::Tensor& input, const torch::Tensor& weight, const ConvGeometry& geometry) const {
  const torch::NoGradGuard no_grad;
  return SumsOf(input, weight, geometry);
}

torch::Tensor CpuFusedOps::ScaleChannels(const torch::Tensor& left, const torch::Tensor& right) const {
  return ScaleFunction::apply(left.contiguous(), right.contiguous());
}

torch::Tensor CpuFusedOps::GlobalAveragePool(const torch::Tensor& input) const { return PoolFunction::apply(input.contiguous()); }

kernels::Range CpuFusedOps::FindRange(const torch::Tensor& input) const {
  const torch::Tensor flat = input.detach().contiguous();
  const kernels::Range own = kernels::FindRange(flat.const_data_ptr<float>(), flat.numel());
  if (place_.group == nullptr) return own;
  kernels::Range all = own;
  for (const kernels::Range& part : place_.group->Exchange(place_.shard, own))
    all = {std::min(all.low, part.low), std::max(all.high, part.high)};
  return all;
}

torch::Tensor CpuFusedOps::Quantize(const torch::Tensor& input, const kernels::FakeQuantizer& quantizer) const {
  if (!quantizer.enabled) return input;
  return QuantizeFunction::apply(input.contiguous(), quantizer);
}

torch::Tensor CpuFusedOps::QuantizeWeights(const torch::Tensor& weight, ElementType type) const {
  if (BitWidth(type) > 8) return weight.contiguous();
  return QuantizeWeightsFunction::apply(weight, type);
}

}  // namespace hanas
