// SPDX-License-Identifier: Apache-2.0
// What a search will take, as it becomes known, and what a job is told before it is a search.

#include "coordinator/judging/forecast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_split.h"
#include "core/base/quantity.h"
#include "tests/app/search_run.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int64_t kSteps = 40 + 4 * 4 + 3 * 4 + 40;  // supernet, members, references, the long reference
constexpr int64_t kEvaluations = 16 + 2 * 10;

TEST(ForecastTest, CountsFollowFromTheJob) {
  const ForecastRecord forecast = CountsOf(TinyJob());
  EXPECT_EQ(forecast.training_steps, kSteps);
  EXPECT_EQ(forecast.evaluations, kEvaluations);
  EXPECT_EQ(forecast.basis, "counts only");
  SearchJob cut = TinyJob();
  cut.references = ReferencesKind::kNone;
  cut.budget.max_evaluations = 5;
  EXPECT_EQ(CountsOf(cut).training_steps, 40 + 4 * 4);
  EXPECT_EQ(CountsOf(cut).evaluations, 16 + 5);
}

TEST(ForecastTest, PlainNetworksCountAsTheSearchsOwnStepsOnceMoreEach) {
  SearchJob job = TinyJob();
  job.references = ReferencesKind::kFamily;
  EXPECT_EQ(CountsOf(job).training_steps, (40 + 4 * 4) * (1 + 3)) << "two families and all-in";
  EXPECT_EQ(CountsOf(job).basis, "counts only; references: family makes it about 4 times as long as the search alone");
  SearchRun run(job);
  ASSERT_TRUE(run.UntilPhase(SearchPhase::kTraining));
  EXPECT_THAT(run.Events("forecast").at(0).text, HasSubstr("; references: family makes it about 4 times as long as the search alone"));
}

TEST(ForecastTest, GrowsAsTheSearchLearns) {
  SearchRun run;
  EXPECT_EQ(run.Snapshot().forecast.basis, "counts only");
  EXPECT_EQ(run.Snapshot().forecast.operator_keys, 0);
  ASSERT_TRUE(run.UntilPhase(SearchPhase::kProfiling));
  EXPECT_EQ(run.Snapshot().forecast.measuring_seconds, 0);
  ASSERT_TRUE(run.UntilPhase(SearchPhase::kTraining));
  const ForecastRecord profiled = run.Snapshot().forecast;
  EXPECT_GT(profiled.operator_keys, 0);
  EXPECT_EQ(profiled.operator_keys, run.Record().targets[0].profile->operator_keys);
  EXPECT_EQ(profiled.basis, "measured on this device");
  // Two tasks of 16 networks in two seconds: so much for each of the 20 networks of rounds and 7 of verification to come.
  const double operators = profiled.measuring_seconds - 2 - 2.0 / 16 * (20 + 7);
  EXPECT_NEAR(operators, std::round(operators), 1e-9);  // a second for each task
  EXPECT_GE(operators, 1);
  EXPECT_EQ(profiled.training_seconds, 0);
  run.Turn();
  run.Turn();
  const ForecastRecord trained = run.Snapshot().forecast;
  EXPECT_DOUBLE_EQ(trained.training_seconds, static_cast<double>(kSteps) * TinyJob().training.batch_size / 500);
  EXPECT_EQ(trained.basis, "measured on this device; training at 500 images/s");
}

TEST(ForecastTest, DiskIsEnoughForTheCheckpointsThatAreKept) {
  SearchRun run;
  run.Finish();
  const SearchSpace space = ConvnetSpace::Define(TinyJob().space).value().space();
  const ForecastRecord forecast = run.Snapshot().forecast;
  EXPECT_GT(forecast.disk_bytes, 0);
  SearchJob more = TinyJob();
  more.fine_tune.members = 5;
  const ForecastRecord other = run.app().Validate(more)->forecast;
  EXPECT_GT(other.disk_bytes, forecast.disk_bytes);
  // A member more: a checkpoint of the whole supernet, and two models.
  EXPECT_LT(other.disk_bytes, 1.5 * static_cast<double>(forecast.disk_bytes));
}

TEST(ValidateTest, StoresNothing) {
  SearchRun run;
  const int64_t writes = run.harness().disk().num_writes();
  const absl::StatusOr<SearchSnapshot> answer = run.app().Validate(TinyJob());
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->record.id, 0U);
  EXPECT_EQ(answer->record.job_digest, JobDigest(TinyJob()));
  EXPECT_EQ(answer->record.phase, SearchPhase::kPending);
  EXPECT_GT(answer->forecast.operator_keys, 0);  // the device is there
  EXPECT_EQ(run.harness().disk().num_writes(), writes);
  EXPECT_THAT(run.app().ListSearches().value(), SizeIs(1));
}

TEST(ValidateTest, WithoutTheDeviceOnlyCounts) {
  SearchRun run;
  SearchJob job = TinyJob();
  job.target.device = "elsewhere";
  const absl::StatusOr<SearchSnapshot> answer = run.app().Validate(job);
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->forecast.operator_keys, 0);
  EXPECT_EQ(answer->forecast.basis, "counts only");
}

