// SPDX-License-Identifier: Apache-2.0
#include "cli/report/label_layout.h"

#include "core/base/counter_random.h"
#include "gtest/gtest.h"

namespace hanas::cli {
namespace {

constexpr Box kSheet = {0, 0, 800, 500};

TEST(LabelLayoutTest, ALonePointHasItsLabelRightAbove) {
  const std::vector<Box> labels = PlaceLabels({{100, 100, 60, 14}}, {}, kSheet);
  ASSERT_EQ(labels.size(), 1U);
  EXPECT_GT(labels[0].left, 100);
  EXPECT_LT(labels[0].bottom, 100);
  EXPECT_DOUBLE_EQ(labels[0].right - labels[0].left, 60);
}

TEST(LabelLayoutTest, AtTheRightEdgeItIsOnTheLeft) {
  const std::vector<Box> labels = PlaceLabels({{790, 100, 60, 14}}, {}, kSheet);
  EXPECT_LE(labels[0].right, 800);
}

TEST(LabelLayoutTest, LabelsOfClosePointsDoNotOverlap) {
  constexpr uint64_t kSeed = 5;
  for (uint64_t round = 0; round < 200; ++round) {
    SCOPED_TRACE(testing::Message() << "seed " << kSeed << ", round " << round);
    CounterRandom random(kSeed, "test/labels", round);
    // A dozen points within a few pixels of one another, anywhere on the sheet.
    const double x = 100 + 600 * random.UniformDouble();
    const double y = 120 + 260 * random.UniformDouble();
    std::vector<LabelledPoint> points;
    std::vector<Box> markers;
    for (int i = 0; i < 12; ++i) {
      points.push_back({x + 12 * random.UniformDouble(), y + 12 * random.UniformDouble(), 63, 14});
      markers.push_back({points.back().x - 5, points.back().y - 5, points.back().x + 5, points.back().y + 5});
    }
    const std::vector<Box> labels = PlaceLabels(points, markers, kSheet);
    for (size_t i = 0; i < labels.size(); ++i) {
      EXPECT_NEAR(labels[i].Overlap(kSheet), 63 * 14, 1e-6) << "label " << i << " leaves the sheet";
      for (const Box& marker : markers) EXPECT_EQ(labels[i].Overlap(marker), 0) << "label " << i << " covers a marker";
      for (size_t j = 0; j < i; ++j) EXPECT_EQ(labels[i].Overlap(labels[j]), 0) << "labels " << i << " and " << j;
    }
  }
}

}  // namespace
}  // namespace hanas::cli
