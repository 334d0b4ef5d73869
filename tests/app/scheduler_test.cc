// SPDX-License-Identifier: Apache-2.0
// Who gets which work: the rules one at a time, then random histories against what must always hold.

#include "coordinator/scheduling/scheduler.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "coordinator/driver/step_builder.h"
#include "core/base/counter_random.h"
#include "tests/app/app_fixture.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::testing::UnorderedElementsAre;

/// A state that is changed by updates alone, followed by a scheduler, at a time that the test moves.
class Farm {
 public:
  uint64_t Register(PartyRecord party) {
    const bool agent = party.agent;
    const std::string name = party.name;
    Apply(RegisterPartyUpdate{.party = std::move(party)});
    const uint64_t id = FindPartyId(state_, agent, name);
    scheduler_.Heard(id, now_);
    return id;
  }
  uint64_t AddWorker(const std::string& name, const std::string& host, std::vector<std::string> datasets = {"fake"}) {
    return Register({.name = name, .instance = "1", .host = host, .datasets = std::move(datasets)});
  }
  uint64_t AddAgent(const std::string& name, const std::string& host, const std::string& cpu = "cpu") {
    return Register({.agent = true,
                     .name = name,
                     .instance = "1",
                     .host = host,
                     .device = {.device = name, .cpu = cpu},
                     .caps = FakeEvaluator::Caps()});
  }
  /// A search that is bound to a device of `cpu` and has reached TRAINING.
  uint64_t AddSearch(const std::string& agent = "device", const std::string& cpu = "cpu", const std::string& dataset = "fake",
                     int shards = 1) {
    SearchJob job = TinyJob();
    job.training.shards = shards;
    job.dataset.directory = dataset;
    Apply(CreateSearchUpdate{.spec = "spec", .job = std::make_shared<const SearchJob>(job), .digests = DigestsOf(job)});
    const uint64_t id = state_.searches.rbegin()->first;
    AdvanceSearchUpdate bind = StepOf(SearchView(state_, state_.searches.at(id)));
    bind.next = SearchPhase::kTraining;
    bind.bindings = {{.agent = agent, .device = {.device = agent, .cpu = cpu}, .caps = FakeEvaluator::Caps()}};
    Apply(bind);
    return id;
  }
  uint64_t AddTask(uint64_t search, const Work& work) {
    AdvanceSearchUpdate step = StepOf(SearchView(state_, state_.searches.at(search)));
    step.tasks.emplace_back(absl::StrCat("task/", state_.counter), work);
    Apply(step);
    return state_.tasks.rbegin()->first;
  }
  /// The task granted, 0: none.
  uint64_t Lease(uint64_t party) {
    scheduler_.Heard(party, now_);
    const uint64_t task = scheduler_.Choose(party, now_);
    if (task != 0) Apply(GrantLeaseUpdate{task, party});
    return task;
  }
  Scheduler::Answer Renew(uint64_t task, int64_t done = 0, bool paused = false) {
    return scheduler_.Renew(task, {.done = done, .paused = paused}, now_);
  }
  Holder HolderOf(uint64_t task) const {
    const TaskRecord& record = state_.tasks.at(task);
    return {record.party, record.instance, task, record.fencing_token};
  }
  /// By a failure that is final: the shortest way to be done with it.
  void Finish(uint64_t task) { Apply(FailTaskUpdate{HolderOf(task), "DONE", "", /*retryable=*/false}); }
  void HandBack(uint64_t task) { Apply(FailTaskUpdate{HolderOf(task), "HANDED_BACK", "", true, /*counts=*/false}); }
  void ExpireOverdue() {
    for (const ExpireLeaseUpdate& update : scheduler_.Overdue(now_)) Apply(update);
  }

  template <typename Update>
  void Apply(const Update& update) {
    ASSERT_THAT(update.Check(state_), IsOk());
    Changes changes;
    update.Apply(state_, changes);
    scheduler_.Follow(changes, now_);
  }
  void Advance(absl::Duration by) { now_ += by; }

