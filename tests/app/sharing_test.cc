// SPDX-License-Identifier: Apache-2.0
// Searches that share a supernet and a latency table: trained once, sampled once, measured once, and taken from nobody.

#include <stdlib.h>

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/scheduling/scheduler.h"
#include "coordinator/store/codec/record_codec.h"
#include "core/base/error_reason.h"
#include "tests/app/app_fixture.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

/// Several jobs in one application, and everything that was leased.
class SharingTest : public testing::Test {
 protected:
  SharingTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hanas-sharing-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    artifacts_ = ArtifactStore::Open(directory_).value();
    evaluator_ = std::make_unique<FakeEvaluator>(artifacts_.get(), TinyJob());
    BeginAnew();
  }
  ~SharingTest() override {
    app_.reset();
    std::filesystem::remove_all(directory_);
  }
  /// On an empty disk.
  void BeginAnew() {
    disk_ = std::make_shared<MemoryDisk>();
    Reopen();
    workers_ = {AddParty("a", false, ""), AddParty("b", false, "")};
    devices_ = {AddParty("local", true, "cpu"), AddParty("other", true, "another cpu")};
  }
  /// A crash: memory is lost, the disk is not.
  void Reopen() {
    app_.reset();
    store_.reset();
    store_ = MemoryStore::Open(disk_).value();
    app_ = App::Create(store_.get(), artifacts_.get(), &clock_, [this](absl::string_view spec) { return jobs_.at(std::string(spec)); },
                       {.plain = FakeEvaluator::Plain()})
               .value();
  }
  /// What the store holds. The application is opened anew.
  State Stored() {
    app_.reset();
    State state = LoadState(store_->Load().value(), [this](absl::string_view spec) { return jobs_.at(std::string(spec)); }).value();
    Reopen();
    return state;
  }
  uint64_t AddParty(const std::string& name, bool agent, const std::string& cpu) {
    PartyRecord party = {.agent = agent, .name = name, .instance = "1", .host = "host-" + name, .datasets = {"fake"}};
    if (agent) party.device = {.device = name, .cpu = cpu};
    if (agent) party.caps = FakeEvaluator::Caps();
    return app_->Register(party)->id;
  }
  uint64_t Submit(const std::string& name, SearchJob job) {
    job.name = name;
    jobs_[name] = job;
    return app_->CreateSearch(name, name, job)->record.id;
  }
  SearchRecord RecordOf(uint64_t search) { return app_->GetSearch(search)->record; }

  /// Everybody works until nothing is left or `stop` says so. Notes who leased what.
  template <typename Stop>
  void Work(Stop stop) {
    for (bool moved = true; moved;) {
      moved = false;
      ASSERT_THAT(app_->RunOnce(), IsOk());
      for (const std::vector<uint64_t>* parties : {&workers_, &devices_}) {
        for (const uint64_t party : *parties) {
          if (stop()) return;
          const std::optional<GrantedTask> granted = app_->LeaseTask(party, "1", absl::ZeroDuration()).value();
          if (!granted.has_value()) continue;
          leased_.push_back(*granted);
          ASSERT_THAT(app_->Complete(AppHarness::HolderOf(*granted), evaluator_->Answer(*granted)), IsOk());
          moved = true;
        }
      }
    }
  }
  void WorkToTheEnd() {
    Work([] { return false; });
  }
  /// The keys of what was leased since the last call, of tasks that begin with `prefix`.
  std::vector<std::string> Leased(const std::string& prefix) {
    std::vector<std::string> keys;
    for (const GrantedTask& granted : leased_) {
      if (absl::StartsWith(granted.task.key, prefix)) keys.push_back(granted.task.key);
    }
    return keys;
  }

  std::string directory_;
  std::map<std::string, SearchJob> jobs_;
  FakeClock clock_;
  std::shared_ptr<MemoryDisk> disk_;
  std::unique_ptr<ArtifactStore> artifacts_;
  std::unique_ptr<FakeEvaluator> evaluator_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<App> app_;
  std::vector<uint64_t> workers_;
  std::vector<uint64_t> devices_;
  std::vector<GrantedTask> leased_;
};

SearchJob JobOn(const std::string& device) {
  SearchJob job = TinyJob();
  job.target.device = device;
  return job;
}

