// SPDX-License-Identifier: Apache-2.0
#include "core/family/convnet/convnet_space.h"

#include <cmath>
#include <optional>
#include <set>
#include <variant>

#include "absl/status/status_matchers.h"
#include "core/encoding/encoding.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"

namespace hanas {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ConvnetSpaceTest, EveryMistakeIsReportedWithItsPath) {
  SpaceSpec spec = SmallSpaceSpec();
  spec.resolutions = {24, 16};
  spec.stages[1].blocks[0].kernels = {4};
  spec.stem.precisions = {{2, 8}};
  spec.head.widths = {0};
  const absl::Status status = ConvnetSpace::Define(spec).status();

  EXPECT_THAT(ViolationsOf(status),
              ElementsAre(Field(&FieldViolation::path, "space.resolutions[1]"), Field(&FieldViolation::path, "space.stem.precisions[0]"),
                          Field(&FieldViolation::path, "space.stages[1].blocks[0].kernels[0]"),
                          Field(&FieldViolation::path, "space.head.widths[0]")));
  EXPECT_THAT(std::string(status.message()), HasSubstr("expected an odd kernel size, found 4"));
}

TEST(ConvnetSpaceTest, ResolutionMustSurviveTheStrides) {
  SpaceSpec spec = SmallSpaceSpec();
  spec.stages[0].stride = 4;
  spec.stages[1].stride = 4;
  spec.stem.stride = 2;
  EXPECT_THAT(
      ConvnetSpace::Define(spec),
      StatusIs(
          absl::StatusCode::kInvalidArgument,
          HasSubstr("space.resolutions: expected images that the strides leave something of, found 16, of which stage 1 leaves nothing")));
}

TEST(ConvnetSpaceTest, CanonicalFormForgetsWhatTheNetworkDoesNotHave) {
  const SearchSpace space = SmallSpace();
  Architecture shallow = space.Largest({16, 16});
  shallow.genes[GeneNamed(space, "stages[0].depth")] = 0;
  Architecture other = shallow;
  other.genes[GeneNamed(space, "stages[0].blocks[1].kernel")] ^= 1;  // of a block that does not exist
  ASSERT_NE(shallow, other);
  EXPECT_EQ(space.ArchitectureDigest(shallow), space.ArchitectureDigest(other));
  space.Canonicalise(shallow);
  space.Canonicalise(other);
  EXPECT_EQ(shallow, other);
  EXPECT_EQ(Encode(space, shallow), Encode(space, other));
}

TEST(ConvnetSpaceTest, CountsDistinctNetworks) {
  const SearchSpace space = SmallSpace();
  const double block = 2 * (1 + 3) * 2 * 2 * 9;  // kernel, expansion with its precision, se, activation, two precisions
  const double networks = 2 * 2 * (block + block * block) * (2 * block) * 3 * 2;
  EXPECT_NEAR(space.Log10Size(), std::log10(networks), 1e-9);
}

TEST(ConvnetSpaceTest, SmallSpacesAreCountedAndListedWhole) {
  SpaceSpec spec = SmallSpaceSpec();
  spec.stages[1].blocks[0] = {.kernels = {3}, .expansions = {1, 2}};
  spec.stages[0].blocks.assign(2, {.kernels = {3, 5}, .expansions = {1, 2}, .expand_precisions = {{4, 8}, {8, 8}}});
  const SearchSpace space = ConvnetSpace::Define(spec).value().space();
  const std::vector<Architecture> all = space.AllNetworks();
  const int block = 2 * (1 + 2);
  EXPECT_EQ(space.NumNetworks(), 2 * 2 * (block + block * block) * (2 * 2) * 3 * 2);
  EXPECT_EQ(all.size(), static_cast<size_t>(space.NumNetworks()));
  EXPECT_EQ(std::set<Architecture>(all.begin(), all.end()).size(), all.size());
  for (Architecture network : all) {
    const Architecture listed = network;
    space.Canonicalise(network);
    ASSERT_EQ(network, listed);
  }
}