  State& state() { return state_; }
  Scheduler& scheduler() { return scheduler_; }
  absl::Duration now() const { return now_; }

 private:
  absl::Duration now_ = absl::Seconds(1000);
  State state_;
  Scheduler scheduler_{&state_, absl::Seconds(15)};
};

TEST(SchedulerTest, OldestTaskOfTheLeastServedSearchFirst) {
  Farm farm;
  const uint64_t worker = farm.AddWorker("w", "host");
  const uint64_t first = farm.AddSearch();
  const uint64_t second = farm.AddSearch();
  for (int i = 0; i < 4; ++i) farm.AddTask(first, TrainWork{});
  for (int i = 0; i < 4; ++i) farm.AddTask(second, TrainWork{});
  // Tasks of the first take 5 s each, those of the second 20 s.
  std::map<uint64_t, absl::Duration> served;
  std::vector<uint64_t> order;
  for (int i = 0; i < 5; ++i) {
    const uint64_t task = farm.Lease(worker);
    const uint64_t search = farm.state().tasks.at(task).search;
    order.push_back(search);
    farm.Advance(absl::Seconds(search == first ? 5 : 20));
    farm.Finish(task);
  }
  EXPECT_THAT(order, testing::ElementsAre(first, second, first, first, first));
  EXPECT_EQ(farm.scheduler().Served(first, false), 20);
  EXPECT_EQ(farm.scheduler().Served(second, false), 20);
}

TEST(SchedulerTest, LeasesAtWorkCountFromTheirGrant) {
  Farm farm;
  const uint64_t first = farm.AddSearch();
  const uint64_t second = farm.AddSearch();
  for (int i = 0; i < 4; ++i) farm.AddTask(first, TrainWork{});
  for (int i = 0; i < 4; ++i) farm.AddTask(second, TrainWork{});
  std::map<uint64_t, int> leased;
  for (const char* name : {"a", "b", "c", "d"}) ++leased[farm.state().tasks.at(farm.Lease(farm.AddWorker(name, name))).search];
  EXPECT_THAT(leased, UnorderedElementsAre(testing::Pair(first, 2), testing::Pair(second, 2)));
}

TEST(SchedulerTest, ABatchInShardsWaitsUntilItsHostHasACoreForEach) {
  Farm farm;
  const uint64_t search = farm.AddSearch("device", "cpu", "fake", /*shards=*/2);
  const uint64_t fine_tuning = farm.AddTask(search, TrainWork{.kind = TrainingKind::kFineTune});
  const uint64_t supernet = farm.AddTask(search, TrainWork{});
  const uint64_t first_final = farm.AddTask(search, TrainWork{.kind = TrainingKind::kFinal});
  const uint64_t second_final = farm.AddTask(search, TrainWork{.kind = TrainingKind::kFinal});
  const uint64_t evaluation = farm.AddTask(search, EvaluateWork{});
  const uint64_t a = farm.AddWorker("a", "host");
  const uint64_t b = farm.AddWorker("b", "host");
  const uint64_t elsewhere = farm.AddWorker("c", "another host");
  EXPECT_EQ(farm.Lease(a), fine_tuning);
  EXPECT_EQ(farm.Lease(b), 0) << "one of two cores is free, and what comes later does not pass by";
  EXPECT_EQ(farm.Lease(elsewhere), supernet) << "nothing else computes there, and more cores are not to come";
  farm.Finish(fine_tuning);
  EXPECT_EQ(farm.Lease(a), first_final);
  EXPECT_EQ(farm.Lease(b), 0);
  farm.Renew(first_final, 0, /*paused=*/true);
  EXPECT_EQ(farm.Lease(b), 0) << "it will go on";
  farm.Finish(first_final);
  EXPECT_EQ(farm.Lease(b), second_final);
  EXPECT_EQ(farm.Lease(a), 0);
  farm.Finish(second_final);
  EXPECT_EQ(farm.Lease(a), evaluation);
}