TEST_F(SharingTest, AnotherDeviceCostsItsProfileAndSearch) {
  const uint64_t first = Submit("first", JobOn("local"));
  WorkToTheEnd();
  ASSERT_EQ(RecordOf(first).phase, SearchPhase::kSucceeded) << RecordOf(first).error;
  ASSERT_THAT(Leased("train/"), Not(IsEmpty()));
  ASSERT_THAT(Leased("sample/"), Not(IsEmpty()));
  leased_.clear();
  const uint64_t second = Submit("second", JobOn("other"));
  WorkToTheEnd();
  EXPECT_EQ(RecordOf(second).phase, SearchPhase::kSucceeded) << RecordOf(second).error;
  EXPECT_THAT(Leased("train/"), IsEmpty());
  EXPECT_THAT(Leased("sample/"), IsEmpty());
  EXPECT_THAT(Leased("profile/operators/"), Not(IsEmpty())) << "another class has another table";
  EXPECT_THAT(Leased("round/"), Not(IsEmpty()));
  EXPECT_EQ(RecordOf(second).dataset_digest, "data");
  EXPECT_EQ(RecordOf(second).dataset_files, "files");
}

TEST_F(SharingTest, SharingChangesNoResult) {
  const uint64_t alone = Submit("alone", JobOn("other"));
  WorkToTheEnd();
  const SearchRecord expected = RecordOf(alone);
  BeginAnew();
  Submit("first", JobOn("local"));
  WorkToTheEnd();
  const uint64_t second = Submit("second", JobOn("other"));
  WorkToTheEnd();
  EXPECT_EQ(RecordOf(second).targets[0].rounds, expected.targets[0].rounds);
  EXPECT_EQ(RecordOf(second).members, expected.members);
}

TEST_F(SharingTest, TwoAtOnceTrainOnceAndBothEnd) {
  const uint64_t first = Submit("first", JobOn("local"));
  const uint64_t second = Submit("second", JobOn("other"));
  WorkToTheEnd();
  EXPECT_EQ(RecordOf(first).phase, SearchPhase::kSucceeded) << RecordOf(first).error;
  EXPECT_EQ(RecordOf(second).phase, SearchPhase::kSucceeded) << RecordOf(second).error;
  const std::vector<std::string> trained = Leased("train/");
  EXPECT_EQ(trained.size(), std::set<std::string>(trained.begin(), trained.end()).size());
  const std::vector<std::string> sampled = Leased("sample/");
  EXPECT_EQ(sampled.size(), std::set<std::string>(sampled.begin(), sampled.end()).size());
}

TEST_F(SharingTest, OneDeviceIsMeasuredOnceForTwoSearches) {
  Submit("first", JobOn("local"));
  SearchJob job = JobOn("local");
  job.seed = 99;
  Submit("second", job);
  WorkToTheEnd();
  std::set<std::string> keys;
  for (const GrantedTask& granted : leased_) {
    const auto* work = std::get_if<MeasureOperatorsWork>(&granted.task.work);
    if (work == nullptr) continue;
    for (const std::string& key : work->keys) EXPECT_TRUE(keys.insert(key).second) << key << " was measured twice";
  }
  EXPECT_THAT(keys, Not(IsEmpty()));
  EXPECT_THAT(Leased("train/"), Not(IsEmpty()));
}

TEST_F(SharingTest, AClassMeansOneOfItsDevices) {
  const std::vector<PartySnapshot> devices = app_->ListParties(/*agents=*/true, 0, 10).value();
  const uint64_t search = Submit("any", JobOn(DeviceClassName(devices[1].device_class)));
  WorkToTheEnd();
  EXPECT_EQ(RecordOf(search).phase, SearchPhase::kSucceeded) << RecordOf(search).error;
  EXPECT_EQ(RecordOf(search).targets[0].agent, "other");
}

TEST_F(SharingTest, CancellingOneLeavesTheOtherItsTraining) {
  const uint64_t first = Submit("first", JobOn("local"));
  const uint64_t second = Submit("second", JobOn("other"));
  Work([&] { return RecordOf(first).phase >= SearchPhase::kTraining && RecordOf(second).phase >= SearchPhase::kTraining; });
  ASSERT_EQ(RecordOf(second).phase, SearchPhase::kTraining);
  const GrantedTask training = *app_->LeaseTask(workers_[0], "1", absl::ZeroDuration()).value();
  ASSERT_TRUE(absl::StartsWith(training.task.key, "train/"));
  ASSERT_THAT(app_->CancelSearch(first), IsOk());
  EXPECT_EQ(app_->Renew({AppHarness::HolderOf(training), 1, 2, "", false})->instruction, LeaseInstruction::kContinue);
  EXPECT_THAT(app_->Complete(AppHarness::HolderOf(training), evaluator_->Answer(training)), IsOk());
  WorkToTheEnd();
  EXPECT_EQ(RecordOf(second).phase, SearchPhase::kSucceeded) << RecordOf(second).error;
}

