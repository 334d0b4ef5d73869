// SPDX-License-Identifier: Apache-2.0
// What the application says about itself: gauges that follow its state, counters of what happens to leases.
#include <atomic>
#include <map>
#include <string>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "coordinator/app/loop.h"
#include "coordinator/store/measured_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/app/app_fixture.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using telemetry::Metric;
using ::testing::HasSubstr;

/// Keeps the numbers, by metric and labels: "hanas_leases_total granted train".
class RecordedMetrics : public telemetry::Metrics {
 public:
  void Add(Metric metric, Labels labels, double amount) override { At(metric, labels) += amount; }
  void Set(Metric metric, Labels labels, double value) override { At(metric, labels) = value; }
  void Observe(Metric metric, Labels labels, double) override { ++At(metric, labels); }
  double operator[](const std::string& key) {
    absl::MutexLock lock(&mutex_);
    return values_[key];
  }

 private:
  double& At(Metric metric, Labels labels) {
    absl::MutexLock lock(&mutex_);
    return values_[absl::StrCat(telemetry::SpecOf(metric).name, labels.size() == 0 ? "" : " ", absl::StrJoin(labels, " "))];
  }

  absl::Mutex mutex_;
  std::map<std::string, double> values_;
};

/// An application that records, over a disk that outlives it.
class AppMetricsTest : public ::testing::Test {
 protected:
  AppMetricsTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hanas-metrics-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    artifacts_ = ArtifactStore::Open(directory_).value();
    Reopen();
  }
  ~AppMetricsTest() override {
    app_.reset();
    std::filesystem::remove_all(directory_);
  }
  void Reopen() {
    app_.reset();
    store_.reset();
    memory_.reset();
    memory_ = MemoryStore::Open(disk_).value();
    store_ = std::make_unique<MeasuredStore>(memory_.get(), &clock_, &metrics_);
    app_ = App::Create(store_.get(), artifacts_.get(), &clock_, [](absl::string_view) { return TinyJob(); },
                       {.lease_ttl = absl::Seconds(15), .metrics = &metrics_})
               .value();
  }
  void Refresh() {
    ASSERT_TRUE(app_->RunOnce().ok());
    app_->RecordGauges(metrics_);
  }

  std::string directory_;
  RecordedMetrics metrics_;
  FakeClock clock_;
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<MemoryStore> memory_;
  std::unique_ptr<ArtifactStore> artifacts_;
  std::unique_ptr<MeasuredStore> store_;
  std::unique_ptr<App> app_;
};

/// A disk that stops answering.
class StuckStore : public Store {
 public:
  explicit StuckStore(Store* store) : store_(store) {}
  absl::StatusOr<std::vector<StoreRecord>> Load() override { return store_->Load(); }
  absl::Status Write(const std::vector<StoreChange>& batch) override {
    if (stuck_) {
      reached_.Notify();
      released_.WaitForNotification();
      stuck_ = false;
    }
    return store_->Write(batch);
  }
  absl::Status Close() override { return store_->Close(); }

  void Stick() { stuck_ = true; }
  void AwaitStuck() { reached_.WaitForNotification(); }
  void Release() { released_.Notify(); }

 private:
  Store* const store_;
  std::atomic<bool> stuck_ = false;
  absl::Notification reached_;
  absl::Notification released_;
};

TEST_F(AppMetricsTest, ALoopThatIsStuckIsNotReady) {
  StuckStore store(memory_.get());
  const std::unique_ptr<App> app =
      App::Create(&store, artifacts_.get(), &clock_, [](absl::string_view) { return TinyJob(); }, {.metrics = &metrics_}).value();
  ASSERT_TRUE(
      app->Register(
             {.agent = true, .name = "local", .instance = "a", .host = "h", .device = {.device = "local"}, .caps = FakeEvaluator::Caps()})
          .ok());
  ASSERT_TRUE(app->CreateSearch("request", "spec", TinyJob()).ok());
  store.Stick();
  Loop loop(app.get(), &clock_, &metrics_);
  loop.Start();
  store.AwaitStuck();  // in the first step of the search
  EXPECT_THAT(loop.ready(), IsOk());
  clock_.Advance(kWedgedAfter + absl::Seconds(1));
  EXPECT_THAT(loop.ready(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("has not moved for 11s")));
  store.Release();
  app->Stop();
  loop.Stop();
  EXPECT_THAT(loop.ready(), IsOk());
}

