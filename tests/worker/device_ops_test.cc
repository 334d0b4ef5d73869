// SPDX-License-Identifier: Apache-2.0
// What every implementation of DeviceOps must do: what StockOps does, forward and backward, within the rounding of float32.
#include "worker/torch/device_ops.h"

#include <torch/torch.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "worker/engine/quantize.h"
#include "worker/torch/accelerator_ops.h"
#include "worker/torch/cpu_fused_ops.h"
#include "worker/torch/stock_ops.h"

namespace hanas {
namespace {

using kernels::Nonlinearity;

using Operands = std::vector<torch::Tensor>;

struct Outcome {
  torch::Tensor value;
  std::vector<torch::Tensor> gradients;  // of each operand, zero where none came
};

/// Runs `body` on copies of `operands` and the gradient of a fixed weighting of its result back to them.
Outcome RunBothWays(const Operands& operands, const std::function<torch::Tensor(const Operands&)>& body) {
  Operands leaves;
  for (const torch::Tensor& operand : operands) leaves.push_back(operand.clone().set_requires_grad(true));
  Outcome outcome = {body(leaves), {}};
  torch::manual_seed(77);
  (outcome.value * torch::randn(outcome.value.sizes())).sum().backward();
  for (const torch::Tensor& leaf : leaves) outcome.gradients.push_back(leaf.grad().defined() ? leaf.grad() : torch::zeros_like(leaf));
  return outcome;
}

void ExpectClose(const torch::Tensor& found, const torch::Tensor& expected, double tolerance, const std::string& what) {
  ASSERT_EQ(found.sizes(), expected.sizes()) << what;
  EXPECT_TRUE(torch::allclose(found, expected, tolerance, tolerance))
      << what << ": largest difference " << (found - expected).abs().max().item<float>();
}

/// Values a rounding apart may fall on neighbouring points of a grid, rarely.
void ExpectCloseOnGrid(const torch::Tensor& found, const torch::Tensor& expected, float step, const std::string& what) {
  ASSERT_EQ(found.sizes(), expected.sizes()) << what;
  const torch::Tensor distance = (found - expected).abs();
  EXPECT_LE(distance.max().item<float>(), 1.01F * step) << what;
  EXPECT_LE(distance.gt(0.01F * step).to(torch::kFloat32).mean().item<float>(), 0.01F) << what;
}

struct Implementation {
  const char* name;
  std::shared_ptr<const DeviceOps> ops;
  friend void PrintTo(const Implementation& i, std::ostream* out) { *out << i.name; }
};

class DeviceOpsTest : public ::testing::TestWithParam<Implementation> {
 protected:
  const DeviceOps& ops() const { return *GetParam().ops; }
  const StockOps stock_;

