// SPDX-License-Identifier: Apache-2.0
// What is long runs aside: everybody else is answered meanwhile, and it ends when nobody needs it any more.

#include <deque>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status_matchers.h"
#include "core/base/bounds.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/app/app_fixture.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// Holds what it is given until the test lets it run.
class HeldExecutor final : public Executor {
 public:
  ~HeldExecutor() override { RunAll(); }
  void Run(absl::AnyInvocable<void() &&> work) override { held_.push_back(std::move(work)); }
  size_t num_held() const { return held_.size(); }
  void RunOne() {
    absl::AnyInvocable<void() &&> work = std::move(held_.front());
    held_.pop_front();
    std::move(work)();
  }
  void RunAll() {
    while (!held_.empty()) RunOne();
  }

 private:
  std::deque<absl::AnyInvocable<void() &&>> held_;
};

class PrepareTest : public testing::Test {
 protected:
  PrepareTest() : harness_(TinyJob(), &executor_) {
    worker_ = harness_.AddWorker("worker", "1", "host-w");
    agent_ = harness_.AddAgent("1", "host-a");
  }
  ~PrepareTest() override { executor_.RunAll(); }

  SearchPhase PhaseOf(uint64_t search) { return harness_.app().GetSearch(search)->record.phase; }

  HeldExecutor executor_;
  AppHarness harness_;
  uint64_t worker_ = 0;
  uint64_t agent_ = 0;
};

TEST_F(PrepareTest, OthersAreAnsweredWhileASearchIsPrepared) {
  App& app = harness_.app();
  // Another search, whose operators are out.
  const uint64_t other = app.CreateSearch("other", "spec", TinyJob())->record.id;
  ASSERT_THAT(app.RunOnce(), IsOk());
  executor_.RunAll();
  ASSERT_THAT(app.RunOnce(), IsOk());
  const std::optional<GrantedTask> held = harness_.Lease(agent_, "1");
  ASSERT_TRUE(held.has_value());

  SearchJob job = TinyJob();
  job.space.head.widths = {72};  // operators of its own
  const uint64_t prepared = app.CreateSearch("prepared", "spec", job)->record.id;
  ASSERT_THAT(app.RunOnce(), IsOk());
  ASSERT_THAT(app.RunOnce(), IsOk());
  ASSERT_EQ(executor_.num_held(), 1u) << "asked for once";
  EXPECT_EQ(PhaseOf(prepared), SearchPhase::kProfiling);
  EXPECT_THAT(app.GetSearch(prepared)->note, HasSubstr("derives the operators"));

  // Now, while it is not done: the loop, a list, a renewal, a completion and a lease.
  EXPECT_THAT(app.ListSearches(), absl_testing::IsOkAndHolds(SizeIs(2)));
  EXPECT_THAT(app.Renew({.holder = AppHarness::HolderOf(*held), .done = 1, .total = 2}), IsOk());
  EXPECT_THAT(harness_.Complete(*held), IsOk());
  ASSERT_THAT(app.RunOnce(), IsOk());
  const std::optional<GrantedTask> next = harness_.Lease(agent_, "1");
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->task.search, other);
  ASSERT_EQ(executor_.num_held(), 1u) << "it was held all the while";

  executor_.RunAll();
  ASSERT_THAT(app.RunOnce(), IsOk());
  EXPECT_THAT(app.ListTasks(prepared, 0, 10)->tasks, testing::Not(testing::IsEmpty()));
}

TEST_F(PrepareTest, ACancelledSearchIsNotPrepared) {
  App& app = harness_.app();
  const uint64_t search = app.CreateSearch("request", "spec", TinyJob())->record.id;
  ASSERT_THAT(app.RunOnce(), IsOk());
  ASSERT_EQ(executor_.num_held(), 1u);
  ASSERT_THAT(app.CancelSearch(search), IsOk());
  executor_.RunAll();
  ASSERT_THAT(app.RunOnce(), IsOk());
  EXPECT_EQ(executor_.num_held(), 0u);
  EXPECT_EQ(PhaseOf(search), SearchPhase::kCancelled);
}

TEST_F(PrepareTest, AClientThatWentAwayIsNotWaitedFor) {
  const auto gone = [] { return true; };
  EXPECT_THAT(harness_.app().CreateSearch("request", "spec", TinyJob(), gone), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(harness_.app().Validate(TinyJob(), gone), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(harness_.app().ListSearches(), absl_testing::IsOkAndHolds(SizeIs(0)));
}

TEST_F(PrepareTest, ASearchWhoseStoredJobIsNoLongerAcceptedFailsAlone) {
  SearchJob job = TinyJob();
  job.space.num_classes = bounds::kMaxClasses + 1;  // accepted once, under wider bounds
  AppHarness harness(TinyJob());
  harness.AddAgent("1");
  harness.Submit();
  harness.Reopen(job);
  ASSERT_THAT(harness.app().RunOnce(), IsOk());
  ASSERT_THAT(harness.app().RunOnce(), IsOk());
  const SearchRecord record = harness.app().ListSearches()->front().record;
  EXPECT_EQ(record.phase, SearchPhase::kFailed);
  EXPECT_EQ(record.error_code, "JOB_REFUSED");
  EXPECT_THAT(record.error, HasSubstr("space.num_classes: expected a whole number from 2 to 10000, found 10001"));
}

}  // namespace
}  // namespace hanas::coordinator
