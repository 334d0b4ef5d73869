// SPDX-License-Identifier: Apache-2.0
#include "core/family/convnet/scaled.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/family/convnet/convnet_space.h"
#include "tests/core/small_space.h"

namespace hanas {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

SpaceSpec Plain() {
  SpaceSpec space = {.name = "plain", .resolutions = {32}};
  space.stem = {.widths = {16}, .kernel = 3, .stride = 1};
  space.stages = {{.widths = {24}, .depths = {2}, .stride = 2, .kinds = {BlockKind::kConv}, .blocks = {{}, {}}},
                  {.widths = {40}, .depths = {1}, .stride = 2, .kinds = {BlockKind::kConv}, .blocks = {{}}}};
  space.head = {.widths = {128}, .hidden = 64};
  return space;
}

TEST(ScaledInWidthTest, RoundsEveryWidthToAMultipleOfEight) {
  const SpaceSpec wider = ScaledInWidth(Plain(), 1.25);
  EXPECT_THAT(wider.stem.widths, ElementsAre(24));       // 20
  EXPECT_THAT(wider.stages[0].widths, ElementsAre(32));  // 30
  EXPECT_THAT(wider.stages[1].widths, ElementsAre(48));  // 50
  EXPECT_THAT(wider.head.widths, ElementsAre(160));
  EXPECT_EQ(wider.head.hidden, 80);
  EXPECT_EQ(ScaledInWidth(Plain(), 1), Plain());
  const SpaceSpec narrow = ScaledInWidth(Plain(), 0.1);
  EXPECT_THAT(narrow.stem.widths, ElementsAre(8));
  EXPECT_THAT(narrow.stages[1].widths, ElementsAre(8));
  EXPECT_EQ(narrow.stages[0].depths, Plain().stages[0].depths);
}

TEST(ScaledInWidthTest, LeavesAWhiteningStemToTheImages) {
  SpaceSpec space = Plain();
  space.stem = WhiteningStem(/*input_channels=*/3);
  EXPECT_EQ(ScaledInWidth(space, 2).stem, space.stem);
  SpaceSpec grey = {.resolutions = {28}, .input_channels = 1, .num_classes = 5};
  const SpaceSpec adapted = ForImagesOf(grey, space);
  EXPECT_EQ(adapted.stem, WhiteningStem(1));
  EXPECT_THAT(adapted.resolutions, ElementsAre(28));
  EXPECT_EQ(adapted.input_channels, 1);
  EXPECT_EQ(adapted.num_classes, 5);
  EXPECT_EQ(adapted.stages, space.stages);
}

TEST(ScaledInWidthTest, ChoicesThatBecomeEqualAreOne) {
  SpaceSpec space = Plain();
  space.stages[0].widths = {24, 28, 64};
  EXPECT_THAT(ScaledInWidth(space, 0.25).stages[0].widths, ElementsAre(8, 16));
}

TEST(ScaledNetworksTest, AscendAndAreDistinct) {
  const std::vector<ScaledNetwork> networks = ScaledNetworks({"plain", "plain-1k", Plain()}, SmallSpaceSpec());
  ASSERT_FALSE(networks.empty());
  EXPECT_LE(networks.size(), WidthFactors().size());
  EXPECT_GE(networks.size(), 10u);
  for (size_t i = 0; i < networks.size(); ++i) {
    EXPECT_TRUE(ConvnetSpace::Define(networks[i].space).ok()) << networks[i].factor;
    EXPECT_EQ(networks[i].space.resolutions, SmallSpaceSpec().resolutions);
    if (i == 0) continue;
    EXPECT_LT(networks[i - 1].factor, networks[i].factor);
    EXPECT_NE(networks[i - 1].space, networks[i].space);
  }
}

TEST(ScaledNetworksTest, EqualOnesHaveTheFactorClosestToOne) {
  SpaceSpec space = Plain();
  space.stem.widths = {8};
  space.stages = {{.widths = {8}, .depths = {1}, .kinds = {BlockKind::kConv}, .blocks = {{}}}};
  space.head = {};
  const std::vector<ScaledNetwork> networks = ScaledNetworks({"plain", "plain-1k", space}, SmallSpaceSpec());
  std::vector<double> factors;
  for (const ScaledNetwork& network : networks) factors.push_back(network.factor);
  EXPECT_THAT(factors, ElementsAre(1, 1.6, 2.5, 4)) << "widths 8, 16, 24 and 32";
}

TEST(ScaledNetworksTest, ThereAreNoneForImagesThatTheStridesLeaveNothingOf) {
  SpaceSpec images = SmallSpaceSpec();
  images.resolutions = {8};
  SpaceSpec space = Plain();
  space.stem.kernel = 2;
  space.stem.stride = 4;
  space.stages[0].stride = space.stages[1].stride = 4;
  space.stages[0].downsamples = space.stages[1].downsamples = {Downsample::kMaxPool};
  EXPECT_THAT(ScaledNetworks({"plain", "plain-1k", space}, images), IsEmpty());
}

}  // namespace
}  // namespace hanas
