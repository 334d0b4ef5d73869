// SPDX-License-Identifier: Apache-2.0
// Many callers, one sync: what is shared, what readers see meanwhile, and what a failed write takes with it.

#include "coordinator/ledger/group_commit.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "coordinator/store/memory_store.h"
#include "tests/app/app_fixture.h"
#include "tests/app/gated_store.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(GroupCommitTest, WhatArrivesDuringASyncSharesTheNextOne) {
  const auto disk = std::make_shared<MemoryDisk>();
  const auto store = MemoryStore::Open(disk).value();
  GatedStore gated(store.get());
  std::vector<size_t> groups;
  std::vector<int> done;
  {
    GroupCommit log(&gated, [&](std::vector<PendingChange>& group, const absl::Status& written) {
      EXPECT_THAT(written, IsOk());
      groups.push_back(group.size());
      for (PendingChange& change : group) change.done(written);
    });
    const auto enqueue = [&](int number) {
      log.Enqueue({{{absl::StrCat("key", number), "value"}}, {}, [&done, number](const absl::Status&) { done.push_back(number); }});
    };
    gated.Shut();
    enqueue(0);
    gated.AwaitWriteAtTheGate();
    for (int number = 1; number <= 8; ++number) enqueue(number);
    EXPECT_THAT(done, IsEmpty()) << "nobody is told before the sync";
    gated.Open();
  }
  EXPECT_THAT(gated.sizes(), ElementsAre(1, 8));
  EXPECT_THAT(groups, ElementsAre(1, 8));
  EXPECT_THAT(done, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8));
}

TEST(GroupCommitTest, WhatIsQueuedBehindAFailedWriteIsThePublishersToFail) {
  const auto disk = std::make_shared<MemoryDisk>();
  const auto store = MemoryStore::Open(disk).value();
  GatedStore gated(store.get());
  std::vector<absl::Status> ended;
  {
    GroupCommit* self = nullptr;
    GroupCommit log(&gated, [&](std::vector<PendingChange>& group, const absl::Status& written) {
      std::vector<PendingChange> behind;
      if (!written.ok()) behind = self->TakeQueued();
      for (auto* changes : {&group, &behind}) {
        for (PendingChange& change : *changes) change.done(written);
      }
    });
    self = &log;
    gated.Shut();
    for (int number = 0; number < 3; ++number) {
      log.Enqueue({{{"key", "value"}}, {}, [&ended](const absl::Status& written) { ended.push_back(written); }});
      gated.AwaitWriteAtTheGate();
    }
    gated.FailNext(absl::ResourceExhaustedError("the disk is full"));
    gated.Open();
  }
  EXPECT_THAT(ended, SizeIs(3));
  EXPECT_THAT(ended, Each(StatusIs(absl::StatusCode::kResourceExhausted)));
  EXPECT_THAT(store->Load().value(), IsEmpty());
}

/// An application over a gated store.
class GatedAppTest : public testing::Test {
 protected:
  GatedAppTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hanas-gated-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    artifacts_ = ArtifactStore::Open(directory_).value();
    app_ = MakeApp();
  }
  ~GatedAppTest() override {
    app_.reset();
    std::filesystem::remove_all(directory_);
  }
  std::unique_ptr<App> MakeApp() {
    return App::Create(&gated_, artifacts_.get(), &clock_, [](absl::string_view) { return TinyJob(); }).value();
  }
  absl::StatusOr<SearchSnapshot> Create(const std::string& request) { return app_->CreateSearch(request, "spec", TinyJob()); }

  std::string directory_;
  FakeClock clock_;
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<MemoryStore> store_ = MemoryStore::Open(disk_).value();
  GatedStore gated_{store_.get()};
  std::unique_ptr<ArtifactStore> artifacts_;
  std::unique_ptr<App> app_;
};

