// SPDX-License-Identifier: Apache-2.0
#include "core/lowering/lowering.h"

#include <set>

#include "absl/status/status_matchers.h"
#include "core/cost/cost.h"
#include "core/plan/exec_plan.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::testing::Contains;

constexpr int kRandomArchitectures = 300;

BackendCaps Float32Only() { return {.name = "test", .version = "1", .isa = "none"}; }

std::vector<Architecture> RandomArchitectures(const SearchSpace& space) {
  std::vector<Architecture> all;
  for (int i = 0; i < kRandomArchitectures; ++i) {
    CounterRandom random(7, "lowering-test", static_cast<uint64_t>(i));
    all.push_back(space.Random(random));
  }
  return all;
}

TEST(LoweringTest, MobileNetV3LargeHasThePublishedCost) {
  const Lowering lowering(SearchSpace::Create(MobileNetV3Large()).value());
  const Graph graph = lowering.Lower(lowering.space().Largest({16, 16}));

  EXPECT_THAT(CheckGraph(graph), IsOk());
  const Cost cost = GraphCost(graph);
  EXPECT_EQ(cost.parameters, 5'483'032);
  EXPECT_NEAR(static_cast<double>(cost.macs) / 1e6, 216.59, 0.005);
}

TEST(LoweringTest, EveryLoweredGraphIsConsistent) {
  const Lowering lowering(SmallSpace());
  for (const Architecture& architecture : RandomArchitectures(lowering.space())) {
    ASSERT_THAT(CheckGraph(lowering.Lower(architecture)), IsOk()) << lowering.space().ToReadable(architecture);
  }
}

TEST(LoweringTest, ViewsLieInsideTheirSlots) {
  const Lowering lowering(SmallSpace());
  const std::vector<Slot>& slots = lowering.slots().slots();
  const auto check = [&](const WeightView& view) {
    if (!view.present()) return;
    const Slot& slot = slots.at(static_cast<size_t>(view.slot));
    ASSERT_EQ(view.slices.size(), slot.shape.size()) << slot.name;
    for (size_t axis = 0; axis < slot.shape.size(); ++axis) {
      ASSERT_LE(view.slices[axis].begin + view.slices[axis].count, slot.shape[axis]) << slot.name << " axis " << axis;
    }
    for (const KernelTransform& step : view.transforms) ASSERT_EQ(slots.at(static_cast<size_t>(step.matrix)).shape[0], step.to * step.to);
  };
  for (const Architecture& architecture : RandomArchitectures(lowering.space())) {
    for (const Operator& op : lowering.Lower(architecture).operators) {
      check(op.weight);
      check(op.bias);
      check(op.norm.gamma);
      check(op.norm.beta);
    }
  }
}

TEST(LoweringTest, SmallerKernelReadsTheCroppedAndTransformedSlot) {
  const Lowering lowering(SmallSpace());
  const Architecture smallest = lowering.space().Smallest({8, 8});
  for (const Operator& op : lowering.Lower(smallest).operators) {
    if (op.provenance.role != LayerRole::kDepthwise || op.kind != OpKind::kConv2d) continue;
    EXPECT_EQ(op.kernel, 3);
    EXPECT_EQ(op.weight.slices[2].count, 5);
    ASSERT_EQ(op.weight.transforms.size(), 1);
    EXPECT_EQ(op.weight.transforms[0].to, 3);
  }
}

TEST(LoweringTest, CostOfANetworkIsTheSumOfItsUnits) {
  const Lowering lowering(SmallSpace());
  for (const Architecture& architecture : RandomArchitectures(lowering.space())) {
    const Graph graph = lowering.Lower(architecture);
    Cost sum;
    int64_t peak = 0;
    int64_t weights = 0;
    LoweringContext context = lowering.InputContext(lowering.space().Stem(architecture).resolution);
    for (const auto& [unit, choice] : lowering.Units(architecture)) {
      const Fragment fragment = lowering.LowerUnit(unit, context, choice);
      const Cost cost = GraphCost(fragment.graph);
      const ExecPlan plan = MakePlan(fragment.graph, Float32Only());
      sum.macs += cost.macs;
      sum.parameters += cost.parameters;
      sum.size_bytes += cost.size_bytes;
      peak = std::max(peak, PeakActivationBytes(plan));
      weights += ExecutedWeightBytes(plan);
      context = fragment.next;
    }
    sum.peak_memory_bytes = weights + peak;
    EXPECT_EQ(NetworkCost(graph, MakePlan(graph, Float32Only())), sum);
  }
}

