// SPDX-License-Identifier: Apache-2.0
// What a search says it waits for: each code from a state in which it is the reason, by hand.

#include "coordinator/scheduling/blockers.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/state/updates.h"
#include "tests/app/app_fixture.h"

namespace hanas::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr absl::Duration kNow = absl::Seconds(1000);

/// A search in SAMPLING with one task to measure and one to evaluate, its device, and a worker on a host of its own; all are there.
class BlockersTest : public testing::Test {
 protected:
  BlockersTest() {
    SearchState& search = state_.searches[1];
    search.job = std::make_shared<const SearchJob>(TinyJob());
    search.record = {.id = 1, .phase = SearchPhase::kSampling, .targets = {{.agent = "local"}}};
    AddTask(11, 1, MeasureNetworksWork{}, "measure/0");
    AddTask(12, 1, EvaluateWork{}, "sample/0");
    AddParty({.id = 2, .agent = true, .name = "local", .host = "board"});
    AddParty({.id = 3, .name = "worker", .host = "server", .datasets = {"fake"}});
  }
  void AddTask(uint64_t id, uint64_t search, Work work, const std::string& key) {
    state_.tasks[id] = {.id = id, .search = search, .key = key, .work = std::move(work)};
    state_.searches[search].tasks[key] = id;
    state_.searches[search].tasks_in_order.push_back(id);
  }
  void AddParty(PartyRecord party) { state_.parties[party.id] = std::move(party); }
  void Grant(uint64_t task, uint64_t party, bool paused = false) {
    state_.tasks.at(task).state = TaskState::kLeased;
    state_.tasks.at(task).party = party;
    if (paused) paused_.insert(task);
  }
  void Only(uint64_t task) {
    for (auto& [id, other] : state_.tasks) {
      if (id != task) other.state = TaskState::kCancelled;
    }
  }
  /// Of a search that is not bound to a device yet.
  void SetTarget(TargetSpec target) {
    SearchJob job = TinyJob();
    job.target = std::move(target);
    SearchState& search = state_.searches[1];
    search = {.record = {.id = 1, .phase = SearchPhase::kPending}, .job = std::make_shared<const SearchJob>(std::move(job))};
    state_.tasks.clear();
  }
  /// Another search, with a task of its own.
  void AddOther(uint64_t task, Work work) {
    SearchState& other = state_.searches[9];
    other.job = state_.searches[1].job;
    other.record = {.id = 9, .phase = SearchPhase::kSampling, .targets = {{.agent = "local"}}};
    AddTask(task, 9, std::move(work), "other/0");
  }
  std::vector<Blocker> Blockers() const {
    Scheduler scheduler(&state_, absl::Seconds(15));
    scheduler.Rebuild(kNow);
    for (const uint64_t party : silent_) scheduler.Heard(party, kNow - absl::Seconds(61));
    for (const uint64_t task : paused_) scheduler.Renew(task, {.paused = true}, kNow);
    return BlockersOf(state_, scheduler, kNow, state_.searches.at(1));
  }
  SearchRecord& record() { return state_.searches[1].record; }

  State state_;
  std::set<uint64_t> silent_;  // parties
  std::set<uint64_t> paused_;  // leased tasks
};

testing::Matcher<Blocker> Is(BlockerCode code, const std::string& text, const std::string& resource = "") {
  return AllOf(Field(&Blocker::code, code), Field(&Blocker::text, HasSubstr(text)), Field(&Blocker::resource, resource));
}

TEST_F(BlockersTest, NoneWhileEverybodyIsAboutToTakeIt) { EXPECT_THAT(Blockers(), IsEmpty()); }

TEST_F(BlockersTest, NoneWhileSomethingIsWorkedOn) {
  state_.parties.erase(3);
  Grant(11, 2);
  EXPECT_THAT(Blockers(), IsEmpty());
}

TEST_F(BlockersTest, NoneOfASearchThatIsOver) {
  state_.parties.clear();
  record().phase = SearchPhase::kFailed;
  EXPECT_THAT(Blockers(), IsEmpty());
}

TEST_F(BlockersTest, NoDevice) {
  state_.parties.erase(2);
  record() = {.id = 1, .phase = SearchPhase::kPending};
  state_.tasks.clear();
  state_.searches[1].tasks.clear();
  state_.searches[1].tasks_in_order.clear();
  EXPECT_THAT(Blockers(), ElementsAre(Is(BlockerCode::kNoDevice,
                                         "no device named \"local\" and none of that kind is registered: start hanas-profiler-agent")));
}

// The name of a class is no name that an agent could be started with.
TEST_F(BlockersTest, NoDeviceOfTheClass) {
  const std::string device_class = DeviceClassName(ContextDigest({.device = "pi5"}, {.name = "xnnpack"}));
  SetTarget({.device = device_class});
  EXPECT_THAT(Blockers(), ElementsAre(AllOf(Is(BlockerCode::kNoDevice, absl::StrCat("no device of the class \"", device_class, "\"")),
                                            Field(&Blocker::text, Not(HasSubstr("--name"))))));
  AddParty({.id = 4, .agent = true, .name = "board-7", .host = "board-7", .device = {.device = "pi5"}, .caps = {.name = "xnnpack"}});
  EXPECT_THAT(Blockers(), IsEmpty());
}

TEST_F(BlockersTest, TheDeviceHasAnotherBackend) {
  SetTarget({.device = "local", .backend = "onednn"});
  state_.parties.at(2).caps.name = "xnnpack";
  EXPECT_THAT(Blockers(),
              ElementsAre(Is(BlockerCode::kNoDevice, "the device \"local\" measures with xnnpack, and the target asks for onednn")));
}

