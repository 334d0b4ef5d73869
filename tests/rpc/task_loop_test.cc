// SPDX-License-Identifier: Apache-2.0
#include "rpc/task_loop.h"

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/server.h"
#include "rpc/status.h"
#include "tests/rpc/fake_clock.h"
#include "tests/rpc/fake_task_service.h"

namespace hanas::rpc {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Log = FakeTaskService::Log;
using Script = FakeTaskService::Script;

constexpr double kTtlSeconds = 3;

/// Work as a function, given by the test.
class FunctionExecutor : public TaskExecutor {
 public:
  absl::StatusOr<v1::CompleteTaskRequest> Execute(const v1::Task& task, TaskContext& context) override {
    names.push_back(task.lease().task());
    return work(task, context);
  }

  std::function<absl::StatusOr<v1::CompleteTaskRequest>(const v1::Task&, TaskContext&)> work;
  std::vector<std::string> names;  // of the tasks executed
};

v1::CompleteTaskRequest TrainedTo(int64_t step) {
  v1::CompleteTaskRequest result;
  result.mutable_train()->set_step(step);
  return result;
}

v1::Task MakeTask(const std::string& name, uint64_t token) {
  v1::Task task;
  task.mutable_lease()->set_task(name);
  task.mutable_lease()->set_attempt(1);
  task.mutable_lease()->set_fencing_token(token);
  task.mutable_lease()->set_ttl_seconds(kTtlSeconds);
  task.mutable_train()->set_to_step(100);
  return task;
}

absl::Status StaleLease() { return WithReason(absl::FailedPreconditionError("token 7 is stale"), "STALE_LEASE"); }
absl::Status UnknownParty() { return WithReason(absl::NotFoundError("no worker of this name"), "UNKNOWN_PARTY"); }

class TaskLoopTest : public ::testing::Test {
 protected:
  TaskLoopTest() {
    TaskLoopOptions options;
    options.party.set_name("w1");
    options.party.set_instance_id("instance-1");
    options.poll = absl::ZeroDuration();
    options.call_timeout = absl::Seconds(60);
    options.max_outage = absl::Minutes(5);
    loop_ = std::make_unique<TaskLoop>(options, stub_.get(), &executor_, &clock_);
    executor_.work = [](const v1::Task&, TaskContext&) { return TrainedTo(1); };
  }
  ~TaskLoopTest() override {
    loop_->RequestStop();
    if (thread_.joinable()) thread_.join();
  }

  void Start() {
    thread_ = std::thread([this] { result_ = loop_->Run(); });
  }
  absl::Status Stop() {
    loop_->RequestStop();
    thread_.join();
    return result_;
  }
  /// Lets time pass in small steps until `condition` holds.
  void PassTimeUntil(const std::function<bool(const Log&)>& condition) {
    while (!condition(service_.log())) {
      clock_.AwaitWaiter();
      clock_.Advance(absl::Milliseconds(100));
    }
  }
  /// Lets exactly so many waits of the loop end, each for its time. What happens after the last one need not wait again.
  void PassWaits(int waits) {
    for (int i = 0; i < waits; ++i) {
      clock_.AwaitWaiter();
      clock_.Advance(absl::Minutes(1));
    }
  }