TEST_F(SharingTest, ALaterSearchGoesOnWhereACancelledOneStopped) {
  const uint64_t first = Submit("first", JobOn("local"));
  Work([&] { return Leased("train/").size() == 5; });
  ASSERT_THAT(app_->CancelSearch(first), IsOk());
  WorkToTheEnd();
  EXPECT_EQ(Leased("train/").size(), 5) << "nobody wants the rest";
  Reopen();
  const uint64_t second = Submit("second", JobOn("local"));
  WorkToTheEnd();
  EXPECT_EQ(RecordOf(second).phase, SearchPhase::kSucceeded) << RecordOf(second).error;
  EXPECT_EQ(Leased("train/").size(), 20);
}

TEST_F(SharingTest, FailedTrainingGetsAnotherChanceFromTheNextSearch) {
  const uint64_t first = Submit("first", JobOn("local"));
  Work([&] { return RecordOf(first).phase == SearchPhase::kTraining; });
  const GrantedTask training = *app_->LeaseTask(workers_[0], "1", absl::ZeroDuration()).value();
  ASSERT_THAT(app_->Fail(AppHarness::HolderOf(training), "OUT_OF_MEMORY", "too large", /*retryable=*/false), IsOk());
  ASSERT_THAT(app_->RunOnce(), IsOk());
  ASSERT_EQ(RecordOf(first).phase, SearchPhase::kFailed);
  const uint64_t second = Submit("second", JobOn("local"));
  WorkToTheEnd();
  EXPECT_EQ(RecordOf(second).phase, SearchPhase::kSucceeded) << RecordOf(second).error;
}

TEST_F(SharingTest, OtherSamplingSharesTheTrainingOnly) {
  Submit("first", JobOn("local"));
  WorkToTheEnd();
  leased_.clear();
  SearchJob job = JobOn("local");
  job.sampling.networks = 24;
  const uint64_t second = Submit("second", job);
  WorkToTheEnd();
  EXPECT_EQ(RecordOf(second).phase, SearchPhase::kSucceeded) << RecordOf(second).error;
  EXPECT_THAT(Leased("train/"), IsEmpty());
  EXPECT_THAT(Leased("sample/"), ElementsAre("sample/0", "sample/1", "sample/2", "sample/predictor"));
}

TEST_F(SharingTest, AnotherSeedSharesNothing) {
  Submit("first", JobOn("local"));
  WorkToTheEnd();
  leased_.clear();
  SearchJob job = JobOn("local");
  job.seed = 99;
  Submit("second", job);
  WorkToTheEnd();
  EXPECT_EQ(Leased("train/").size(), 20);
}

TEST_F(SharingTest, ATeacherIsSharedWhateverIsMadeOfItsAnswers) {
  SearchJob job = JobOn("local");
  job.teacher.steps = 40;
  const uint64_t first = Submit("first", job);
  Work([&] { return Leased("teacher/").size() == 5; });
  SearchJob other = job;
  other.teacher.weight = 0.5;
  other.training.steps = 20;
  other.training.label_smoothing = 0;
  const uint64_t second = Submit("second", other);
  ASSERT_THAT(app_->CancelSearch(first), IsOk());
  ASSERT_THAT(app_->DeleteSearch(first), IsOk());
  Reopen();
  workers_ = {AddParty("a", false, ""), AddParty("b", false, "")};
  devices_ = {AddParty("local", true, "cpu"), AddParty("other", true, "another cpu")};
  WorkToTheEnd();
  EXPECT_EQ(RecordOf(second).phase, SearchPhase::kSucceeded) << RecordOf(second).error;
  const std::vector<std::string> keys = Leased("teacher/");
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), 20) << "what the first one had begun was gone on with";
  EXPECT_LE(keys.size(), 21) << "and at most one piece was lost";
  other.seed = 8;
  Submit("third", other);
  WorkToTheEnd();
  EXPECT_GE(Leased("teacher/").size(), 40) << "another seed draws another teacher";
}

