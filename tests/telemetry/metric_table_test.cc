// SPDX-License-Identifier: Apache-2.0
#include "telemetry/metric_table.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/generated_section.h"

namespace hanas::telemetry {
namespace {

TEST(MetricTableTest, RowsAreInTheOrderOfTheEnumerationAndNamesAreUnique) {
  std::set<absl::string_view> names;
  for (size_t i = 0; i < MetricTable().size(); ++i) {
    EXPECT_EQ(static_cast<size_t>(MetricTable()[i].id), i) << MetricTable()[i].name;
    EXPECT_TRUE(names.insert(MetricTable()[i].name).second) << MetricTable()[i].name;
  }
  EXPECT_EQ(MetricTable().size(), static_cast<size_t>(Metric::kChildFailures) + 1);
}

// https://prometheus.io/docs/practices/naming
TEST(MetricTableTest, NamesFollowThePractices) {
  for (const MetricSpec& metric : MetricTable()) {
    SCOPED_TRACE(metric.name);
    EXPECT_THAT(std::string(metric.name), ::testing::MatchesRegex("(hanas|process)_[a-z][a-z_]*"));
    EXPECT_EQ(absl::EndsWith(metric.name, "_total"), metric.type == MetricType::kCounter);
    EXPECT_EQ(metric.buckets.empty(), metric.type != MetricType::kHistogram);
    EXPECT_TRUE(absl::EndsWith(metric.help, "."));
    for (const absl::string_view unit : {"_ms", "_milliseconds", "_kb", "_mb", "_minutes", "_percent"}) {
      EXPECT_FALSE(absl::StrContains(metric.name, unit)) << "expected base units";
    }
  }
}

TEST(MetricTableTest, EveryLabelIsBounded) {
  for (const MetricSpec& metric : MetricTable()) {
    size_t series = 1;
    for (const LabelSpec& label : metric.labels) {
      EXPECT_NE(label.values.empty(), label.max_values == 0) << metric.name << " " << label.name;
      series *= 1 + (label.values.empty() ? label.max_values : label.values.size());
    }
    EXPECT_LE(series, 2000U) << metric.name;
  }
}

TEST(MetricTableTest, TheReferencePageIsThatOfTheTable) { ExpectGeneratedSection("docs/metrics.md", "metrics", MetricReference()); }

}  // namespace
}  // namespace hanas::telemetry
