// SPDX-License-Identifier: Apache-2.0
#include "tests/agent/reference_operator.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hanas {
namespace {

double Weight(const BoundWeights& w, size_t index, size_t channel) {
  return w.floats.empty() ? static_cast<double>(w.scales[channel]) * w.integers[index] : static_cast<double>(w.floats[index]);
}

/// The bias as executed: an int8 operator rounds it to its accumulator's step.
double Bias(const ReferenceCase& c, size_t channel) {
  const double bias = c.weights.bias[channel];
  if (c.key.weight_type != ElementType::kInt8) return bias;
  const double step = static_cast<double>(c.input_quantizers[0].scale) * c.weights.scales[channel];
  return std::nearbyint(bias / step) * step;
}

double Activate(FusedActivation activation, double x) {
  switch (activation) {
    case FusedActivation::kRelu:
      return std::max(x, 0.0);
    case FusedActivation::kRelu6:
      return std::clamp(x, 0.0, 6.0);
    case FusedActivation::kHardSigmoid:
      return std::clamp((x + 3) / 6, 0.0, 1.0);
    default:
      return x;
  }
}

std::vector<double> Convolve(const ReferenceCase& c) {
  const OpKey& key = c.key;
  const Shape out = OutputShape(key);
  const int64_t in_group = key.input[3] / key.groups;
  const int64_t out_group = key.output_channels / key.groups;
  std::vector<double> result;
  for (int64_t n = 0; n < out[0]; ++n) {
    for (int64_t y = 0; y < out[1]; ++y) {
      for (int64_t x = 0; x < out[2]; ++x) {
        for (int64_t o = 0; o < out[3]; ++o) {
          double sum = Bias(c, static_cast<size_t>(o));
          for (int ky = 0; ky < key.kernel; ++ky) {
            for (int kx = 0; kx < key.kernel; ++kx) {
              const int64_t iy = y * key.stride - key.padding + ky * key.dilation;
              const int64_t ix = x * key.stride - key.padding + kx * key.dilation;
              if (iy < 0 || ix < 0 || iy >= key.input[1] || ix >= key.input[2]) continue;
              for (int64_t i = 0; i < in_group; ++i) {
                const int64_t at = ((n * key.input[1] + iy) * key.input[2] + ix) * key.input[3] + o / out_group * in_group + i;
                const int64_t weight = ((o * in_group + i) * key.kernel + ky) * key.kernel + kx;
                sum += c.inputs[0][static_cast<size_t>(at)] * Weight(c.weights, static_cast<size_t>(weight), static_cast<size_t>(o));
              }
            }
          }
          result.push_back(Activate(key.activation, sum));
        }
      }
    }
  }
  return result;
}

std::vector<double> Connect(const ReferenceCase& c) {
  const int64_t in = c.key.input[1];
  std::vector<double> result;
  for (int64_t n = 0; n < c.key.input[0]; ++n) {
    for (int64_t o = 0; o < c.key.output_channels; ++o) {
      double sum = Bias(c, static_cast<size_t>(o));
      for (int64_t i = 0; i < in; ++i) {
        sum += c.inputs[0][static_cast<size_t>(n * in + i)] * Weight(c.weights, static_cast<size_t>(o * in + i), static_cast<size_t>(o));
      }
      result.push_back(Activate(c.key.activation, sum));
    }
  }
  return result;
}

/// The whole image for a global one; what lies beyond the border never wins.
std::vector<double> MaxPool(const ReferenceCase& c) {
  const OpKey& key = c.key;
  const bool global = key.kind == OpKind::kGlobalMaxPool;
  const Shape out = global ? Shape{key.input[0], 1, 1, key.input[3]} : OutputShape(key);
  const int64_t height = global ? key.input[1] : key.kernel;
  const int64_t width = global ? key.input[2] : key.kernel;
  std::vector<double> result;
  for (int64_t n = 0; n < out[0]; ++n) {
    for (int64_t y = 0; y < out[1]; ++y) {
      for (int64_t x = 0; x < out[2]; ++x) {
        for (int64_t channel = 0; channel < out[3]; ++channel) {
          double most = -std::numeric_limits<double>::infinity();
          for (int64_t ky = 0; ky < height; ++ky) {
            for (int64_t kx = 0; kx < width; ++kx) {
              const int64_t iy = y * key.stride - key.padding + ky * key.dilation;
              const int64_t ix = x * key.stride - key.padding + kx * key.dilation;
              if (iy < 0 || ix < 0 || iy >= key.input[1] || ix >= key.input[2]) continue;
              const int64_t at = ((n * key.input[1] + iy) * key.input[2] + ix) * key.input[3] + channel;
              most = std::max(most, static_cast<double>(c.inputs[0][static_cast<size_t>(at)]));
            }
          }
          result.push_back(most);
        }
      }
    }
  }
  return result;
}

std::vector<double> Elementwise(const ReferenceCase& c) {
  const Shape& shape = c.key.input;
  const auto channels = static_cast<size_t>(shape.back());
  std::vector<double> result;
  if (c.key.kind == OpKind::kGlobalAveragePool) {
    const auto pixels = static_cast<size_t>(shape[1] * shape[2]);
    result.assign(static_cast<size_t>(shape[0]) * channels, 0);
    for (size_t i = 0; i < c.inputs[0].size(); ++i) {
      result[i / (pixels * channels) * channels + i % channels] += static_cast<double>(c.inputs[0][i]) / static_cast<double>(pixels);
    }
    return result;
  }
  for (size_t i = 0; i < c.inputs[0].size(); ++i) {
    const double x = c.inputs[0][i];
    switch (c.key.kind) {
      case OpKind::kAdd:
        result.push_back(Activate(c.key.activation, x + c.inputs[1][i]));
        break;
      case OpKind::kProduct:
        result.push_back(x * c.inputs[1][i]);
        break;
      case OpKind::kSigmoid:
        result.push_back(1 / (1 + std::exp(-x)));
        break;
      case OpKind::kMultiply:
        result.push_back(x * c.inputs[1][i / (c.inputs[0].size() / static_cast<size_t>(shape[0])) * channels + i % channels]);
        break;
      case OpKind::kHardSwish:
        result.push_back(x * std::clamp(x + 3, 0.0, 6.0) / 6);
        break;
      default:
        result.push_back(x);
    }
  }
  return result;
}

std::vector<double> Real(const ReferenceCase& c) {
  switch (c.key.kind) {
    case OpKind::kConv2d:
      return Convolve(c);
    case OpKind::kFullyConnected:
      return Connect(c);
    case OpKind::kMaxPool:
    case OpKind::kGlobalMaxPool:
      return MaxPool(c);
    default:
      return Elementwise(c);
  }
}

}  // namespace

std::vector<double> ReferenceOutput(const ReferenceCase& c) {
  std::vector<double> real = Real(c);
  if (c.key.output_type != ElementType::kInt8) return real;
  const Quantizer& q = c.output_quantizer;
  for (double& value : real) {
    const double integer = std::clamp(std::nearbyint(value / q.scale) + q.zero_point, -128.0, 127.0);
    value = (integer - q.zero_point) * q.scale;
  }
  return real;
}

}  // namespace hanas
