// SPDX-License-Identifier: Apache-2.0
// Asking for work: what is answered at once, who waits, who is served first, and that nothing is handed out before it is on the disk.

#include "coordinator/scheduling/lease_desk.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/base/thread_annotations.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/state/updates.h"
#include "coordinator/store/memory_store.h"
#include "core/base/error_reason.h"
#include "tests/app/gated_store.h"
#include "tests/core/small_space.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr absl::Duration kTtl = absl::Seconds(15);

/// Answers in the order in which they came, as "<who>: <task>". Thread-safe.
class Answered {
 public:
  LeaseDesk::Done For(const std::string& who) {
    return [this, who](absl::StatusOr<std::optional<GrantedTask>> answer) {
      absl::MutexLock lock(&mutex_);
      answers_.push_back(!answer.ok()          ? absl::StrCat(who, ": ", absl::StatusCodeToString(answer.status().code()))
                         : answer->has_value() ? absl::StrCat(who, ": ", (*answer)->task.key)
                                               : absl::StrCat(who, ": none"));
      if (!answer.ok()) last_refusal_ = answer.status();
      if (answer.ok() && answer->has_value()) last_granted_ = **answer;
    };
  }
  std::vector<std::string> all() const {
    absl::MutexLock lock(&mutex_);
    return answers_;
  }
  absl::Status last_refusal() const {
    absl::MutexLock lock(&mutex_);
    return last_refusal_;
  }
  GrantedTask last_granted() const {
    absl::MutexLock lock(&mutex_);
    return last_granted_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<std::string> answers_ ABSL_GUARDED_BY(mutex_);
  absl::Status last_refusal_ ABSL_GUARDED_BY(mutex_);
  GrantedTask last_granted_ ABSL_GUARDED_BY(mutex_);
};

/// A desk over a ledger with one search that trains. Its follower does what the application does: the scheduler follows each change, and
/// those who wait are looked at.
class LeaseDeskTest : public testing::Test, private LedgerFollower {
 protected:
  LeaseDeskTest() {
    {
      absl::MutexLock lock(&lock_);
      EXPECT_THAT(ledger_.Reload(), IsOk());
    }
    SearchJob job = {.name = "tiny"};
    job.dataset = {.name = "fake", .directory = "fake"};
    job.space = SmallSpaceSpec();
    Decide(CreateSearchUpdate{.request_id = "request", .spec = "spec", .job = std::make_shared<const SearchJob>(job)});
    AdvanceSearchUpdate begin = Step();
    begin.bindings = {TargetRecord{}};
    begin.next = SearchPhase::kTraining;
    Decide(begin);
  }

  ~LeaseDeskTest() override { ledger_.Close(); }  // its thread calls back

  void Decided(const Changes& changes) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) {
    scheduler_.Follow(changes, now_);
    desk_.GrantWaiting(now_);
  }
  void Synced(const Changes&) override {}
  void ReadBack() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) { scheduler_.Rebuild(now_); }
  void Told() override {}

  /// Of the only search.
  AdvanceSearchUpdate Step() {
    absl::MutexLock lock(&lock_);
    const SearchRecord& record = ledger_.decided().searches.begin()->second.record;
    return {.search = record.id, .expected = record.phase, .expected_events = record.num_events};
  }
  void Decide(AnyUpdate update) {
    PendingWrite write;
    {
      absl::MutexLock lock(&lock_);
      write = ledger_.Commit(std::move(update));
    }
    EXPECT_THAT(write.Await(), IsOk());
  }
  void AddTask(const std::string& key) {
    AdvanceSearchUpdate step = Step();
    step.tasks.emplace_back(key, TrainWork{});
    Decide(step);
  }
  uint64_t AddWorker(const std::string& name, const std::string& instance = "1") {
    Decide(RegisterPartyUpdate{.party = {.name = name, .instance = instance, .host = name, .datasets = {"fake"}}});
    absl::MutexLock lock(&lock_);
    return FindPartyId(ledger_.synced(), /*agent=*/false, name);
  }
  uint64_t NewWait() {
    absl::MutexLock lock(&lock_);
    return desk_.NewWait();
  }
  void Give(LeaseDesk::Answers answers) {
    for (auto& answer : answers) answer();
  }
  void Request(uint64_t party, const std::string& who, uint64_t wait = 0, const std::string& instance = "1") {
    LeaseDesk::Answers answers;
    {
      absl::MutexLock lock(&lock_);
      answers = desk_.Request(party, instance, wait, answered_.For(who), now_);
    }
    Give(std::move(answers));
  }
  void EndWait(uint64_t wait) {
    LeaseDesk::Answers answers;
    {
      absl::MutexLock lock(&lock_);
      answers = desk_.EndWait(wait, now_);
    }
    Give(std::move(answers));
  }
  /// Returns when everybody whose answer was on its way has it.
  void AwaitAnswers() { EXPECT_THAT(AllWritten().Await(), IsOk()); }
  /// Ends with the writes that are on their way now.
  PendingWrite AllWritten() {
    absl::MutexLock lock(&lock_);
    return ledger_.AllWritten();
  }

  std::unique_ptr<MemoryStore> store_ = MemoryStore::Open(std::make_shared<MemoryDisk>()).value();
  GatedStore gated_{store_.get()};
  const absl::Duration now_ = absl::Seconds(1000);
  Answered answered_;
  absl::Mutex lock_;
  FakeClock clock_;
  Ledger ledger_{&gated_, &clock_, [](absl::string_view) -> absl::StatusOr<StoredJob> { return SearchJob{}; }, &lock_, this};
  Scheduler scheduler_{&ledger_.decided(), kTtl};
  LeaseDesk desk_{&ledger_, &scheduler_, kTtl, &telemetry::NoMetrics()};
};