TEST_F(BlockersTest, EveryDeviceOfTheKindDrains) {
  SetTarget({.device = "pi5"});
  AddParty({.id = 4, .agent = true, .name = "board-7", .device = {.device = "pi5"}, .caps = {.name = "xnnpack"}, .draining = true});
  EXPECT_THAT(Blockers(), ElementsAre(Is(BlockerCode::kNoDevice, "every device that the target \"pi5\" means drains")));
}

TEST_F(BlockersTest, DeviceIsSilent) {
  silent_ = {2};
  EXPECT_THAT(Blockers(), ElementsAre(Is(BlockerCode::kDeviceOffline, "is silent", "devices/2")));
}

TEST_F(BlockersTest, DeviceCameBackAsAnother) {
  state_.parties[2].device.threads = 4;
  EXPECT_THAT(Blockers(), ElementsAre(Is(BlockerCode::kDeviceOffline, "came back with another processor", "devices/2")));
}

TEST_F(BlockersTest, DeviceMeasuresForAnotherSearch) {
  AddOther(21, MeasureNetworksWork{});
  Grant(21, 2);
  EXPECT_THAT(Blockers(), ElementsAre(Is(BlockerCode::kDeviceBusy, "measures for searches/9", "devices/2")));
}

TEST_F(BlockersTest, DeviceWaitsForComputingOnItsHost) {
  Only(11);
  state_.parties[3].host = "board";
  AddOther(21, EvaluateWork{});
  Grant(21, 3);
  EXPECT_THAT(Blockers(), ElementsAre(Is(BlockerCode::kDeviceBusy, "have reached a step boundary", "devices/2")));
}

TEST_F(BlockersTest, NoWorker) {
  state_.parties.erase(3);
  EXPECT_THAT(Blockers(), ElementsAre(Is(BlockerCode::kNoWorker, "no worker is registered")));
}

TEST_F(BlockersTest, WorkersAreSilent) {
  silent_ = {3};
  EXPECT_THAT(Blockers(), ElementsAre(Is(BlockerCode::kNoWorker, "none of the 1 registered workers is heard")));
}

TEST_F(BlockersTest, WorkersHoldTasksOfOthers) {
  AddOther(21, EvaluateWork{});
  Grant(21, 3);
  EXPECT_THAT(Blockers(), ElementsAre(Is(BlockerCode::kWorkersBusy, "all of the 1 workers")));
}

TEST_F(BlockersTest, NoWorkerHasTheData) {
  state_.parties[3].datasets = {"another"};
  EXPECT_THAT(Blockers(), ElementsAre(Is(BlockerCode::kDataMissing, "has the dataset \"fake\"")));
  state_.parties[3].datasets = {"another", "fake"};
  EXPECT_THAT(Blockers(), IsEmpty());
}

TEST_F(BlockersTest, WorkersHaveOtherFilesOfThatName) {
  state_.searches[1].record.dataset_files = "c0ffee" + std::string(58, '0');
  state_.parties[3].dataset_digests = {"decaf1" + std::string(58, '1')};
  AddParty({.id = 4, .name = "without", .host = "another", .datasets = {}});
  EXPECT_THAT(Blockers(),
              ElementsAre(Is(BlockerCode::kDataMissing,
                             "no worker has the files of the dataset \"fake\" that the search began with (c0ffee000000); workers/3 "
                             "\"worker\" has others of that name (decaf1111111)",
                             "workers/3")));
  AddParty({.id = 5, .name = "same", .host = "third", .datasets = {"fake"}, .dataset_digests = {record().dataset_files}});
  EXPECT_THAT(Blockers(), IsEmpty());
}

TEST_F(BlockersTest, EverybodyDrains) {
  state_.parties[2].draining = state_.parties[3].draining = true;
  EXPECT_THAT(Blockers(), ElementsAre(Is(BlockerCode::kDeviceBusy, "\"local\" drains", "devices/2"),
                                      Is(BlockerCode::kNoWorker, "all workers that could take it drain")));
}

TEST_F(BlockersTest, HostsOfFreeWorkersMeasure) {
  Only(12);
  state_.parties[3].host = "board";
  AddOther(21, MeasureNetworksWork{});
  Grant(21, 2);
  EXPECT_THAT(Blockers(), ElementsAre(Is(BlockerCode::kHostMeasures, "until measuring on their hosts is over")));
}

TEST_F(BlockersTest, ItsWorkerPauses) {
  Only(12);
  state_.parties[3].host = "board";
  AddOther(21, MeasureNetworksWork{});
  Grant(21, 2);
  Grant(12, 3, /*paused=*/true);
  EXPECT_THAT(Blockers(), ElementsAre(Is(BlockerCode::kHostMeasures, "evaluating networks pauses", "workers/3")));
}

TEST_F(BlockersTest, PausedByAUser) {
  record().paused = true;
  state_.parties.clear();
  EXPECT_THAT(Blockers(), ElementsAre(Is(BlockerCode::kPaused, "paused by a user in SAMPLING: hanas resume searches/1")));
}

TEST_F(BlockersTest, RetryingAfterAFailure) {
  state_.tasks[12].failures = 2;
  state_.tasks[12].error = "loss is not finite";
  EXPECT_THAT(Blockers(), ElementsAre(Is(BlockerCode::kRetrying,
                                         "evaluating networks failed 2 of 3 times and is tried again: loss is not finite", "tasks/12")));
}

TEST_F(BlockersTest, SaysAllThatIsMissing) {
  state_.parties.clear();
  const std::vector<Blocker> blockers = Blockers();
  ASSERT_THAT(blockers, SizeIs(2));
  EXPECT_EQ(Name(blockers[0].code), "NO_DEVICE");
  EXPECT_EQ(Name(blockers[1].code), "NO_WORKER");
}

}  // namespace
}  // namespace hanas::coordinator