  FakeTaskService service_;
  std::unique_ptr<Server> server_ = *Server::Start({}, {&service_});
  std::unique_ptr<v1::TaskService::Stub> stub_ = v1::TaskService::NewStub(server_->InProcessChannel());
  FakeClock clock_;
  FunctionExecutor executor_;
  std::unique_ptr<TaskLoop> loop_;
  std::thread thread_;
  absl::Status result_;
};

TEST_F(TaskLoopTest, CompletesATaskWithTheIdentityOfItsLease) {
  service_.AddTask(MakeTask("tasks/1", 7));
  Start();
  service_.Await([](const Log& log) { return log.completions.size() == 1; });
  EXPECT_THAT(Stop(), IsOk());
  const v1::CompleteTaskRequest request = service_.log().completions[0];
  EXPECT_EQ(request.party(), "workers/w1");
  EXPECT_EQ(request.instance_id(), "instance-1");
  EXPECT_EQ(request.task(), "tasks/1");
  EXPECT_EQ(request.fencing_token(), 7U);
  EXPECT_EQ(request.train().step(), 1);
}

TEST_F(TaskLoopTest, RenewsAtAThirdOfTheTtlWithProgress) {
  absl::Notification reported;
  absl::Notification finish;
  executor_.work = [&](const v1::Task&, TaskContext& context) {
    EXPECT_EQ(context.ReportProgress(10, 100, "loss 1.5"), Directive::kContinue);
    reported.Notify();
    finish.WaitForNotification();
    return TrainedTo(100);
  };
  service_.AddTask(MakeTask("tasks/1", 7));
  Start();
  reported.WaitForNotification();
  clock_.AwaitWaiter();
  clock_.Advance(absl::Milliseconds(999));
  EXPECT_THAT(service_.log().renewals, IsEmpty());
  clock_.Advance(absl::Milliseconds(1));
  service_.Await([](const Log& log) { return log.renewals.size() == 1; });
  clock_.AwaitWaiter();
  clock_.Advance(absl::Seconds(1));
  service_.Await([](const Log& log) { return log.renewals.size() == 2; });
  const v1::RenewLeaseRequest renewal = service_.log().renewals[1];
  EXPECT_EQ(renewal.done(), 10);
  EXPECT_EQ(renewal.total(), 100);
  EXPECT_EQ(renewal.note(), "loss 1.5");
  EXPECT_FALSE(renewal.paused());
  finish.Notify();
  service_.Await([](const Log& log) { return log.completions.size() == 1; });
  EXPECT_THAT(Stop(), IsOk());
}

TEST_F(TaskLoopTest, APauseHoldsTheTaskAtItsBoundaryAndSaysSo) {
  absl::Notification told;
  executor_.work = [&](const v1::Task&, TaskContext& context) {
    told.WaitForNotification();
    EXPECT_EQ(context.ReportProgress(1, 2, ""), Directive::kContinue);
    return TrainedTo(2);
  };
  service_.AddTask(MakeTask("tasks/1", 7));
  service_.Change([](Script& script) { script.instruction = v1::INSTRUCTION_PAUSE; });
  Start();
  PassTimeUntil([](const Log& log) { return !log.renewals.empty(); });
  clock_.AwaitWaiter();  // the answer has been taken in
  EXPECT_FALSE(service_.log().renewals.back().paused());
  told.Notify();
  service_.Await([](const Log& log) { return log.renewals.back().paused(); });
  EXPECT_THAT(service_.log().completions, IsEmpty());
  service_.Change([](Script& script) { script.instruction = v1::INSTRUCTION_CONTINUE; });
  PassTimeUntil([](const Log& log) { return log.completions.size() == 1; });
  EXPECT_THAT(Stop(), IsOk());
}

TEST_F(TaskLoopTest, HandsBackWhatThereIs) {
  executor_.work = [&](const v1::Task&, TaskContext& context) -> absl::StatusOr<v1::CompleteTaskRequest> {
    int64_t step = 1;  // the instruction may be there before the first report
    while (context.ReportProgress(step, 100, "") == Directive::kContinue) ++step;
    v1::CompleteTaskRequest result = TrainedTo(step);
    return result;
  };
  service_.AddTask(MakeTask("tasks/1", 7));
  service_.Change([](Script& script) { script.instruction = v1::INSTRUCTION_HAND_BACK; });
  Start();
  PassTimeUntil([](const Log& log) { return log.completions.size() == 1; });
  EXPECT_GT(service_.log().completions[0].train().step(), 0);
  EXPECT_THAT(service_.log().failures, IsEmpty());
  EXPECT_THAT(Stop(), IsOk());
}

TEST_F(TaskLoopTest, WorkWithoutAPartialResultIsHandedBackAsADrain) {
  executor_.work = [&](const v1::Task&, TaskContext& context) -> absl::StatusOr<v1::CompleteTaskRequest> {
    while (context.ReportProgress(0, 1, "") == Directive::kContinue) {
    }
    return absl::CancelledError("no partial result");
  };
  service_.AddTask(MakeTask("tasks/1", 7));
  Start();
  clock_.AwaitWaiter();
  EXPECT_THAT(Stop(), IsOk());
  ASSERT_THAT(service_.log().failures, SizeIs(1));
  EXPECT_EQ(service_.log().failures[0].code(), "HANDED_BACK");
  EXPECT_TRUE(service_.log().failures[0].retryable());
}

TEST_F(TaskLoopTest, AnAbandonedTaskDeliversNothing) {
  executor_.work = [&](const v1::Task& task, TaskContext& context) -> absl::StatusOr<v1::CompleteTaskRequest> {
    if (task.lease().task() == "tasks/2") return TrainedTo(2);
    Directive directive = Directive::kContinue;
    while (directive == Directive::kContinue) directive = context.ReportProgress(0, 1, "");
    EXPECT_EQ(directive, Directive::kAbandon);
    EXPECT_TRUE(context.ShouldStop());
    service_.Change([](Script& script) { script.instruction = v1::INSTRUCTION_CONTINUE; });
    return TrainedTo(1);
  };
  service_.AddTask(MakeTask("tasks/1", 7));
  service_.AddTask(MakeTask("tasks/2", 8));
  service_.Change([](Script& script) { script.instruction = v1::INSTRUCTION_ABANDON; });
  Start();
  PassTimeUntil([](const Log& log) { return log.completions.size() == 1; });
  EXPECT_EQ(service_.log().completions[0].task(), "tasks/2");
  EXPECT_THAT(service_.log().failures, IsEmpty());
  EXPECT_THAT(Stop(), IsOk());
}

TEST_F(TaskLoopTest, AStaleLeaseDropsTheResultAndTheLoopCarriesOn) {
  executor_.work = [&](const v1::Task& task, TaskContext& context) -> absl::StatusOr<v1::CompleteTaskRequest> {
    if (task.lease().task() == "tasks/2") return TrainedTo(2);
    while (context.ReportProgress(0, 1, "") == Directive::kContinue) {
    }
    return TrainedTo(1);
  };
  service_.AddTask(MakeTask("tasks/1", 7));
  service_.AddTask(MakeTask("tasks/2", 8));
  service_.Change([](Script& script) { script.renewals = {StaleLease()}; });
  Start();
  PassTimeUntil([](const Log& log) { return log.completions.size() == 1; });
  EXPECT_EQ(service_.log().completions[0].task(), "tasks/2");
  EXPECT_THAT(Stop(), IsOk());
}

TEST_F(TaskLoopTest, ACompletionThatIsStaleIsDropped) {
  service_.AddTask(MakeTask("tasks/1", 7));
  service_.AddTask(MakeTask("tasks/2", 8));
  service_.Change([](Script& script) { script.completions = {StaleLease()}; });
  Start();
  service_.Await([](const Log& log) { return log.completions.size() == 2; });
  EXPECT_THAT(Stop(), IsOk());
  EXPECT_THAT(service_.log().failures, IsEmpty());
}

TEST_F(TaskLoopTest, AMinuteWithoutCoordinatorHoldsTheWorkAndLosesNothing) {
  absl::Notification away;
  absl::Notification held;
  executor_.work = [&](const v1::Task&, TaskContext& context) {
    away.WaitForNotification();
    held.Notify();
    EXPECT_EQ(context.ReportProgress(50, 100, ""), Directive::kContinue);
    return TrainedTo(100);
  };
  service_.AddTask(MakeTask("tasks/1", 7));
  Start();
  PassTimeUntil([](const Log& log) { return log.renewals.size() == 1; });
  service_.Change([](Script& script) { script.away = true; });
  const absl::Duration left_at = clock_.Now();
  PassTimeUntil([&](const Log&) { return clock_.Now() - left_at > absl::Seconds(kTtlSeconds); });
  away.Notify();
  held.WaitForNotification();
  service_.Await([](const Log& log) { return log.renewals.back().paused(); });
  PassTimeUntil([&](const Log&) { return clock_.Now() - left_at > absl::Seconds(60); });
  EXPECT_THAT(service_.log().completions, IsEmpty());
  service_.Change([](Script& script) { script.away = false; });
  PassTimeUntil([](const Log& log) { return log.completions.size() == 1; });
  EXPECT_EQ(service_.log().completions[0].train().step(), 100);
  EXPECT_EQ(service_.log().completions[0].fencing_token(), 7U);
  EXPECT_THAT(Stop(), IsOk());
}

TEST_F(TaskLoopTest, TheWorkIsHeldInTimeThoughNoRenewalIsDue) {
  absl::Notification step;
  executor_.work = [&](const v1::Task&, TaskContext& context) {
    step.WaitForNotification();
    EXPECT_EQ(context.ReportProgress(1, 2, ""), Directive::kContinue) << "when the coordinator is back";
    return TrainedTo(2);
  };
  service_.AddTask(MakeTask("tasks/1", 7));
  Start();
  PassTimeUntil([](const Log& log) { return log.renewals.size() == 1; });  // answered
  service_.Change([](Script& script) { script.away = true; });
  PassTimeUntil([](const Log& log) { return log.renewals.size() == 3; });
  clock_.AwaitWaiter();
  clock_.Advance(absl::Milliseconds(500));  // 2.5 s of 3 since the answer; the next renewal is due at 3 s
  step.Notify();
  service_.Await([](const Log& log) { return log.renewals.back().paused() || !log.completions.empty(); });
  EXPECT_THAT(service_.log().completions, IsEmpty()) << "the step was taken";
  service_.Change([](Script& script) { script.away = false; });
  PassTimeUntil([](const Log& log) { return log.completions.size() == 1; });
  EXPECT_THAT(Stop(), IsOk());
}

TEST_F(TaskLoopTest, AResultIsOfferedUntilTheCoordinatorIsBack) {
  service_.AddTask(MakeTask("tasks/1", 7));
  executor_.work = [&](const v1::Task&, TaskContext&) {
    service_.Change([](Script& script) { script.away = true; });
    return TrainedTo(100);
  };
  Start();
  // Offered again and again for a minute; how often depends on how the threads take turns.
  PassTimeUntil([&](const Log& log) { return clock_.Now() > absl::Seconds(60) && log.completions.size() > 10; });
  service_.Change([](Script& script) { script.away = false; });
  const size_t tried = service_.log().completions.size();
  PassTimeUntil([&](const Log& log) { return log.completions.size() > tried && log.leases > 1; });
  EXPECT_THAT(Stop(), IsOk());
}

TEST_F(TaskLoopTest, AResultOutlivesAChangeOfTheToken) {
  service_.AddTask(MakeTask("tasks/1", 7));
  service_.Change([](Script& script) {
    script.completions = {absl::UnauthenticatedError("another token"), absl::UnauthenticatedError("another token")};
  });
  Start();
  PassTimeUntil([](const Log& log) { return log.completions.size() == 3 && log.leases > 1; });
  EXPECT_THAT(Stop(), IsOk());
  EXPECT_THAT(service_.log().failures, IsEmpty());
}

TEST_F(TaskLoopTest, ACoordinatorThatNeverComesBackEndsTheWork) {
  absl::Notification ended;
  executor_.work = [&](const v1::Task&, TaskContext& context) {
    while (context.ReportProgress(0, 1, "") != Directive::kAbandon) {
    }
    ended.Notify();
    return TrainedTo(1);
  };
  service_.AddTask(MakeTask("tasks/1", 7));
  service_.Change([](Script& script) { script.renewals = std::deque<absl::Status>(2000, absl::UnavailableError("away")); });
  Start();
  PassTimeUntil([&](const Log&) { return ended.HasBeenNotified(); });
  EXPECT_GE(clock_.Now(), absl::Minutes(5));
  EXPECT_THAT(Stop(), IsOk());
  EXPECT_THAT(service_.log().completions, IsEmpty());
}

TEST_F(TaskLoopTest, RegistersAgainWhenItIsNotKnown) {
  service_.AddTask(MakeTask("tasks/1", 7));
  service_.Change([](Script& script) {
    script.leases = {UnknownParty()};
    script.completions = {UnknownParty()};
  });
  Start();
  PassTimeUntil([](const Log& log) { return log.completions.size() == 2; });
  EXPECT_THAT(Stop(), IsOk());
  EXPECT_THAT(service_.log().registrations, SizeIs(3));
  EXPECT_EQ(service_.log().registrations[2].party().instance_id(), "instance-1");
}

TEST_F(TaskLoopTest, WaitsForACoordinatorThatIsNotThereYet) {
  service_.Change([](Script& script) { script.registrations = {absl::UnavailableError("refused"), absl::UnavailableError("refused")}; });
  Start();
  PassTimeUntil([](const Log& log) { return log.leases > 0; });
  EXPECT_THAT(service_.log().registrations, SizeIs(3));
  EXPECT_THAT(Stop(), IsOk());
}

TEST_F(TaskLoopTest, EndsWhenItsNameWasTakenOrItsRegistrationIsBad) {
  service_.Change([](Script& script) { script.leases = {WithReason(absl::FailedPreconditionError("a newer instance"), "SUPERSEDED")}; });
  EXPECT_THAT(loop_->Run(), StatusIs(absl::StatusCode::kFailedPrecondition, "a newer instance"));
  service_.Change([](Script& script) { script.registrations = {absl::InvalidArgumentError("party.name: expected a name")}; });
  EXPECT_THAT(loop_->Run(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("party.name")));
}

TEST_F(TaskLoopTest, EveryRefusalThatWouldBeRepeatedEndsTheLoop) {
  for (const absl::Status& refusal :
       {absl::AlreadyExistsError("the name is in use"), absl::UnauthenticatedError("no token"), absl::PermissionDeniedError("not yours"),
        absl::UnimplementedError("no such service"), WithReason(absl::FailedPreconditionError("other version"), "PROTOCOL_VERSION")}) {
    service_.Change([&](Script& script) { script.registrations = {absl::UnavailableError("not there yet"), refusal}; });
    Start();
    PassWaits(1);
    thread_.join();
    EXPECT_EQ(result_, refusal);
    EXPECT_THAT(service_.log().registrations, SizeIs(2));
    service_.Forget();
    // The same when it asks for work.
    service_.Change([&](Script& script) { script.leases = {refusal}; });
    EXPECT_EQ(loop_->Run(), refusal);
    service_.Forget();
  }
}

TEST_F(TaskLoopTest, ErrorsInARowEndTheLoopAndOutagesDoNot) {
  service_.Change([](Script& script) {
    script.registrations.assign(7, absl::InternalError("the store is odd"));
    script.registrations.push_back(absl::UnavailableError("restarting"));  // begins the row anew
    for (int i = 0; i < 8; ++i) script.registrations.push_back(absl::InternalError("the store is odd"));
  });
  Start();
  PassWaits(15);
  thread_.join();
  EXPECT_THAT(service_.log().registrations, SizeIs(16));
  EXPECT_THAT(result_, StatusIs(absl::StatusCode::kInternal, "the store is odd"));
}

TEST_F(TaskLoopTest, ARegistrationThatNobodyCouldReadIsNotSent) {
  TaskLoopOptions options;
  options.party.set_name("w1");
  options.party.mutable_worker()->add_datasets("cifar10");
  options.party.mutable_worker()->add_datasets("Geb\xe4ude");
  TaskLoop loop(options, stub_.get(), &executor_, &clock_);
  const absl::Status status = loop.Run();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("party.worker.datasets[1]")));
  EXPECT_THAT(service_.log().registrations, IsEmpty());
}

