// SPDX-License-Identifier: Apache-2.0
// A task that makes whoever holds it fail, or kills them: after three attempts its search fails and says which task it was, and the farm
// goes on with the searches of others.
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"
#include "tests/fault/coordinator_process.h"
#include "tests/fault/load.h"
#include "tests/fault/oracle.h"
#include "tests/fault/poison.h"
#include "tests/support/program.h"
#include "tests/support/wire_evaluator.h"

namespace hanas::fault {
namespace {

using ::absl_testing::IsOk;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double kTtlSeconds = 5;
constexpr int kAttempts = 3;

SearchJob HealthyJob(uint64_t seed) {
  SearchJob job = SmallJob();
  job.seed = seed;
  return job;
}

absl::StatusOr<v1::CompleteTaskRequest> FailOfPoison(const v1::Task& task, rpc::TaskContext& context, rpc::TaskExecutor& usual) {
  const std::optional<std::string> poison = FindPoison(task);
  if (poison.has_value()) return absl::InternalError(absl::StrCat("evaluating ", *poison, ": expected finite numbers, found NaN"));
  return usual.Execute(task, context);
}

class PoisonTaskTest : public testing::Test {
 protected:
  PoisonTaskTest() {
    coordinator_.Start();
    EXPECT_TRUE(coordinator_.AwaitListening()) << coordinator_.output();
    agent_ = std::make_unique<FakeParty>(&oracle_, coordinator_.address(), FakeAgent("local", "agent"));
  }
  /// One search of the job, to its end.
  Ended Run(const std::string& user, SearchJob job) {
    return FakeUser(&oracle_, coordinator_.address(), user, std::move(job)).Finish().at(0);
  }
  /// Ends the coordinator and reads its store.
  absl::StatusOr<coordinator::State> StateAtTheEnd() {
    coordinator_.Kill();
    return coordinator_.ReadState();
  }
  /// The tasks that have failed.
  static std::vector<coordinator::TaskRecord> FailedTasks(const coordinator::State& state) {
    std::vector<coordinator::TaskRecord> failed;
    for (const auto& [id, task] : state.tasks) {
      if (task.state == coordinator::TaskState::kFailed) failed.push_back(task);
    }
    return failed;
  }

  Oracle oracle_;
  CoordinatorProcess coordinator_{kTtlSeconds};
  std::unique_ptr<FakeParty> agent_;
};

TEST_F(PoisonTaskTest, FailsItsHoldersThreeTimesAndThenItsSearch) {
  const FakeParty one(&oracle_, coordinator_.address(), FakeWorker("one", "1"), FailOfPoison);
  const FakeParty two(&oracle_, coordinator_.address(), FakeWorker("two", "1"), FailOfPoison);
  FakeUser beside(&oracle_, coordinator_.address(), "beside", HealthyJob(8));
  const Ended poisoned = Run("poisoned", PoisonedJob());
  EXPECT_EQ(poisoned.phase, v1::PHASE_FAILED);
  const SearchSpace space = SmallSpace();
  EXPECT_THAT(poisoned.error,
              AllOf(HasSubstr("(evaluating networks, after 3 attempts)"), HasSubstr(space.ToReadable(space.Largest({8, 8})))));
  EXPECT_EQ(beside.Finish().at(0).phase, v1::PHASE_SUCCEEDED) << "at the same time";
  EXPECT_EQ(Run("afterwards", HealthyJob(9)).phase, v1::PHASE_SUCCEEDED);

  const absl::StatusOr<coordinator::State> state = StateAtTheEnd();
  ASSERT_THAT(state, IsOk());
  oracle_.Check(*state);
  EXPECT_THAT(oracle_.violations(), IsEmpty());
  const std::vector<coordinator::TaskRecord> failed = FailedTasks(*state);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].attempt, kAttempts);
  EXPECT_EQ(failed[0].failures, kAttempts);
}

/// A worker that dies of poison, and is started again each time, as by any supervisor.
class Supervised {
 public:
  explicit Supervised(const std::string& address) : thread_([this, address] { Run(address); }) {}
  /// Kills it for good. How often it had died before.
  int Stop() {
    stopping_ = true;
    {
      absl::MutexLock lock(&mutex_);
      if (worker_ != nullptr) worker_->Signal(SIGTERM);
    }
    thread_.join();
    return deaths_;
  }

 private:
  void Run(const std::string& address) {
    for (int instance = 1; !stopping_; ++instance) {
      auto worker = std::make_unique<Program>(
          HANAS_FAULT_PARTY, std::vector<std::string>{address, "mortal", absl::StrCat(instance), "poisoned", absl::StrCat(getpid())});
      {
        absl::MutexLock lock(&mutex_);
        worker_ = worker.get();
      }
      if (stopping_) worker->Signal(SIGTERM);
      worker->AwaitStopped();  // until its end, which Wait takes note of when nobody can signal it any more
      {
        absl::MutexLock lock(&mutex_);
        worker_ = nullptr;
      }
      if (worker->Wait() == -SIGKILL) ++deaths_;
    }
  }

  std::atomic<bool> stopping_ = false;
  std::atomic<int> deaths_ = 0;
  absl::Mutex mutex_;
  Program* worker_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::thread thread_;
};

TEST_F(PoisonTaskTest, KillsItsHolderThreeTimesAndThenItsSearch) {
  Supervised mortal(coordinator_.address());
  const Ended poisoned = Run("poisoned", PoisonedJob());
  EXPECT_EQ(poisoned.phase, v1::PHASE_FAILED);
  EXPECT_THAT(poisoned.error, AllOf(HasSubstr("(evaluating networks, after 3 attempts)"), HasSubstr("the process of mortal died")));
  EXPECT_EQ(Run("afterwards", HealthyJob(9)).phase, v1::PHASE_SUCCEEDED) << "by the fourth instance";
  EXPECT_EQ(mortal.Stop(), kAttempts);

  const absl::StatusOr<coordinator::State> state = StateAtTheEnd();
  ASSERT_THAT(state, IsOk());
  const std::vector<coordinator::TaskRecord> failed = FailedTasks(*state);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].attempt, kAttempts);
  EXPECT_EQ(failed[0].error_code, "HOLDER_RESTARTED");
}

}  // namespace
}  // namespace hanas::fault
