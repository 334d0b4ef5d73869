// SPDX-License-Identifier: Apache-2.0
// What every store keeps, over memory and over RocksDB.

#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "coordinator/store/memory_store.h"
#include "coordinator/store/rocksdb/rocksdb_store.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// A place that outlives the stores opened on it.
class Place {
 public:
  virtual ~Place() = default;
  virtual absl::StatusOr<std::unique_ptr<Store>> Open() = 0;
};

class MemoryPlace : public Place {
 public:
  absl::StatusOr<std::unique_ptr<Store>> Open() override {
    absl::StatusOr<std::unique_ptr<MemoryStore>> store = MemoryStore::Open(disk_);
    if (!store.ok()) return store.status();
    return *std::move(store);
  }

 private:
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
};

class RocksDbPlace : public Place {
 public:
  RocksDbPlace() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hanas-store-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
  }
  ~RocksDbPlace() override { std::filesystem::remove_all(directory_); }
  absl::StatusOr<std::unique_ptr<Store>> Open() override { return OpenRocksDbStore(directory_ + "/db"); }

 private:
  std::string directory_;
};

struct Kind {
  const char* name;
  std::function<std::unique_ptr<Place>()> make;
};

class StoreContractTest : public testing::TestWithParam<Kind> {
 protected:
  std::unique_ptr<Place> place_ = GetParam().make();
};

TEST_P(StoreContractTest, StartsEmpty) {
  const auto store = place_->Open();
  ASSERT_THAT(store, IsOk());
  EXPECT_THAT((*store)->Load(), IsOkAndHolds(IsEmpty()));
}

TEST_P(StoreContractTest, LoadsInKeyOrderAfterReopening) {
  {
    const auto store = place_->Open();
    ASSERT_THAT(store, IsOk());
    ASSERT_THAT((*store)->Write({{"b", "2"}, {"a", "1"}, {std::string("c\0d", 3), std::string("\0x", 2)}}), IsOk());
    ASSERT_THAT((*store)->Write({{"b", std::nullopt}, {"a", "3"}}), IsOk());
  }
  const auto store = place_->Open();
  ASSERT_THAT(store, IsOk());
  EXPECT_THAT((*store)->Load(),
              IsOkAndHolds(ElementsAre(StoreRecord{"a", "3"}, StoreRecord{std::string("c\0d", 3), std::string("\0x", 2)})));
}

TEST_P(StoreContractTest, LaterChangesOfABatchWin) {
  const auto store = place_->Open();
  ASSERT_THAT(store, IsOk());
  ASSERT_THAT((*store)->Write({{"k", "1"}, {"k", std::nullopt}, {"k", "2"}}), IsOk());
  EXPECT_THAT((*store)->Load(), IsOkAndHolds(ElementsAre(StoreRecord{"k", "2"})));
}

TEST_P(StoreContractTest, OneOwnerAtATime) {
  const auto store = place_->Open();
  ASSERT_THAT(store, IsOk());
  EXPECT_THAT(place_->Open(), StatusIs(absl::StatusCode::kAborted));
  ASSERT_THAT((*store)->Close(), IsOk());
  EXPECT_THAT(place_->Open(), IsOk());
}

TEST_P(StoreContractTest, ClosedIsClosed) {
  const auto store = place_->Open();
  ASSERT_THAT(store, IsOk());
  ASSERT_THAT((*store)->Close(), IsOk());
  EXPECT_THAT((*store)->Close(), IsOk());
  EXPECT_THAT((*store)->Write({{"a", "1"}}), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT((*store)->Load(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContractTest,
                         testing::Values(Kind{"Memory", [] { return std::make_unique<MemoryPlace>(); }},
                                         Kind{"RocksDb", [] { return std::make_unique<RocksDbPlace>(); }}),
                         [](const testing::TestParamInfo<Kind>& kind) { return kind.param.name; });

TEST(RocksDbStoreTest, OtherFormatsAreRefusedAndLeftAsTheyAre) {
  std::string pattern = (std::filesystem::temp_directory_path() / "hanas-store-XXXXXX").string();
  const std::string directory = mkdtemp(pattern.data());
  const auto mark = [&](const std::string& name, const std::string& format) {
    const auto store = OpenRocksDbStore(directory + name);
    ASSERT_THAT(store, IsOk());
    ASSERT_THAT((*store)->Write({{std::string("\0format", 7), format}, {"a", "1"}}), IsOk());
  };
  mark("/newer", absl::StrCat(kStoreFormatVersion + 1));
  EXPECT_THAT(OpenRocksDbStore(directory + "/newer"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       testing::HasSubstr(absl::StrCat("found format ", kStoreFormatVersion + 1, ": install the newer HA-NAS"))));
  mark("/older", "1");
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(OpenRocksDbStore(directory + "/older"),
                StatusIs(absl::StatusCode::kFailedPrecondition, testing::HasSubstr("found format 1: let the older HA-NAS")));
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace hanas::coordinator
