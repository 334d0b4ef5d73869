// SPDX-License-Identifier: Apache-2.0
// The protocol on a fake device: order, rejection, cooling down, extra rounds, resuming, statistics.
#include "profiler-agent/measure/measure.h"

#include <algorithm>
#include <set>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "profiler-agent/measure/slices.h"
#include "tests/agent/fake_device.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<OpKey> Keys(std::vector<int64_t> channels) {
  std::vector<OpKey> keys;
  for (const int64_t c : channels) keys.push_back({.kind = OpKind::kFullyConnected, .input = {1, 8}, .output_channels = c});
  return keys;
}

class MeasureTest : public testing::Test {
 protected:
  MeasureEnvironment Environment() { return {.clock = &clock_, .sleeper = &sleeper_}; }
  RoundCallback Record() {
    return [this](const Round& round) {
      rounds_.push_back(round);
      return absl::OkStatus();
    };
  }

  FakeClock clock_;
  FakeSleeper sleeper_;
  std::vector<Round> rounds_;
  FakeRuntime steady_{clock_, [](int64_t channels, int) { return static_cast<double>(channels); }};
};

TEST_F(MeasureTest, SteadyOperatorsGetTheirTimesInFiveRounds) {
  const auto measured = MeasureOperators(steady_, Keys({10, 200, 3000}), {}, Environment(), Record());
  ASSERT_THAT(measured, IsOk());
  ASSERT_THAT(measured->rows, SizeIs(3));
  EXPECT_THAT(measured->rows[0].flushed_us, DoubleNear(10, 1e-6));
  EXPECT_THAT(measured->rows[1].hot_us, DoubleNear(200, 1e-6));
  EXPECT_THAT(measured->rows[2].flushed_us, DoubleNear(3000, 1e-6));
  EXPECT_EQ(measured->rows[2].num_rounds, 5);
  EXPECT_EQ(measured->rows[2].cv, 0);
  EXPECT_FALSE(measured->rows[2].noisy);
  EXPECT_THAT(rounds_, SizeIs(5));
  EXPECT_THAT(sleeper_.sleeps, IsEmpty());
}