TEST_F(AppMetricsTest, GaugesFollowASearchAndItsLease) {
  ASSERT_TRUE(app_->CreateSearch("request", "spec", TinyJob()).ok());
  const PartyRecord agent = *app_->Register(
      {.agent = true, .name = "local", .instance = "a", .host = "host", .device = {.device = "local"}, .caps = FakeEvaluator::Caps()});
  Refresh();
  EXPECT_EQ(metrics_["hanas_searches profiling"], 1);
  EXPECT_EQ(metrics_["hanas_searches pending"], 0);
  EXPECT_EQ(metrics_["hanas_parties device idle"], 1);
  const double ready = metrics_["hanas_tasks measure_operators ready"];
  ASSERT_GT(ready, 0);
  clock_.Advance(absl::Seconds(4));
  Refresh();
  EXPECT_EQ(metrics_["hanas_oldest_ready_task_seconds"], 4);

  const std::optional<GrantedTask> granted = *app_->LeaseTask(agent.id, "a", absl::ZeroDuration());
  ASSERT_TRUE(granted.has_value());
  Refresh();
  EXPECT_EQ(metrics_["hanas_tasks measure_operators leased"], 1);
  EXPECT_EQ(metrics_["hanas_tasks measure_operators ready"], ready - 1);
  EXPECT_EQ(metrics_["hanas_parties device working"], 1);
  EXPECT_EQ(metrics_["hanas_leases_total granted measure_operators"], 1);

  // Memory is counted anew after a restart.
  Reopen();
  Refresh();
  EXPECT_EQ(metrics_["hanas_tasks measure_operators leased"], 1);
  EXPECT_EQ(metrics_["hanas_searches profiling"], 1);
}

TEST_F(AppMetricsTest, WhatHappensToALeaseIsCounted) {
  ASSERT_TRUE(app_->CreateSearch("request", "spec", TinyJob()).ok());
  const uint64_t agent = app_->Register({.agent = true,
                                         .name = "local",
                                         .instance = "a",
                                         .host = "host",
                                         .device = {.device = "local"},
                                         .caps = FakeEvaluator::Caps()})
                             ->id;
  Refresh();
  const auto lease = [&] { return **app_->LeaseTask(agent, "a", absl::ZeroDuration()); };
  const auto holder = [](const GrantedTask& granted) {
    return Holder{granted.task.party, granted.task.instance, granted.task.id, granted.task.fencing_token};
  };
  const GrantedTask first = lease();
  ASSERT_TRUE(app_->Renew({.holder = holder(first)}).ok());
  EXPECT_EQ(metrics_["hanas_leases_total renewed measure_operators"], 1);
  clock_.Advance(absl::Seconds(16));
  Refresh();
  EXPECT_EQ(metrics_["hanas_leases_total expired measure_operators"], 1);
  EXPECT_FALSE(app_->Renew({.holder = holder(first)}).ok());
  EXPECT_EQ(metrics_["hanas_leases_total stale measure_operators"], 1);
  ASSERT_TRUE(app_->Fail(holder(lease()), "HANDED_BACK", "drained", true).ok());
  EXPECT_EQ(metrics_["hanas_leases_total handed_back measure_operators"], 1);
  ASSERT_TRUE(app_->Fail(holder(lease()), "MEASURE_CRASHED", "signal 11", true).ok());
  EXPECT_EQ(metrics_["hanas_leases_total failed measure_operators"], 1);
  EXPECT_GE(metrics_["hanas_store_write_seconds ok"], 6);
}

}  // namespace
}  // namespace hanas::coordinator
