// SPDX-License-Identifier: Apache-2.0
#include "core/lowering/lowering.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/cost/cost.h"
#include "core/family/convnet/convnet_space.h"
#include "core/lowering/unit_walk.h"
#include "core/plan/exec_plan.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/random_job.h"
#include "tests/core/small_space.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::Contains;
using ::testing::HasSubstr;

constexpr int kRandomArchitectures = 300;

BackendCaps WithoutInt8HardSwish() {
  return {.name = "test", .version = "1", .isa = "none", .native = EveryKindBut(OpKind::kHardSwish, ElementType::kInt8)};
}

std::vector<Architecture> RandomArchitectures(const SearchSpace& space) {
  std::vector<Architecture> all;
  for (int i = 0; i < kRandomArchitectures; ++i) {
    CounterRandom random(7, "lowering-test", static_cast<uint64_t>(i));
    all.push_back(space.Random(random));
  }
  return all;
}

TEST(LoweringTest, EveryLoweredGraphIsConsistent) {
  const Lowering lowering(SmallConvnet());
  for (const Architecture& architecture : RandomArchitectures(lowering.space())) {
    ASSERT_THAT(CheckGraph(lowering.Lower(architecture)), IsOk()) << lowering.space().ToReadable(architecture);
  }
}

TEST(LoweringTest, ViewsLieInsideTheirSlots) {
  const Lowering lowering(SmallConvnet());
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
  const Lowering lowering(SmallConvnet());
  const Architecture smallest = lowering.space().Smallest({8, 8});
  const Graph graph = lowering.Lower(smallest);
  for (const Operator& op : graph.operators) {
    if (op.kind != OpKind::kConv2d || op.groups == 1) continue;
    EXPECT_EQ(op.kernel, 3);
    EXPECT_EQ(op.weight.slices[2].count, 5);
    ASSERT_EQ(op.weight.transforms.size(), 1);
    EXPECT_EQ(op.weight.transforms[0].to, 3);
  }
}

TEST(LoweringTest, CostOfANetworkIsTheSumOfItsUnits) {
  const Lowering lowering(SmallConvnet());
  for (const Architecture& architecture : RandomArchitectures(lowering.space())) {
    const Graph graph = lowering.Lower(architecture);
    Cost sum;
    int64_t peak = 0;
    int64_t weights = 0;
    LoweringContext context = lowering.InputContext(architecture);
    for (size_t u = 0; u < lowering.family().units().size(); ++u) {
      const Unit& unit = lowering.family().units()[u];
      if (!SearchSpace::Hold(architecture, unit.present_if)) continue;
      const Fragment fragment = lowering.LowerUnit(u, context, ChoicesOf(unit, architecture));
      const Cost cost = GraphCost(fragment.graph);
      const ExecPlan plan = MakePlan(fragment.graph, WithoutInt8HardSwish());
      sum.macs += cost.macs;
      sum.parameters += cost.parameters;
      sum.size_bytes += cost.size_bytes;
      peak = std::max(peak, PeakActivationBytes(plan));
      weights += ExecutedWeightBytes(plan);
      context = fragment.next;
    }
    sum.peak_memory_bytes = weights + peak;
    EXPECT_EQ(NetworkCost(graph, MakePlan(graph, WithoutInt8HardSwish())), sum);
  }
}

TEST(LoweringTest, EnumeratedKeysCoverEveryNetworkAndNothingElse) {
  const Lowering lowering(SmallConvnet());
  const std::vector<OpKey> keys = EnumerateOpKeys(lowering, WithoutInt8HardSwish());
  std::set<std::string> enumerated;
  for (const OpKey& key : keys) enumerated.insert(ToString(key));
  EXPECT_EQ(enumerated.size(), keys.size());

  std::set<std::string> used;
  for (int i = 0; i < 20'000; ++i) {
    CounterRandom random(11, "key-coverage", static_cast<uint64_t>(i));
    for (const ExecStep& step : MakePlan(lowering.Lower(lowering.space().Random(random)), WithoutInt8HardSwish()).steps)
      used.insert(ToString(step.key));
  }
  for (const std::string& key : used) ASSERT_THAT(enumerated, Contains(key));
  EXPECT_EQ(used.size(), enumerated.size()) << "a key was enumerated that 20 000 random networks never used";
}

