// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/artifact_store.h"

#include <stdlib.h>

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "coordinator/store/record_codec.h"
#include "coordinator/store/record_key.h"
#include "tests/store/sample_records.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;

class ArtifactStoreTest : public testing::Test {
 protected:
  ArtifactStoreTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hanas-artifacts-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    store_ = ArtifactStore::Open(directory_).value();
  }
  ~ArtifactStoreTest() override { std::filesystem::remove_all(directory_); }
  std::string directory_;
  std::unique_ptr<ArtifactStore> store_;
};

TEST_F(ArtifactStoreTest, DigestIsSha256) { EXPECT_EQ(Sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); }

TEST_F(ArtifactStoreTest, UploadContinuesAfterACrash) {
  const ArtifactRef artifact = {Sha256("hello world"), 11};
  ASSERT_THAT(store_->WritePart(artifact, 0, "hello "), IsOk());
  store_ = ArtifactStore::Open(directory_).value();
  EXPECT_FALSE(store_->Contains(artifact.sha256));
  EXPECT_EQ(store_->Stat(artifact.sha256)->received_bytes, 6);
  EXPECT_THAT(store_->Finish(artifact), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(store_->WritePart(artifact, 7, "orld"), StatusIs(absl::StatusCode::kOutOfRange));
  ASSERT_THAT(store_->WritePart(artifact, 6, "world"), IsOk());
  ASSERT_THAT(store_->Finish(artifact), IsOk());
  EXPECT_THAT(store_->Finish(artifact), IsOk());
  EXPECT_THAT(store_->Read(artifact.sha256, 6, 100), IsOkAndHolds("world"));
  EXPECT_THAT(store_->Read(artifact.sha256, 11, 100), IsOkAndHolds(""));
  EXPECT_THAT(store_->Read(artifact.sha256, 12, 100), StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_F(ArtifactStoreTest, OtherBytesAreRefusedAndDropped) {
  const ArtifactRef artifact = {Sha256("expected"), 8};
  ASSERT_THAT(store_->WritePart(artifact, 0, "tampered"), IsOk());
  EXPECT_THAT(store_->Finish(artifact), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(store_->Stat(artifact.sha256)->received_bytes, 0);
}

TEST_F(ArtifactStoreTest, NamesCannotLeaveTheDirectory) {
  EXPECT_THAT(store_->Read("../../etc/passwd", 0, 10), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(store_->WritePart({"../x", 1}, 0, "x"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(ArtifactStoreTest, RemoveIsIdempotent) {
  const ArtifactRef artifact = store_->Put("bytes").value();
  EXPECT_THAT(store_->Remove(artifact.sha256), IsOk());
  EXPECT_THAT(store_->Remove(artifact.sha256), IsOk());
  EXPECT_FALSE(store_->Contains(artifact.sha256));
}

TEST(RecordKeyTest, OrderOfBytesIsOrderOfNumbers) {
  const RecordKey low = {RecordKind::kTask, 1, 255};
  const RecordKey high = {RecordKind::kTask, 1, 256};
  EXPECT_LT(EncodeKey(low), EncodeKey(high));
  EXPECT_THAT(DecodeKey(EncodeKey(high)), IsOkAndHolds(high));
  EXPECT_THAT(DecodeKey("zzz"), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(RecordCodecTest, TaskSurvives) {
  for (const TaskRecord& task : SampleTasks()) {
    const absl::StatusOr<AnyRecord> read = ParseRecord(SerialiseRecord(task));
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(std::get<TaskRecord>(*read), task) << task.work.index();
  }
}

TEST(RecordCodecTest, SearchSurvives) {
  const absl::StatusOr<AnyRecord> read = ParseRecord(SerialiseRecord(SampleSearch()));
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(std::get<SearchRecord>(*read), SampleSearch());
}

TEST(RecordCodecTest, OtherBytesAreRefused) {
  EXPECT_THAT(ParseRecord("\xff\xff"), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(ParseRecord(""), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(ParseRecord(std::string("\x08\x02\x10\x01", 4)), StatusIs(absl::StatusCode::kFailedPrecondition));  // version 2
}

}  // namespace
}  // namespace hanas::coordinator