TEST_F(TaskLoopTest, AFailureThatQuotesBytesArrives) {
  executor_.work = [](const v1::Task&, TaskContext&) {
    return absl::DataLossError(absl::StrCat(std::string(4095, 'x'), "\xc3\xa4", " Geb\xe4ude.jpg"));
  };
  service_.AddTask(MakeTask("tasks/1", 7));
  Start();
  service_.Await([](const Log& log) { return log.failures.size() == 1; });
  EXPECT_THAT(Stop(), IsOk());
  EXPECT_EQ(service_.log().failures[0].message(), std::string(4095, 'x'));
}

TEST_F(TaskLoopTest, StoppingWhileIdleReturnsAtOnce) {
  Start();
  service_.Await([](const Log& log) { return log.leases > 0; });
  EXPECT_THAT(Stop(), IsOk());
}

TEST_F(TaskLoopTest, StoppingDeliversThePartialResultFirst) {
  absl::Notification begun;
  executor_.work = [&](const v1::Task&, TaskContext& context) {
    begun.Notify();
    while (context.ReportProgress(3, 100, "") == Directive::kContinue) {
    }
    return TrainedTo(3);
  };
  service_.AddTask(MakeTask("tasks/1", 7));
  service_.Change([](Script& script) { script.instruction = v1::INSTRUCTION_PAUSE; });  // even from a pause
  Start();
  begun.WaitForNotification();
  EXPECT_THAT(Stop(), IsOk());
  ASSERT_THAT(service_.log().completions, SizeIs(1));
  EXPECT_EQ(service_.log().completions[0].train().step(), 3);
}