TEST(ConvnetSpaceTest, WrongGenesAreNamed) {
  const SearchSpace space = SmallSpace();
  Architecture architecture = space.Smallest({8, 8});
  architecture.genes.back() = 9;
  EXPECT_THAT(space.CheckArchitecture(architecture),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("head.classifier_precision below 2, found 9")));
  architecture.genes.pop_back();
  EXPECT_THAT(space.CheckArchitecture(architecture), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected 32 genes")));
}

TEST(ConvnetSpaceTest, DigestsFollowContentNotNames) {
  SpaceSpec renamed = SmallSpaceSpec();
  renamed.name = "other";
  SpaceSpec wider = SmallSpaceSpec();
  wider.head.widths = {72};
  EXPECT_EQ(SmallSpace().digest(), ConvnetSpace::Define(renamed)->space().digest());
  EXPECT_NE(SmallSpace().digest(), ConvnetSpace::Define(wider)->space().digest());
}

TEST(ConvnetSpaceTest, OneBitChoiceChangesTheEncoding) {
  const SearchSpace space = SmallSpace();
  const Architecture eight = space.Largest({8, 8});
  Architecture two = eight;
  two.genes[GeneNamed(space, "stages[0].blocks[0].depthwise_precision")] = 0;
  EXPECT_THAT(Encode(space, eight), Not(Encode(space, two)));
}

TEST(ConvnetSpaceTest, PrintsForPeople) {
  const SearchSpace space = SmallSpace();
  EXPECT_EQ(space.ToReadable(space.Smallest({8, 8})),
            "r16 stem8/w8a8 | w16 d1: k3 e1 re w8a8,w8a8 | w24 d1: k3 e1 re w8a8,w8a8 | head64/w8a8,w8a8");
  EXPECT_EQ(SmallConvnet().Summary(space.Smallest({8, 8})), "pw 8 · dw 8 · last 8");
  EXPECT_THAT(space.ToJson(space.Smallest({8, 8})), HasSubstr("\"stages[0].blocks[0].activation\": \"relu\""));
}

TEST(ConvnetSpaceTest, WhatNoNetworkDecidesIsNoGene) {
  SpaceSpec spec = SmallSpaceSpec();
  spec.stages[1].blocks[0].expansions = {1};
  const ConvnetSpace family = ConvnetSpace::Define(spec).value();
  EXPECT_EQ(family.space().FindGene("stages[1].blocks[0].expand_precision"), std::nullopt);
  EXPECT_EQ(family.space().ToReadable(family.space().Largest({8, 8})),
            "r24 stem8/w8a8 | w16 d2: k5 e3 se hs w8a8,w8a8,w8a8; k5 e3 se hs w8a8,w8a8,w8a8 | w32 d1: k5 e1 se hs w8a8,w8a8 | "
            "head64/w8a8,w8a8");
  // The questions behind it still find their answers.
  Architecture network = family.space().Largest({8, 8});
  network.genes[GeneNamed(family.space(), "stages[1].blocks[0].project_precision")] = 0;
  const Unit& unit = family.units()[3];
  std::vector<uint8_t> choices;
  for (const int gene : unit.genes) choices.push_back(network.genes[static_cast<size_t>(gene)]);
  SlotTable slots;
  const Graph graph = family.Lower(3, choices, NetBuilder({8, 8, 16, ElementType::kInt8}, &slots)).graph;
  EXPECT_EQ(graph.operators.front().weight_type, ElementType::kInt8) << graph.name(graph.operators.front());
  EXPECT_EQ(graph.operators.back().weight_type, ElementType::kInt2) << graph.name(graph.operators.back());
  EXPECT_EQ(graph.value(graph.output).shape.back(), 32);
}

TEST(ConvnetSpaceTest, WhatIsFixedIsPartOfTheDigest) {
  SpaceSpec strided = SmallSpaceSpec();
  strided.stem.stride = 2;
  SpaceSpec hidden = SmallSpaceSpec();
  hidden.head.hidden = 32;
  for (const SpaceSpec& other : {strided, hidden}) EXPECT_NE(SmallSpace().digest(), ConvnetSpace::Define(other)->space().digest());
}

