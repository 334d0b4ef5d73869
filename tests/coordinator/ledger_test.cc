// SPDX-License-Identifier: Apache-2.0
// Decided, synced, driven: what each copy of the state holds at each moment, and what is told to whom.

#include "coordinator/ledger/ledger.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/state/updates.h"
#include "coordinator/store/memory_store.h"
#include "core/base/error_reason.h"
#include "tests/app/gated_store.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Writes down what a ledger tells. Thread-safe.
class Diary : public LedgerFollower {
 public:
  void Decided(const Changes& changes) override { Write("decided", changes.parties); }
  void Synced(const Changes& changes) override { Write("synced", changes.parties); }
  void ReadBack() override { Write("read back", {}); }
  void Told() override { Write("told", {}); }

  void Write(const std::string& what, const std::set<uint64_t>& parties) {
    absl::MutexLock lock(&mutex_);
    entries_.push_back(parties.empty() ? what : absl::StrCat(what, " ", *parties.begin()));
  }
  std::vector<std::string> Take() {
    absl::MutexLock lock(&mutex_);
    return std::exchange(entries_, {});
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::string> entries_ ABSL_GUARDED_BY(mutex_);
};

RegisterPartyUpdate Worker(const std::string& name) { return {.party = {.name = name, .instance = "1", .host = "host"}}; }

/// A ledger over a disk that is as slow, and as broken, as the test wants it. The first party has the id 1, and so on.
class LedgerTest : public testing::Test {
 protected:
  LedgerTest() {
    absl::MutexLock lock(&lock_);
    EXPECT_THAT(ledger_.Reload(), IsOk());
    diary_.Take();
  }