TEST_F(TaskLoopTest, FailuresCarryTheirCodeAndWhetherToTryAgain) {
  struct Case {
    absl::Status status;
    const char* code;
    bool retryable;
  };
  const std::vector<Case> cases = {
      {WithReason(absl::FailedPreconditionError("digests differ"), "LOWERING_DISAGREES"), "LOWERING_DISAGREES", false},
      {WithReason(absl::InternalError("signal 11"), "MEASURE_CRASHED"), "MEASURE_CRASHED", true},
      {absl::ResourceExhaustedError("memory"), "RESOURCE_EXHAUSTED", true},
      {absl::CancelledError("nobody asked for it"), "CANCELLED", true},
  };
  for (size_t i = 0; i < cases.size(); ++i) service_.AddTask(MakeTask("tasks/x", i));
  size_t next = 0;
  executor_.work = [&](const v1::Task&, TaskContext&) { return cases[next++].status; };
  Start();
  service_.Await([&](const Log& log) { return log.failures.size() == cases.size(); });
  EXPECT_THAT(Stop(), IsOk());
  for (size_t i = 0; i < cases.size(); ++i) {
    const v1::FailTaskRequest failure = service_.log().failures[i];
    EXPECT_EQ(failure.code(), cases[i].code);
    EXPECT_EQ(failure.retryable(), cases[i].retryable);
    EXPECT_EQ(failure.message(), cases[i].status.message());
    EXPECT_EQ(failure.fencing_token(), i);
  }
}