  void ExpectAgreement(const std::string& what, const Operands& operands,
                       const std::function<torch::Tensor(const DeviceOps&, const Operands&)>& body) {
    const Outcome found = RunBothWays(operands, [&](const Operands& leaves) { return body(ops(), leaves); });
    const Outcome expected = RunBothWays(operands, [&](const Operands& leaves) { return body(stock_, leaves); });
    ExpectClose(found.value, expected.value, 1e-5, what);
    for (size_t i = 0; i < operands.size(); ++i)
      ExpectClose(found.gradients[i], expected.gradients[i], 1e-4, what + ", gradient " + std::to_string(i));
  }
};

struct ConvCase {
  const char* name;
  int64_t groups, in, out, kernel, stride, padding, size;
  int64_t dilation = 1;
};

const std::vector<ConvCase>& ConvCases() {
  static const std::vector<ConvCase> kCases = {{"pointwise", 1, 24, 40, 1, 1, 0, 7},
                                               {"strided pointwise", 1, 24, 16, 1, 2, 0, 7},
                                               {"stem", 1, 1, 16, 3, 2, 1, 14},
                                               {"colour stem", 1, 3, 16, 3, 1, 1, 9},
                                               {"whitening", 1, 3, 24, 2, 1, 0, 9},
                                               {"dense", 1, 5, 9, 3, 1, 1, 9},
                                               {"wide dense", 1, 24, 40, 3, 1, 1, 8},
                                               {"strided dense", 1, 16, 24, 3, 2, 1, 9},
                                               {"dense of five", 1, 8, 8, 5, 1, 2, 8},
                                               {"dilated dense", 1, 8, 8, 3, 1, 2, 9, 2},
                                               {"even, strided, padded", 1, 8, 8, 4, 2, 1, 8},
                                               {"grouped", 4, 16, 24, 3, 1, 1, 7},
                                               {"strided grouped", 2, 8, 12, 3, 2, 1, 8},
                                               {"grouped pointwise", 3, 12, 9, 1, 1, 0, 5},
                                               {"two outputs of each channel", 6, 6, 12, 3, 1, 1, 7},
                                               {"depthwise of three", 24, 24, 24, 3, 1, 1, 9},
                                               {"strided depthwise of three", 40, 40, 40, 3, 2, 1, 9},
                                               {"depthwise of five", 17, 17, 17, 5, 1, 2, 7},
                                               {"strided depthwise of five", 16, 16, 16, 5, 2, 2, 10},
                                               {"depthwise of seven", 8, 8, 8, 7, 1, 3, 6},
                                               {"depthwise of nine", 3, 3, 3, 9, 1, 4, 6},
                                               {"depthwise of two", 8, 8, 8, 2, 1, 0, 6},
                                               {"dilated depthwise", 8, 8, 8, 3, 1, 2, 8, 2}};
  return kCases;
}

Operands ConvOperands(const ConvCase& c) {
  torch::manual_seed(1);
  return {torch::randn({3, c.size, c.size, c.in}), torch::randn({c.out, c.in / c.groups, c.kernel, c.kernel}) * 0.3,
          torch::randn({c.out}) * 0.5, torch::randn({c.out}), torch::randn({c.out}) * 0.5};
}

ConvGeometry GeometryOfCase(const ConvCase& c) { return {c.groups, c.kernel, c.stride, c.padding, c.dilation}; }

TEST_P(DeviceOpsTest, Bf16IsF32WithinItsRounding) {
  const std::unique_ptr<DeviceOps> bf16 = ops().With(Numerics::kBf16, {});
  const std::unique_ptr<DeviceOps> stock = stock_.With(Numerics::kBf16, {});
  for (const ConvCase& c : ConvCases()) {
    const auto trained = [&](const DeviceOps& with) {
      return RunBothWays(ConvOperands(c), [&](const Operands& leaves) {
        ConvObservation observation;
        return with.TrainConv(leaves[0], {.weight = leaves[1], .bias = {}, .gamma = leaves[3], .beta = leaves[4]}, GeometryOfCase(c), {},
                              observation);
      });
    };
    const Outcome found = trained(*bf16);
    const Outcome in_f32 = trained(stock_);
    const Outcome in_bf16 = trained(*stock);
    ExpectClose(found.value, in_f32.value, 0.1, c.name);
    const bool in_bf16_too = bf16->UsesBf16(GeometryOfCase(c), c.in);
    if (in_bf16_too == stock->UsesBf16(GeometryOfCase(c), c.in))
      ExpectClose(found.value, in_bf16.value, 0.02, std::string(c.name) + " beside stock operators");
    for (const size_t i : {0, 1, 3, 4}) {
      const double error = (found.gradients[i] - in_f32.gradients[i]).norm().item<double>() / in_f32.gradients[i].norm().item<double>();
      EXPECT_LT(error, 0.03) << c.name << ", gradient " << i;
    }
    EXPECT_EQ(torch::equal(found.value, trained(ops()).value), !in_bf16_too) << c.name;
  }
}

TEST_P(DeviceOpsTest, ConvolutionsInTraining) {
  for (const ConvCase& c : ConvCases()) {
    for (const bool bias : {false, true}) {
      for (const bool norm : {false, true}) {
        for (const Nonlinearity nonlinearity : {Nonlinearity::kNone, Nonlinearity::kRelu, Nonlinearity::kHardSwish, Nonlinearity::kRelu6}) {
          const std::string what = std::string(c.name) + (bias ? ", bias" : "") + (norm ? ", norm" : "") + ", nonlinearity " +
                                   std::to_string(static_cast<int>(nonlinearity));
          const auto run = [&](const DeviceOps& ops, ConvObservation& seen) {
            return RunBothWays(ConvOperands(c), [&](const Operands& leaves) {
              OperatorTensors t = {.weight = leaves[1], .bias = {}, .gamma = {}, .beta = {}};
              if (bias) t.bias = leaves[2];
              if (norm) {
                t.gamma = leaves[3];
                t.beta = leaves[4];
              }
              return ops.TrainConv(leaves[0], t, GeometryOfCase(c), {.nonlinearity = nonlinearity}, seen);
            });
          };
          ConvObservation seen;
          ConvObservation expected_seen;
          const Outcome found = run(ops(), seen);
          const Outcome expected = run(stock_, expected_seen);
          ExpectClose(found.value, expected.value, 2e-4, what);
          for (size_t i = 0; i < found.gradients.size(); ++i)
            ExpectClose(found.gradients[i], expected.gradients[i], 3e-3, what + ", gradient " + std::to_string(i));
          ASSERT_EQ(seen.moments.mean.size(), expected_seen.moments.mean.size()) << what;
          for (size_t k = 0; k < seen.moments.mean.size(); ++k) {
            EXPECT_NEAR(seen.moments.mean[k], expected_seen.moments.mean[k], 1e-4) << what;
            EXPECT_NEAR(seen.moments.variance[k], expected_seen.moments.variance[k], 1e-3) << what;
          }
        }
      }
    }
  }
}

TEST_P(DeviceOpsTest, QuantisedConvolutionsInTraining) {
  for (const ConvCase& c : ConvCases()) {
    for (const bool norm : {false, true}) {
      for (const Nonlinearity nonlinearity : {Nonlinearity::kNone, Nonlinearity::kRelu, Nonlinearity::kHardSwish, Nonlinearity::kRelu6}) {
        const std::string what =
            std::string(c.name) + (norm ? ", norm" : ", bias") + ", nonlinearity " + std::to_string(static_cast<int>(nonlinearity));
        const ConvTail tail = {
            .nonlinearity = nonlinearity, .quantize_first = true, .quantize_second = nonlinearity == Nonlinearity::kHardSwish};
        const auto run = [&](const DeviceOps& ops, ConvObservation& seen) {
          return RunBothWays(ConvOperands(c), [&](const Operands& leaves) {
            OperatorTensors t = {.weight = leaves[1], .bias = {}, .gamma = {}, .beta = {}};
            if (norm) {
              t.gamma = leaves[3];
              t.beta = leaves[4];
            } else {
              t.bias = leaves[2];
            }
            return ops.TrainConv(leaves[0], t, GeometryOfCase(c), tail, seen);
          });
        };
        ConvObservation seen;
        ConvObservation expected_seen;
        const Outcome found = run(ops(), seen);
        const Outcome expected = run(stock_, expected_seen);
        EXPECT_NEAR(seen.first.low, expected_seen.first.low, 1e-3) << what;
        EXPECT_NEAR(seen.first.high, expected_seen.first.high, 1e-3) << what;
        EXPECT_NEAR(seen.second.low, expected_seen.second.low, 1e-3) << what;
        EXPECT_NEAR(seen.second.high, expected_seen.second.high, 1e-3) << what;
        const kernels::Range& range = tail.quantize_second ? expected_seen.second : expected_seen.first;
        // The first step of a hard swish is at most one step of the second, times its steepest slope.
        const float step = std::max(QuantizerForRange(range.low, range.high).scale,
                                    2 * QuantizerForRange(expected_seen.first.low, expected_seen.first.high).scale);
        ExpectCloseOnGrid(found.value, expected.value, step, what);
        for (size_t i = 0; i < found.gradients.size(); ++i)
          ExpectClose(found.gradients[i], expected.gradients[i], 3e-3, what + ", gradient " + std::to_string(i));
      }
    }
  }
}

/// Training does not ask what a convolution saw: which changes nothing else.
TEST_P(DeviceOpsTest, WhatIsNotAskedForChangesNothing) {
  for (const ConvCase& c : ConvCases()) {
    for (const Nonlinearity nonlinearity : {Nonlinearity::kNone, Nonlinearity::kRelu, Nonlinearity::kHardSwish, Nonlinearity::kRelu6}) {
      for (const bool quantised : {false, true}) {
        const ConvTail tail = {.nonlinearity = nonlinearity,
                               .quantize_first = quantised,
                               .quantize_second = quantised && nonlinearity == Nonlinearity::kHardSwish};
        std::vector<Outcome> outcomes;
        for (const bool wanted : {true, false}) {
          outcomes.push_back(RunBothWays(ConvOperands(c), [&](const Operands& leaves) {
            ConvObservation seen;
            seen.wanted = wanted;
            return ops().TrainConv(leaves[0], {.weight = leaves[1], .bias = {}, .gamma = leaves[3], .beta = leaves[4]}, GeometryOfCase(c),
                                   tail, seen);
          }));
        }
        EXPECT_TRUE(torch::equal(outcomes[0].value, outcomes[1].value)) << c.name;
        for (size_t i = 0; i < outcomes[0].gradients.size(); ++i)
          EXPECT_TRUE(torch::equal(outcomes[0].gradients[i], outcomes[1].gradients[i])) << c.name << ", gradient " << i;
      }
    }
  }
}

TEST_P(DeviceOpsTest, FrozenWeightsGetNoGradientAndPassIt) {
  for (const ConvCase& c : ConvCases()) {
    const Operands operands = ConvOperands(c);
    const auto gradient = [&](const DeviceOps& ops) {
      const torch::Tensor input = operands[0].clone().set_requires_grad(true);
      const torch::Tensor bias = operands[2].clone().set_requires_grad(true);
      ConvObservation seen;
      ops.TrainConv(input, {.weight = operands[1], .bias = bias, .gamma = {}, .beta = {}}, GeometryOfCase(c), {}, seen)
          .square()
          .sum()
          .backward();
      EXPECT_TRUE(bias.grad().defined());
      return input.grad();
    };
    EXPECT_FALSE(operands[1].grad().defined());
    ExpectClose(gradient(ops()), gradient(stock_), 1e-3, c.name);
  }
}

TEST_P(DeviceOpsTest, ConvolutionsInEvaluation) {
  for (const ConvCase& c : ConvCases()) {
    const Operands operands = ConvOperands(c);
    ExpectClose(ops().Convolve(operands[0], operands[1], GeometryOfCase(c)), stock_.Convolve(operands[0], operands[1], GeometryOfCase(c)),
                1e-4, c.name);
    CalibratedTail tail;
    for (int64_t o = 0; o < c.out; ++o) {
      tail.scale.push_back(operands[3][o].item<float>());
      tail.shift.push_back(operands[4][o].item<float>());
    }
    for (const bool quantised : {false, true}) {
      if (quantised) {
        tail.first = ToFakeQuantizer(QuantizerForRange(-4, 5));
        tail.second = ToFakeQuantizer(QuantizerForRange(-0.375, 5));
      }
      for (const Nonlinearity nonlinearity : {Nonlinearity::kNone, Nonlinearity::kRelu, Nonlinearity::kHardSwish, Nonlinearity::kRelu6}) {
        tail.nonlinearity = nonlinearity;
        const torch::Tensor found = ops().EvaluateConv(operands[0], operands[1], GeometryOfCase(c), tail);
        const torch::Tensor expected = stock_.EvaluateConv(operands[0], operands[1], GeometryOfCase(c), tail);
        if (quantised) {
          ExpectCloseOnGrid(found, expected, 2 * tail.first.scale, c.name);
        } else {
          ExpectClose(found, expected, 1e-4, c.name);
        }
      }
    }
  }
}

TEST_P(DeviceOpsTest, SumsOfIntegersAreExact) {
  for (const ConvCase& c : ConvCases()) {
    torch::manual_seed(3);
    const torch::Tensor input = torch::randint(-255, 256, {3, c.size, c.size, c.in}).to(torch::kFloat32);
    const torch::Tensor weight = torch::randint(-127, 128, {c.out, c.in / c.groups, c.kernel, c.kernel}).to(torch::kFloat32);
    const torch::Tensor found = ops().Convolve(input, weight, GeometryOfCase(c));
    const torch::Tensor expected = stock_.Convolve(input.to(torch::kFloat64), weight.to(torch::kFloat64), GeometryOfCase(c));
    EXPECT_TRUE(torch::equal(found.to(torch::kFloat64), expected)) << c.name;
  }
}

TEST_P(DeviceOpsTest, EverythingElse) {
  torch::manual_seed(2);
  const torch::Tensor images = torch::randn({4, 6, 5, 24}) * 3;
  const torch::Tensor others = torch::randn({4, 6, 5, 24});
  const torch::Tensor rows = torch::randn({7, 24}) * 3;
  const torch::Tensor factors = torch::randn({4, 24});
  const torch::Tensor weight = torch::randn({10, 24});
  ExpectAgreement("linear", {rows, weight, torch::randn({10})},
                  [](const DeviceOps& ops, const Operands& x) { return ops.Linear(x[0], x[1], x[2]); });
  ExpectAgreement("linear without bias", {rows, weight},
                  [](const DeviceOps& ops, const Operands& x) { return ops.Linear(x[0], x[1], {}); });
  for (const FusedActivation activation :
       {FusedActivation::kNone, FusedActivation::kRelu, FusedActivation::kHardSigmoid, FusedActivation::kRelu6}) {
    ExpectAgreement(std::string(Name(activation)), {images},
                    [&](const DeviceOps& ops, const Operands& x) { return ops.Activate(x[0], activation); });
  }
  ExpectAgreement("hard swish", {images}, [](const DeviceOps& ops, const Operands& x) { return ops.HardSwish(x[0]); });
  ExpectAgreement("sigmoid", {images}, [](const DeviceOps& ops, const Operands& x) { return ops.Sigmoid(x[0]); });
  ExpectAgreement("add", {images, others}, [](const DeviceOps& ops, const Operands& x) { return ops.Add(x[0], x[1]); });
  ExpectAgreement("product", {images, others}, [](const DeviceOps& ops, const Operands& x) { return ops.Product(x[0], x[1]); });
  ExpectAgreement("scale channels", {images, factors},
                  [](const DeviceOps& ops, const Operands& x) { return ops.ScaleChannels(x[0], x[1]); });
  ExpectAgreement("average pool", {images}, [](const DeviceOps& ops, const Operands& x) { return ops.GlobalAveragePool(x[0]); });
  ExpectAgreement("global max-pool", {images}, [](const DeviceOps& ops, const Operands& x) { return ops.GlobalMaxPool(x[0]); });
  for (const PoolWindow& window :
       {PoolWindow{2, 2, 0, 1}, {3, 2, 1, 1}, {3, 1, 1, 1}, {3, 3, 0, 1}, {2, 1, 1, 1}, {3, 2, 2, 1}, {2, 2, 0, 2}}) {
    ExpectAgreement("max-pool", {images}, [&](const DeviceOps& ops, const Operands& x) { return ops.MaxPool(x[0], window); });
  }
  const kernels::Range range = ops().FindRange(images);
  EXPECT_EQ(range.low, images.min().item<float>());
  EXPECT_EQ(range.high, images.max().item<float>());
  kernels::Range own;
  const torch::Tensor on_own_grid = ops().QuantizeToOwnRange(images, &own);
  EXPECT_EQ(own.low, range.low);
  EXPECT_EQ(own.high, range.high);
  EXPECT_TRUE(torch::equal(on_own_grid, ops().QuantizeToOwnRange(images, nullptr)));
  const Outcome both = RunBothWays({images}, [&](const Operands& x) { return ops().QuantizeToOwnRange(x[0], nullptr); });
  const Outcome nothing = RunBothWays({images}, [](const Operands& x) { return x[0] * 1; });
  EXPECT_TRUE(torch::equal(both.gradients[0], nothing.gradients[0])) << "gradients pass straight through";
  const float step = QuantizerForRange(own.low, own.high).scale;
  ExpectCloseOnGrid(on_own_grid, stock_.QuantizeToOwnRange(images, nullptr), step, "quantise to its own range");
  const kernels::FakeQuantizer quantizer = ToFakeQuantizer(QuantizerForRange(-6, 7));
  ExpectAgreement("quantise", {images}, [&](const DeviceOps& ops, const Operands& x) { return ops.Quantize(x[0], quantizer); });
  ExpectAgreement("quantise nothing", {images}, [&](const DeviceOps& ops, const Operands& x) { return ops.Quantize(x[0], {}); });
  for (const ElementType type : {ElementType::kInt8, ElementType::kInt4, ElementType::kInt2, ElementType::kFloat16}) {
    ExpectAgreement("weights", {weight}, [&](const DeviceOps& ops, const Operands& x) { return ops.QuantizeWeights(x[0], type); });
  }
}

TEST_P(DeviceOpsTest, PaddingNeverWinsAMaxPool) {
  const torch::Tensor negative = torch::full({1, 3, 3, 2}, -5.0);
  for (const PoolWindow& window : {PoolWindow{3, 2, 1, 1}, {2, 1, 1, 1}, {3, 2, 2, 1}})
    EXPECT_EQ(ops().MaxPool(negative, window).max().item<float>(), -5.0F);
}

TEST_P(DeviceOpsTest, FakeQuantisationRoundsToTheGridAndPassesGradients) {
  torch::Tensor x = torch::linspace(-2, 5, 101).set_requires_grad(true);
  const Quantizer q = QuantizerForRange(-2, 5);
  const torch::Tensor y = ops().Quantize(x, ToFakeQuantizer(q));
  EXPECT_LE((y - x).abs().max().item<float>(), 0.51F * q.scale);
  const torch::Tensor integers = y / q.scale;
  EXPECT_LE((integers - integers.round()).abs().max().item<float>(), 1e-3F);
  y.sum().backward();
  EXPECT_TRUE(torch::equal(x.grad(), torch::ones_like(x)));
}

INSTANTIATE_TEST_SUITE_P(All, DeviceOpsTest,
                         ::testing::Values(Implementation{"Stock", std::make_shared<StockOps>()},
                                           Implementation{"CpuFused", std::make_shared<CpuFusedOps>()},
                                           Implementation{"Accelerator", std::make_shared<AcceleratorOps>()}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace hanas
