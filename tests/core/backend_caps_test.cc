// SPDX-License-Identifier: Apache-2.0
#include "core/plan/backend_caps.h"

#include "absl/status/status_matchers.h"
#include "core/family/convnet/convnet_space.h"
#include "core/graph/op_schema.h"
#include "core/lowering/lowering.h"
#include "core/plan/exec_plan.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"

namespace hanas {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;

constexpr ElementType kFloat = ElementType::kFloat32;
constexpr ElementType kHalf = ElementType::kFloat16;
constexpr ElementType kInt8 = ElementType::kInt8;
constexpr ElementType kInt4 = ElementType::kInt4;

TEST(OperatorPatternTest, IsReadAsItIsWritten) {
  for (const OperatorPattern& pattern : {OperatorPattern{.compute = kInt8}, OperatorPattern{.kind = OpKind::kHardSwish, .compute = kHalf},
                                         OperatorPattern{.kind = OpKind::kFullyConnected, .compute = kInt8, .weights = kInt4}}) {
    EXPECT_THAT(OperatorPatternFromString(ToString(pattern)), IsOkAndHolds(pattern));
  }
  EXPECT_EQ(ToString(OperatorPattern{.kind = OpKind::kFullyConnected, .compute = kInt8, .weights = kInt4}), "fc i8 i4");
  for (const char* text : {"", "*", "* i9", "gemm i8", "fc i8 i4 i2", "fc  i8", "FC i8", "* f32", "fc i8 i8", "* i8 f32", "fc i4"})
    EXPECT_THAT(OperatorPatternFromString(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
}

TEST(NativeOperatorsTest, FloatIsAlwaysThereAndTheRestIsSaid) {
  BackendCaps caps;
  EXPECT_TRUE(NativeOperators(caps).Has(OpKind::kConv2d, kFloat));
  EXPECT_FALSE(NativeOperators(caps).Has(OpKind::kConv2d, kInt8));
  caps.native = EveryKindBut(OpKind::kHardSwish, kInt8);
  EXPECT_TRUE(NativeOperators(caps).Has(OpKind::kConv2d, kInt8));
  EXPECT_FALSE(NativeOperators(caps).Has(OpKind::kHardSwish, kInt8));
  EXPECT_FALSE(NativeOperators(caps).KeepsWeights(OpKind::kFullyConnected, kInt8, kInt4));
  caps.native.push_back({.kind = OpKind::kFullyConnected, .compute = kInt8, .weights = kInt4});
  EXPECT_TRUE(NativeOperators(caps).KeepsWeights(OpKind::kFullyConnected, kInt8, kInt4));
  EXPECT_FALSE(NativeOperators(caps).KeepsWeights(OpKind::kConv2d, kInt8, kInt4));
}

TEST(NativeOperatorsTest, HalfIsAllOrNothing) {
  EXPECT_FALSE(NativeOperators({.native = {{.kind = OpKind::kConv2d, .compute = kHalf}}}).Has(OpKind::kConv2d, kHalf));
  EXPECT_TRUE(NativeOperators({.native = {{.compute = kHalf}}}).Has(OpKind::kHardSwish, kHalf));
}

TEST(NativeOperatorsTest, WhatIsNotNativeRunsInFloatBetweenConversions) {
  const Lowering lowering(*ConvnetSpace::Define(SmallSpaceSpec()));
  const Graph graph = lowering.Lower(lowering.space().Largest({8, 8}));
  for (const ExecStep& step : MakePlan(graph, BackendCaps{}).steps) {
    if (step.key.kind == OpKind::kConvert) continue;
    EXPECT_EQ(step.key.input_type, kFloat) << ToString(step.key);
    EXPECT_EQ(step.key.output_type, kFloat) << ToString(step.key);
  }
  for (const ExecStep& step : MakePlan(graph, {.native = EveryKindBut(OpKind::kAdd, kInt8)}).steps) {
    if (step.key.kind == OpKind::kAdd) {
      EXPECT_EQ(step.key.input_type, kFloat);
    } else if (step.key.kind == OpKind::kConv2d && step.op > 0) {
      EXPECT_EQ(step.key.input_type, kInt8) << ToString(step.key);
    }
  }
}

TEST(CapsDigestTest, DependsOnEveryPattern) {
  const BackendCaps caps = {.name = "x", .native = {{.compute = kInt8}}};
  BackendCaps other = caps;
  other.native.push_back({.compute = kHalf});
  EXPECT_NE(CapsDigest(caps), CapsDigest(other));
}

}  // namespace
}  // namespace hanas