TEST(SchedulerTest, AHostHasAsManyCoresAsTheThreadsOfItsWorkersThatAreHeard) {
  Farm farm;
  const uint64_t search = farm.AddSearch("device", "cpu", "fake", /*shards=*/2);
  for (int i = 0; i < 3; ++i) farm.AddTask(search, TrainWork{.kind = TrainingKind::kFinal});
  const uint64_t many = farm.Register({.name = "many", .instance = "1", .host = "host", .threads = 4, .datasets = {"fake"}});
  const uint64_t one = farm.Register({.name = "one", .instance = "1", .host = "host", .threads = 1, .datasets = {"fake"}});
  const uint64_t other = farm.Register({.name = "other", .instance = "1", .host = "host", .threads = 1, .datasets = {"fake"}});
  EXPECT_NE(farm.Lease(many), 0);
  const uint64_t beside = farm.Lease(one);
  EXPECT_NE(beside, 0) << "the worker's own four threads compute its task, and two cores are left";
  EXPECT_EQ(farm.Lease(other), 0);
  farm.Finish(beside);
  farm.Advance(kAbsentAfter + absl::Seconds(1));
  EXPECT_EQ(farm.Lease(one), 0) << "of the silent ones it is not known whether they are there";
}

TEST(SchedulerTest, WaitingEarnsNoCredit) {
  Farm farm;
  const uint64_t worker = farm.AddWorker("w", "host");
  const uint64_t first = farm.AddSearch();
  for (int i = 0; i < 10; ++i) farm.AddTask(first, TrainWork{});
  for (int i = 0; i < 5; ++i) {
    const uint64_t task = farm.Lease(worker);
    farm.Advance(absl::Seconds(100));
    farm.Finish(task);
  }
  // A search that comes later does not get the next 500 seconds alone.
  const uint64_t late = farm.AddSearch();
  for (int i = 0; i < 10; ++i) farm.AddTask(late, TrainWork{});
  std::map<uint64_t, int> leased;
  for (int i = 0; i < 4; ++i) {
    const uint64_t task = farm.Lease(worker);
    ++leased[farm.state().tasks.at(task).search];
    farm.Advance(absl::Seconds(100));
    farm.Finish(task);
  }
  EXPECT_EQ(leased[first], 2);
  EXPECT_EQ(leased[late], 2);
}

TEST(SchedulerTest, WorkerWithoutTheDataIsNotLeasedWhatNeedsIt) {
  Farm farm;
  const uint64_t search = farm.AddSearch("device", "cpu", "sets/flowers");
  const uint64_t training = farm.AddTask(search, TrainWork{});
  const uint64_t fit = farm.AddTask(search, FitWork{});
  EXPECT_EQ(farm.Lease(farm.AddWorker("none", "a", {})), fit) << "fitting a predictor takes features only";
  EXPECT_EQ(farm.Lease(farm.AddWorker("other", "b", {"fruit"})), 0);
  EXPECT_EQ(farm.Lease(farm.AddWorker("holder", "c", {"fruit", "sets"})), training);
}

TEST(SchedulerTest, OtherFilesUnderTheSameNameAreOtherData) {
  Farm farm;
  const uint64_t search = farm.AddSearch("device", "cpu", "flowers");
  const auto add = [&](const std::string& name, std::vector<std::string> digests) {
    return farm.Register(
        {.name = name, .instance = "1", .host = name, .datasets = {"flowers", "fruit"}, .dataset_digests = std::move(digests)});
  };
  const uint64_t first = farm.AddTask(search, TrainWork{});
  const uint64_t others = add("others", {"roses", "tulips"});
  EXPECT_EQ(farm.Lease(others), first) << "nothing was trained yet, so any files will do";
  farm.Finish(first);

  farm.state().searches.at(search).record.dataset_files = "tulips";
  const uint64_t second = farm.AddTask(search, EvaluateWork{});
  EXPECT_EQ(farm.Lease(others), 0) << "its tulips are fruit";
  EXPECT_EQ(farm.Lease(add("same", {"tulips", ""})), second);
  // What is not known is left to the worker, which compares when it has read the files.
  const uint64_t third = farm.AddTask(search, EvaluateWork{});
  EXPECT_EQ(farm.Lease(add("large", {"", "apples"})), third);
  const uint64_t fourth = farm.AddTask(search, EvaluateWork{});
  EXPECT_EQ(farm.Lease(add("older", {})), fourth);
}

