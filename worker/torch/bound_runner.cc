// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/bound_runner.h"

#include <algorithm>
#include <cmath>

#include "worker/engine/quantize.h"
#include "worker/torch/fused_ops.h"

namespace hanas {
namespace {

constexpr double kLargestExactFloat = 16777216.0;  // 2^24
constexpr double kLargestBias = 1073741824.0;      // 2^30 leaves room for the sum it is added to

size_t At(int64_t index) { return static_cast<size_t>(index); }

/// [N, H, W, C] -> the product with OIHW or [out, in] weights, summed in the weights' type.
torch::Tensor Multiply(const Operator& op, const torch::Tensor& input, const torch::Tensor& weight) {
  if (op.kind == OpKind::kFullyConnected) return input.mm(weight.t());
  const ConvGeometry geometry = GeometryOf(op);
  if (weight.scalar_type() == torch::kFloat32) return Convolve(input, weight, geometry);
  const torch::Tensor result = at::conv2d(input.permute({0, 3, 1, 2}), weight, {}, {geometry.stride, geometry.stride},
                                          {geometry.padding, geometry.padding}, {1, 1}, geometry.depthwise ? weight.size(0) : 1);
  return result.permute({0, 2, 3, 1}).contiguous();
}

/// Integers of one value: round(real / scale) + zero point, half to even, clamped.
torch::Tensor QuantizeToIntegers(const torch::Tensor& real, const Quantizer& q) {
  return torch::clamp(torch::round(real / q.scale) + static_cast<double>(q.zero_point), -128.0, 127.0);
}

torch::Tensor ToReal(const torch::Tensor& integers, const Quantizer& q) { return (integers - static_cast<double>(q.zero_point)) * q.scale; }

torch::Tensor FromVector(const std::vector<float>& values) { return torch::tensor(values, torch::kFloat32); }

torch::Tensor Activate(const torch::Tensor& value, FusedActivation activation) {
  if (activation == FusedActivation::kRelu) return torch::relu(value);
  if (activation == FusedActivation::kHardSigmoid) return torch::clamp(value + 3.0, 0.0, 6.0) / 6.0;
  return value;
}

/// Per-channel multiplier and offset of a normalisation.
struct Fold {
  float scale = 1;
  float shift = 0;
};

Fold FoldOf(const OperatorTensors& t, const Calibration& calibration, size_t op, size_t channel, bool has_norm) {
  if (!has_norm) return {1.0F, t.bias.defined() ? t.bias.const_data_ptr<float>()[channel] : 0.0F};
  const float scale = t.gamma.const_data_ptr<float>()[channel] / std::sqrt(calibration.variance[op][channel] + kNormEpsilon);
  return {scale, t.beta.const_data_ptr<float>()[channel] - scale * calibration.mean[op][channel]};
}

/// The input scale when the layer computes in int8, else 0: its bias then stays real.
void BindIntegers(const float* weights, size_t count, ElementType type, const Fold& fold, float input_scale, BoundWeights& out) {
  const float step = WeightStep({weights, count}, type);
  const float scale = step * std::abs(fold.scale);
  const double limit = input_scale > 0 ? static_cast<double>(std::abs(fold.shift)) / (static_cast<double>(input_scale) * kLargestBias) : 0;
  // A channel whose normalisation multiplies by nothing: only the bias is left of it.
  const bool dead = !(static_cast<double>(scale) > limit) || !std::isnormal(scale);
  for (size_t i = 0; i < count; ++i) {
    const int8_t integer = QuantizeWeight(weights[i], step, type);
    out.integers.push_back(dead ? int8_t{0} : static_cast<int8_t>(fold.scale < 0 ? -integer : integer));
  }
  out.scales.push_back(dead ? static_cast<float>(std::max(limit * 64, 1e-6)) : scale);
}

/// Kernels rescale a sum by input step times weight step over output step and want that below 256; an output that hardly varies gets a
/// wider step.
void WidenOutputStep(const BoundWeights& weights, float input_scale, Quantizer& output) {
  constexpr float kLargestRatio = 255;
  const float widest = input_scale * *std::max_element(weights.scales.begin(), weights.scales.end());
  output.scale = std::max(output.scale, widest / kLargestRatio);
}

}  // namespace

void BindTensors(const Graph& graph, const std::vector<OperatorTensors>& unquantized, const Calibration& calibration, BoundModel& model) {
  model.graph = graph;
  model.quantizers = calibration.quantizers;
  model.weights.assign(graph.operators.size(), {});
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const Operator& op = graph.operators[i];
    if (!op.has_weights()) continue;
    const torch::Tensor weight = unquantized[i].weight.detach().contiguous();
    const size_t channels = At(weight.size(0));
    const size_t count = At(weight.numel()) / channels;
    const bool integer = BitWidth(op.weight_type) <= 8;
    const float input_scale = op.compute == ElementType::kInt8 ? model.quantizers[At(op.inputs[0])].scale : 0;
    for (size_t c = 0; c < channels; ++c) {
      const Fold fold = FoldOf(unquantized[i], calibration, i, c, op.has_norm());
      const float* const row = weight.const_data_ptr<float>() + c * count;
      BoundWeights& out = model.weights[i];
      if (integer) {
        BindIntegers(row, count, op.weight_type, fold, input_scale, out);
      } else {
        for (size_t k = 0; k < count; ++k) out.floats.push_back(RoundToHalf(row[k] * fold.scale));
      }
      out.bias.push_back(fold.shift);
    }
    if (op.compute == ElementType::kInt8) WidenOutputStep(model.weights[i], input_scale, model.quantizers[At(op.output)]);
  }
}

