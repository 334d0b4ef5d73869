// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/artifact_store.h"

#include <stdlib.h>

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "coordinator/store/record_codec.h"
#include "coordinator/store/record_key.h"

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
  const std::vector<Work> works = {
      TrainWork{.kind = TrainingKind::kFineTune, .slice = {{1, 2}}, .initial = {"a", 1}, .from_step = 1, .to_step = 2, .total_steps = 3},
      EvaluateWork{{"a", 1}, {{{1}}, {{2}}}, {"x", "y"}},
      FitWork{7},
      BindWork{{"a", 1}, {{3}}, "g"},
      PackWork{},
      MeasureOperatorsWork{{"k"}},
      MeasureNetworksWork{{{{4}}}, {"p"}},
      VerifyWork{{"a", 1}, {"b", 2}, {"c", 3}}};
  const std::vector<Outcome> outcomes = {TrainOutcome{{"a", 1}, 2, 0.5, 3, 4, "d", false},
                                         EvaluateOutcome{{{1, 2, 0.5}}, 3},
                                         FitOutcome{std::string("\0p", 2), 0.5, 0.1, "mlp"},
                                         BindOutcome{{"a", 1}, {"b", 2}, {1, 2, 0.5}, 3},
                                         PackOutcome{{"a", 1}, 2},
                                         MeasureOperatorsOutcome{{{"k", 1, 2, 0.1, 5, true}}, {.load_average = 0.5, .canary_ratio = 1}, 3},
                                         MeasureNetworksOutcome{{{1, 2, 3, 0.1, 5, true, 6}}, {.temperature_celsius = 40}, 3},
                                         VerifyOutcome{.device = {1, 2, 3},
                                                       .exported = {1, 2, 3},
                                                       .exported_runtime = "r",
                                                       .agreeing = 1,
                                                       .compared = 2,
                                                       .reopened = {.score = {1, 2, 0.5}, .differing = 1},
                                                       .device_accuracy = {.score = {0, 2, 0.25}, .differing = 2}}};
  for (size_t i = 0; i < works.size(); ++i) {
    const TaskRecord task = {.id = 1,
                             .search = 2,
                             .key = "k",
                             .work = works[i],
                             .state = TaskState::kDone,
                             .attempt = 3,
                             .fencing_token = 4,
                             .party = 5,
                             .instance = "i",
                             .failures = 1,
                             .error = "e",
                             .rounds = {{1, {{0, 1, 2, 3, 4, true}}}},
                             .outcome = outcomes[i]};
    const absl::StatusOr<AnyRecord> read = ParseRecord(SerialiseRecord(task));
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(std::get<TaskRecord>(*read), task) << i;
  }
}

TEST(RecordCodecTest, SearchSurvives) {
  SearchRecord search = {.id = 1, .request_id = "r", .spec = "s", .job_digest = {1, 2}, .phase = SearchPhase::kSearching};
  search.phases = {{SearchPhase::kProfiling, 1.5, 2, 3, "operators"}};
  search.caps = {.name = "x", .native_float16 = true};
  search.profile = ProfileRecord{5, 0.01, {{"macs", 1, 2}}, 0.5, 100};
  search.rounds = {{1, 2, 0.5, 0.6, 0.01, 3}};
  search.members = {{"m", true, TrainingKind::kAlone, 5, {{1, 2}}, {1, 2, 3}, 4}};
  search.candidates_scored = 9;
  search.left_out = {{"m", "EXPORT_FAILED", "it broke"}};
  search.forecast = ForecastRecord{1, 2, 3, 4.5, 5.5, 6, "counts only"};
  search.paused = true;
  search.finishing = true;
  search.finish_reason = "asked by a user";
  search.create_time_us = 7;
  search.end_time_us = 8;
  const absl::StatusOr<AnyRecord> read = ParseRecord(SerialiseRecord(search));
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(std::get<SearchRecord>(*read), search);
}

TEST(RecordCodecTest, OtherBytesAreRefused) {
  EXPECT_THAT(ParseRecord("\xff\xff"), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(ParseRecord(""), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(ParseRecord(std::string("\x08\x02\x10\x01", 4)), StatusIs(absl::StatusCode::kFailedPrecondition));  // version 2
}

}  // namespace
}  // namespace hanas::coordinator