TEST(SchedulerTest, TwinsShareOperatorsAndNotNetworks) {
  Farm farm;
  const uint64_t device = farm.AddAgent("device", "a");
  const uint64_t twin = farm.AddAgent("twin", "b");
  const uint64_t stranger = farm.AddAgent("stranger", "c", "another cpu");
  const uint64_t search = farm.AddSearch();
  const uint64_t network = farm.AddTask(search, MeasureNetworksWork{});
  const uint64_t operators = farm.AddTask(search, MeasureOperatorsWork{});
  EXPECT_EQ(farm.Lease(stranger), 0) << "its table is another";
  EXPECT_EQ(farm.Lease(twin), operators);
  EXPECT_EQ(farm.Lease(device), network);
}

TEST(SchedulerTest, QuarantinedDeviceLeavesOperatorsToAHealthierTwin) {
  Farm farm;
  const uint64_t device = farm.AddAgent("device", "a");
  const uint64_t twin = farm.AddAgent("twin", "b");
  const uint64_t search = farm.AddSearch();
  const uint64_t operators = farm.AddTask(search, MeasureOperatorsWork{});
  farm.state().parties.at(device).health = DeviceHealth::kQuarantined;
  EXPECT_EQ(farm.Lease(device), 0);
  farm.Apply(SetDrainUpdate{true, twin, true});
  EXPECT_EQ(farm.Lease(device), operators) << "nobody else is left to do it";
}

TEST(SchedulerTest, DrainingPartyHandsBackAndGetsNothing) {
  Farm farm;
  const uint64_t worker = farm.AddWorker("w", "host");
  const uint64_t search = farm.AddSearch();
  const uint64_t task = farm.AddTask(search, TrainWork{});
  ASSERT_EQ(farm.Lease(worker), task);
  EXPECT_EQ(farm.Renew(task).instruction, LeaseInstruction::kContinue);
  farm.Apply(SetDrainUpdate{false, worker, true});
  EXPECT_EQ(farm.Renew(task).instruction, LeaseInstruction::kHandBack);
  farm.HandBack(task);
  EXPECT_EQ(farm.Lease(worker), 0);
  farm.Apply(SetDrainUpdate{false, worker, false});
  EXPECT_EQ(farm.Lease(worker), task);
}

TEST(SchedulerTest, MeasuringWaitsUntilEveryWorkerOfTheHostPaused) {
  Farm farm;
  const uint64_t search = farm.AddSearch();
  const uint64_t agent = farm.AddAgent("device", "host");
  std::vector<uint64_t> tasks;
  for (const char* name : {"a", "b", "c"}) {
    farm.AddTask(search, TrainWork{});
    tasks.push_back(farm.Lease(farm.AddWorker(name, "host")));
  }
  const uint64_t measuring = farm.AddTask(search, MeasureOperatorsWork{});
  for (const uint64_t task : tasks) {
    EXPECT_EQ(farm.Lease(agent), 0) << "task " << task << " still computes";
    EXPECT_EQ(farm.Renew(task).instruction, LeaseInstruction::kPause);
    EXPECT_TRUE(farm.Renew(task, 0, /*paused=*/true).unblocked);
  }
  EXPECT_EQ(farm.Lease(agent), measuring);
  farm.AddTask(search, TrainWork{});
  EXPECT_EQ(farm.Lease(farm.AddWorker("d", "host")), 0) << "nothing begins while the host measures";
  EXPECT_EQ(farm.Renew(tasks[0], 0, true).instruction, LeaseInstruction::kPause);
  farm.Finish(measuring);
  EXPECT_EQ(farm.Renew(tasks[0], 0, true).instruction, LeaseInstruction::kContinue);
  // It computes from the moment it is told to, not from when it says so.
  farm.AddTask(search, MeasureOperatorsWork{});
  EXPECT_EQ(farm.Lease(agent), 0);
}