BoundRunner::BoundRunner(const BoundModel& model) : model_(model), weights_(model.graph.operators.size()) {
  for (size_t i = 0; i < model.graph.operators.size(); ++i) {
    const Operator& op = model.graph.operators[i];
    if (!op.has_weights()) continue;
    const BoundWeights& w = model.weights[i];
    const int64_t out = model.graph.value(op.output).shape.back();
    const int64_t in = model.graph.value(op.inputs[0]).shape.back() / op.groups;
    std::vector<int64_t> shape = {out, in};
    if (op.kind == OpKind::kConv2d) shape.insert(shape.end(), {op.kernel, op.kernel});
    torch::Tensor tensor =
        w.integers.empty() ? FromVector(w.floats) : torch::tensor(std::vector<float>(w.integers.begin(), w.integers.end()));
    tensor = tensor.view(shape);
    if (op.compute == ElementType::kInt8) {
      const double largest = 255.0 * NarrowRangeLimit(op.weight_type) * static_cast<double>(in * op.kernel * op.kernel);
      weights_[i] = largest < kLargestExactFloat ? tensor : tensor.to(torch::kFloat64);
    } else if (!w.integers.empty()) {
      std::vector<int64_t> broadcast(shape.size(), 1);
      broadcast[0] = out;
      weights_[i] = tensor * FromVector(w.scales).view(broadcast);
    } else {
      weights_[i] = tensor;
    }
  }
}

torch::Tensor BoundRunner::ReadReal(const Operator& op, size_t which, const std::vector<torch::Tensor>& values) const {
  const ValueId id = op.inputs[which];
  const Quantizer& quantizer = model_.quantizers[At(id)];
  const bool native_int8 = model_.graph.value(id).type == ElementType::kInt8;
  if (native_int8) return ToReal(values[At(id)], quantizer);
  if (op.compute == ElementType::kInt8) return ToReal(QuantizeToIntegers(values[At(id)], quantizer), quantizer);
  return values[At(id)];
}

