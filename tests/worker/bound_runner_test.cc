// SPDX-License-Identifier: Apache-2.0
// What a bound model computes, against loops that do what core/bound/bound_model.h says.
#include "worker/torch/bound_runner.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "absl/status/status_matchers.h"
#include "core/graph/op_schema.h"
#include "gtest/gtest.h"
#include "tests/worker/hand_made.h"
#include "worker/torch/network.h"

namespace hanas {
namespace {

size_t At(int64_t index) { return static_cast<size_t>(index); }

/// A hand-made network, calibrated on random images and bound.
struct Bound {
  explicit Bound(HandMade made_by_hand) : made(std::move(made_by_hand)) {
    EXPECT_THAT(CheckGraph(made.graph), absl_testing::IsOk());
    const torch::NoGradGuard no_grad;
    const SlotTensors slots(made.slots, made.weights, false);
    tensors = Materialise(ops, made.graph, slots);
    const Shape& input = made.graph.value(made.graph.input).shape;
    torch::manual_seed(5);
    images = torch::randn({32, input[1], input[2], input[3]});
    CalibrationSums sums(made.graph);
    ForwardBatch(ops, made.graph, tensors, images, &sums);
    calibration = sums.Average(made.graph);
    std::vector<OperatorTensors> unquantized = tensors;
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (made.graph.operators[i].has_weights()) unquantized[i].weight = slots.View(made.graph.operators[i].weight);
    }
    BindTensors(made.graph, unquantized, calibration, model);
    model.preprocessing.mean.assign(At(input[3]), 0.0F);
    model.preprocessing.stddev.assign(At(input[3]), 1.0F);
    EXPECT_THAT(CheckBoundModel(model), absl_testing::IsOk());
  }

  CpuFusedOps ops;
  HandMade made;
  std::vector<OperatorTensors> tensors;
  torch::Tensor images;
  Calibration calibration;
  BoundModel model;
};

double Clamped(double value, double low, double high) { return std::clamp(value, low, high); }

/// The documented integer arithmetic, one number at a time. Image values are [H, W, C] of the first image of the trace.
class Reference {
 public:
  Reference(const BoundModel& model, const std::vector<torch::Tensor>& values) : model_(model), values_(values) {}

  /// What operator `i` leaves at (y, x, c), or at feature c.
  double Expected(size_t i, int64_t y, int64_t x, int64_t c) const {
    const Operator& op = model_.graph.operators[i];
    const Quantizer& out = model_.quantizers[At(op.output)];
    double low = -128;
    double high = 127;
    if (op.activation == FusedActivation::kRelu || op.activation == FusedActivation::kRelu6) low = out.zero_point;
    if (op.activation == FusedActivation::kRelu6)
      high = std::min(127.0, out.zero_point + static_cast<double>(std::nearbyint(6.0F / out.scale)));
    if (op.has_weights()) return Weighted(i, y, x, c, low, high);
    if (op.kind == OpKind::kMaxPool || op.kind == OpKind::kGlobalMaxPool) return Largest(op, y, x, c);
    const auto steps = static_cast<double>(std::nearbyint(Real(op, y, x, c) / out.scale));
    return Clamped(Clamped(steps + out.zero_point, -128, 127), low, high);
  }