TEST_F(TaskLoopTest, ARefusedResultFailsTheTask) {
  service_.AddTask(MakeTask("tasks/1", 7));
  service_.Change([](Script& script) { script.completions = {absl::InvalidArgumentError("train.step: expected 100, found 1")}; });
  Start();
  service_.Await([](const Log& log) { return log.failures.size() == 1; });
  EXPECT_THAT(Stop(), IsOk());
  EXPECT_EQ(service_.log().failures[0].code(), "RESULT_REFUSED");
  EXPECT_THAT(service_.log().failures[0].message(), HasSubstr("expected 100, found 1"));
}

TEST_F(TaskLoopTest, RoundsAreRecordedOverAnOutage) {
  service_.AddTask(MakeTask("tasks/1", 7));
  executor_.work = [&](const v1::Task&, TaskContext& context) {
    v1::RoundRow row;
    row.set_index(3);
    row.set_flushed_us(12.5);
    EXPECT_THAT(context.RecordRound(2, {row}), IsOk());
    return TrainedTo(1);
  };
  service_.Change([](Script& script) { script.rounds = {absl::UnavailableError("away")}; });
  Start();
  PassTimeUntil([](const Log& log) { return log.completions.size() == 1; });
  EXPECT_THAT(Stop(), IsOk());
  ASSERT_THAT(service_.log().rounds, SizeIs(2));
  const v1::RecordRoundRequest round = service_.log().rounds[1];
  EXPECT_EQ(round.round(), 2);
  EXPECT_EQ(round.task(), "tasks/1");
  EXPECT_EQ(round.fencing_token(), 7U);
  EXPECT_EQ(round.rows(0).flushed_us(), 12.5);
}

TEST_F(TaskLoopTest, ARoundOfAStaleLeaseCancelsTheTask) {
  service_.AddTask(MakeTask("tasks/1", 7));
  executor_.work = [&](const v1::Task&, TaskContext& context) -> absl::StatusOr<v1::CompleteTaskRequest> {
    const absl::Status status = context.RecordRound(0, {});
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
    EXPECT_EQ(context.ReportProgress(1, 2, ""), Directive::kAbandon);
    return status;
  };
  service_.Change([](Script& script) { script.rounds = {StaleLease()}; });
  Start();
  service_.Await([](const Log& log) { return log.leases >= 2; });
  EXPECT_THAT(Stop(), IsOk());
  EXPECT_THAT(service_.log().failures, IsEmpty());
}

}  // namespace
}  // namespace hanas::rpc