TEST_F(MeasureTest, RoundsAreShuffledInterleavedAndRepeatable) {
  const std::vector<OpKey> keys = Keys({1, 2, 3, 4, 5, 6, 7, 8});
  ASSERT_THAT(MeasureOperators(steady_, keys, {}, Environment(), nullptr), IsOk());
  const std::vector<int64_t> order = steady_.order;
  ASSERT_EQ(order.size(), 40);
  std::set<std::vector<int64_t>> different;
  for (size_t round = 0; round < 5; ++round) {
    std::vector<int64_t> visited(order.begin() + static_cast<int64_t>(round) * 8, order.begin() + static_cast<int64_t>(round + 1) * 8);
    different.insert(visited);
    std::sort(visited.begin(), visited.end());
    EXPECT_THAT(visited, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
  }
  EXPECT_EQ(different.size(), 5);
  steady_.order.clear();
  ASSERT_THAT(MeasureOperators(steady_, keys, {}, Environment(), nullptr), IsOk());
  EXPECT_EQ(steady_.order, order);
}

TEST_F(MeasureTest, LongRoundsArePartedIntoSlices) {
  MeasureOptions options;
  options.slice = absl::Milliseconds(50);
  ASSERT_THAT(MeasureOperators(steady_, Keys({100, 101, 102, 103, 104, 105, 106}), options, Environment(), Record()), IsOk());
  EXPECT_GT(rounds_.size(), 5);
  size_t rows = 0;
  for (const Round& round : rounds_) rows += round.rows.size();
  EXPECT_EQ(rows, 35);
}

TEST_F(MeasureTest, TheFinalStatisticIsTheLowerQuartileOverRounds) {
  // Rounds of 100, 101, 150, 100.5, 100: one was disturbed.
  const std::vector<double> times = {100, 101, 150, 100.5, 100};
  FakeRuntime runtime(clock_, [&](int64_t, int visit) { return times.at(static_cast<size_t>(visit)); });
  const auto measured = MeasureOperators(runtime, Keys({1}), {}, Environment(), nullptr);
  ASSERT_THAT(measured, IsOk());
  EXPECT_THAT(measured->rows[0].flushed_us, DoubleNear(100, 1e-6));
  EXPECT_LT(measured->rows[0].cv, 0.01) << "the slowest of five is dropped";
  EXPECT_FALSE(measured->rows[0].noisy);
}

TEST_F(MeasureTest, AVisitIsItsUndisturbedRuns) {
  // Seven of ten runs are slowed by somebody else.
  int runs = 0;
  FakeRuntime runtime(clock_, [&](int64_t, int visit) { return runs++ % 10 < 7 ? 150.0 + 20 * (visit % 4) : 100.0; });
  const auto measured = MeasureOperators(runtime, Keys({1}), {}, Environment(), nullptr);
  ASSERT_THAT(measured, IsOk());
  EXPECT_THAT(measured->rows[0].flushed_us, DoubleNear(100, 1e-6));
  EXPECT_THAT(measured->rows[0].hot_us, DoubleNear(100, 1e-6));
  EXPECT_EQ(measured->rows[0].num_rounds, 5);
}

TEST_F(MeasureTest, NoisyOperatorsGetMoreRoundsThenAreMarked) {
  FakeRuntime runtime(clock_, [](int64_t channels, int visit) { return channels == 7 ? 100.0 + 15 * (visit % 3) : 50.0; });
  MeasureOptions options;
  options.max_rounds = 9;
  const auto measured = MeasureOperators(runtime, Keys({7, 8}), options, Environment(), nullptr);
  ASSERT_THAT(measured, IsOk());
  EXPECT_EQ(measured->rows[0].num_rounds, 9);
  EXPECT_TRUE(measured->rows[0].noisy);
  EXPECT_GT(measured->rows[0].cv, 0.02);
  EXPECT_EQ(measured->rows[1].num_rounds, 5);
}

TEST_F(MeasureTest, ATickOfTheClockIsNoNoise) {
  FakeRuntime runtime(clock_, [](int64_t, int visit) { return 0.2 + 0.02 * (visit % 2); });
  const auto measured = MeasureOperators(runtime, Keys({7}), {}, Environment(), nullptr);
  ASSERT_THAT(measured, IsOk());
  EXPECT_GT(measured->rows[0].cv, 0.02);
  EXPECT_FALSE(measured->rows[0].noisy);
  EXPECT_EQ(measured->rows[0].num_rounds, 5);
}

/// A canary that is slow at the scripted readings. A reading is 8 runs; five come before the first slice.
class ScriptedCanary : public OperatorInstance {
 public:
  ScriptedCanary(FakeClock& clock, std::function<double(int reading)> factor) : clock_(clock), factor_(std::move(factor)) {}
  absl::Status Run() override {
    clock_.Advance(300 * factor_(runs_++ / 8));
    return absl::OkStatus();
  }
  int64_t working_set_bytes() const override { return 0; }

 private:
  FakeClock& clock_;
  std::function<double(int)> factor_;
  int runs_ = 0;
};

TEST_F(MeasureTest, ASlowCanaryRejectsTheSliceAndCoolsDown) {
  // Reading 5 follows the first slice: 20 % slow; all others are calm.
  ScriptedCanary canary(clock_, [](int reading) { return reading == 5 ? 1.2 : 1.0; });
  MeasureEnvironment environment = Environment();
  environment.canary = &canary;
  const auto measured = MeasureOperators(steady_, Keys({10, 20}), {}, environment, Record());
  ASSERT_THAT(measured, IsOk());
  EXPECT_EQ(measured->state.rejected_slices, 1);
  EXPECT_EQ(measured->state.disturbed_slices, 0);
  EXPECT_THAT(sleeper_.sleeps, ElementsAre(absl::Seconds(1)));
  EXPECT_THAT(rounds_, SizeIs(5)) << "a rejected slice is not streamed";
  EXPECT_EQ(steady_.order.size(), 12);
}

TEST_F(MeasureTest, ASlightlySlowCanaryRepeatsWithoutSleeping) {
  ScriptedCanary canary(clock_, [](int reading) { return reading == 5 ? 1.07 : 1.0; });
  MeasureEnvironment environment = Environment();
  environment.canary = &canary;
  const auto measured = MeasureOperators(steady_, Keys({10}), {}, environment, Record());
  ASSERT_THAT(measured, IsOk());
  EXPECT_GE(measured->state.rejected_slices, 1);
  EXPECT_THAT(sleeper_.sleeps, IsEmpty());
}

TEST_F(MeasureTest, AHostThatStaysBusyIsMarkedAndEnds) {
  ScriptedCanary canary(clock_, [](int reading) { return reading >= 5 && reading % 2 == 1 ? 1.5 : 1.0; });
  MeasureEnvironment environment = Environment();
  environment.canary = &canary;
  const auto measured = MeasureOperators(steady_, Keys({10}), {}, environment, Record());
  ASSERT_THAT(measured, IsOk());
  EXPECT_EQ(measured->rows[0].num_rounds, 5);
  EXPECT_LE(measured->state.rejected_slices, 3 * 5);
}

TEST_F(MeasureTest, ALastingChangeOfSpeedBecomesTheBaseline) {
  ScriptedCanary canary(clock_, [](int reading) { return reading >= 5 ? 1.3 : 1.0; });
  MeasureEnvironment environment = Environment();
  environment.canary = &canary;
  MeasureOptions options;
  options.rounds = options.max_rounds = 40;
  const auto measured = MeasureOperators(steady_, Keys({10}), options, environment, Record());
  ASSERT_THAT(measured, IsOk());
  EXPECT_TRUE(rounds_.front().disturbed);
  EXPECT_FALSE(rounds_.back().disturbed);
}

TEST_F(MeasureTest, ResumingRepeatsNothing) {
  const std::vector<OpKey> keys = Keys({10, 20, 30});
  ASSERT_THAT(MeasureOperators(steady_, keys, {}, Environment(), Record()), IsOk());
  const std::vector<Round> all = rounds_;
  steady_.order.clear();
  rounds_.clear();
  const auto measured = MeasureOperators(steady_, keys, {}, Environment(), Record(), absl::MakeConstSpan(all).subspan(0, 3));
  ASSERT_THAT(measured, IsOk());
  EXPECT_EQ(steady_.order.size(), 6);
  ASSERT_THAT(rounds_, SizeIs(2));
  EXPECT_EQ(rounds_[0].round, 3);
  EXPECT_THAT(measured->rows[2].flushed_us, DoubleNear(30, 1e-6));
  EXPECT_EQ(measured->rows[2].num_rounds, 5);
}

TEST_F(MeasureTest, RoundsThatDoNotFitAreRefused) {
  const auto with = [&](Round round) { return MeasureOperators(steady_, Keys({10}), {}, Environment(), nullptr, {round}); };
  const auto refused = StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("resume"));
  EXPECT_THAT(with({.round = 0, .rows = {{.index = 1, .flushed_us = 1, .hot_us = 1}}}), refused);
  EXPECT_THAT(with({.round = 99, .rows = {{.index = 0, .flushed_us = 1, .hot_us = 1}}}), refused);
  EXPECT_THAT(with({.round = 0, .rows = {{.index = 0, .flushed_us = 0, .hot_us = 1}}}), refused);
  EXPECT_THAT(with({.round = 0, .rows = {{.index = 0, .flushed_us = 1, .hot_us = 1}, {.index = 0, .flushed_us = 1, .hot_us = 1}}}),
              refused);
}