TEST_F(LeaseDeskTest, ATaskIsHandedOutWhenItsGrantIsOnTheDisk) {
  const uint64_t worker = AddWorker("w");
  AddTask("train/0");
  gated_.Shut();
  Request(worker, "w");
  gated_.AwaitWriteAtTheGate();
  EXPECT_THAT(answered_.all(), IsEmpty());
  gated_.Open();
  AwaitAnswers();
  EXPECT_THAT(answered_.all(), ElementsAre("w: train/0"));
  const GrantedTask granted = answered_.last_granted();
  EXPECT_EQ(granted.task.party, worker);
  EXPECT_EQ(granted.task.state, TaskState::kLeased);
  EXPECT_EQ(granted.ttl, kTtl);
  EXPECT_EQ(granted.job->name, "tiny");
}

TEST_F(LeaseDeskTest, AGrantThatCannotBeWrittenIsAnsweredWithTheFailure) {
  const uint64_t worker = AddWorker("w");
  AddTask("train/0");
  gated_.Shut();
  Request(worker, "w");
  gated_.AwaitWriteAtTheGate();
  const PendingWrite failing = AllWritten();
  gated_.FailNext(absl::ResourceExhaustedError("the disk is full"));
  gated_.Open();
  EXPECT_THAT(failing.Await(), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(answered_.all(), ElementsAre("w: RESOURCE_EXHAUSTED"));
  EXPECT_THAT(answered_.last_refusal(), StatusIs(absl::StatusCode::kResourceExhausted, "the disk is full"));
}

TEST_F(LeaseDeskTest, AskingAgainGivesTheLeaseThatIsHeld) {
  const uint64_t worker = AddWorker("w");
  AddTask("train/0");
  AddTask("train/1");
  Request(worker, "first");
  Request(worker, "again");
  AwaitAnswers();
  EXPECT_THAT(answered_.all(), ElementsAre("first: train/0", "again: train/0"));
}

TEST_F(LeaseDeskTest, WhoDoesNotWaitIsToldAtOnceThatThereIsNothing) {
  Request(AddWorker("w"), "w");
  EXPECT_THAT(answered_.all(), ElementsAre("w: none"));
}

TEST_F(LeaseDeskTest, StrangersAndReplacedInstancesAreRefused) {
  Request(/*party=*/4711, "stranger");
  EXPECT_THAT(answered_.last_refusal(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_TRUE(HasReason(answered_.last_refusal(), kUnknownParty));
  const uint64_t worker = AddWorker("w", "2");
  Request(worker, "old", NewWait(), "1");
  EXPECT_THAT(answered_.last_refusal(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_TRUE(HasReason(answered_.last_refusal(), kSuperseded));
  EXPECT_THAT(answered_.all(), ElementsAre("stranger: NOT_FOUND", "old: FAILED_PRECONDITION"));
}

TEST_F(LeaseDeskTest, ThoseWhoWaitAreServedInTheOrderInWhichTheyCame) {
  const uint64_t first = AddWorker("a");
  const uint64_t second = AddWorker("b");
  Request(second, "came first", NewWait());
  Request(first, "came second", NewWait());
  EXPECT_THAT(answered_.all(), IsEmpty());
  AddTask("train/0");
  AddTask("train/1");
  AwaitAnswers();
  EXPECT_THAT(answered_.all(), ElementsAre("came first: train/0", "came second: train/1"));
}

TEST_F(LeaseDeskTest, ASecondRequestOfAPartyEndsTheFirst) {
  const uint64_t worker = AddWorker("w");
  Request(worker, "first", NewWait());
  Request(worker, "second", NewWait());
  EXPECT_THAT(answered_.all(), ElementsAre("first: none"));
  AddTask("train/0");
  AwaitAnswers();
  EXPECT_THAT(answered_.all(), ElementsAre("first: none", "second: train/0"));
}

TEST_F(LeaseDeskTest, AnInstanceThatIsReplacedWhileItWaitsIsRefused) {
  const uint64_t worker = AddWorker("w", "1");
  Request(worker, "old", NewWait());
  AddWorker("w", "2");
  AwaitAnswers();
  EXPECT_THAT(answered_.all(), ElementsAre("old: FAILED_PRECONDITION"));
  EXPECT_TRUE(HasReason(answered_.last_refusal(), kSuperseded));
}

TEST_F(LeaseDeskTest, AWaitEndsOnce) {
  const uint64_t wait = NewWait();
  EndWait(wait);  // before it begins
  Request(AddWorker("w"), "w", wait);
  EndWait(wait);
  EndWait(wait);
  AddTask("train/0");
  AwaitAnswers();
  EXPECT_THAT(answered_.all(), ElementsAre("w: none"));
}

TEST_F(LeaseDeskTest, StopEndsAllWaitsAndNobodyWaitsAfterwards) {
  const uint64_t worker = AddWorker("a");
  Request(worker, "a", NewWait());
  LeaseDesk::Answers answers;
  {
    absl::MutexLock lock(&lock_);
    answers = desk_.Stop();
  }
  Give(std::move(answers));
  Request(worker, "again", NewWait());
  EXPECT_THAT(answered_.all(), ElementsAre("a: none", "again: none"));
}

}  // namespace
}  // namespace hanas::coordinator
