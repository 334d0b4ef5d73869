// SPDX-License-Identifier: Apache-2.0
// The coordinator is away in the middle of a training task, for less and for more than a lease lives: the task goes on, its result is
// accepted afterwards, and nothing counts as a failure or another attempt.
#include <atomic>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fault/coordinator_process.h"
#include "tests/fault/fault_form.h"
#include "tests/fault/load.h"
#include "tests/fault/oracle.h"
#include "tests/support/wire_evaluator.h"

namespace hanas::fault {
namespace {

using ::absl_testing::IsOk;
using ::testing::IsEmpty;

constexpr absl::Duration kStuck = absl::Seconds(60);

struct Outage {
  double ttl_seconds;
  double seconds;
};

std::vector<Outage> Outages() {
  if (IsLongForm()) return {{15, 0}, {15, 20}, {15, 60}};
  return {{2, 0}, {2, 1}, {2, 6}};
}

/// A training task that takes as long as the test wants: a step every few milliseconds, each of which asks its lease.
class LongTask {
 public:
  absl::StatusOr<v1::CompleteTaskRequest> Execute(const v1::Task& task, rpc::TaskContext& context, rpc::TaskExecutor& usual) {
    if (!task.has_train() || begun.HasBeenNotified()) return usual.Execute(task, context);
    begun.Notify();
    while (!finish.WaitForNotificationWithTimeout(absl::Milliseconds(5))) {
      if (context.ReportProgress(task.train().from_step(), task.train().to_step(), "") != rpc::Directive::kContinue) {
        given_up.Notify();
        return absl::CancelledError("told to stop");
      }
      ++steps;
    }
    return usual.Execute(task, context);
  }

  absl::Notification begun;
  std::atomic<int64_t> steps = 0;
  absl::Notification given_up;
  absl::Notification finish;
};

class CoordinatorAwayTest : public testing::TestWithParam<Outage> {};

TEST_P(CoordinatorAwayTest, TrainingGoesOnAndNothingCounts) {
  Oracle oracle;
  CoordinatorProcess coordinator(GetParam().ttl_seconds);
  coordinator.Start();
  ASSERT_TRUE(coordinator.AwaitListening()) << coordinator.output();
  LongTask task;
  const FakeParty agent(&oracle, coordinator.address(), FakeAgent("local", "agent"));
  const FakeParty worker(
      &oracle, coordinator.address(), FakeWorker("worker", "worker"),
      [&](const v1::Task& work, rpc::TaskContext& context, rpc::TaskExecutor& usual) { return task.Execute(work, context, usual); });
  FakeUser user(&oracle, coordinator.address(), "user");
  ASSERT_TRUE(task.begun.WaitForNotificationWithTimeout(kStuck)) << coordinator.output();

  coordinator.Kill();
  const int64_t before = task.steps;
  EXPECT_FALSE(task.given_up.WaitForNotificationWithTimeout(absl::Seconds(GetParam().seconds))) << "it was dropped in the outage";
  if (GetParam().seconds > 0) {
    EXPECT_GT(task.steps, before) << "it stood still";
  }
  coordinator.Start();
  ASSERT_TRUE(coordinator.AwaitListening()) << coordinator.output();
  task.finish.Notify();
  const std::vector<Ended> ended = user.Finish();
  EXPECT_EQ(ended[0].phase, v1::SUCCEEDED) << ended[0].error;
  EXPECT_FALSE(task.given_up.HasBeenNotified()) << "it was dropped after the outage";

  coordinator.Kill();
  const absl::StatusOr<coordinator::State> state = coordinator.ReadState();
  ASSERT_THAT(state, IsOk());
  oracle.Check(*state);
  EXPECT_THAT(oracle.violations(), IsEmpty());
  for (const auto& [id, record] : state->tasks) {
    if (record.search != state->searches.begin()->first) continue;
    EXPECT_EQ(record.failures, 0) << record.key << ": " << record.error;
    EXPECT_EQ(record.attempt, 1) << record.key;
  }
}

INSTANTIATE_TEST_SUITE_P(Seconds, CoordinatorAwayTest, testing::ValuesIn(Outages()),
                         [](const testing::TestParamInfo<Outage>& row) { return absl::StrCat(row.param.seconds); });

}  // namespace
}  // namespace hanas::fault