/// The keys of everything that a walk shows.
class KeysOf : public UnitVisitor {
 public:
  explicit KeysOf(const BackendCaps& caps) : caps_(caps) {}
  bool Enter(const UnitMeetings&) override { return true; }
  bool Repeat(size_t) override { return true; }
  bool Visit(const LoweredUnit& lowered) override {
    for (const ExecStep& step : MakePlan(lowered.fragment.graph, caps_).steps) keys.insert(ToString(step.key));
    return true;
  }
  std::set<std::string> keys;

 private:
  const BackendCaps& caps_;
};

TEST(LoweringTest, EnumerationFindsWhatAWalkOfAllNetworksFinds) {
  const std::vector<BackendCaps> devices = {
      {},
      {.native = EveryKindBut(OpKind::kHardSwish, ElementType::kInt8)},
      {.native = {{.compute = ElementType::kInt8}}},
      {.native = {{.compute = ElementType::kFloat16},
                  {.compute = ElementType::kInt8},
                  {.kind = OpKind::kFullyConnected, .compute = ElementType::kInt8, .weights = ElementType::kInt4}}}};
  RandomJobs jobs(1, {.resolution = 24, .width = 24, .stages = 2, .depth = 3});
  int compared = 0;
  for (int i = 0; i < 60; ++i) {
    const absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(jobs.Next().space);
    if (!space.ok()) continue;
    ++compared;
    const Lowering lowering(*space);
    for (const BackendCaps& caps : devices) {
      KeysOf all(caps);
      ASSERT_TRUE(WalkUnits(lowering, WalkOf::kNetworks, all));
      std::set<std::string> found;
      for (const OpKey& key : EnumerateOpKeys(lowering, caps)) found.insert(ToString(key));
      ASSERT_EQ(found, all.keys) << "job " << i;
    }
  }
  EXPECT_GE(compared, 20);
}

