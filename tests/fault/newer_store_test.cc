// SPDX-License-Identifier: Apache-2.0
// A store that a newer HA-NAS wrote: the coordinator says so, exits with a status of its own, and changes nothing.
#include <filesystem>
#include <map>
#include <memory>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "config/process/exit_code.h"
#include "coordinator/store/codec/record_codec.h"
#include "coordinator/store/record_key.h"
#include "coordinator/store/rocksdb/rocksdb_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "hanas/store/v1/records.pb.h"
#include "tests/fault/coordinator_process.h"
#include "tests/support/raw_store.h"

namespace hanas::fault {
namespace {

using ::absl_testing::IsOk;
using ::testing::AllOf;
using ::testing::HasSubstr;

class NewerStoreTest : public testing::Test {
 protected:
  /// A store of today with a counter in it.
  NewerStoreTest() {
    std::filesystem::create_directories(coordinator_.data_dir());
    const auto store = coordinator::OpenRocksDbStore(database());
    EXPECT_THAT(store, IsOk());
    EXPECT_THAT((*store)->Write({{CounterKey(), coordinator::SerialiseRecord(coordinator::CounterRecord{.last = 17})}}), IsOk());
  }
  static std::string CounterKey() { return coordinator::EncodeKey({.kind = coordinator::RecordKind::kCounter}); }
  std::string database() const { return coordinator_.data_dir() + "/db"; }

  /// Starts a coordinator, which must refuse the store for what it `found`.
  void ExpectRefused(const std::string& found) {
    const std::map<std::string, std::string> before = ReadRawStore(database());
    coordinator_.Start();
    EXPECT_EQ(coordinator_.Wait(), static_cast<int>(config::ProcessExit::kNewerState)) << coordinator_.output();
    EXPECT_THAT(coordinator_.output(), AllOf(HasSubstr(found), HasSubstr("install the newer HA-NAS"), HasSubstr("use a new directory")));
    EXPECT_FALSE(std::filesystem::exists(coordinator_.File("port"))) << "it never served";
    EXPECT_EQ(ReadRawStore(database()), before);
  }

  CoordinatorProcess coordinator_{15};
};

TEST_F(NewerStoreTest, Format) {
  const int newer = coordinator::kStoreFormatVersion + 1;
  WriteRawStore(database(), std::string("\0format", 7), absl::StrCat(newer));
  ExpectRefused(absl::StrCat("found format ", newer));
}

TEST_F(NewerStoreTest, Record) {
  const int newer = coordinator::kRecordVersion + 1;
  store::v1::Record record;
  record.set_version(newer);
  record.set_counter(18);
  WriteRawStore(database(), CounterKey(), record.SerializeAsString());
  ExpectRefused(absl::StrCat("found ", newer, ":"));
}

}  // namespace
}  // namespace hanas::fault
