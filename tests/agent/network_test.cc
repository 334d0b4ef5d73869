// SPDX-License-Identifier: Apache-2.0
// Whole networks on XNNPACK: the arena, in-situ steps, and a fault that only whole-network execution sees.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/status/status_matchers.h"
#include "core/base/counter_random.h"
#include "core/latency/latency_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "profiler-agent/measure/measure.h"
#include "profiler-agent/runtime/arena.h"
#include "profiler-agent/runtime/xnnpack/xnnpack_runtime.h"
#include "tests/core/small_space.h"
#include "tests/export/dense_model.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

DeviceRuntime& Runtime() {
  static DeviceRuntime* const kRuntime = CreateXnnpackRuntime().value().release();
  return *kRuntime;
}

const Lowering& SmallLowering() {
  static const Lowering* const kLowering = new Lowering(SmallConvnet());
  return *kLowering;
}

Graph RandomGraph(int index) {
  CounterRandom random(11, "network-test", static_cast<uint64_t>(index));
  return SmallLowering().Lower(SmallLowering().space().Random(random));
}

std::vector<float> Image(size_t size) {
  std::vector<float> image(size);
  for (size_t i = 0; i < size; ++i) image[i] = static_cast<float>(i % 23) / 11 - 1;
  return image;
}

TEST(XnnNetworkTest, EveryKeyOfTheSpacePrepares) {
  for (const OpKey& key : EnumerateOpKeys(SmallLowering(), Runtime().caps())) {
    const auto op = Runtime().PrepareOperator(key);
    ASSERT_THAT(op, IsOk());
    EXPECT_THAT((*op)->Run(), IsOk());
  }
}

TEST(XnnNetworkTest, SharedMemoryChangesNoResult) {
  for (int i = 0; i < 60; ++i) {
    const Graph graph = i < 40 ? RandomGraph(i) : DenseGraph(static_cast<uint64_t>(i));
    const ExecPlan plan = MakePlan(graph, Runtime().caps());
    const auto shared = Runtime().PrepareNetwork(graph, plan);
    const auto kept = Runtime().PrepareNetwork(graph, plan, nullptr, {.keep_values = true});
    ASSERT_THAT(shared, IsOk());
    ASSERT_THAT(kept, IsOk());
    const std::vector<float> image = Image((*shared)->input_size());
    const auto first = (*shared)->Infer(image);
    const auto second = (*kept)->Infer(image);
    ASSERT_THAT(first, IsOk());
    ASSERT_THAT(second, IsOk());
    EXPECT_EQ(*first, *second);
    EXPECT_EQ(*(*shared)->Infer(image), *first) << "a second execution gives the same";
    EXPECT_LT(LayOutArena(plan, true).total_bytes, LayOutArena(plan, false).total_bytes);
  }
}

TEST(XnnNetworkTest, LiveValuesNeverOverlap) {
  for (int i = 0; i < 40; ++i) {
    const ExecPlan plan = MakePlan(RandomGraph(i), Runtime().caps());
    const ArenaLayout layout = LayOutArena(plan, true);
    std::map<int, size_t> last_reader;
    for (size_t s = 0; s < plan.steps.size(); ++s) {
      for (const int input : plan.steps[s].inputs) last_reader[input] = s;
    }
    last_reader[plan.output] = plan.steps.size();
    std::set<int> live = {plan.input};
    for (size_t s = 0; s < plan.steps.size(); ++s) {
      const int made = plan.steps[s].output;
      const auto bounds = [&](int value) {
        const ExecValue& v = plan.values[static_cast<size_t>(value)];
        const size_t begin = layout.offsets[static_cast<size_t>(value)];
        return std::pair(begin, begin + ByteSize(v.shape, v.type) + kTensorSlackBytes);
      };
      for (const int other : live) {
        EXPECT_TRUE(bounds(made).second <= bounds(other).first || bounds(other).second <= bounds(made).first);
      }
      live.insert(made);
      std::erase_if(live, [&](int value) { return last_reader[value] <= s; });
      EXPECT_LE(bounds(made).second, layout.total_bytes);
    }
  }
}