TEST(LoweringTest, SlotsAreAsLargeAsTheLargestView) {
  RandomJobs jobs(4, {.resolution = 24, .width = 24, .stages = 2, .depth = 2});
  int compared = 0;
  for (int i = 0; i < 60; ++i) {
    const absl::StatusOr<ConvnetSpace> family = ConvnetSpace::Define(jobs.Next().space);
    if (!family.ok() || family->space().NumNetworks() > 20'000) continue;
    ++compared;
    const Lowering lowering(*family);
    std::map<SlotId, Shape> largest;
    const auto see = [&](const WeightView& view) {
      Shape& shape = largest[view.slot];
      if (shape.empty()) shape.assign(view.slices.size(), 0);
      for (size_t axis = 0; axis < shape.size(); ++axis)
        shape[axis] = std::max(shape[axis], view.slices[axis].begin + view.slices[axis].count);
      for (const KernelTransform& step : view.transforms) largest[step.matrix] = {int64_t{step.to} * step.to, int64_t{step.to} * step.to};
    };
    for (const Architecture& network : family->space().AllNetworks()) {
      const Graph graph = lowering.Lower(network);
      ASSERT_THAT(CheckGraph(graph), IsOk()) << family->space().ToReadable(network);
      for (const Operator& op : graph.operators) {
        if (op.weight.present()) see(op.weight);
        if (op.bias.present()) see(op.bias);
        if (op.has_norm()) see(op.norm.gamma), see(op.norm.beta);
      }
    }
    const std::vector<Slot>& slots = lowering.slots().slots();
    for (size_t slot = 0; slot < slots.size(); ++slot) {
      EXPECT_EQ(largest[static_cast<SlotId>(slot)], slots[slot].shape) << slots[slot].name;
    }
  }
  EXPECT_GE(compared, 10);
}

/// Unit and context of every meeting.
class Meetings : public UnitVisitor {
 public:
  using Place = std::tuple<size_t, int64_t, int64_t, ElementType>;
  bool Enter(const UnitMeetings& met) override {
    first_.push_back(met.unit);
    for (const int32_t context : met.contexts) places.insert(PlaceOf(met.unit, contexts_.at(context)));
    return true;
  }
  bool Repeat(size_t) override {
    first_.push_back(first_.back());
    return true;
  }
  bool Visit(const LoweredUnit& lowered) override {
    contexts_.emplace(lowered.next, lowered.fragment.next);
    return true;
  }
  static Place PlaceOf(size_t unit, const LoweringContext& c) { return {unit, c.height, c.channels, c.type}; }
  size_t First(size_t unit) const { return first_.at(unit); }
  std::set<Place> places;

 private:
  std::vector<size_t> first_;
  std::map<int32_t, LoweringContext> contexts_ = {{kStartContext, {}}};
};

TEST(LoweringTest, AWalkOfContextsMeetsThoseOfTheNetworks) {
  RandomJobs jobs(2, {.resolution = 24, .width = 8, .stages = 2, .depth = 2});
  for (int i = 0; i < 20; ++i) {
    const absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(jobs.Next().space);
    if (!space.ok()) continue;
    const Lowering lowering(*space);
    Meetings reached;
    ASSERT_TRUE(WalkUnits(lowering, WalkOf::kContexts, reached));
    std::set<Meetings::Place> met = {Meetings::PlaceOf(0, {})};
    for (int n = 0; n < 2000; ++n) {
      CounterRandom random(3, "contexts", static_cast<uint64_t>(n));
      const Architecture architecture = space->space().Random(random);
      LoweringContext context = lowering.InputContext(architecture);
      for (size_t u = 0; u < space->units().size(); ++u) {
        const Unit& unit = space->units()[u];
        if (!SearchSpace::Hold(architecture, unit.present_if)) continue;
        if (u > 0) met.insert(Meetings::PlaceOf(reached.First(u), context));
        context = lowering.LowerUnit(u, context, ChoicesOf(unit, architecture)).next;
      }
    }
    EXPECT_EQ(met, reached.places) << "job " << i;
  }
}

std::string TextOf(const LoweringContext& context) {
  return absl::StrCat(context.height, "x", context.width, "x", context.channels, " ", Name(context.type));
}

/// Notes where a walk comes by.
class Diary : public UnitVisitor {
 public:
  /// Unit, context in front of it (but for the stem, which has none), choices of its genes, context behind it.
  using Place = std::tuple<size_t, std::string, std::vector<uint8_t>, std::string>;

  bool Enter(const UnitMeetings& met) override {
    EXPECT_TRUE(std::is_sorted(met.contexts.begin(), met.contexts.end()));
    first_.push_back(met.unit);
    return true;
  }
  bool Visit(const LoweredUnit& lowered) override {
    const std::string next = TextOf(lowered.fragment.next);
    EXPECT_EQ(contexts_.emplace(lowered.next, next).first->second, next);
    const Place place = {lowered.unit, contexts_.at(lowered.context), {lowered.choices.begin(), lowered.choices.end()}, next};
    EXPECT_TRUE(places_.insert(place).second) << "visited twice";
    return --visits_left_ > 0;
  }
  bool Repeat(size_t) override {
    first_.push_back(first_.back());
    return true;
  }

  void StopAfter(int visits) { visits_left_ = visits; }
  const std::set<Place>& places() const { return places_; }
  /// The unit whose places are those of `unit` too.
  size_t First(size_t unit) const { return first_.at(unit); }

 private:
  std::set<Place> places_;
  std::vector<size_t> first_;
  std::map<int32_t, std::string> contexts_ = {{kStartContext, ""}};
  int visits_left_ = std::numeric_limits<int>::max();
};

TEST(LoweringTest, AWalkVisitsExactlyWhatNetworksHave) {
  RandomJobs jobs(6, {.resolution = 24, .width = 24, .stages = 2, .depth = 3});
  int walked = 0;
  for (int i = 0; i < 200; ++i) {
    const absl::StatusOr<ConvnetSpace> family = ConvnetSpace::Define(jobs.Next().space);
    if (!family.ok() || family->space().NumNetworks() > 20'000) continue;
    ++walked;
    const Lowering lowering(*family);
    Diary diary;
    ASSERT_TRUE(WalkUnits(lowering, WalkOf::kNetworks, diary));
    std::set<Diary::Place> met;
    for (const Architecture& network : family->space().AllNetworks()) {
      LoweringContext before;
      for (size_t u = 0; u < family->units().size(); ++u) {
        const Unit& unit = family->units()[u];
        if (!SearchSpace::Hold(network, unit.present_if)) continue;
        const auto choices = ChoicesOf(unit, network);
        const LoweringContext next = lowering.LowerUnit(u, u == 0 ? lowering.InputContext(network) : before, choices).next;
        met.insert({diary.First(u), u == 0 ? "" : TextOf(before), {choices.begin(), choices.end()}, TextOf(next)});
        before = next;
      }
    }
    EXPECT_EQ(diary.places(), met) << "job " << i;
  }
  EXPECT_GE(walked, 10);
}

TEST(LoweringTest, AWalkEndsWhenTheVisitorSaysSo) {
  Diary diary;
  diary.StopAfter(3);
  EXPECT_FALSE(WalkUnits(Lowering(SmallConvnet()), WalkOf::kNetworks, diary));
  EXPECT_EQ(diary.places().size(), 3);
}

TEST(LoweringTest, EnumerationEndsWhenItIsToldTo) {
  const Lowering lowering(SmallConvnet());
  int asked = 0;
  const auto stop = [&] { return ++asked == 2; };
  EXPECT_THAT(EnumerateOpKeys(lowering, WithoutInt8HardSwish(), stop, 100'000), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(asked, 2);
  EXPECT_THAT(EnumerateOpKeys(lowering, WithoutInt8HardSwish(), NeverStop, 100),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("at most 100 operators to measure, found at least 10")));
}

TEST(LoweringTest, PrecisionBoundariesBecomeConversions) {
  const Lowering lowering(SmallConvnet());
  const auto conversions = [&](Precision precision) {
    int count = 0;
    for (const ExecStep& step : MakePlan(lowering.Lower(lowering.space().Middle(precision)), WithoutInt8HardSwish()).steps)
      count += step.key.kind == OpKind::kConvert;
    return count;
  };
  EXPECT_EQ(conversions({16, 16}), 0) << "16 bits run as float32 here: nothing to convert";
  EXPECT_GE(conversions({8, 8}), 2) << "the image is quantised and the logits are dequantised";
}

TEST(LoweringTest, BitsChangeTheSizeAndTheDigestButNotTheTopology) {
  const Lowering lowering(SmallConvnet());
  const SearchSpace& space = lowering.space();
  Architecture eight = space.Largest({8, 8});
  Architecture two = eight;
  two.genes[GeneNamed(space, "stages[1].blocks[0].project_precision")] = 0;  // w2a8
  const Graph a = lowering.Lower(eight);
  const Graph b = lowering.Lower(two);
  EXPECT_EQ(GraphCost(a).macs, GraphCost(b).macs);
  EXPECT_GT(GraphCost(a).size_bytes, GraphCost(b).size_bytes);
  EXPECT_NE(GraphDigest(a), GraphDigest(b));
}

TEST(LoweringTest, TrainingCostsMoreThanMultiplying) {
  const Lowering lowering(SmallConvnet());
  const Graph small = lowering.Lower(lowering.space().Smallest({8, 8}));
  const Graph large = lowering.Lower(lowering.space().Largest({8, 8}));
  EXPECT_GT(TrainingWork(small), GraphCost(small).macs);
  EXPECT_GT(TrainingWork(large), TrainingWork(small));
  EXPECT_EQ(TrainingWork(large), TrainingWork(lowering.Lower(lowering.space().Largest({8, 8}))));
  // The same convolutions on so much fewer pixels cost so much less.
  Architecture halved = lowering.space().Largest({8, 8});
  halved.genes[GeneNamed(lowering.space(), "resolution")] = 0;
  const double ratio = static_cast<double>(TrainingWork(lowering.Lower(halved))) / static_cast<double>(TrainingWork(large));
  EXPECT_NEAR(ratio, 16.0 * 16 / (24 * 24), 0.05);
}

TEST(OpKeyTest, TextRoundTripsAndRejectsNonsense) {
  const Lowering lowering(SmallConvnet());
  for (const OpKey& key : EnumerateOpKeys(lowering, WithoutInt8HardSwish())) {
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