TEST_F(GatedAppTest, ReadersNeitherWaitForASyncNorSeeWhatIsNotSynced) {
  ASSERT_THAT(Create("first"), IsOk());
  gated_.Shut();
  std::thread creating([&] { EXPECT_THAT(Create("second"), IsOk()); });
  gated_.AwaitWriteAtTheGate();
  // The write stands still; the calls below return all the same.
  EXPECT_THAT(*app_->ListSearches(), SizeIs(1));
  EXPECT_THAT(app_->GetSearch(2), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(app_->ReadEvents(1, 0, 100)->events, SizeIs(1));
  gated_.Open();
  creating.join();
  EXPECT_THAT(app_->GetSearch(2), IsOk());
}

TEST_F(GatedAppTest, RepeatedRequestIsAnsweredWhenTheFirstOneIsSynced) {
  gated_.Shut();
  std::thread first([&] { EXPECT_EQ(Create("request")->record.id, 1); });
  gated_.AwaitWriteAtTheGate();
  std::atomic<bool> answered = false;
  std::thread second([&] {
    EXPECT_EQ(Create("request")->record.id, 1);
    answered = true;
  });
  EXPECT_FALSE(answered);
  gated_.Open();
  first.join();
  second.join();
  EXPECT_EQ(disk_->num_writes(), 1);
}

TEST_F(GatedAppTest, FailedWriteLeavesNothingBehindInMemory) {
  const uint64_t worker = app_->Register({.name = "w", .instance = "1", .host = "h", .datasets = {"fake"}})->id;
  gated_.Shut();
  std::vector<std::thread> threads;
  std::vector<absl::Status> results(8);
  for (size_t i = 0; i < results.size(); ++i) threads.emplace_back([&, i] { results[i] = Create(absl::StrCat("request-", i)).status(); });
  gated_.AwaitWriteAtTheGate();
  gated_.FailNext(absl::ResourceExhaustedError("the disk is full"));
  gated_.Open();
  for (std::thread& thread : threads) thread.join();
  // Who came before the failure was read back failed with it; who came after is there.
  size_t created = 0;
  for (const absl::Status& result : results) {
    if (result.ok()) {
      ++created;
    } else {
      EXPECT_THAT(result, StatusIs(absl::StatusCode::kResourceExhausted, "the disk is full"));
    }
  }
  EXPECT_LT(created, results.size());
  EXPECT_THAT(*app_->ListSearches(), SizeIs(created));
  EXPECT_THAT(app_->LeaseTask(worker, "1", absl::ZeroDuration()), IsOk()) << "what was written before is still there";
  for (size_t i = 0; i < results.size(); ++i) EXPECT_THAT(Create(absl::StrCat("request-", i)), IsOk());
  EXPECT_THAT(*app_->ListSearches(), SizeIs(results.size()));
}

TEST_F(GatedAppTest, ManyCallersOverADiskThatFailsNowAndThenLoseNothingAcknowledged) {
  constexpr int kThreads = 8;
  constexpr int kRequests = 50;
  absl::Mutex mutex;
  std::set<std::string> acknowledged;
  std::atomic<bool> working = true;
  std::thread faults([&] {
    for (int i = 0; working; ++i) {
      // One in four fails; of those every other is there all the same.
      disk_->FailNextWrite(i % 4 == 0 ? absl::UnavailableError("an error of the disk") : absl::OkStatus(), /*applied=*/i % 8 == 0);
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kRequests; ++i) {
        const std::string request = absl::StrCat(thread, "/", i);
        if (!Create(request).ok()) continue;
        absl::MutexLock lock(&mutex);
        acknowledged.insert(request);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  working = false;
  faults.join();
  disk_->FailNextWrite(absl::OkStatus());
  const auto requests = [&] {
    std::set<std::string> found;
    const std::vector<SearchSnapshot> all = app_->ListSearches().value();
    for (const SearchSnapshot& search : all) found.insert(search.record.request_id);
    return found;
  };
  EXPECT_THAT(acknowledged, testing::Not(IsEmpty()));
  const std::set<std::string> in_memory = requests();
  EXPECT_THAT(in_memory, testing::IsSupersetOf(acknowledged));
  app_.reset();
  app_ = MakeApp();
  EXPECT_EQ(requests(), in_memory) << "memory knew what the disk knows";
}

std::optional<TaskSnapshot> FindTask(App& app, uint64_t search, const std::string& key) {
  const TaskPage page = app.ListTasks(search, 0, 100000).value();
  const auto task = std::find_if(page.tasks.begin(), page.tasks.end(), [&](const TaskSnapshot& t) { return t.task.key == key; });
  return task == page.tasks.end() ? std::nullopt : std::optional(*task);
}

TEST(DrivingTest, RenewalsDoNotWaitForAStepThatComputes) {
  SearchJob job = TinyJob();
  job.evolution.surrogate_evaluations = 200'000;
  AppHarness harness(job);
  const uint64_t worker = harness.AddWorker("a", "i", "host-a");
  const uint64_t other = harness.AddWorker("b", "i", "host-b");
  const uint64_t agent = harness.AddAgent("i", "host-c");
  const uint64_t search = harness.Submit();
  const auto work = [&](uint64_t party) {
    const std::optional<GrantedTask> granted = harness.Lease(party, "i");
    if (granted.has_value()) {
      EXPECT_THAT(harness.Complete(*granted), IsOk());
    }
  };
  // The first search stays in training, whose task `other` holds; the second one goes on to its rounds.
  std::optional<GrantedTask> held;
  for (int turn = 0; turn < 100 && !held.has_value(); ++turn) {
    ASSERT_THAT(harness.app().RunOnce(), IsOk());
    work(agent);
    held = harness.Lease(other, "i");
  }
  ASSERT_TRUE(held.has_value());
  ASSERT_EQ(held->task.search, search);
  SearchJob unrelated = job;
  unrelated.seed = 99;  // another supernet, so that it does not wait for the task that is held
  const uint64_t second = harness.app().CreateSearch("second", "spec", unrelated)->record.id;
  const auto sampled = [&] {
    const std::optional<TaskSnapshot> fit = FindTask(harness.app(), second, "sample/predictor");
    return fit.has_value() && fit->task.state == TaskState::kDone;
  };
  for (int turn = 0; turn < 1000 && !sampled(); ++turn) {
    ASSERT_THAT(harness.app().RunOnce(), IsOk());
    work(worker);
    work(agent);
  }
  ASSERT_TRUE(sampled());
  std::atomic<bool> stepped = false;
  std::thread stepping([&] {
    EXPECT_THAT(harness.app().RunOnce(), IsOk());
    stepped = true;
  });
  int64_t renewed = 0;
  while (!stepped) {
    EXPECT_THAT(harness.app().Renew({AppHarness::HolderOf(*held), renewed, 1'000'000'000, "", false}), IsOk());
    ++renewed;
  }
  stepping.join();
  EXPECT_GT(renewed, 100) << "proposing a round from 200 000 candidates leaves time for many";
}

}  // namespace
}  // namespace hanas::coordinator