TEST_F(SharingTest, SearchesOfOlderStoresKeepTheirTasks) {
  const uint64_t first = Submit("first", JobOn("local"));
  Work([&] { return Leased("train/").size() == 5; });
  app_.reset();
  std::vector<StoreChange> older;
  const std::vector<StoreRecord> records = store_->Load().value();
  for (const StoreRecord& stored : records) {
    AnyRecord record = ParseRecord(stored.value).value();
    if (auto* search = std::get_if<SearchRecord>(&record)) search->supernet = search->sample_set = "";
    if (auto* task = std::get_if<TaskRecord>(&record)) task->shared_under = "";
    older.push_back({stored.key, SerialiseRecord(record)});
  }
  ASSERT_THAT(store_->Write(older), IsOk());
  Reopen();
  const uint64_t second = Submit("second", JobOn("local"));
  WorkToTheEnd();
  EXPECT_EQ(RecordOf(first).phase, SearchPhase::kSucceeded) << RecordOf(first).error;
  EXPECT_EQ(RecordOf(second).phase, SearchPhase::kSucceeded) << RecordOf(second).error;
  EXPECT_EQ(Leased("train/").size(), 40) << "each trained its own";
}

TEST_F(SharingTest, RestartsKeepWhatIsShared) {
  const uint64_t first = Submit("first", JobOn("local"));
  Work([&] { return Leased("train/").size() == 7; });
  const uint64_t second = Submit("second", JobOn("other"));
  Reopen();
  Work([&] { return Leased("sample/").size() == 1; });
  Reopen();
  WorkToTheEnd();
  EXPECT_EQ(RecordOf(first).phase, SearchPhase::kSucceeded) << RecordOf(first).error;
  EXPECT_EQ(RecordOf(second).phase, SearchPhase::kSucceeded) << RecordOf(second).error;
  EXPECT_EQ(Leased("train/").size(), 20);
}

// ---- deleting ----

TEST_F(SharingTest, OnlyWhatIsOverIsDeleted) {
  const uint64_t search = Submit("first", JobOn("local"));
  EXPECT_TRUE(HasReason(app_->DeleteSearch(search), kSearchNotOver));
  EXPECT_EQ(ResourceOf(app_->DeleteSearch(search)), absl::StrCat("searches/", search));
  ASSERT_THAT(app_->PauseSearch(search), IsOk());
  EXPECT_TRUE(HasReason(app_->DeleteSearch(search), kSearchNotOver));
  ASSERT_THAT(app_->CancelSearch(search), IsOk());
  EXPECT_THAT(app_->DeleteSearch(search), IsOk());
  EXPECT_TRUE(HasReason(app_->GetSearch(search).status(), kSearchNotFound));
  EXPECT_TRUE(HasReason(app_->DeleteSearch(search), kSearchNotFound));
  EXPECT_TRUE(HasReason(app_->CancelSearch(search).status(), kSearchNotFound));
  EXPECT_THAT(app_->ListSearches().value(), IsEmpty());
}

TEST_F(SharingTest, DeletingTheLastOneLeavesPartiesAndTablesOnly) {
  const uint64_t search = Submit("first", JobOn("local"));
  WorkToTheEnd();
  ASSERT_EQ(RecordOf(search).phase, SearchPhase::kSucceeded) << RecordOf(search).error;
  ASSERT_THAT(artifacts_->List().value(), Not(IsEmpty()));
  const int64_t writes = disk_->num_writes();
  ASSERT_THAT(app_->DeleteSearch(search), IsOk());
  EXPECT_EQ(disk_->num_writes(), writes + 1) << "one batch";
  const State stored = Stored();
  EXPECT_THAT(stored.searches, IsEmpty());
  EXPECT_THAT(stored.tasks, IsEmpty());
  EXPECT_THAT(stored.shared, IsEmpty());
  EXPECT_EQ(stored.parties.size(), 4U);
  EXPECT_EQ(stored.tables.size(), 1U);
  ASSERT_THAT(app_->RunOnce(), IsOk());
  clock_.Advance(absl::Hours(2));
  ASSERT_THAT(app_->RunOnce(), IsOk());
  EXPECT_THAT(artifacts_->List().value(), IsEmpty());
}