 private:
  double Integer(const Operator& op, size_t which, int64_t y, int64_t x, int64_t c) const {
    const ValueId id = op.inputs[which];
    const torch::Tensor value = values_[At(id)][0];
    const float found = (value.dim() == 1 ? value[c] : value[y][x][c]).item<float>();
    if (model_.graph.value(id).type == ElementType::kInt8) return found;
    const Quantizer& q = model_.quantizers[At(id)];
    return Clamped(static_cast<double>(std::nearbyint(found / q.scale)) + q.zero_point, -128, 127);
  }
  float RealOperand(const Operator& op, size_t which, int64_t y, int64_t x, int64_t c) const {
    const Quantizer& q = model_.quantizers[At(op.inputs[which])];
    return static_cast<float>(Integer(op, which, y, x, c) - q.zero_point) * q.scale;
  }
  float Real(const Operator& op, int64_t y, int64_t x, int64_t c) const {
    const float left = RealOperand(op, 0, y, x, c);
    switch (op.kind) {
      case OpKind::kAdd:
        return left + RealOperand(op, 1, y, x, c);
      case OpKind::kMultiply:
      case OpKind::kProduct:
        return left * RealOperand(op, 1, y, x, c);
      case OpKind::kHardSwish:
        return left * std::clamp(left + 3.0F, 0.0F, 6.0F) / 6.0F;
      case OpKind::kSigmoid:
        return 1.0F / (1.0F + std::exp(-left));
      default: {  // the average
        const Shape& in = model_.graph.value(op.inputs[0]).shape;
        double sum = 0;
        for (int64_t v = 0; v < in[1]; ++v) {
          for (int64_t u = 0; u < in[2]; ++u) sum += static_cast<double>(RealOperand(op, 0, v, u, c));
        }
        return static_cast<float>(sum / static_cast<double>(in[1] * in[2]));
      }
    }
  }
  /// Calls visit(row, column, tap) for the positions of the input that a window sees.
  template <typename Visit>
  void ForWindow(const Operator& op, int64_t y, int64_t x, const Visit& visit) const {
    const Shape& in = model_.graph.value(op.inputs[0]).shape;
    for (int ky = 0; ky < op.kernel; ++ky) {
      for (int kx = 0; kx < op.kernel; ++kx) {
        const int64_t row = y * op.stride - op.padding + ky * op.dilation;
        const int64_t column = x * op.stride - op.padding + kx * op.dilation;
        if (row >= 0 && row < in[1] && column >= 0 && column < in[2]) visit(row, column, ky * op.kernel + kx);
      }
    }
  }
  double Largest(const Operator& op, int64_t y, int64_t x, int64_t c) const {
    const Shape& in = model_.graph.value(op.inputs[0]).shape;
    double largest = -1000;
    const auto see = [&](int64_t v, int64_t u, int /*tap*/) { largest = std::max(largest, Integer(op, 0, v, u, c)); };
    if (op.kind == OpKind::kMaxPool) {
      ForWindow(op, y, x, see);
    } else {
      for (int64_t v = 0; v < in[1]; ++v) {
        for (int64_t u = 0; u < in[2]; ++u) see(v, u, 0);
      }
    }
    return largest;
  }
  double Weighted(size_t i, int64_t y, int64_t x, int64_t c, double low, double high) const {
    const Operator& op = model_.graph.operators[i];
    const BoundWeights& w = model_.weights[i];
    const Quantizer& in = model_.quantizers[At(op.inputs[0])];
    const Quantizer& out = model_.quantizers[At(op.output)];
    const int64_t inputs = model_.graph.value(op.inputs[0]).shape.back() / op.groups;
    const int64_t outputs = model_.graph.value(op.output).shape.back();
    const int64_t taps = int64_t{op.kernel} * op.kernel;
    double sum =
        std::nearbyint(static_cast<double>(w.bias[At(c)]) / (static_cast<double>(w.scales[At(c)]) * static_cast<double>(in.scale)));
    const int64_t first = c / (outputs / op.groups) * inputs;
    for (int64_t k = 0; k < inputs; ++k) {
      const auto add = [&](int64_t v, int64_t u, int64_t tap) {
        sum += (Integer(op, 0, v, u, first + k) - in.zero_point) * w.integers[At((c * inputs + k) * taps + tap)];
      };
      if (op.kind == OpKind::kConv2d) {
        ForWindow(op, y, x, add);
      } else {
        add(0, 0, 0);
      }
    }
    if (op.activation == FusedActivation::kHardSigmoid) {
      const double real = sum * static_cast<double>(w.scales[At(c)]) * static_cast<double>(in.scale);
      return Clamped(std::nearbyint(std::clamp(real + 3, 0.0, 6.0) / 6 / static_cast<double>(out.scale)) + out.zero_point, -128, 127);
    }
    const float factor = in.scale * w.scales[At(c)] / out.scale;
    return Clamped(static_cast<double>(std::nearbyint(static_cast<float>(sum) * factor)) + out.zero_point, low, high);
  }