TEST_F(MeasureTest, ErrorsEndTheJob) {
  EXPECT_THAT(MeasureOperators(steady_, Keys({1, 13}), {}, Environment(), nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("superstitious")));
  const auto failing = [](const Round&) { return absl::UnavailableError("the parent is gone"); };
  EXPECT_THAT(MeasureOperators(steady_, Keys({1}), {}, Environment(), failing), StatusIs(absl::StatusCode::kUnavailable));
  MeasureEnvironment environment = Environment();
  environment.cancelled = [] { return true; };
  EXPECT_THAT(MeasureOperators(steady_, Keys({1}), {}, environment, nullptr), StatusIs(absl::StatusCode::kCancelled));
  MeasureOptions options;
  options.max_rounds = 2;
  EXPECT_THAT(MeasureOperators(steady_, Keys({1}), options, Environment(), nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("max_rounds")));
}

TEST_F(MeasureTest, NetworkStatisticsLeaveOutInterruptedSamples) {
  int runs = 0;
  const NetworkJob job{.name = "net", .prepare = [&] {
                         return std::make_unique<FakeNetwork>(clock_, [&] {
                           const bool hit = ++runs % 10 == 0;
                           if (hit) clock_.Interrupt();
                           return hit ? 5000.0 : 500.0 + runs % 5;
                         });
                       }};
  const auto measured = MeasureNetworks({job}, {}, Environment(), Record());
  ASSERT_THAT(measured, IsOk());
  const NetworkStatistics& row = measured->rows[0];
  EXPECT_THAT(row.p50_us, DoubleNear(502, 1));
  EXPECT_LE(row.p99_us, 504);
  EXPECT_GE(row.p90_us, row.p50_us);
  EXPECT_EQ(row.num_rounds, 5);
  EXPECT_THAT(row.step_us, IsEmpty());
  EXPECT_GE(row.samples, 5 * 20);
  EXPECT_THAT(rounds_, Each(testing::Field(&Round::rows, SizeIs(1))));
}

TEST_F(MeasureTest, ANetworkThatCannotBePreparedIsNamed) {
  const NetworkJob job{.name = "member-3",
                       .prepare = [] { return absl::StatusOr<std::unique_ptr<NetworkInstance>>(absl::InternalError("no kernel")); }};
  EXPECT_THAT(MeasureNetworks({job}, {}, Environment(), nullptr), StatusIs(absl::StatusCode::kInternal, HasSubstr("member-3")));
}

TEST(RoundCvTest, DropsTheSlowestQuarter) {
  EXPECT_EQ(RoundCv({5}), 0);
  EXPECT_EQ(RoundCv({5, 5, 5, 5, 90}), 0);
  EXPECT_THAT(RoundCv({5, 5, 90}), Gt(0.5)) << "of three, none is dropped";
  EXPECT_THAT(RoundCv({90, 110}), DoubleNear(0.1414, 1e-3));
}

}  // namespace
}  // namespace hanas