/// A stage whose kind and way of downsampling are genes.
SpaceSpec MixedSpec() {
  SpaceSpec spec = SmallSpaceSpec();
  spec.stages[0].kinds = {BlockKind::kMbconv, BlockKind::kResidual, BlockKind::kConv};
  spec.stages[0].downsamples = {Downsample::kStride, Downsample::kMaxPool};
  for (BlockSpec& block : spec.stages[0].blocks) block.expansions = {3};
  return spec;
}

TEST(ConvnetSpaceTest, TheKindOfAStageIsAGene) {
  const ConvnetSpace family = ConvnetSpace::Define(MixedSpec()).value();
  const SearchSpace& space = family.space();
  Architecture network = space.Smallest({8, 8});
  network.genes[GeneNamed(space, "stages[0].kind")] = 2;
  network.genes[GeneNamed(space, "stages[0].downsample")] = 1;
  space.Canonicalise(network);
  EXPECT_THAT(family.KindsOf(network), ElementsAre(BlockKind::kConv, BlockKind::kMbconv));
  EXPECT_EQ(space.ToReadable(network),
            "r16 stem8/w8a8 | w16 d1 conv by max_pool: k3 re w8a8 | w24 d1: k3 e1 re w8a8,w8a8 | head64/w8a8,w8a8");
  EXPECT_EQ(family.Summary(network), "conv,mbconv · kxk 8 · pw 8 · dw 8 · last 8");
  EXPECT_FALSE(space.IsActive(network, static_cast<int>(GeneNamed(space, "stages[0].blocks[0].expand_precision"))));
}

TEST(ConvnetSpaceTest, QuestionsOfOtherKindsDoNotCount) {
  SpaceSpec spec = MixedSpec();
  spec.stages.erase(spec.stages.begin() + 1);
  const double shared = 2 * 2;                   // kernel, activation
  const double mbconv = shared * 2 * 3 * 3 * 3;  // se and three precisions; one expansion
  const double residual = shared * 3 * 3;
  const double conv = shared * 3;
  double stage = 0;
  for (const double block : {mbconv, residual, conv}) stage += 2 * (block + block * block);  // two ways to downsample
  EXPECT_EQ(ConvnetSpace::Define(spec)->space().NumNetworks(), 2 * 2 * stage * 3 * 2);
}

TEST(ConvnetSpaceTest, MistakesInBlocksOfOtherKindsAreNamed) {
  SpaceSpec spec = MixedSpec();
  spec.stages[0].blocks[1].expansions = {1, 3};
  spec.stages[0].groups = 2;
  spec.stages[1].kinds = {BlockKind::kConv, BlockKind::kConv};
  spec.stages[1].bottleneck = 0;
  spec.stem.whitening = true;
  EXPECT_THAT(
      ViolationsOf(ConvnetSpace::Define(spec).status()),
      ElementsAre(Field(&FieldViolation::path, "space.stem.widths"), Field(&FieldViolation::path, "space.stages[0].groups"),
                  Field(&FieldViolation::path, "space.stages[0].blocks[1].expansions"),
                  Field(&FieldViolation::path, "space.stages[1].kinds[1]"), Field(&FieldViolation::path, "space.stages[1].bottleneck")));
}

TEST(ConvnetSpaceTest, PoolsMustLeaveSomething) {
  SpaceSpec spec = SmallSpaceSpec();
  spec.resolutions = {8};
  spec.stem = {.widths = {8}, .kernel = 2, .stride = 1, .whitening = true};  // 8 -> 7
  spec.stages[0].stride = 4;                                                 // -> 2 by convolution, 1 by pool
  EXPECT_TRUE(ConvnetSpace::Define(spec).ok());
  spec.stages[0].downsamples = {Downsample::kStride, Downsample::kMaxPool};
  EXPECT_THAT(ConvnetSpace::Define(spec), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("stage 1 leaves nothing")));
}

}  // namespace
}  // namespace hanas