  PendingWrite Commit(const std::string& name) {
    absl::MutexLock lock(&lock_);
    return ledger_.Commit(Worker(name));
  }
  size_t NumDecided() {
    absl::MutexLock lock(&lock_);
    return ledger_.decided().parties.size();
  }
  size_t NumSynced() {
    absl::MutexLock lock(&lock_);
    return ledger_.synced().parties.size();
  }
  Lag TakeLag(const DrivenState& driven) {
    absl::MutexLock lock(&lock_);
    return ledger_.TakeLag(driven.generation());
  }

  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<MemoryStore> store_ = MemoryStore::Open(disk_).value();
  GatedStore gated_{store_.get()};
  absl::Mutex lock_;
  Diary diary_;
  FakeClock clock_;
  Ledger ledger_{&gated_, &clock_,
                 [](absl::string_view) -> absl::StatusOr<StoredJob> { return absl::InternalError("there are no searches"); }, &lock_,
                 &diary_};
};

TEST_F(LedgerTest, AChangeIsDecidedAtOnceAndSyncedBeforeAnybodyIsTold) {
  gated_.Shut();
  const PendingWrite write = Commit("a");
  gated_.AwaitWriteAtTheGate();
  EXPECT_EQ(NumDecided(), 1);
  EXPECT_EQ(NumSynced(), 0) << "it is not on the disk yet";
  EXPECT_THAT(diary_.Take(), ElementsAre("decided 1"));
  gated_.Open();
  EXPECT_THAT(write.Await(), IsOk());
  EXPECT_EQ(NumSynced(), 1);
  ledger_.Close();
  EXPECT_THAT(diary_.Take(), ElementsAre("synced 1", "told"));
}

TEST_F(LedgerTest, ARefusalEndsAtOnceAndChangesNothing) {
  gated_.Shut();
  const PendingWrite refused = Commit("");
  EXPECT_THAT(refused.Await(), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(NumDecided(), 0);
  EXPECT_THAT(diary_.Take(), IsEmpty());
  gated_.Open();
  ledger_.Close();
  EXPECT_THAT(gated_.sizes(), IsEmpty());
}

TEST_F(LedgerTest, AllWrittenEndsBehindWhatWasDecidedBeforeItAndWritesNothing) {
  gated_.Shut();
  const PendingWrite change = Commit("a");
  gated_.AwaitWriteAtTheGate();
  absl::Mutex mutex;
  std::optional<size_t> synced_when_told;
  {
    absl::MutexLock lock(&lock_);
    ledger_.WhenWritten([&](const absl::Status& written) {
      EXPECT_THAT(written, IsOk());
      const size_t synced = NumSynced();  // without the lock: it may be taken
      absl::MutexLock guard(&mutex);
      synced_when_told = synced;
    });
  }
  const PendingWrite all = [&] {
    absl::MutexLock lock(&lock_);
    return ledger_.AllWritten();
  }();
  gated_.Open();
  EXPECT_THAT(all.Await(), IsOk());
  absl::MutexLock guard(&mutex);
  EXPECT_EQ(synced_when_told, 1);
  EXPECT_EQ(gated_.sizes().size(), 1);
}

TEST_F(LedgerTest, CallersShareASyncAndChangesAreSyncedInTheOrderOfDecisions) {
  gated_.Shut();
  std::vector<PendingWrite> writes = {Commit("a")};
  gated_.AwaitWriteAtTheGate();
  for (const char* name : {"b", "c", "d"}) writes.push_back(Commit(name));
  diary_.Take();
  gated_.Open();
  for (const PendingWrite& write : writes) EXPECT_THAT(write.Await(), IsOk());
  ledger_.Close();
  EXPECT_EQ(gated_.sizes().size(), 2);
  EXPECT_THAT(diary_.Take(), ElementsAre("synced 1", "told", "synced 2", "synced 3", "synced 4", "told"));
}

TEST_F(LedgerTest, AFailedWriteTakesWhatIsBehindItAlongAndTheStateIsReadBack) {
  ASSERT_THAT(Commit("a").Await(), IsOk());
  gated_.Shut();
  const PendingWrite failed = Commit("b");
  gated_.AwaitWriteAtTheGate();
  const PendingWrite behind = Commit("c");
  EXPECT_EQ(NumDecided(), 3);
  gated_.FailNext(absl::ResourceExhaustedError("the disk is full"));
  gated_.Open();
  EXPECT_THAT(failed.Await(), StatusIs(absl::StatusCode::kResourceExhausted, "the disk is full"));
  EXPECT_THAT(behind.Await(), StatusIs(absl::StatusCode::kResourceExhausted, "the disk is full"));
  EXPECT_EQ(NumDecided(), 1) << "memory knows what the disk knows";
  EXPECT_EQ(NumSynced(), 1);
  {
    absl::MutexLock lock(&lock_);
    EXPECT_EQ(ledger_.generation(), 2);
    EXPECT_THAT(ledger_.last_write(), StatusIs(absl::StatusCode::kResourceExhausted));
    EXPECT_THAT(ledger_.CheckUsable(), IsOk());
  }
  EXPECT_THAT(Commit("b").Await(), IsOk()) << "and goes on from there";
  absl::MutexLock lock(&lock_);
  EXPECT_THAT(ledger_.last_write(), IsOk());
}

TEST_F(LedgerTest, CloseWritesWhatIsQueued) {
  gated_.Shut();
  const PendingWrite write = Commit("a");
  gated_.Open();
  ledger_.Close();
  EXPECT_THAT(write.Await(), IsOk());
  EXPECT_THAT(store_->Load().value(), testing::Not(IsEmpty()));
}

TEST_F(LedgerTest, TheLastWriteMayFailWhileTheLedgerCloses) {
  gated_.Shut();
  gated_.FailNext(absl::UnavailableError("an error of the disk"));
  const PendingWrite write = Commit("a");
  gated_.Open();
  ledger_.Close();
  EXPECT_THAT(write.Await(), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(LedgerTest, ADrivenCopyFollowsByUpdatesAndIsReplacedWhenTheStateWasReadBack) {
  DrivenState driven;
  driven.Follow(TakeLag(driven));
  EXPECT_EQ(driven.generation(), 1);
  ASSERT_THAT(Commit("a").Await(), IsOk());
  EXPECT_THAT(driven.state().parties, IsEmpty()) << "it moves when it is told to";
  Lag lag = TakeLag(driven);
  EXPECT_FALSE(lag.anew.has_value());
  EXPECT_EQ(lag.updates.size(), 1);
  driven.Follow(std::move(lag));
  EXPECT_EQ(driven.state().parties.size(), 1);
  EXPECT_THAT(TakeLag(driven).updates, IsEmpty()) << "what was told is forgotten";
  {
    absl::MutexLock lock(&lock_);
    ASSERT_THAT(ledger_.Reload(), IsOk());
  }
  lag = TakeLag(driven);
  EXPECT_TRUE(lag.anew.has_value());
  driven.Follow(std::move(lag));
  EXPECT_EQ(driven.generation(), 2);
  EXPECT_EQ(driven.state().parties.size(), 1);
}

/// A store that cannot be read while it is told so.
class UnreadableStore : public Store {
 public:
  explicit UnreadableStore(Store* store) : store_(store) {}
  absl::StatusOr<std::vector<StoreRecord>> Load() override {
    return readable ? store_->Load() : absl::DataLossError("an unreadable sector");
  }
  absl::Status Write(const std::vector<StoreChange>& batch) override { return store_->Write(batch); }
  absl::Status Close() override { return store_->Close(); }
  bool readable = true;

 private:
  Store* const store_;
};

TEST(LedgerReadingTest, AStateThatCannotBeReadIsTriedAgainWhenItIsNeeded) {
  const auto store = MemoryStore::Open(std::make_shared<MemoryDisk>()).value();
  UnreadableStore unreadable(store.get());
  absl::Mutex mutex;
  Diary diary;
  FakeClock clock;
  Ledger ledger(&unreadable, &clock, [](absl::string_view) { return absl::InternalError("there are no searches"); }, &mutex, &diary);
  absl::MutexLock lock(&mutex);
  unreadable.readable = false;
  EXPECT_THAT(ledger.Reload(), StatusIs(absl::StatusCode::kDataLoss));
  const absl::Status unusable = ledger.CheckUsable();
  EXPECT_THAT(unusable, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("an unreadable sector")));
  EXPECT_TRUE(HasReason(unusable, kStateUnreadable));
  EXPECT_THAT(diary.Take(), IsEmpty());
  unreadable.readable = true;
  EXPECT_THAT(ledger.CheckUsable(), IsOk());
  EXPECT_THAT(diary.Take(), ElementsAre("read back"));
}

}  // namespace
}  // namespace hanas::coordinator