TEST(SchedulerTest, AbsentAgentKeepsNoHostFree) {
  Farm farm;
  const uint64_t search = farm.AddSearch();
  const uint64_t worker = farm.AddWorker("w", "host");
  const uint64_t agent = farm.AddAgent("device", "host");
  farm.AddTask(search, MeasureOperatorsWork{});
  const uint64_t training = farm.AddTask(search, TrainWork{});
  EXPECT_EQ(farm.Lease(worker), 0);
  // One that waits for work is heard of all the time.
  farm.scheduler().BeginWaiting(agent);
  farm.Advance(kAbsentAfter + absl::Seconds(1));
  EXPECT_EQ(farm.Lease(worker), 0);
  farm.scheduler().EndWaiting(agent, farm.now());
  farm.Advance(kAbsentAfter + absl::Seconds(1));
  EXPECT_EQ(farm.Lease(worker), training);
}

TEST(SchedulerTest, HolderWithoutProgressLosesItsLeaseAndItCounts) {
  Farm farm;
  const uint64_t worker = farm.AddWorker("w", "host");
  const uint64_t search = farm.AddSearch();
  const uint64_t task = farm.AddTask(search, TrainWork{});
  farm.Lease(worker);
  const auto renew_for = [&](absl::Duration time, int64_t done) {
    for (absl::Duration passed; passed < time && farm.state().tasks.at(task).state == TaskState::kLeased; passed += absl::Seconds(5)) {
      farm.Renew(task, done);
      farm.Advance(absl::Seconds(5));
      farm.ExpireOverdue();
    }
  };
  renew_for(absl::Minutes(9), 1);
  renew_for(absl::Minutes(9), 2);
  EXPECT_EQ(farm.state().tasks.at(task).state, TaskState::kLeased) << "it moved on in time";
  renew_for(absl::Minutes(11), 2);
  EXPECT_EQ(farm.state().tasks.at(task).state, TaskState::kReady);
  EXPECT_EQ(farm.state().tasks.at(task).failures, 1);
  EXPECT_EQ(farm.state().tasks.at(task).error_code, "HOLDER_STUCK");
}

TEST(SchedulerTest, PausingIsNotBeingStuck) {
  Farm farm;
  const uint64_t search = farm.AddSearch();
  const uint64_t training = farm.AddTask(search, TrainWork{});
  farm.Lease(farm.AddWorker("w", "host"));
  const uint64_t agent = farm.AddAgent("device", "host");
  const uint64_t measuring = farm.AddTask(search, MeasureOperatorsWork{});
  farm.Renew(training, 1, /*paused=*/true);
  farm.Renew(training, 1, /*paused=*/true);
  ASSERT_EQ(farm.Lease(agent), measuring);
  for (int i = 0; i < 400; ++i) {
    farm.Advance(absl::Seconds(5));
    farm.Renew(training, 1, /*paused=*/true);
    farm.Renew(measuring, i);
    farm.ExpireOverdue();
  }
  EXPECT_EQ(farm.state().tasks.at(training).state, TaskState::kLeased);
}

TEST(SchedulerTest, HolderThatIgnoresAHandBackLosesItsLeaseAndItDoesNotCount) {
  Farm farm;
  const uint64_t worker = farm.AddWorker("w", "host");
  const uint64_t search = farm.AddSearch();
  const uint64_t task = farm.AddTask(search, TrainWork{});
  farm.Lease(worker);
  farm.Apply(SetDrainUpdate{false, worker, true});
  int64_t renewals = 0;
  while (farm.state().tasks.at(task).state == TaskState::kLeased && renewals < 100) {
    farm.Renew(task, ++renewals);
    farm.Advance(absl::Seconds(5));
    farm.ExpireOverdue();
  }
  EXPECT_EQ(renewals, kIgnoredAfter / absl::Seconds(5));
  EXPECT_EQ(farm.state().tasks.at(task).state, TaskState::kReady);
  EXPECT_EQ(farm.state().tasks.at(task).failures, 0);
}

