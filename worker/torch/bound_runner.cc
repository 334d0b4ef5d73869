// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/bound_runner.h"

#include <algorithm>
#include <cmath>

#include "core/graph/op_schema.h"
#include "worker/engine/quantize.h"

namespace hanas {
namespace {

constexpr double kLargestExactFloat = 16777216.0;  // 2^24
constexpr double kLargestBias = 1073741824.0;      // 2^30 leaves room for the sum it is added to

size_t At(int64_t index) { return static_cast<size_t>(index); }

/// Integers of one value: round(real / scale) + zero point, half to even, clamped.
torch::Tensor QuantizeToIntegers(const torch::Tensor& real, const Quantizer& q) {
  return torch::clamp(torch::round(real / q.scale) + static_cast<double>(q.zero_point), -128.0, 127.0);
}

torch::Tensor ToReal(const torch::Tensor& integers, const Quantizer& q) { return (integers - static_cast<double>(q.zero_point)) * q.scale; }

torch::Tensor FromVector(const std::vector<float>& values) { return torch::tensor(values, torch::kFloat32); }

/// The integers to which an activation clamps what a kernel writes with the quantiser `out`.
struct IntegerClamp {
  double low = -128;
  double high = 127;
};
IntegerClamp ClampOf(FusedActivation activation, const Quantizer& out) {
  IntegerClamp clamp;
  const bool relu6 = activation == FusedActivation::kRelu6;
  if (relu6 || activation == FusedActivation::kRelu) clamp.low = static_cast<double>(out.zero_point);
  if (relu6) clamp.high = std::min(127.0, std::nearbyint(static_cast<double>(6.0F / out.scale)) + static_cast<double>(out.zero_point));
  return clamp;
}

/// The input scale when the layer computes in int8, else 0: its bias then stays real.
void BindIntegers(const float* weights, size_t count, ElementType type, const ChannelFold& fold, float input_scale, BoundWeights& out) {
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

/// Integer kernels rescale what they sum by one factor for each operand, its step over the output's, and want that below 256: an output
/// that hardly varies gets a wider step. `widest` is the largest step of what is rescaled.
void WidenOutputStep(float widest, Quantizer& output) {
  constexpr float kLargestRatio = 255;
  output.scale = std::max(output.scale, widest / kLargestRatio);
}

/// The largest step of what an int8 operator rescales; 0 of those that rescale nothing.
float WidestStep(const Operator& op, const BoundWeights& weights, const std::vector<Quantizer>& quantizers) {
  const float input = quantizers[At(op.inputs[0])].scale;
  if (op.has_weights()) return input * *std::max_element(weights.scales.begin(), weights.scales.end());
  if (op.inputs.size() < 2) return 0;
  const float second = quantizers[At(op.inputs[1])].scale;
  return op.kind == OpKind::kAdd ? std::max(input, second) : input * second;
}

void BindWeights(const Operator& op, const OperatorTensors& unquantized, const Calibration& calibration, size_t i, BoundModel& model) {
  if (!op.has_weights()) return;
  const torch::Tensor weight = unquantized.weight.detach().contiguous();
  const size_t channels = At(weight.size(0));
  const size_t count = At(weight.numel()) / channels;
  const bool integer = BitWidth(op.weight_type) <= 8;
  const float input_scale = op.compute == ElementType::kInt8 ? model.quantizers[At(op.inputs[0])].scale : 0;
  BoundWeights& out = model.weights[i];
  const std::vector<ChannelFold> folds = FoldsOf(op, unquantized, calibration, i);
  for (size_t c = 0; c < channels; ++c) {
    const ChannelFold& fold = folds[c];
    const float* const row = weight.const_data_ptr<float>() + c * count;
    if (integer) {
      BindIntegers(row, count, op.weight_type, fold, input_scale, out);
    } else {
      for (size_t k = 0; k < count; ++k) out.floats.push_back(RoundToHalf(row[k] * fold.scale));
    }
    out.bias.push_back(fold.shift);
  }
}

}  // namespace

void BindTensors(const Graph& graph, const std::vector<OperatorTensors>& unquantized, const Calibration& calibration, BoundModel& model) {
  model.graph = graph;
  model.quantizers = calibration.quantizers;
  model.weights.assign(graph.operators.size(), {});
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const Operator& op = graph.operators[i];
    PassQuantizerOn(op, model.quantizers);  // its input's may be wider than calibration made it
    BindWeights(op, unquantized[i], calibration, i, model);
    if (op.compute == ElementType::kInt8)
      WidenOutputStep(WidestStep(op, model.weights[i], model.quantizers), model.quantizers[At(op.output)]);
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

torch::Tensor BoundRunner::ReadIntegers(const Operator& op, const std::vector<torch::Tensor>& values) const {
  const ValueId id = op.inputs[0];
  const bool native_int8 = model_.graph.value(id).type == ElementType::kInt8;
  return native_int8 ? values[At(id)] : QuantizeToIntegers(values[At(id)], model_.quantizers[At(id)]);
}

torch::Tensor BoundRunner::Multiply(const Operator& op, const torch::Tensor& input, const torch::Tensor& weight) const {
  if (op.kind == OpKind::kFullyConnected) return input.mm(weight.t());
  if (weight.scalar_type() == torch::kFloat32) return ops_.Convolve(input, weight, ConvGeometryOf(op));
  return StockOps().Convolve(input, weight, ConvGeometryOf(op));
}

torch::Tensor BoundRunner::RunInteger(size_t i, const std::vector<torch::Tensor>& values) const {
  const Operator& op = model_.graph.operators[i];
  const BoundWeights& w = model_.weights[i];
  const Quantizer& in = model_.quantizers[At(op.inputs[0])];
  const Quantizer& out = model_.quantizers[At(op.output)];
  const torch::Tensor accumulator_scale = FromVector(w.scales).to(torch::kFloat64) * static_cast<double>(in.scale);
  const torch::Tensor bias = torch::round(FromVector(w.bias).to(torch::kFloat64) / accumulator_scale);
  const torch::Tensor centred = ReadIntegers(op, values) - static_cast<double>(in.zero_point);
  const torch::Tensor sums = Multiply(op, centred.to(weights_[i].scalar_type()), weights_[i]).to(torch::kFloat64) + bias;
  if (op.activation == FusedActivation::kHardSigmoid) {
    return QuantizeToIntegers(ops_.Activate(sums * accumulator_scale, op.activation), out).to(torch::kFloat32);
  }
  // The exact sum times one float32 factor for each channel: as the integer kernels of XNNPACK and ONNX Runtime do it, to the bit.
  std::vector<float> factors;
  for (const float scale : w.scales) factors.push_back(in.scale * scale / out.scale);
  const torch::Tensor steps = torch::round(sums.to(torch::kFloat32) * FromVector(factors)) + static_cast<double>(out.zero_point);
  const IntegerClamp clamp = ClampOf(op.activation, out);
  return torch::clamp(steps, clamp.low, clamp.high);
}

torch::Tensor BoundRunner::RunWeighted(size_t i, const std::vector<torch::Tensor>& values) const {
  const Operator& op = model_.graph.operators[i];
  if (op.compute == ElementType::kInt8) return RunInteger(i, values);
  return ops_.Activate(Multiply(op, ReadReal(op, 0, values), weights_[i]) + FromVector(model_.weights[i].bias), op.activation);
}

torch::Tensor BoundRunner::RunPool(const Operator& op, const torch::Tensor& values) const {
  return op.kind == OpKind::kMaxPool ? ops_.MaxPool(values, PoolWindowOf(op)) : ops_.GlobalMaxPool(values);
}

torch::Tensor BoundRunner::RunOther(const Operator& op, const std::vector<torch::Tensor>& values) const {
  const bool int8 = op.compute == ElementType::kInt8;
  if (int8 && SchemaOf(op.kind).keeps_quantizer) return RunPool(op, ReadIntegers(op, values));
  torch::Tensor real = ReadReal(op, 0, values).contiguous();
  switch (op.kind) {
    case OpKind::kGlobalAveragePool:
      real = ops_.GlobalAveragePool(real);
      break;
    case OpKind::kAdd:
      real = ops_.Add(real, ReadReal(op, 1, values));
      break;
    case OpKind::kMultiply:
      real = ops_.ScaleChannels(real, ReadReal(op, 1, values));
      break;
    case OpKind::kHardSwish:
      real = ops_.HardSwish(real);
      break;
    case OpKind::kMaxPool:
    case OpKind::kGlobalMaxPool:
      real = RunPool(op, real);
      break;
    case OpKind::kSigmoid:
      real = ops_.Sigmoid(real);
      break;
    case OpKind::kProduct:
      real = ops_.Product(real, ReadReal(op, 1, values));
      break;
    case OpKind::kConv2d:
    case OpKind::kFullyConnected:
    case OpKind::kConvert:
      TORCH_CHECK(false, "unexpected operator ", model_.graph.name(op));
  }
  if (!int8) return ops_.Activate(real, op.activation);
  const Quantizer& out = model_.quantizers[At(op.output)];
  const IntegerClamp clamp = ClampOf(op.activation, out);
  return torch::clamp(QuantizeToIntegers(real, out), clamp.low, clamp.high);
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
