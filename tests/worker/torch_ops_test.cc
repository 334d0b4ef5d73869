// SPDX-License-Identifier: Apache-2.0
// The fused operators against stock ones, and the interpreted network against its graph.
#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "core/base/counter_random.h"
#include "core/cost/cost.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"
#include "worker/engine/checkpoint.h"
#include "worker/engine/quantize.h"
#include "worker/torch/fused_ops.h"
#include "worker/torch/network.h"

namespace hanas {
namespace {

struct ConvCase {
  const char* name;
  bool depthwise;
  int64_t in, out, kernel, stride, size;
  kernels::Nonlinearity nonlinearity;
};

class TrainConvTest : public ::testing::TestWithParam<ConvCase> {};

TEST_P(TrainConvTest, MatchesStockOperators) {
  const ConvCase& p = GetParam();
  torch::manual_seed(1);
  const auto leaf = [](const torch::Tensor& t) { return t.clone().set_requires_grad(true); };
  const torch::Tensor x0 = torch::randn({3, p.size, p.size, p.in});
  const torch::Tensor w0 = torch::randn({p.out, p.depthwise ? 1 : p.in, p.kernel, p.kernel}) * 0.3;
  const torch::Tensor g0 = torch::randn({p.out});
  const torch::Tensor b0 = torch::randn({p.out}) * 0.5;
  torch::Tensor x = leaf(x0), w = leaf(w0), g = leaf(g0), b = leaf(b0);
  ConvObservation observation;
  const torch::Tensor fused =
      TrainConv(x, w, g, b, {p.depthwise, p.kernel, p.stride, p.kernel / 2}, {.nonlinearity = p.nonlinearity}, observation);

  torch::Tensor xs = leaf(x0), ws = leaf(w0), gs = leaf(g0), bs = leaf(b0);
  torch::Tensor stock =
      at::conv2d(xs.permute({0, 3, 1, 2}), ws, {}, {p.stride, p.stride}, {p.kernel / 2, p.kernel / 2}, {1, 1}, p.depthwise ? p.in : 1);
  stock = at::batch_norm(stock, gs, bs, {}, {}, true, 0.1, kNormEpsilon, false);
  if (p.nonlinearity == kernels::Nonlinearity::kRelu) stock = torch::relu(stock);
  if (p.nonlinearity == kernels::Nonlinearity::kHardSwish) stock = torch::hardswish(stock);
  stock = stock.permute({0, 2, 3, 1});
  EXPECT_TRUE(torch::allclose(fused, stock, 1e-4, 1e-4));
  EXPECT_GE(stock.min().item<float>() + 1e-3F, p.nonlinearity == kernels::Nonlinearity::kHardSwish ? -0.376F : observation.first.low);
  EXPECT_LE(stock.max().item<float>(), observation.first.high + 1e-3F);

  const torch::Tensor weighting = torch::randn(fused.sizes());
  (fused * weighting).sum().backward();
  (stock * weighting).sum().backward();
  EXPECT_TRUE(torch::allclose(x.grad(), xs.grad(), 1e-3, 1e-3));
  EXPECT_TRUE(torch::allclose(w.grad(), ws.grad(), 1e-3, 2e-3));
  EXPECT_TRUE(torch::allclose(g.grad(), gs.grad(), 1e-3, 2e-3));
  EXPECT_TRUE(torch::allclose(b.grad(), bs.grad(), 1e-3, 2e-3));
}

using kernels::Nonlinearity;
INSTANTIATE_TEST_SUITE_P(All, TrainConvTest,
                         ::testing::Values(ConvCase{"Pointwise", false, 24, 40, 1, 1, 7, Nonlinearity::kRelu},
                                           ConvCase{"PointwiseNoActivation", false, 16, 8, 1, 1, 5, Nonlinearity::kNone},
                                           ConvCase{"Stem", false, 1, 16, 3, 2, 14, Nonlinearity::kHardSwish},
                                           ConvCase{"Dense", false, 5, 9, 3, 1, 9, Nonlinearity::kRelu},
                                           ConvCase{"Depthwise3", true, 24, 24, 3, 1, 9, Nonlinearity::kHardSwish},
                                           ConvCase{"Depthwise3Stride2", true, 40, 40, 3, 2, 9, Nonlinearity::kRelu},
                                           ConvCase{"Depthwise5", true, 17, 17, 5, 1, 7, Nonlinearity::kRelu},
                                           ConvCase{"Depthwise5Stride2", true, 16, 16, 5, 2, 10, Nonlinearity::kNone},
                                           ConvCase{"Depthwise7", true, 8, 8, 7, 1, 6, Nonlinearity::kRelu},
                                           ConvCase{"Depthwise9", true, 3, 3, 9, 1, 6, Nonlinearity::kRelu}),
                         [](const auto& test) { return test.param.name; });

TEST(FusedOpsTest, PoolAndScaleMatchStockGradients) {
  torch::manual_seed(2);
  const auto leaf = [](const torch::Tensor& t) { return t.clone().set_requires_grad(true); };
  const torch::Tensor x0 = torch::randn({4, 5, 6, 24});
  torch::Tensor a = leaf(x0), b = leaf(x0);
  const torch::Tensor fused = ScaleChannels(a, torch::sigmoid(PoolImages(a)));
  const torch::Tensor stock = b * torch::sigmoid(b.mean({1, 2})).unsqueeze(1).unsqueeze(1);
  EXPECT_TRUE(torch::allclose(fused, stock, 1e-5, 1e-5));
  const torch::Tensor weighting = torch::randn(fused.sizes());
  (fused * weighting).sum().backward();
  (stock * weighting).sum().backward();
  EXPECT_TRUE(torch::allclose(a.grad(), b.grad(), 1e-4, 1e-4));
}

TEST(FusedOpsTest, FakeQuantisationRoundsToTheGridAndPassesGradients) {
  torch::Tensor x = torch::linspace(-2, 5, 101).set_requires_grad(true);
  const Quantizer q = QuantizerForRange(-2, 5);
  const torch::Tensor y = QuantizeStraightThrough(x, ToFakeQuantizer(q));
  EXPECT_LE((y - x).abs().max().item<float>(), 0.51F * q.scale);
  const torch::Tensor integers = y / q.scale;
  EXPECT_LE((integers - integers.round()).abs().max().item<float>(), 1e-3F);
  y.sum().backward();
  EXPECT_TRUE(torch::equal(x.grad(), torch::ones_like(x)));
}

TEST(NetworkTest, ShapesMacsAndParametersAreThoseOfTheGraph) {
  const Lowering lowering(SmallConvnet());
  const SlotTensors slots(lowering.slots().slots(), InitialCheckpoint(lowering, 1).weights, false);
  CounterRandom random(8, "test/architectures");
  for (int trial = 0; trial < 12; ++trial) {
    const Architecture architecture = lowering.space().Random(random);
    SCOPED_TRACE(lowering.space().ToReadable(architecture));
    const Graph graph = lowering.Lower(architecture);
    const Shape& input = graph.value(graph.input).shape;
    const std::vector<OperatorTensors> tensors = Materialise(graph, slots);
    std::vector<torch::Tensor> values;
    const torch::NoGradGuard no_grad;
    const torch::Tensor images = torch::randn({2, input[1], input[2], input[3]});
    ForwardBatch(graph, tensors, images, nullptr, &values);
    for (size_t v = 0; v < values.size(); ++v) {
      std::vector<int64_t> expected(graph.values[v].shape.begin(), graph.values[v].shape.end());
      expected[0] = 2;
      EXPECT_EQ(values[v].sizes().vec(), expected) << SiteName(graph.values[v].producer);
    }
    int64_t macs = 0;
    int64_t parameters = 0;
    for (size_t i = 0; i < graph.operators.size(); ++i) {
      const Operator& op = graph.operators[i];
      if (!op.has_weights()) continue;
      const torch::Tensor& out = values[static_cast<size_t>(op.output)];
      macs += tensors[i].weight.numel() * (out.dim() == 4 ? out.size(1) * out.size(2) : 1);
      for (const torch::Tensor& t : {tensors[i].weight, tensors[i].bias, tensors[i].gamma, tensors[i].beta})
        parameters += t.defined() ? t.numel() : 0;
    }
    EXPECT_EQ(macs, GraphCost(graph).macs);
    EXPECT_EQ(parameters, GraphCost(graph).parameters);
  }
}

TEST(NetworkTest, FusingTheHardSwishChangesNothing) {
  const Lowering lowering(SmallConvnet());
  const SlotTensors slots(lowering.slots().slots(), InitialCheckpoint(lowering, 1).weights, false);
  const Graph graph = lowering.Lower(lowering.space().Largest({16, 16}));
  const Shape& input = graph.value(graph.input).shape;
  const std::vector<OperatorTensors> tensors = Materialise(graph, slots);
  const torch::NoGradGuard no_grad;
  torch::manual_seed(3);
  const torch::Tensor images = torch::randn({8, input[1], input[2], input[3]});
  std::vector<torch::Tensor> values;
  EXPECT_TRUE(
      torch::allclose(ForwardBatch(graph, tensors, images, nullptr), ForwardBatch(graph, tensors, images, nullptr, &values), 1e-3, 1e-4));
}

/// 64 times an image of 6 by 6 pixels, all different.
torch::Tensor SameImages() { return torch::arange(36, torch::kFloat).reshape({1, 6, 6, 1}).repeat({64, 1, 1, 1}); }

TEST(AugmentTest, ChangesNothingWhenItIsSwitchedOff) {
  torch::Tensor images = SameImages();
  Augment({.flip = false, .shift = 0}, /*seed=*/1, /*step=*/3, images);
  EXPECT_TRUE(torch::equal(images, SameImages()));
}

TEST(AugmentTest, FlipsAboutHalfOfTheImagesAndMovesNone) {
  torch::Tensor images = SameImages();
  Augment({.flip = true, .shift = 0}, 1, 3, images);
  const torch::Tensor plain = SameImages()[0];
  const torch::Tensor mirrored = plain.flip({1});
  int flipped = 0;
  for (int64_t i = 0; i < images.size(0); ++i) {
    ASSERT_TRUE(torch::equal(images[i], plain) || torch::equal(images[i], mirrored)) << i;
    flipped += torch::equal(images[i], mirrored) ? 1 : 0;
  }
  EXPECT_GT(flipped, 16);
  EXPECT_LT(flipped, 48);
}

TEST(AugmentTest, MovesUpToTheShiftInEveryDirectionAndFlipsNone) {
  for (const int shift : {1, 2}) {
    torch::Tensor images = SameImages();
    Augment({.flip = false, .shift = shift}, 1, 3, images);
    // Rows count in sixes and columns in ones: the pixel at (3, 3), far enough from the edges, says where it came from.
    int64_t lowest = 0;
    int64_t highest = 0;
    for (int64_t i = 0; i < images.size(0); ++i) {
      const auto from = images[i][3][3][0].item<int64_t>();
      for (const int64_t moved : {from / 6 - 3, from % 6 - 3}) {
        lowest = std::min(lowest, moved);
        highest = std::max(highest, moved);
      }
      EXPECT_LT(images[i][3][2][0].item<float>(), images[i][3][3][0].item<float>());  // not mirrored
    }
    EXPECT_EQ(lowest, -shift);
    EXPECT_EQ(highest, shift);
  }
}

}  // namespace
}  // namespace hanas