TEST(SchedulerTest, WhatIsDoneCostsNothing) {
  // Choosing looks at no task that is over: the time of a choice is the same beside 20 tasks and beside 20 000.
  Farm farm;
  const uint64_t worker = farm.AddWorker("w", "host");
  const uint64_t search = farm.AddSearch();
  const auto choose = [&](int times) {
    const std::clock_t begin = std::clock();
    for (int i = 0; i < times; ++i) EXPECT_NE(farm.scheduler().Choose(worker, farm.now()), 0);
    return std::clock() - begin;
  };
  farm.AddTask(search, TrainWork{});
  choose(1000);
  const std::clock_t before = choose(20000);
  AdvanceSearchUpdate step = StepOf(SearchView(farm.state(), farm.state().searches.at(search)));
  for (int i = 0; i < 20000; ++i) step.tasks.emplace_back(absl::StrCat("old/", i), FitWork{});
  farm.Apply(step);
  for (auto& [id, task] : farm.state().tasks) {
    if (std::holds_alternative<FitWork>(task.work)) task.state = TaskState::kCancelled;
  }
  farm.scheduler().Rebuild(farm.now());
  farm.scheduler().Heard(worker, farm.now());
  EXPECT_LT(choose(20000), 20 * before + CLOCKS_PER_SEC / 20);
}

// ---- random histories ----

/// Checks after every event, drawn from `seed`, what must always hold.
class History {
 public:
  explicit History(uint64_t seed) : seed_(seed) {
    for (const char* host : {"h1", "h2", "h3"}) {
      for (int i = 0; i < 2; ++i) parties_.push_back(farm_.AddWorker(absl::StrCat(host, "-w", i), host));
      parties_.push_back(farm_.AddAgent(absl::StrCat(host, "-d"), host));
    }
    for (int i = 0; i < 3; ++i) searches_.push_back(farm_.AddSearch("h1-d"));
  }

  void Step() {
    CounterRandom random(seed_, "test/history", event_++);
    const uint64_t party = parties_[random.UniformInt(parties_.size())];
    const uint64_t held = farm_.scheduler().HeldBy(party);
    farm_.Advance(absl::Milliseconds(100 + 100 * random.UniformInt(50)));
    switch (random.UniformInt(8)) {
      case 0:
      case 1:
        AddTask(searches_[random.UniformInt(searches_.size())], random.UniformInt(4));
        break;
      case 2:
      case 3:
        if (held == 0) Granted(farm_.Lease(party));
        break;
      case 4:
        if (held != 0) farm_.Finish(held);
        break;
      case 5:
        if (held != 0) farm_.HandBack(held);
        break;
      case 6:
        RenewAll(random);
        break;
      default:
        if (random.Bernoulli(0.1)) farm_.Apply(SetDrainUpdate{farm_.state().parties.at(party).agent, party, random.Bernoulli(0.3)});
        if (random.Bernoulli(0.2)) farm_.ExpireOverdue();
    }
    Check();
  }

