// SPDX-License-Identifier: Apache-2.0
// A disk that runs full, for real: what was acknowledged stays, what cannot be stored is refused by name, what is known can still be read,
// and everything goes on by itself once there is room. And a disk that cannot be written at all.
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "config/process/exit_code.h"
#include "coordinator/store/rocksdb/rocksdb_store.h"
#include "core/base/error_reason.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/convert/job.h"
#include "rpc/search_client.h"
#include "tests/fault/coordinator_process.h"
#include "tests/fault/load.h"
#include "tests/fault/oracle.h"
#include "tests/fault/small_disk.h"
#include "tests/support/raw_store.h"

namespace hanas::fault {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kDiskMegabytes = 96;
constexpr absl::Duration kStuck = absl::Seconds(60);
constexpr double kTtlSeconds = 3;

class FullDiskTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    absl::StatusOr<std::unique_ptr<SmallDisk>> disk = SmallDisk::Mount(kDiskMegabytes);
    if (!disk.ok()) {
      refused_ = new std::string(disk.status().message());
      return;
    }
    disk_ = disk->release();
    setenv("TMPDIR", disk_->directory().c_str(), 1);  // where processes under test live
  }
  static void TearDownTestSuite() {
    delete disk_;
    delete refused_;
  }
  void SetUp() override {
    if (refused_ != nullptr) GTEST_SKIP() << "needs a file system of its own: " << *refused_;
  }

  static SmallDisk* disk_;
  static std::string* refused_;
};
SmallDisk* FullDiskTest::disk_ = nullptr;
std::string* FullDiskTest::refused_ = nullptr;

/// Calls until it returns true; false after kStuck.
template <typename Call>
bool Eventually(const Call& call) {
  const absl::Time end = absl::Now() + kStuck;
  while (!call()) {
    if (absl::Now() > end) return false;
  }
  return true;
}

TEST_F(FullDiskTest, AStoreKeepsWhatItAcknowledgedAndGoesOnWhenThereIsRoom) {
  const std::string directory = disk_->directory() + "/store";
  absl::StatusOr<std::unique_ptr<coordinator::Store>> store = coordinator::OpenRocksDbStore(directory);
  ASSERT_THAT(store, IsOk());
  const std::string value(size_t{64} << 10, 'v');
  const auto write = [&](int number) { return (*store)->Write({{absl::StrCat("t", 1000 + number), value}}); };
  ASSERT_THAT(write(0), IsOk());
  disk_->Fill();

  // The log has room of its own for a while.
  int acknowledged = 1;
  absl::Status full;
  while (full.ok() && acknowledged < 2000) {
    full = write(acknowledged);
    if (full.ok()) ++acknowledged;
  }
  EXPECT_THAT(full, StatusIs(absl::StatusCode::kResourceExhausted, AllOf(HasSubstr(directory), HasSubstr("free at least"))));
  EXPECT_TRUE(HasReason(full, kDiskFull)) << full;
  const auto read = (*store)->Load();
  ASSERT_THAT(read, IsOk()) << "what is known can be read from a full disk";
  EXPECT_GE(read->size(), acknowledged);
  EXPECT_LE(read->size(), acknowledged + 1) << "a write that failed may be there or not";

  disk_->Free();
  EXPECT_TRUE(Eventually([&] { return write(acknowledged).ok(); })) << write(acknowledged);
  ASSERT_THAT((*store)->Close(), IsOk());
  store = coordinator::OpenRocksDbStore(directory);
  ASSERT_THAT(store, IsOk());
  EXPECT_THAT((*store)->Load(), absl_testing::IsOkAndHolds(SizeIs(acknowledged + 1)));
}

TEST_F(FullDiskTest, ACoordinatorThatCannotBeginSaysSoWithAStatusOfItsOwn) {
  CoordinatorProcess coordinator(kTtlSeconds);
  disk_->Fill();
  const absl::Cleanup free = [this] { disk_->Free(); };
  coordinator.Start();
  EXPECT_EQ(coordinator.Wait(), static_cast<int>(config::ProcessExit::kDiskFull)) << coordinator.output();
  EXPECT_THAT(coordinator.output(), AllOf(HasSubstr(coordinator.data_dir()), HasSubstr("No space left")));
}

TEST_F(FullDiskTest, ADirectoryThatCannotBeWrittenIsRefusedAndLeftAsItIs) {
  CoordinatorProcess coordinator(kTtlSeconds);
  coordinator.Start();
  ASSERT_TRUE(coordinator.AwaitListening()) << coordinator.output();
  coordinator.Kill();
  const std::string database = coordinator.data_dir() + "/db";
  const std::map<std::string, std::string> before = ReadRawStore(database);
  std::filesystem::remove(coordinator.File("port"));
  disk_->SetReadOnly(true);
  coordinator.Start();
  EXPECT_EQ(coordinator.Wait(), static_cast<int>(config::ProcessExit::kUsage)) << coordinator.output();
  EXPECT_THAT(coordinator.output(), AllOf(HasSubstr("--data-dir"), HasSubstr(coordinator.data_dir()), HasSubstr("not writable")));
  disk_->SetReadOnly(false);
  EXPECT_EQ(ReadRawStore(database), before);
  coordinator.Start();
  EXPECT_TRUE(coordinator.AwaitListening()) << coordinator.output();
}

TEST_F(FullDiskTest, ASearchWaitsForRoomAndLosesNothing) {
  Oracle oracle;
  CoordinatorProcess coordinator(kTtlSeconds);
  coordinator.Start();
  ASSERT_TRUE(coordinator.AwaitListening()) << coordinator.output();
  const auto client = rpc::SearchClient::Create(coordinator.address());
  ASSERT_THAT(client, IsOk());
  std::vector<Ended> ended;
  {
    const FakeParty agent(&oracle, coordinator.address(), FakeAgent("local", "agent"));
    const FakeParty worker(&oracle, coordinator.address(), FakeWorker("worker", "worker"));
    FakeUser user(&oracle, coordinator.address(), "user");
    ASSERT_TRUE(oracle.AwaitAcknowledged(3, kStuck));
    disk_->Fill();

    // The next artifact finds no room; its worker keeps it, and the search says what it waits for.
    std::optional<v1::Blocker> blocker;
    const bool blocked = Eventually([&] {
      const auto searches = (*client)->ListSearches(1, "");
      if (!searches.ok() || searches->searches_size() == 0) return false;
      for (const v1::Blocker& found : searches->searches(0).blockers()) {
        if (found.code() == "DISK_FULL") blocker = found;
      }
      return blocker.has_value();
    });
    disk_->Free();
    ASSERT_TRUE(blocked);
    EXPECT_THAT(blocker->text(), AllOf(HasSubstr("disk is full"), HasSubstr(coordinator.data_dir())));
    ended = user.Finish();
  }
  for (const Ended& search : ended) EXPECT_EQ(search.phase, v1::PHASE_SUCCEEDED) << search.search << ": " << search.error;
  coordinator.Kill();
  const auto state = coordinator.ReadState();
  ASSERT_THAT(state, IsOk());
  oracle.Check(*state);
  EXPECT_THAT(oracle.violations(), IsEmpty());
  for (const auto& [id, task] : state->tasks) EXPECT_EQ(task.failures, 0) << task.key << ": " << task.error;
}

}  // namespace
}  // namespace hanas::fault
