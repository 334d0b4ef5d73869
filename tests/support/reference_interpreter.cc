// SPDX-License-Identifier: Apache-2.0
#include "tests/support/reference_interpreter.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "absl/log/check.h"
#include "core/graph/op_schema.h"

namespace hanas {
namespace {

/// `Number` is int64 for integers (exact) and double for floats. The plain convolution of channel-last `input` (zero outside the image)
/// with OIHW weights; output channel-last.
template <typename Number>
std::vector<Number> Convolve(const Operator& op, const Shape& in, const Shape& out, const std::vector<Number>& input,
                             const std::vector<Number>& weights) {
  std::vector<Number> sums(static_cast<size_t>(NumElements(out)), 0);
  const int64_t in_per_group = in[3] / op.groups;
  const int64_t out_per_group = out[3] / op.groups;
  for (int64_t y = 0; y < out[1]; ++y) {
    for (int64_t x = 0; x < out[2]; ++x) {
      for (int64_t o = 0; o < out[3]; ++o) {
        Number sum = 0;
        for (int64_t i = 0; i < in_per_group; ++i) {
          const int64_t channel = o / out_per_group * in_per_group + i;
          for (int ky = 0; ky < op.kernel; ++ky) {
            const int64_t row = y * op.stride - op.padding + int64_t{ky} * op.dilation;
            if (row < 0 || row >= in[1]) continue;
            for (int kx = 0; kx < op.kernel; ++kx) {
              const int64_t column = x * op.stride - op.padding + int64_t{kx} * op.dilation;
              if (column < 0 || column >= in[2]) continue;
              sum += input[static_cast<size_t>((row * in[2] + column) * in[3] + channel)] *
                     weights[static_cast<size_t>(((o * in_per_group + i) * op.kernel + ky) * op.kernel + kx)];
            }
          }
        }
        sums[static_cast<size_t>((y * out[2] + x) * out[3] + o)] = sum;
      }
    }
  }
  return sums;
}

template <typename Number>
std::vector<Number> Multiply(size_t outputs, const std::vector<Number>& input, const std::vector<Number>& weights) {
  std::vector<Number> sums(outputs, 0);
  for (size_t o = 0; o < outputs; ++o) {
    for (size_t i = 0; i < input.size(); ++i) sums[o] += input[i] * weights[o * input.size() + i];
  }
  return sums;
}

template <typename Number>
std::vector<Number> Layer(const Operator& op, const Graph& graph, const std::vector<Number>& input, const std::vector<Number>& weights) {
  const Shape& out = graph.value(op.output).shape;
  if (op.kind == OpKind::kConv2d) return Convolve(op, graph.value(op.inputs[0]).shape, out, input, weights);
  return Multiply(static_cast<size_t>(out.back()), input, weights);
}

/// Windows see nothing beyond the border.
std::vector<double> MaxPool(const Operator& op, const Shape& in, const Shape& out, const std::vector<double>& input) {
  std::vector<double> most(static_cast<size_t>(NumElements(out)), -std::numeric_limits<double>::infinity());
  for (size_t i = 0; i < most.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const int64_t channel = at % out[3];
    const int64_t x = at / out[3] % out[2];
    const int64_t y = at / out[3] / out[2];
    for (int ky = 0; ky < op.kernel; ++ky) {
      for (int kx = 0; kx < op.kernel; ++kx) {
        const int64_t row = y * op.stride - op.padding + int64_t{ky} * op.dilation;
        const int64_t column = x * op.stride - op.padding + int64_t{kx} * op.dilation;
        if (row < 0 || row >= in[1] || column < 0 || column >= in[2]) continue;
        most[i] = std::max(most[i], input[static_cast<size_t>((row * in[2] + column) * in[3] + channel)]);
      }
    }
  }
  return most;
}

double Activate(FusedActivation activation, double x) {
  switch (activation) {
    case FusedActivation::kNone:
      return x;
    case FusedActivation::kRelu:
      return std::max(x, 0.0);
    case FusedActivation::kHardSigmoid:
      return std::clamp(x + 3.0, 0.0, 6.0) / 6.0;
    case FusedActivation::kRelu6:
      return std::clamp(x, 0.0, 6.0);
  }
  CHECK(false) << "no such activation";
}

}  // namespace

int8_t QuantizeValue(double real, const Quantizer& quantizer) {
  const double level = std::nearbyint(real / static_cast<double>(quantizer.scale)) + quantizer.zero_point;
  return static_cast<int8_t>(std::clamp(level, -128.0, 127.0));
}

std::vector<float> ReferenceInterpreter::Reals(ValueId value, const ReferenceTensor& tensor) const {
  if (model_.graph.value(value).type != ElementType::kInt8) return tensor.floats;
  const Quantizer& quantizer = model_.quantizers[static_cast<size_t>(value)];
  std::vector<float> reals;
  for (const int8_t level : tensor.integers) reals.push_back(quantizer.scale * static_cast<float>(level - quantizer.zero_point));
  return reals;
}

std::vector<int64_t> ReferenceInterpreter::ReadLevels(ValueId value, const ReferenceTensor& tensor) const {
  const Quantizer& quantizer = model_.quantizers[static_cast<size_t>(value)];
  std::vector<int64_t> levels;
  if (model_.graph.value(value).type == ElementType::kInt8) {
    for (const int8_t level : tensor.integers) levels.push_back(level - quantizer.zero_point);
  } else {
    for (const float real : tensor.floats) levels.push_back(QuantizeValue(static_cast<double>(real), quantizer) - quantizer.zero_point);
  }
  return levels;
}

std::vector<double> ReferenceInterpreter::ReadReals(const Operator& op, size_t input, const std::vector<ReferenceTensor>& values) const {
  const ValueId id = op.inputs[input];
  const ReferenceTensor& tensor = values[static_cast<size_t>(id)];
  std::vector<double> reals;
  if (op.compute == ElementType::kInt8) {
    const auto scale = static_cast<double>(model_.quantizers[static_cast<size_t>(id)].scale);
    for (const int64_t level : ReadLevels(id, tensor)) reals.push_back(scale * static_cast<double>(level));
  } else {
    for (const float real : Reals(id, tensor)) reals.push_back(static_cast<double>(real));
  }
  return reals;
}

std::vector<double> ReferenceInterpreter::RunLayer(int op_index, const std::vector<ReferenceTensor>& values) const {
  const Operator& op = model_.graph.operators[static_cast<size_t>(op_index)];
  const BoundWeights& weights = model_.weights[static_cast<size_t>(op_index)];
  const size_t channels = weights.bias.size();
  std::vector<double> results;
  if (op.compute == ElementType::kInt8) {
    const auto input_scale = static_cast<double>(model_.quantizers[static_cast<size_t>(op.inputs[0])].scale);
    const std::vector<int64_t> integers(weights.integers.begin(), weights.integers.end());
    const std::vector<int64_t> sums =
        Layer(op, model_.graph, ReadLevels(op.inputs[0], values[static_cast<size_t>(op.inputs[0])]), integers);
    for (size_t i = 0; i < sums.size(); ++i) {
      const size_t c = i % channels;
      const double scale = input_scale * static_cast<double>(weights.scales[c]);
      const double bias = std::nearbyint(static_cast<double>(weights.bias[c]) / scale);
      results.push_back(scale * (static_cast<double>(sums[i]) + bias));
    }
  } else {
    std::vector<double> reals(weights.floats.begin(), weights.floats.end());
    const size_t per_channel = (reals.size() + weights.integers.size()) / channels;
    for (size_t i = 0; i < weights.integers.size(); ++i)
      reals.push_back(static_cast<double>(weights.scales[i / per_channel]) * weights.integers[i]);
    results = Layer(op, model_.graph, ReadReals(op, 0, values), reals);
    for (size_t i = 0; i < results.size(); ++i) results[i] += static_cast<double>(weights.bias[i % channels]);
  }
  for (double& result : results) result = Activate(op.activation, result);
  return results;
}

std::vector<double> ReferenceInterpreter::RunReal(int op_index, const std::vector<ReferenceTensor>& values) const {
  const Operator& op = model_.graph.operators[static_cast<size_t>(op_index)];
  if (op.has_weights()) return RunLayer(op_index, values);
  std::vector<double> left = ReadReals(op, 0, values);
  const std::vector<double> right = op.inputs.size() > 1 ? ReadReals(op, 1, values) : std::vector<double>();
  switch (op.kind) {
    case OpKind::kAdd:
      for (size_t i = 0; i < left.size(); ++i) left[i] = Activate(op.activation, left[i] + right[i]);
      return left;
    case OpKind::kProduct:
    case OpKind::kMultiply:
      for (size_t i = 0; i < left.size(); ++i) left[i] *= right[i % right.size()];
      return left;
    case OpKind::kHardSwish:
      for (double& x : left) x *= std::clamp(x + 3.0, 0.0, 6.0) / 6.0;
      return left;
    case OpKind::kSigmoid:
      for (double& x : left) x = 1.0 / (1.0 + std::exp(-x));
      return left;
    case OpKind::kMaxPool:
      return MaxPool(op, model_.graph.value(op.inputs[0]).shape, model_.graph.value(op.output).shape, left);
    case OpKind::kGlobalMaxPool: {
      std::vector<double> most(static_cast<size_t>(model_.graph.value(op.output).shape.back()), -std::numeric_limits<double>::infinity());
      for (size_t i = 0; i < left.size(); ++i) most[i % most.size()] = std::max(most[i % most.size()], left[i]);
      return most;
    }
    case OpKind::kGlobalAveragePool: {
      std::vector<double> means(static_cast<size_t>(model_.graph.value(op.output).shape.back()), 0.0);
      for (size_t i = 0; i < left.size(); ++i) means[i % means.size()] += left[i];
      for (double& mean : means) mean /= static_cast<double>(left.size() / means.size());
      return means;
    }
    default:
      CHECK(false) << "a graph has no " << SchemaOf(op.kind).name;
  }
}

ReferenceTensor ReferenceInterpreter::RunOperator(int op_index, const std::vector<ReferenceTensor>& values) const {
  const Operator& op = model_.graph.operators[static_cast<size_t>(op_index)];
  ReferenceTensor result;
  for (const double real : RunReal(op_index, values)) {
    if (op.compute == ElementType::kInt8) {
      result.integers.push_back(QuantizeValue(real, model_.quantizers[static_cast<size_t>(op.output)]));
    } else {
      result.floats.push_back(static_cast<float>(real));
    }
  }
  return result;
}

std::vector<ReferenceTensor> ReferenceInterpreter::Run(absl::Span<const float> image) const {
  std::vector<ReferenceTensor> values(model_.graph.values.size());
  values[static_cast<size_t>(model_.graph.input)].floats.assign(image.begin(), image.end());
  for (size_t i = 0; i < model_.graph.operators.size(); ++i) {
    values[static_cast<size_t>(model_.graph.operators[i].output)] = RunOperator(static_cast<int>(i), values);
  }
  return values;
}

std::vector<float> ReferenceInterpreter::Logits(const std::vector<ReferenceTensor>& values) const {
  return Reals(model_.graph.output, values[static_cast<size_t>(model_.graph.output)]);
}

}  // namespace hanas