torch::Tensor BoundRunner::ReadCentred(const Operator& op, const std::vector<torch::Tensor>& values) const {
  const ValueId id = op.inputs[0];
  const Quantizer& quantizer = model_.quantizers[At(id)];
  const bool native_int8 = model_.graph.value(id).type == ElementType::kInt8;
  const torch::Tensor integers = native_int8 ? values[At(id)] : QuantizeToIntegers(values[At(id)], quantizer);
  return integers - static_cast<double>(quantizer.zero_point);
}

torch::Tensor BoundRunner::RunInteger(size_t i, const std::vector<torch::Tensor>& values) const {
  const Operator& op = model_.graph.operators[i];
  const BoundWeights& w = model_.weights[i];
  const Quantizer& in = model_.quantizers[At(op.inputs[0])];
  const Quantizer& out = model_.quantizers[At(op.output)];
  const torch::Tensor accumulator_scale = FromVector(w.scales).to(torch::kFloat64) * static_cast<double>(in.scale);
  const torch::Tensor bias = torch::round(FromVector(w.bias).to(torch::kFloat64) / accumulator_scale);
  const torch::Tensor sums = Multiply(op, ReadCentred(op, values).to(weights_[i].scalar_type()), weights_[i]).to(torch::kFloat64) + bias;
  if (op.activation == FusedActivation::kHardSigmoid) {
    return QuantizeToIntegers(Activate(sums * accumulator_scale, op.activation), out).to(torch::kFloat32);
  }
  // The exact sum times one float32 factor for each channel: as the integer kernels of XNNPACK and ONNX Runtime do it, to the bit.
  std::vector<float> factors;
  for (const float scale : w.scales) factors.push_back(in.scale * scale / out.scale);
  const torch::Tensor steps = torch::round(sums.to(torch::kFloat32) * FromVector(factors)) + static_cast<double>(out.zero_point);
  const double low = op.activation == FusedActivation::kRelu ? std::max(-128.0, static_cast<double>(out.zero_point)) : -128.0;
  return torch::clamp(steps, low, 127.0);
}

torch::Tensor BoundRunner::RunWeighted(size_t i, const std::vector<torch::Tensor>& values) const {
  const Operator& op = model_.graph.operators[i];
  if (op.compute == ElementType::kInt8) return RunInteger(i, values);
  return Activate(Multiply(op, ReadReal(op, 0, values), weights_[i]) + FromVector(model_.weights[i].bias), op.activation);
}

torch::Tensor BoundRunner::RunOther(const Operator& op, const std::vector<torch::Tensor>& values) const {
  torch::Tensor real = ReadReal(op, 0, values).contiguous();
  switch (op.kind) {
    case OpKind::kGlobalAveragePool:
      real = PoolImages(real);
      break;
    case OpKind::kAdd:
      real = real + ReadReal(op, 1, values);
      break;
    case OpKind::kMultiply:
      real = ScaleChannels(real, ReadReal(op, 1, values));
      break;
    case OpKind::kHardSwish:
      real = HardSwish(real);
      break;
    case OpKind::kConv2d:
    case OpKind::kFullyConnected:
    case OpKind::kConvert:
      TORCH_CHECK(false, "unexpected operator ", SiteName(op.provenance));
  }
  return op.compute == ElementType::kInt8 ? QuantizeToIntegers(real, model_.quantizers[At(op.output)]) : real;
}

torch::Tensor BoundRunner::Run(const torch::Tensor& images, std::vector<torch::Tensor>* values) const {
  const torch::NoGradGuard no_grad;
  const Graph& graph = model_.graph;
  std::vector<torch::Tensor> local(graph.values.size());
  local[At(graph.input)] = images;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const Operator& op = graph.operators[i];
    local[At(op.output)] = op.has_weights() ? RunWeighted(i, local) : RunOther(op, local);
  }
  const torch::Tensor output = local[At(graph.output)];
  const bool int8 = graph.value(graph.output).type == ElementType::kInt8;
  const torch::Tensor logits = int8 ? ToReal(output, model_.quantizers[At(graph.output)]) : output;
  if (values != nullptr) *values = std::move(local);
  return logits;
}

}  // namespace hanas
