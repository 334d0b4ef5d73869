// SPDX-License-Identifier: Apache-2.0
#include "core/latency/latency_model.h"

#include <limits>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"

namespace hanas {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::DoubleNear;
using ::testing::HasSubstr;

OpKey Pointwise(int64_t channels) { return {.kind = OpKind::kConv2d, .input = {1, 7, 7, 16}, .output_channels = channels}; }

TEST(LatencyTableTest, AFailedMeasurementIsRefusedNotStored) {
  LatencyTable table;
  for (const double bad : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_THAT(table.Insert(Pointwise(8), {.flushed_us = bad, .hot_us = 1}), StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(table.Insert(Pointwise(8), {.flushed_us = 1, .hot_us = bad}), StatusIs(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_EQ(table.size(), 0);
}

TEST(LatencyTableTest, SumNeedsEveryRow) {
  const Lowering lowering(SmallConvnet());
  const BackendCaps caps = {.name = "test", .native = EveryKindBut(OpKind::kHardSwish, ElementType::kInt8)};
  const Architecture architecture = lowering.space().Largest({8, 8});
  const ExecPlan plan = MakePlan(lowering.Lower(architecture), caps);
  LatencyTable table;
  for (const OpKey& key : EnumerateOpKeys(lowering, caps)) ASSERT_TRUE(table.Insert(key, {.flushed_us = 2, .hot_us = 1}).ok());
  EXPECT_THAT(SumOfOperators(plan, table), IsOkAndHolds(DoubleNear(2.0 * static_cast<double>(plan.steps.size()), 1e-9)));
  EXPECT_THAT(SumOfOperators(plan, LatencyTable()), StatusIs(absl::StatusCode::kNotFound, HasSubstr(ToString(plan.steps[0].key))));
}

}  // namespace
}  // namespace hanas
