// SPDX-License-Identifier: Apache-2.0
// The interpreted network against its graph.
#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "core/base/counter_random.h"
#include "core/cost/cost.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"
#include "tests/worker/drawn_data.h"
#include "worker/engine/checkpoint.h"
#include "worker/torch/cpu_fused_ops.h"
#include "worker/torch/device_images.h"
#include "worker/torch/network.h"

namespace hanas {
namespace {

TEST(NetworkTest, ShapesMacsAndParametersAreThoseOfTheGraph) {
  const Lowering lowering(SmallConvnet());
  const SlotTensors slots(lowering.slots().slots(), InitialCheckpoint(lowering, 1, DrawnData(20, 10, 10)).weights, false);
  CounterRandom random(8, "test/architectures");
  for (int trial = 0; trial < 12; ++trial) {
    const Architecture architecture = lowering.space().Random(random);
    SCOPED_TRACE(lowering.space().ToReadable(architecture));
    const Graph graph = lowering.Lower(architecture);
    const Shape& input = graph.value(graph.input).shape;
    const std::vector<OperatorTensors> tensors = Materialise(CpuFusedOps(), graph, slots);
    std::vector<torch::Tensor> values;
    const torch::NoGradGuard no_grad;
    const torch::Tensor images = torch::randn({2, input[1], input[2], input[3]});
    ForwardBatch(CpuFusedOps(), graph, tensors, images, nullptr, &values);
    for (size_t v = 0; v < values.size(); ++v) {
      std::vector<int64_t> expected(graph.values[v].shape.begin(), graph.values[v].shape.end());
      expected[0] = 2;
      EXPECT_EQ(values[v].sizes().vec(), expected) << graph.values[v].name;
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
  const SlotTensors slots(lowering.slots().slots(), InitialCheckpoint(lowering, 1, DrawnData(20, 10, 10)).weights, false);
  const Graph graph = lowering.Lower(lowering.space().Largest({16, 16}));
  const Shape& input = graph.value(graph.input).shape;
  const std::vector<OperatorTensors> tensors = Materialise(CpuFusedOps(), graph, slots);
  const torch::NoGradGuard no_grad;
  torch::manual_seed(3);
  const torch::Tensor images = torch::randn({8, input[1], input[2], input[3]});
  std::vector<torch::Tensor> values;
  EXPECT_TRUE(torch::allclose(ForwardBatch(CpuFusedOps(), graph, tensors, images, nullptr),
                              ForwardBatch(CpuFusedOps(), graph, tensors, images, nullptr, &values), 1e-3, 1e-4));
}

/// 64 times an image of 6 by 6 pixels, all different.
torch::Tensor SameImages() { return torch::arange(36, torch::kFloat).reshape({1, 6, 6, 1}).repeat({64, 1, 1, 1}); }

std::vector<bool> EveryThird() {
  std::vector<bool> mirrored;
  for (int i = 0; i < 64; ++i) mirrored.push_back(i % 3 == 0);
  return mirrored;
}

/// The same images on the host and on a device, which is the CPU here.
TEST(DeviceImagesTest, BatchesAreThoseOfTheHost) {
  CounterRandom random(4, "test/images");
  for (const Dataset::Dimensions& size : {Dataset::Dimensions{7, 5, 3}, {4, 6, 1}, {1, 3, 1}, {5, 1, 3}}) {
    Dataset::Images images;
    for (int i = 0; i < 40; ++i) {
      images.labels.push_back(i % 3);
      for (int64_t p = 0; p < size.height * size.width * size.channels; ++p)
        images.pixels.push_back(static_cast<uint8_t>(random.NextUint32()));
    }
    const Dataset dataset =
        Dataset::Create({.name = "x", .directory = "x", .validation_images = 4}, 0, size, {"a", "b", "c"}, images, images, {}).value();
    const DeviceImages on_device(dataset, torch::kCPU);
    const std::vector<int64_t> drawn = {3, 0, 35, 35, 17, 8};
    const std::vector<bool> mirrored = {true, false, false, true, true, false};
    const Batch plain = LoadBatch(dataset, Split::kTrain, drawn);
    for (const bool flip : {false, true}) {
      for (const int shift : {0, 2, 9}) {
        const Augmentation augmentation = {.flip = flip, .shift = shift};
        Batch expected = LoadBatch(dataset, Split::kTrain, drawn);
        Augment(augmentation, 1, 3, mirrored, 0, expected.images);
        EXPECT_EQ(torch::equal(expected.images, plain.images), shift == 0 && (!flip || size.width == 1)) << "what is compared is augmented";
        const Batch found = on_device.Make(drawn, augmentation, 1, 3, mirrored);
        EXPECT_TRUE(torch::allclose(found.images, expected.images, 1e-5, 1e-6)) << flip << " " << shift << " " << size.width;
        EXPECT_TRUE(torch::equal(found.labels, expected.labels));
      }
    }
  }
}

TEST(AugmentTest, ChangesNothingWhenItIsSwitchedOff) {
  torch::Tensor images = SameImages();
  Augment({.flip = false, .shift = 0}, /*seed=*/1, /*step=*/3, EveryThird(), /*first=*/0, images);
  EXPECT_TRUE(torch::equal(images, SameImages()));
}

TEST(AugmentTest, MirrorsThoseThatItIsToldToAndMovesNone) {
  torch::Tensor images = SameImages();
  Augment({.flip = true, .shift = 0}, 1, 3, EveryThird(), /*first=*/0, images);
  const torch::Tensor plain = SameImages()[0];
  for (int64_t i = 0; i < images.size(0); ++i) EXPECT_TRUE(torch::equal(images[i], i % 3 == 0 ? plain.flip({1}) : plain)) << i;
}

TEST(AugmentTest, APartOfABatchIsWhatItIsInTheWhole) {
  torch::Tensor whole = SameImages();
  Augment({.flip = true, .shift = 2}, 1, 3, EveryThird(), 0, whole);
  torch::Tensor part = SameImages().narrow(0, 0, 24).clone();
  Augment({.flip = true, .shift = 2}, 1, 3, EveryThird(), 40, part);
  EXPECT_TRUE(torch::equal(part, whole.narrow(0, 40, 24)));
}

TEST(AugmentTest, ReflectsWhatLiesBeyondAnEdge) {
  torch::Tensor images = SameImages();
  Augment({.flip = false, .shift = 8}, 1, 3, EveryThird(), /*first=*/0, images);  // farther than an image is wide
  for (int64_t i = 0; i < images.size(0); ++i) {
    // In a reflected row neighbours always differ by one column, also across an edge, and no row is a copy of its neighbour.
    for (int64_t y = 0; y + 1 < 6; ++y) {
      EXPECT_EQ(std::abs(images[i][0][y + 1][0].item<float>() - images[i][0][y][0].item<float>()), 1) << i;
      EXPECT_EQ(std::abs(images[i][y + 1][0][0].item<float>() - images[i][y][0][0].item<float>()), 6) << i;
    }
  }
}

TEST(AugmentTest, MovesUpToTheShiftInEveryDirectionAndFlipsNone) {
  for (const int shift : {1, 2}) {
    torch::Tensor images = SameImages();
    Augment({.flip = false, .shift = shift}, 1, 3, EveryThird(), /*first=*/0, images);
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