TEST(ValidateTest, KnowsTheRateOfAnEarlierSearch) {
  SearchRun run;
  run.Finish();
  const absl::StatusOr<SearchSnapshot> answer = run.app().Validate(TinyJob());
  ASSERT_THAT(answer, IsOk());
  EXPECT_THAT(answer->forecast.basis, HasSubstr("training at 500 images/s, the rate of an earlier search"));
  SearchJob other = TinyJob();
  other.dataset.name = "other";
  EXPECT_EQ(run.app().Validate(other)->forecast.training_seconds, 0);
  other = TinyJob();
  other.training.shards = 2;
  EXPECT_EQ(run.app().Validate(other)->forecast.training_seconds, 0) << "another number of cores";
}

TEST(ValidateTest, KnowsLimitsThatNoNetworkKeepsOnceTheDeviceIsKnown) {
  for (const int64_t teachers_steps : {0, 40}) {
    SearchJob job = TinyJob();
    job.teacher.steps = teachers_steps;
    SearchRun run(job);
    job.limits = {{.of = "latency", .at_most = 1}};
    ASSERT_THAT(run.app().Validate(job), IsOk());
    EXPECT_EQ(run.app().Validate(job)->record.error_code, "");  // nothing was measured yet
    const RangeRecord latency = run.Finish().targets[0].profile->ranges[IndexOf(Quantity::kLatency)];
    const absl::StatusOr<SearchSnapshot> answer = run.app().Validate(job);
    ASSERT_THAT(answer, IsOk());
    EXPECT_EQ(answer->record.phase, SearchPhase::kFailed);
    EXPECT_EQ(answer->record.error_code, "INFEASIBLE_LIMITS");
    EXPECT_THAT(answer->record.error, HasSubstr("keeps target.limits.latency: 1 µs on "));
    job.limits = {{.of = "latency", .at_most = latency.low * 1.1}};
    EXPECT_EQ(run.app().Validate(job)->record.error_code, "");
  }
}

/// `limits` with what the message suggests typed in: one set of limits for each alternative.
std::vector<std::vector<LimitSpec>> AsSuggested(const std::vector<LimitSpec>& limits, const std::string& message) {
  const size_t begin = message.find("can be kept: ");
  EXPECT_NE(begin, std::string::npos) << message;
  const std::string advice = message.substr(begin + 13, message.find(". Raise") - begin - 13);
  std::vector<std::vector<LimitSpec>> all;
  for (const absl::string_view alternative : absl::StrSplit(advice, " or ")) {
    std::vector<LimitSpec> changed = limits;
    for (absl::string_view entry : absl::StrSplit(alternative, " and ")) {
      std::pair<std::string, std::string> key_value;
      if (absl::ConsumePrefix(&entry, "limits: [{of: ")) {  // in place of a limit that is relative to another network
        key_value = absl::StrSplit(entry.substr(0, entry.find("}]")), absl::MaxSplits(", at_most: ", 1));
        EXPECT_THAT(std::string(entry), HasSubstr(" (the job has 0.1 % of "));
      } else {
        EXPECT_TRUE(absl::ConsumePrefix(&entry, "target.limits.")) << entry;
        key_value = absl::StrSplit(entry, absl::MaxSplits(": ", 1));
      }
      const auto limit = std::find_if(changed.begin(), changed.end(), [&](const LimitSpec& spec) { return spec.of == key_value.first; });
      EXPECT_NE(limit, changed.end()) << entry;
      *limit = {.of = limit->of, .at_most = ParseValue(*QuantityNamed(limit->of), key_value.second).value()};
    }
    all.push_back(std::move(changed));
  }
  return all;
}

// Each limit alone, several at once, two that are each met but not together, and one that is relative to another network.
TEST(ValidateTest, ASuggestedLimitTypedInAsItWasPrintedIsMet) {
  SearchRun run;
  const std::vector<RangeRecord> ranges = run.Finish().targets[0].profile->ranges;
  const double fastest_us = ranges[IndexOf(Quantity::kLatency)].low;
  const double smallest = ranges[IndexOf(Quantity::kSize)].low;
  const auto latency = [](double us) { return LimitSpec{.of = "latency", .at_most = us}; };
  const auto size = [](double bytes) { return LimitSpec{.of = "size", .at_most = bytes}; };
  const LimitSpec memory = {.of = "peak_memory", .at_most = 1};
  const std::vector<std::vector<LimitSpec>> tried = {{latency(1e-3)},
                                                     {size(1)},
                                                     {memory},
                                                     {{.of = "macs", .at_most = 1}},
                                                     {{.of = "parameters", .at_most = 1}},
                                                     {{.of = "size", .at_most = 0.001, .than = "largest-8bit"}},
                                                     {{.of = "latency", .at_most = 0.001, .than = "middle-8bit"}},
                                                     {latency(1e-3), size(1)},
                                                     {latency(1e-3), size(1), memory},
                                                     {latency(1e-3), size(smallest)},
                                                     {latency(fastest_us * 1.001), size(smallest)},
                                                     {latency(fastest_us * 0.999), size(1 << 30)}};
  int refused = 0;
  for (const std::vector<LimitSpec>& limits : tried) {
    SearchJob job = TinyJob();
    job.limits = limits;
    const absl::StatusOr<SearchSnapshot> answer = run.app().Validate(job);
    ASSERT_THAT(answer, IsOk());
    if (answer->record.error_code.empty()) continue;
    ++refused;
    for (const std::vector<LimitSpec>& suggested : AsSuggested(limits, answer->record.error)) {
      job.limits = suggested;
      EXPECT_EQ(run.app().Validate(job)->record.error, "") << "after " << answer->record.error;
    }
  }
  EXPECT_GE(refused, 10);
}

}  // namespace
}  // namespace hanas::coordinator