TEST(XnnNetworkTest, StepsRunAloneOnWrittenValues) {
  const Graph graph = RandomGraph(1);
  const ExecPlan plan = MakePlan(graph, Runtime().caps());
  const auto network = Runtime().PrepareNetwork(graph, plan, nullptr, {.keep_values = true});
  ASSERT_THAT(network, IsOk());
  const std::vector<float> image = Image((*network)->input_size());
  const auto logits = (*network)->Infer(image);
  ASSERT_THAT(logits, IsOk());
  ASSERT_THAT((*network)->WriteValue(plan.input, image), IsOk());
  for (int step = 0; step < (*network)->num_steps(); ++step) ASSERT_THAT((*network)->RunStep(step), IsOk());
  EXPECT_EQ(*(*network)->ReadValue(plan.output), *logits);

  EXPECT_THAT((*network)->RunStep(999), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT((*network)->ReadValue(-1), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT((*network)->WriteValue(plan.input, {1.0F}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT((*network)->Run({}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected an image")));
  const auto shared = Runtime().PrepareNetwork(graph, plan);
  EXPECT_THAT((*shared)->ReadValue(0), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(XnnNetworkTest, BrokenPlansAreRefused) {
  const Graph graph = RandomGraph(2);
  const ExecPlan good = MakePlan(graph, Runtime().caps());
  const auto refused = [&](auto change) {
    ExecPlan plan = good;
    change(plan);
    EXPECT_THAT(Runtime().PrepareNetwork(graph, plan), StatusIs(absl::StatusCode::kInvalidArgument));
  };
  refused([](ExecPlan& p) { p.input = -1; });
  refused([](ExecPlan& p) { p.steps[0].inputs[0] = 1 << 20; });
  refused([](ExecPlan& p) { p.steps[1].output = p.steps[0].output; });
  refused([](ExecPlan& p) { std::swap(p.steps.front(), p.steps.back()); });
  refused([](ExecPlan& p) { p.values[static_cast<size_t>(p.steps[0].output)].shape.back() += 1; });
  refused([](ExecPlan& p) { p.steps[0].key.output_channels += 1; });
  refused([](ExecPlan& p) { p.steps[0].op = 1 << 20; });
  refused([](ExecPlan& p) { p.steps.pop_back(); });
}

/// Executes like `inner`, but one step takes `delay_us` longer, in the network only: what a table of operators cannot see.
class SlowStepNetwork : public NetworkInstance {
 public:
  SlowStepNetwork(std::unique_ptr<NetworkInstance> inner, int step, double delay_us)
      : inner_(std::move(inner)), step_(step), delay_us_(delay_us) {}
  size_t input_size() const override { return inner_->input_size(); }
  size_t output_size() const override { return inner_->output_size(); }
  int num_steps() const override { return inner_->num_steps(); }
  absl::Status Run(absl::Span<const float> image) override {
    return RunSteps(image, [](int) {});
  }
  absl::StatusOr<std::vector<float>> Infer(absl::Span<const float> image) override { return inner_->Infer(image); }
  absl::Status RunSteps(absl::Span<const float> image, absl::FunctionRef<void(int)> after_step) override {
    return inner_->RunSteps(image, [&](int step) {
      if (step == step_) Burn();
      after_step(step);
    });
  }

 private:
  void Burn() const {
    const int64_t end = SystemClock().NowNanoseconds() + static_cast<int64_t>(delay_us_ * 1000);
    while (SystemClock().NowNanoseconds() < end) {
    }
  }
  std::unique_ptr<NetworkInstance> inner_;
  int step_;
  double delay_us_;
};

TEST(XnnNetworkTest, AnOperatorThatIsSlowOnlyInsideTheNetworkMovesTheNetworkAndNotTheSum) {
  constexpr double kDelayUs = 400;
  constexpr int kSlowStep = 2;
  const Graph graph = RandomGraph(3);
  const ExecPlan plan = MakePlan(graph, Runtime().caps());
  MeasureOptions options;
  options.rounds = options.max_rounds = 3;
  options.network_time = absl::Milliseconds(10);
  options.operator_hot = options.operator_flushed = absl::Milliseconds(1);

  const auto sum_of_operators = [&] {
    std::vector<OpKey> keys;
    for (const ExecStep& step : plan.steps) {
      if (std::find(keys.begin(), keys.end(), step.key) == keys.end()) keys.push_back(step.key);
    }
    const auto measured = MeasureOperators(Runtime(), keys, options, {}, nullptr);
    EXPECT_THAT(measured, IsOk());
    LatencyTable table;
    for (size_t i = 0; i < keys.size(); ++i) EXPECT_THAT(table.Insert(keys[i], measured->rows[i]), IsOk());
    return SumOfOperators(plan, table).value();
  };
  const auto whole_network = [&](double delay_us) {
    const NetworkJob job{.name = "net", .prepare = [&]() -> absl::StatusOr<std::unique_ptr<NetworkInstance>> {
                           auto network = Runtime().PrepareNetwork(graph, plan);
                           if (!network.ok()) return network.status();
                           return std::make_unique<SlowStepNetwork>(*std::move(network), kSlowStep, delay_us);
                         }};
    const auto measured = MeasureNetworks({job}, options, {}, nullptr);
    EXPECT_THAT(measured, IsOk());
    return measured->rows[0];
  };

  const double sum_before = sum_of_operators();
  const NetworkStatistics before = whole_network(0);
  const NetworkStatistics after = whole_network(kDelayUs);
  const double sum_after = sum_of_operators();

  EXPECT_GT(after.p50_us - before.p50_us, 0.8 * kDelayUs);
  EXPECT_LT(std::abs(sum_after - sum_before), 0.25 * kDelayUs);
  ASSERT_EQ(after.step_us.size(), plan.steps.size());
  EXPECT_EQ(std::max_element(after.step_us.begin(), after.step_us.end()) - after.step_us.begin(), kSlowStep)
      << "the in-situ times say where";
}

}  // namespace
}  // namespace hanas