 private:
  void AddTask(uint64_t search, uint64_t kind) {
    const Work works[] = {TrainWork{}, FitWork{}, MeasureOperatorsWork{}, MeasureNetworksWork{}};
    farm_.AddTask(search, works[kind]);
  }
  void RenewAll(CounterRandom& random) {
    std::vector<uint64_t> leased;
    for (const auto& [task, lease] : farm_.scheduler().leases()) leased.push_back(task);
    for (const uint64_t task : leased) {
      const bool paused = farm_.scheduler().FindLease(task)->paused;
      const bool obeys = farm_.Renew(task, 1, paused).instruction == LeaseInstruction::kPause && random.Bernoulli(0.8);
      if (obeys) farm_.Renew(task, 1, /*paused=*/true);
    }
  }
  void Granted(uint64_t task) {
    if (task == 0) return;
    // The rule itself, read from the state by a scan.
    const TaskRecord& record = farm_.state().tasks.at(task);
    EXPECT_EQ(IsMeasuring(record.work), farm_.state().parties.at(record.party).agent);
    for (const auto& [id, other] : farm_.state().tasks) {
      const bool rival = other.state == TaskState::kReady && other.search == record.search && other.work.index() == record.work.index();
      EXPECT_FALSE(rival && id < task) << "an older task of the same search and kind was passed over";
    }
  }
  void Check() {
    std::map<uint64_t, int> held;
    std::map<std::string, int> measuring;
    std::map<std::string, int> computing;
    int leased = 0;
    for (const auto& [id, task] : farm_.state().tasks) {
      const LiveLease* lease = farm_.scheduler().FindLease(id);
      ASSERT_EQ(lease != nullptr, task.state == TaskState::kLeased) << "task " << id << " at event " << event_;
      if (lease == nullptr) continue;
      ++leased;
      ASSERT_EQ(lease->fencing_token, task.fencing_token);
      ASSERT_EQ(++held[task.party], 1) << "one lease for each party";
      const std::string& host = farm_.state().parties.at(task.party).host;
      if (IsMeasuring(task.work)) ++measuring[host];
      if (!IsMeasuring(task.work) && !lease->paused) ++computing[host];
    }
    ASSERT_EQ(static_cast<size_t>(leased), farm_.scheduler().leases().size());
    for (const auto& [host, count] : measuring) {
      ASSERT_EQ(count, 1) << host;
      ASSERT_EQ(computing[host], 0) << "something computes while " << host << " measures, event " << event_;
    }
  }

  const uint64_t seed_;
  uint64_t event_ = 0;
  Farm farm_;
  std::vector<uint64_t> parties_;
  std::vector<uint64_t> searches_;
};

TEST(SchedulerPropertyTest, OneLeaseATaskAndMeasuringAlone) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    History history(seed);
    for (int i = 0; i < 600 && !testing::Test::HasFailure(); ++i) history.Step();
  }
}

TEST(SchedulerPropertyTest, SearchesThatAlwaysHaveWorkAreServedAlike) {
  constexpr int kWorkers = 3;
  constexpr double kLongest = 60;  // seconds of a task
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Farm farm;
    std::vector<uint64_t> workers;
    for (int i = 0; i < kWorkers; ++i) workers.push_back(farm.AddWorker(absl::StrCat("w", i), absl::StrCat("h", i)));
    std::vector<uint64_t> searches;
    for (int i = 0; i < 4; ++i) searches.push_back(farm.AddSearch());
    std::map<uint64_t, absl::Duration> ends;  // by task
    std::map<uint64_t, double> seconds;       // leased, by search
    for (uint64_t event = 0; event < 500; ++event) {
      CounterRandom random(seed, "test/fair", event);
      for (const uint64_t search : searches) farm.AddTask(search, TrainWork{});
      for (const uint64_t worker : workers) {
        if (farm.scheduler().HeldBy(worker) != 0) continue;
        const uint64_t task = farm.Lease(worker);
        ASSERT_NE(task, 0);
        // The searches' tasks are of very different lengths.
        const uint64_t search = farm.state().tasks.at(task).search;
        const double length = 1 + kLongest * random.UniformDouble() * static_cast<double>(search == searches[0] ? 1 : 0.1);
        ends[task] = farm.now() + absl::Seconds(length);
      }
      const auto next = std::min_element(ends.begin(), ends.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
      farm.Advance(next->second - farm.now());
      const LiveLease* lease = farm.scheduler().FindLease(next->first);
      seconds[lease->charged_search] += absl::ToDoubleSeconds(farm.now() - lease->granted_at);
      farm.Finish(next->first);
      ends.erase(next);
    }
    double least = 1e18;
    double most = 0;
    for (const uint64_t search : searches) {
      least = std::min(least, seconds[search]);
      most = std::max(most, seconds[search]);
    }
    EXPECT_LE(most - least, kWorkers * (kLongest + 1) + kWorkers * kAdvanceCharge);
    EXPECT_GT(least, 300);
  }
}

}  // namespace
}  // namespace hanas::coordinator
