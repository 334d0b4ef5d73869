// SPDX-License-Identifier: Apache-2.0
// The coordinator is away in the middle of a task, for less and for more than a lease lives, killed and started again or standing still:
// the task goes on, its result is accepted afterwards, and nothing counts as a failure or another attempt.
#include <unistd.h>

#include <atomic>
#include <csignal>
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
#include "tests/support/program.h"
#include "tests/support/wire_evaluator.h"

namespace hanas::fault {
namespace {

using ::absl_testing::IsOk;
using ::testing::IsEmpty;

constexpr absl::Duration kStuck = absl::Seconds(60);

double TtlSeconds() { return IsLongForm() ? 15 : 2; }
/// None to speak of, one that a lease may survive or not, and one that it does not.
std::vector<double> Outages() { return IsLongForm() ? std::vector<double>{0, 20, 60} : std::vector<double>{0, 1, 6}; }
double LongOutage() { return IsLongForm() ? 60 : 4; }

/// The first task of a kind takes as long as the test wants: a step every few milliseconds, each of which asks its lease.
class LongTask {
 public:
  explicit LongTask(v1::Task::WorkCase kind) : kind_(kind) {}

  Behaviour behaviour() {
    return [this](const v1::Task& work, rpc::TaskContext& context, rpc::TaskExecutor& usual) { return Execute(work, context, usual); };
  }

  absl::Notification begun;
  std::atomic<int64_t> steps = 0;
  absl::Notification given_up;
  absl::Notification finish;

 private:
  absl::StatusOr<v1::CompleteTaskRequest> Execute(const v1::Task& task, rpc::TaskContext& context, rpc::TaskExecutor& usual) {
    if (task.work_case() != kind_ || begun.HasBeenNotified()) return usual.Execute(task, context);
    begun.Notify();
    while (!finish.WaitForNotificationWithTimeout(absl::Milliseconds(5))) {
      if (context.ReportProgress(0, 1, "") != rpc::Directive::kContinue) {
        given_up.Notify();
        return absl::CancelledError("told to stop");
      }
      ++steps;
    }
    return usual.Execute(task, context);
  }

  const v1::Task::WorkCase kind_;
};

class CoordinatorAwayTest : public testing::Test {
 protected:
  CoordinatorAwayTest() {
    coordinator_.Start();
    EXPECT_TRUE(coordinator_.AwaitListening()) << coordinator_.output();
  }
  /// The outage, in which the task must not be given up.
  static void PassTime(const LongTask& task, double seconds) {
    EXPECT_FALSE(task.given_up.WaitForNotificationWithTimeout(absl::Seconds(seconds))) << "it was dropped in the outage";
  }
  void StartAgain() {
    coordinator_.Start();
    EXPECT_TRUE(coordinator_.AwaitListening()) << coordinator_.output();
  }
  /// The user's first search succeeds as if nothing had been.
  void ExpectUndisturbed(FakeUser& user) {
    const std::vector<Ended> ended = user.Finish();
    EXPECT_EQ(ended[0].phase, v1::PHASE_SUCCEEDED) << ended[0].error;
    coordinator_.Kill();
    const absl::StatusOr<coordinator::State> state = coordinator_.ReadState();
    ASSERT_THAT(state, IsOk());
    oracle_.Check(*state);
    EXPECT_THAT(oracle_.violations(), IsEmpty());
    for (const auto& [id, record] : state->tasks) {
      if (record.search != state->searches.begin()->first) continue;
      EXPECT_EQ(record.failures, 0) << record.key << ": " << record.error;
      EXPECT_EQ(record.attempt, 1) << record.key;
    }
  }

  Oracle oracle_;
  CoordinatorProcess coordinator_{TtlSeconds()};
};

class CoordinatorKilledTest : public CoordinatorAwayTest, public testing::WithParamInterface<double> {};

TEST_P(CoordinatorKilledTest, TrainingGoesOnAndNothingCounts) {
  LongTask training(v1::Task::kTrain);
  const FakeParty agent(&oracle_, coordinator_.address(), FakeAgent("local", "agent"));
  const FakeParty worker(&oracle_, coordinator_.address(), FakeWorker("worker", "worker"), training.behaviour());
  FakeUser user(&oracle_, coordinator_.address(), "user");
  ASSERT_TRUE(training.begun.WaitForNotificationWithTimeout(kStuck)) << coordinator_.output();
  coordinator_.Kill();
  const int64_t before = training.steps;
  PassTime(training, GetParam());
  if (GetParam() > 0) {
    EXPECT_GT(training.steps, before) << "it stood still";
  }
  StartAgain();
  training.finish.Notify();
  ExpectUndisturbed(user);
  EXPECT_FALSE(training.given_up.HasBeenNotified()) << "it was dropped after the outage";
}

INSTANTIATE_TEST_SUITE_P(Seconds, CoordinatorKilledTest, testing::ValuesIn(Outages()),
                         [](const testing::TestParamInfo<double>& row) { return absl::StrCat(row.param); });

TEST_F(CoordinatorAwayTest, WhatIsMeasuredMeanwhileIsKeptAndDelivered) {
  LongTask measuring(v1::Task::kMeasureOperators);
  const FakeParty agent(&oracle_, coordinator_.address(), FakeAgent("local", "agent"), measuring.behaviour());
  const FakeParty worker(&oracle_, coordinator_.address(), FakeWorker("worker", "worker"));
  FakeUser user(&oracle_, coordinator_.address(), "user");
  ASSERT_TRUE(measuring.begun.WaitForNotificationWithTimeout(kStuck)) << coordinator_.output();
  coordinator_.Kill();
  measuring.finish.Notify();  // its rounds and its result find nobody
  PassTime(measuring, LongOutage());
  StartAgain();
  ExpectUndisturbed(user);
  EXPECT_FALSE(measuring.given_up.HasBeenNotified()) << "it was dropped after the outage";
}

// As when a machine with all of them is suspended: the leases have run out by the coordinator's clock before anybody can renew one.
TEST_F(CoordinatorAwayTest, ACoordinatorThatStoodStillTakesNobodysLeaseAway) {
  const FakeParty agent(&oracle_, coordinator_.address(), FakeAgent("local", "agent"));
  Program worker(HANAS_FAULT_PARTY, {coordinator_.address(), "worker", "1", "computed", absl::StrCat(getpid())});
  FakeUser user(&oracle_, coordinator_.address(), "user");
  ASSERT_TRUE(worker.AwaitStopped()) << worker.output();
  coordinator_.Stop();
  EXPECT_FALSE(oracle_.AwaitAcknowledged(1, absl::Seconds(LongOutage()))) << "it does not stand still";
  coordinator_.Continue();
  ASSERT_TRUE(coordinator_.AwaitOutput(" WARNING ")) << coordinator_.output();  // what its loop makes of it, right or wrong
  worker.Signal(SIGCONT);
  ExpectUndisturbed(user);
}

}  // namespace
}  // namespace hanas::fault