TEST_F(SharingTest, ADeletedSearchLeavesOthersWhatTheyShare) {
  const uint64_t first = Submit("first", JobOn("local"));
  WorkToTheEnd();
  const uint64_t second = Submit("second", JobOn("other"));
  Work([&] { return RecordOf(second).phase == SearchPhase::kSearching; });
  ASSERT_THAT(app_->DeleteSearch(first), IsOk());
  for (const bool reopened : {false, true}) {
    if (reopened) Reopen();
    const TaskPage tasks = app_->ListTasks(second, 0, 1000).value();
    for (const TaskSnapshot& task : tasks.tasks) EXPECT_EQ(task.task.search, second) << task.task.key;
  }
  clock_.Advance(absl::Hours(48));
  WorkToTheEnd();
  EXPECT_EQ(RecordOf(second).phase, SearchPhase::kSucceeded) << RecordOf(second).error;
  EXPECT_EQ(Leased("train/").size(), 20U) << "nothing was trained twice";
  // And the third finds it there.
  const uint64_t third = Submit("third", JobOn("local"));
  WorkToTheEnd();
  EXPECT_EQ(RecordOf(third).phase, SearchPhase::kSucceeded) << RecordOf(third).error;
  EXPECT_EQ(Leased("train/").size(), 20U);
}

TEST_F(SharingTest, AHolderGoesOnWhenTheSearchThatMadeItsTaskIsDeleted) {
  const uint64_t first = Submit("first", JobOn("local"));
  const uint64_t second = Submit("second", JobOn("other"));
  Work([&] { return RecordOf(first).phase >= SearchPhase::kTraining && RecordOf(second).phase >= SearchPhase::kTraining; });
  const GrantedTask training = *app_->LeaseTask(workers_[0], "1", absl::ZeroDuration()).value();
  ASSERT_TRUE(absl::StartsWith(training.task.key, "train/"));
  ASSERT_EQ(training.task.search, first);
  ASSERT_THAT(app_->CancelSearch(first), IsOk());
  ASSERT_THAT(app_->DeleteSearch(first), IsOk());
  EXPECT_EQ(app_->Renew({AppHarness::HolderOf(training), 1, 2, "", false})->instruction, LeaseInstruction::kContinue);
  EXPECT_THAT(app_->Complete(AppHarness::HolderOf(training), evaluator_->Answer(training)), IsOk());
  WorkToTheEnd();
  EXPECT_EQ(RecordOf(second).phase, SearchPhase::kSucceeded) << RecordOf(second).error;
}

TEST_F(SharingTest, AHolderOfADeletedTaskIsToldThatItIsGone) {
  const uint64_t search = Submit("first", JobOn("local"));
  Work([&] { return RecordOf(search).phase >= SearchPhase::kTraining; });
  const GrantedTask training = *app_->LeaseTask(workers_[0], "1", absl::ZeroDuration()).value();
  ASSERT_THAT(app_->CancelSearch(search), IsOk());
  ASSERT_THAT(app_->DeleteSearch(search), IsOk());
  EXPECT_TRUE(HasReason(app_->Renew({AppHarness::HolderOf(training), 1, 2, "", false}).status(), kTaskNotFound));
  EXPECT_TRUE(HasReason(app_->Complete(AppHarness::HolderOf(training), evaluator_->Answer(training)), kTaskNotFound));
}

TEST_F(SharingTest, TheRequestIdOfADeletedSearchIsFreeAndItsNumberIsNot) {
  const uint64_t first = Submit("again", JobOn("local"));
  ASSERT_THAT(app_->CancelSearch(first), IsOk());
  ASSERT_THAT(app_->DeleteSearch(first), IsOk());
  SearchJob other = JobOn("local");
  other.seed = 99;
  const uint64_t second = Submit("again", other);
  EXPECT_GT(second, first);
  ASSERT_THAT(app_->CancelSearch(second), IsOk());
  ASSERT_THAT(app_->DeleteSearch(second), IsOk());
  Reopen();
  EXPECT_GT(Submit("again", JobOn("local")), second);
}

TEST_F(SharingTest, AWriteThatFailsDeletesNothing) {
  const uint64_t search = Submit("first", JobOn("local"));
  WorkToTheEnd();
  disk_->FailNextWrite(absl::UnavailableError("the disk is gone"));
  EXPECT_FALSE(app_->DeleteSearch(search).ok());
  EXPECT_EQ(RecordOf(search).phase, SearchPhase::kSucceeded);
  EXPECT_THAT(app_->GetReport(search), IsOk());
  EXPECT_THAT(app_->DeleteSearch(search), IsOk());
}

}  // namespace
}  // namespace hanas::coordinator