TEST(LoweringTest, EnumeratedKeysCoverEveryNetworkAndNothingElse) {
  const Lowering lowering(SmallSpace());
  const std::vector<OpKey> keys = EnumerateOpKeys(lowering, Float32Only());
  std::set<std::string> enumerated;
  for (const OpKey& key : keys) enumerated.insert(ToString(key));
  EXPECT_EQ(enumerated.size(), keys.size());

  std::set<std::string> used;
  for (int i = 0; i < 20'000; ++i) {
    CounterRandom random(11, "key-coverage", static_cast<uint64_t>(i));
    for (const ExecStep& step : MakePlan(lowering.Lower(lowering.space().Random(random)), Float32Only()).steps)
      used.insert(ToString(step.key));
  }
  for (const std::string& key : used) ASSERT_THAT(enumerated, Contains(key));
  EXPECT_EQ(used.size(), enumerated.size()) << "a key was enumerated that 20 000 random networks never used";
}

TEST(LoweringTest, PrecisionBoundariesBecomeConversions) {
  const Lowering lowering(SmallSpace());
  const auto conversions = [&](Precision precision) {
    int count = 0;
    for (const ExecStep& step : MakePlan(lowering.Lower(lowering.space().Middle(precision)), Float32Only()).steps)
      count += step.key.kind == OpKind::kConvert;
    return count;
  };
  EXPECT_EQ(conversions({16, 16}), 0) << "16 bits run as float32 here: nothing to convert";
  EXPECT_GE(conversions({8, 8}), 2) << "the image is quantised and the logits are dequantised";
}

TEST(LoweringTest, BitsChangeTheSizeAndTheDigestButNotTheTopology) {
  const Lowering lowering(SmallSpace());
  const SearchSpace& space = lowering.space();
  Architecture eight = space.Largest({8, 8});
  Architecture two = eight;
  two.genes[static_cast<size_t>(space.block_gene(1, 0) + 6)] = 0;  // project: w2a8
  const Graph a = lowering.Lower(eight);
  const Graph b = lowering.Lower(two);
  EXPECT_EQ(GraphCost(a).macs, GraphCost(b).macs);
  EXPECT_GT(GraphCost(a).size_bytes, GraphCost(b).size_bytes);
  EXPECT_NE(GraphDigest(a), GraphDigest(b));
}

TEST(OpKeyTest, TextRoundTripsAndRejectsNonsense) {
  const Lowering lowering(SmallSpace());
  for (const OpKey& key : EnumerateOpKeys(lowering, Float32Only())) {
    const absl::StatusOr<OpKey> parsed = OpKeyFromString(ToString(key));
    ASSERT_THAT(parsed, IsOk());
    EXPECT_EQ(*parsed, key);
  }
  for (const char* bad :
       {"", "conv2d", "conv2d 1x14x14x48 o96 k3 s1 p1 d1 g48 relu i8.i8", "conv2d 1x14x14x48 o96 k3 s0 p1 d1 g48 relu i8.i8.i8",
        "conv2d 1x14x14x48 o96 k3 s1 p1 d1 g5 relu i8.i8.i8", "conv2d 1x2x2x48 o96 k7 s1 p0 d1 g1 relu i8.i8.i8",
        "conv2d 1x8x8x8 o8 k1048576 s1 p0 d1048576 g1 none f32.f32.f32", "gap 1x48 o48 k1 s1 p0 d1 g1 none i8.i8.i8",
        "conv2d 1x14x14x99999999 o96 k3 s1 p1 d1 g1 relu i8.i8.i8", "conv2d 1x14x14x48 o96 k3 s1 p1 d1 g048 relu i8.i8.i8",
        "conv2d +1x14x14x48 o96 k3 s1 p1 d1 g48 relu i8.i8.i8", "conv2d 1x1048576x1048576x1048576 o1 k1 s1 p0 d1 g1 none f32.f32.f32",
        "fully_connected 1048576x1048576 o1048576 k1 s1 p0 d1 g1 none f32.f32.f32"}) {
    EXPECT_FALSE(OpKeyFromString(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace hanas