  const BoundModel& model_;
  const std::vector<torch::Tensor>& values_;
};

TEST(BoundRunnerTest, IntegersAreThoseOfTheDocumentedArithmetic) {
  for (const Precision precision : {Precision{8, 8}, Precision{4, 8}}) {
    const Bound bound(EveryOperator(precision));
    std::vector<torch::Tensor> values;
    BoundRunner(bound.model).Run(bound.images.slice(0, 0, 1), &values);
    const Reference reference(bound.model, values);
    for (size_t i = 0; i < bound.model.graph.operators.size(); ++i) {
      const Operator& op = bound.model.graph.operators[i];
      const torch::Tensor found = values[At(op.output)][0];
      const bool image = found.dim() == 3;
      // Exponentials and averages are rounded as each library likes: they may be a step apart.
      const double slack = op.kind == OpKind::kSigmoid || op.kind == OpKind::kGlobalAveragePool ? 1 : 0;
      for (int64_t y = 0; y < (image ? found.size(0) : 1); ++y) {
        for (int64_t x = 0; x < (image ? found.size(1) : 1); x += 2) {
          for (int64_t c = y % 2; c < found.size(-1); c += 3) {
            const float value = (image ? found[y][x][c] : found[c]).item<float>();
            ASSERT_NEAR(value, reference.Expected(i, y, x, c), slack)
                << bound.model.graph.name(op) << " at " << y << ", " << x << ", " << c;
          }
        }
      }
    }
  }
}

TEST(BoundRunnerTest, AddsAndConvolutionsClampAtTheZeroPointAndAtSix) {
  const Bound bound(EveryOperator({8, 8}));
  std::vector<torch::Tensor> values;
  BoundRunner(bound.model).Run(bound.images, &values);
  int clamped = 0;
  for (const Operator& op : bound.model.graph.operators) {
    if (op.activation != FusedActivation::kRelu && op.activation != FusedActivation::kRelu6) continue;
    const Quantizer& q = bound.model.quantizers[At(op.output)];
    EXPECT_EQ(values[At(op.output)].min().item<float>(), static_cast<float>(q.zero_point)) << bound.model.graph.name(op);
    if (op.activation != FusedActivation::kRelu6) continue;
    EXPECT_LE(values[At(op.output)].max().item<float>(), static_cast<float>(q.zero_point) + std::nearbyint(6.0F / q.scale));
    ++clamped;
  }
  EXPECT_EQ(clamped, 3);
}

TEST(BoundRunnerTest, MaxPoolsHaveTheQuantiserOfTheirInputAlsoWhenBindingWidensIt) {
  // A convolution of a large input whose outputs hardly vary: kernels could not rescale to so fine a step.
  HandMade made = MakeByHand({.height = 6, .width = 6, .channels = 2, .type = ElementType::kFloat32}, [](NetBuilder net) {
    ValueId x = net.Conv("conv", net.input(), {.outputs = 8, .kernel = 3, .precision = {8, 8}, .norm = false, .bias = true});
    x = net.MaxPool("pool", x, 2, 2, 0);
    x = net.GlobalPool("largest", x, OpKind::kGlobalMaxPool);
    x = net.Linear("classifier", x, {.outputs = 4, .compute = ElementType::kInt8, .weight_type = ElementType::kInt8});
    return std::move(net).Finish(x, "logits");
  });
  for (size_t s = 0; s < made.slots.size(); ++s) {
    if (made.slots[s].name != "conv.weight") continue;
    // Channel 0 has large weights of opposite signs on inputs that are equal.
    for (float& weight : made.weights[s]) weight *= 1e-3F;
    made.weights[s][0] = 30000;
    made.weights[s][9] = -30000;
  }
  Bound bound(made);
  const torch::Tensor grey = bound.images.slice(3, 0, 1).expand({-1, -1, -1, 2}).contiguous();
  CalibrationSums sums(bound.made.graph);
  ForwardBatch(bound.ops, bound.made.graph, bound.tensors, grey, &sums);
  const Calibration calibration = sums.Average(bound.made.graph);
  BoundModel model;
  BindTensors(bound.made.graph, bound.tensors, calibration, model);
  const Graph& graph = bound.made.graph;
  EXPECT_GT(model.quantizers[At(graph.operators[0].output)].scale, calibration.quantizers[At(graph.operators[0].output)].scale);
  for (const size_t i : {1U, 2U}) {
    EXPECT_EQ(model.quantizers[At(graph.operators[i].output)].scale, model.quantizers[At(graph.operators[0].output)].scale);
    EXPECT_EQ(model.quantizers[At(graph.operators[i].output)].zero_point, model.quantizers[At(graph.operators[0].output)].zero_point);
    EXPECT_EQ(calibration.quantizers[At(graph.operators[i].output)].scale, calibration.quantizers[At(graph.operators[0].output)].scale);
  }
}

TEST(BoundRunnerTest, BoundNetworksAnswerAsCalibratedOnes) {
  for (const Precision precision : {Precision{8, 8}, Precision{16, 16}, Precision{4, 16}}) {
    const Bound bound(EveryOperator(precision));
    const torch::Tensor expected = ForwardCalibrated(bound.ops, bound.made.graph, bound.tensors, bound.calibration, bound.images);
    const torch::Tensor found = BoundRunner(bound.model).Run(bound.images);
    const float spread = (expected.max() - expected.min()).item<float>();
    EXPECT_LE((found - expected).abs().mean().item<float>(), (precision.activation_bits == 8 ? 0.02F : 0.002F) * spread)
        << ToString(precision);
  }
}

}  // namespace
}  // namespace hanas
