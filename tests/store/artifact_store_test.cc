// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/artifact_store.h"

#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "coordinator/store/codec/record_codec.h"
#include "coordinator/store/record_key.h"
#include "core/base/counter_random.h"
#include "tests/store/sample_records.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ArtifactStoreTest : public testing::Test {
 protected:
  ArtifactStoreTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hanas-artifacts-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    Reopen();
  }
  ~ArtifactStoreTest() override { std::filesystem::remove_all(directory_); }

  void Reopen() {
    options_.now = [this] { return now_; };
    store_ = ArtifactStore::Open(directory_, options_).value();
  }
  static ArtifactRef Ref(const std::string& bytes) { return {Sha256(bytes), static_cast<int64_t>(bytes.size())}; }
  std::unique_ptr<ArtifactUpload> Begin(const ArtifactRef& artifact, int64_t offset = 0) {
    return store_->BeginUpload(artifact, offset).value();
  }
  absl::Status Upload(const std::string& bytes) {
    const auto upload = Begin(Ref(bytes));
    absl::Status status = upload->Write(0, bytes);
    return status.ok() ? upload->Finish() : status;
  }
  /// Leaves a part.
  void Cut(const ArtifactRef& artifact, const std::string& bytes, int64_t offset = 0) {
    EXPECT_THAT(Begin(artifact, offset)->Write(offset, bytes), IsOk());
  }
  int64_t Received(const ArtifactRef& artifact) { return store_->Stat(artifact.sha256)->received_bytes; }
  std::string File(const std::string& folder, const ArtifactRef& artifact) { return directory_ + "/" + folder + "/" + artifact.sha256; }
  size_t NumFiles(const std::string& folder) {
    const std::filesystem::directory_iterator files(directory_ + "/" + folder);
    return static_cast<size_t>(std::distance(begin(files), end(files)));
  }
  /// What happens to files behind the store's back.
  void Overwrite(const std::string& path, const std::string& bytes) {
    std::ofstream(directory_ + "/other") << bytes;
    std::filesystem::rename(directory_ + "/other", path);
  }
  absl::Status ReadAll(const ArtifactRef& artifact) {
    const auto reader = store_->OpenReader(artifact.sha256, 0);
    if (!reader.ok()) return reader.status();
    while (true) {
      const absl::StatusOr<std::string> data = (*reader)->Next(4);
      if (!data.ok() || data->empty()) return data.status();
    }
  }

  std::string directory_;
  absl::Duration now_ = absl::Seconds(1000);
  ArtifactStoreOptions options_;
  std::unique_ptr<ArtifactStore> store_;
};

TEST_F(ArtifactStoreTest, DigestIsSha256) { EXPECT_EQ(Sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); }

TEST_F(ArtifactStoreTest, UploadContinuesAfterACrash) {
  const ArtifactRef artifact = Ref("hello world");
  Cut(artifact, "hello ");
  Reopen();
  EXPECT_FALSE(store_->Contains(artifact.sha256));
  EXPECT_EQ(Received(artifact), 6);
  EXPECT_THAT(Begin(artifact, 6)->Finish(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(store_->BeginUpload(artifact, 7), StatusIs(absl::StatusCode::kOutOfRange));
  const auto upload = Begin(artifact, 6);
  ASSERT_THAT(upload->Write(6, "world"), IsOk());
  ASSERT_THAT(upload->Finish(), IsOk());
  EXPECT_THAT(Upload("hello world"), IsOk());
  EXPECT_THAT(store_->Read(artifact.sha256, 6, 100), IsOkAndHolds("world"));
  EXPECT_THAT(store_->Read(artifact.sha256, 11, 100), IsOkAndHolds(""));
  EXPECT_THAT(store_->Read(artifact.sha256, 12, 100), StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_F(ArtifactStoreTest, WhatIsKeptIsHashedInSlices) {
  const ArtifactRef artifact = Ref("hello world");
  Cut(artifact, "hello ");
  const auto upload = Begin(artifact, 6);
  EXPECT_THAT(upload->HashKept(4), IsOkAndHolds(false));
  EXPECT_THAT(upload->HashKept(4), IsOkAndHolds(true));
  ASSERT_THAT(upload->Write(6, "world"), IsOk());
  EXPECT_THAT(upload->Finish(), IsOk());
}

TEST_F(ArtifactStoreTest, NobodyGoesBackInWhatOthersHaveSent) {
  const ArtifactRef artifact = Ref("hello world");
  Cut(artifact, "hello wo");
  for (const int64_t offset : {1, 7, 9}) {
    EXPECT_THAT(store_->BeginUpload(artifact, offset),
                StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("expected data from the offset 8, found ")))
        << offset;
  }
  EXPECT_EQ(Received(artifact), 8);
  const auto upload = Begin(artifact, 8);
  ASSERT_THAT(upload->Write(8, "rld"), IsOk());
  EXPECT_THAT(upload->Finish(), IsOk());
}

TEST_F(ArtifactStoreTest, OtherBytesAreRefusedAndDropped) {
  const ArtifactRef artifact = Ref("expected");
  const auto upload = Begin(artifact);
  ASSERT_THAT(upload->Write(0, "tampered"), IsOk());
  EXPECT_THAT(upload->Finish(), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(Received(artifact), 0);
  EXPECT_EQ(NumFiles("partial"), 0);
  EXPECT_EQ(NumFiles("removed"), 0) << "its space is free at once";
}

TEST_F(ArtifactStoreTest, WritesThatDoNotFitAreRefused) {
  const ArtifactRef artifact = Ref("hello world");
  const auto upload = Begin(artifact);
  EXPECT_THAT(upload->Write(1, "ello"), StatusIs(absl::StatusCode::kOutOfRange)) << "a hole";
  ASSERT_THAT(upload->Write(0, "hello "), IsOk());
  EXPECT_THAT(upload->Write(0, "HELLO "), StatusIs(absl::StatusCode::kOutOfRange)) << "again";
  EXPECT_THAT(upload->Write(6, "world!"), StatusIs(absl::StatusCode::kOutOfRange)) << "beyond the end";
  ASSERT_THAT(upload->Write(6, "world"), IsOk());
  EXPECT_THAT(upload->Finish(), IsOk());
}

TEST_F(ArtifactStoreTest, EmptyArtifactsExist) {
  EXPECT_THAT(Upload(""), IsOk());
  EXPECT_THAT(ReadAll(Ref("")), IsOk());
  EXPECT_THAT(Begin({Sha256("x"), 0})->Finish(), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(ArtifactStoreTest, UploadsOfOneArtifactDoNotMeet) {
  const ArtifactRef artifact = Ref("hello world");
  const auto good = Begin(artifact);
  const auto poison = Begin(artifact);
  ASSERT_THAT(good->Write(0, "hello "), IsOk());
  ASSERT_THAT(poison->Write(0, "POISON"), IsOk());
  ASSERT_THAT(good->Write(6, "world"), IsOk());
  ASSERT_THAT(good->Finish(), IsOk());
  ASSERT_THAT(poison->Write(6, "POISN"), IsOk());
  EXPECT_THAT(poison->Finish(), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(store_->Read(artifact.sha256, 0, 100), IsOkAndHolds("hello world"));
}

TEST_F(ArtifactStoreTest, OneThatHoldsStillCanBeContinuedByAnother) {
  const ArtifactRef artifact = Ref("hello world");
  const auto cut = Begin(artifact);
  ASSERT_THAT(cut->Write(0, "hello "), IsOk());
  EXPECT_EQ(Received(artifact), 0) << "it may go on any time";
  now_ += options_.stall;
  EXPECT_EQ(Received(artifact), 6);
  const auto next = Begin(artifact, 6);
  EXPECT_THAT(cut->Write(6, "WORLD"), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(cut->Finish(), StatusIs(absl::StatusCode::kAborted));
  ASSERT_THAT(next->Write(6, "world"), IsOk());
  EXPECT_THAT(next->Finish(), IsOk());
}

TEST_F(ArtifactStoreTest, CompleteFilesCannotBeWritten) {
  ASSERT_THAT(Upload("bytes"), IsOk());
  EXPECT_EQ(std::filesystem::status(File("complete", Ref("bytes"))).permissions(), std::filesystem::perms::owner_read);
}

TEST_F(ArtifactStoreTest, WhatIsStoredAlreadyIsNotWrittenAgain) {
  ASSERT_THAT(Upload("bytes"), IsOk());
  EXPECT_TRUE(store_->Stat(Ref("bytes").sha256)->verified);
  const auto upload = Begin(Ref("bytes"));
  EXPECT_EQ(NumFiles("partial"), 0);
  ASSERT_THAT(upload->Write(0, "bytes"), IsOk());
  EXPECT_THAT(upload->Finish(), IsOk());
}

/// Bits that rot, a disk that lost power before the bytes were there, and what older versions let others write.
TEST_F(ArtifactStoreTest, DamagedFilesAreTakenOutByTheirFirstReaderAndRepairedByTheNextUpload) {
  const ArtifactRef artifact = Ref("hello world");
  for (const std::string damaged : {"hellO world", "", "hello", "hello world and more"}) {
    SCOPED_TRACE(damaged);
    ASSERT_THAT(Upload("hello world"), IsOk());
    Overwrite(File("complete", artifact), damaged);
    EXPECT_FALSE(store_->Stat(artifact.sha256)->verified) << "it changed";
    EXPECT_THAT(ReadAll(artifact), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(artifact.sha256)));
    EXPECT_FALSE(store_->Contains(artifact.sha256));
    ASSERT_THAT(Upload("hello world"), IsOk());
    EXPECT_THAT(ReadAll(artifact), IsOk());

    Overwrite(File("complete", artifact), damaged);
    ASSERT_THAT(Upload("hello world"), IsOk()) << "nobody read it before";
    EXPECT_THAT(ReadAll(artifact), IsOk());
  }
}

TEST_F(ArtifactStoreTest, AReaderOfDamageLeavesTheRepairedFileAlone) {
  const ArtifactRef artifact = Ref("hello world");
  ASSERT_THAT(Upload("hello world"), IsOk());
  Overwrite(File("complete", artifact), "hellO world");
  const auto reader = store_->OpenReader(artifact.sha256, 0).value();
  ASSERT_THAT(reader->Next(100), IsOk());
  ASSERT_THAT(Upload("hello world"), IsOk());
  EXPECT_THAT(reader->Next(100), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(ReadAll(artifact), IsOk());
}

TEST_F(ArtifactStoreTest, WhatWasVerifiedBeforeARestartIsReadAgain) {
  ASSERT_THAT(Upload("bytes"), IsOk());
  Reopen();
  EXPECT_FALSE(store_->Stat(Ref("bytes").sha256)->verified);
  EXPECT_THAT(ReadAll(Ref("bytes")), IsOk());
  EXPECT_TRUE(store_->Stat(Ref("bytes").sha256)->verified);
}

TEST_F(ArtifactStoreTest, PartsThatLostBytesAreDroppedAtTheirEnd) {
  const ArtifactRef artifact = Ref("hello world");
  Cut(artifact, "hello ");
  Overwrite(File("partial", artifact), std::string(6, '\0'));  // a crash before they were on the disk
  const auto upload = Begin(artifact, 6);
  ASSERT_THAT(upload->Write(6, "world"), IsOk());
  EXPECT_THAT(upload->Finish(), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(Received(artifact), 0);
  EXPECT_THAT(Upload("hello world"), IsOk());
}

TEST_F(ArtifactStoreTest, PlacesForUploadsAreBounded) {
  options_.max_uploads = 2;
  Reopen();
  auto one = Begin(Ref("one"));
  const auto two = Begin(Ref("two"));
  EXPECT_THAT(store_->BeginUpload(Ref("three"), 0), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("fewer than 2 uploads")));
  one.reset();
  EXPECT_THAT(store_->BeginUpload(Ref("three"), 0), IsOk());
}

TEST_F(ArtifactStoreTest, OldPartsMakeRoomForNewOnes) {
  options_.max_resting_parts = 2;
  options_.max_part_bytes = 10;
  Reopen();
  for (const std::string name : {"1234", "abcd", "ABCD"}) {
    now_ += absl::Seconds(1);
    Cut(Ref(name), name.substr(1));
  }
  EXPECT_EQ(Received(Ref("1234")), 0) << "three are too many";
  EXPECT_EQ(Received(Ref("abcd")), 3);
  const auto first = Begin({Sha256("x"), 100});
  ASSERT_THAT(first->Write(0, "12345"), IsOk());
  EXPECT_EQ(Received(Ref("abcd")), 0) << "eleven bytes are too many";
  const auto second = Begin({Sha256("y"), 100});
  ASSERT_THAT(second->Write(0, "12345"), IsOk());
  EXPECT_THAT(second->Write(5, "6"), StatusIs(absl::StatusCode::kUnavailable)) << "nothing rests";
  EXPECT_EQ(NumFiles("partial"), 2);
}

TEST_F(ArtifactStoreTest, NamesCannotLeaveTheDirectory) {
  EXPECT_THAT(store_->Read("../../etc/passwd", 0, 10), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(store_->BeginUpload({"../x", 1}, 0), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(store_->BeginUpload({Sha256("x"), -1}, 0), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(store_->BeginUpload(Ref("x"), -1), StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_F(ArtifactStoreTest, RemoveIsIdempotentAndLeavesUploadsUnderWayAlone) {
  const ArtifactRef artifact = store_->Put("bytes").value();
  Cut(Ref("part"), "pa");
  const auto under_way = Begin(Ref("part"));
  ASSERT_THAT(under_way->Write(0, "part"), IsOk());
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(store_->Remove(artifact.sha256), IsOk());
    EXPECT_THAT(store_->Remove(Ref("part").sha256), IsOk());
  }
  EXPECT_FALSE(store_->Contains(artifact.sha256));
  EXPECT_THAT(store_->List(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(under_way->Finish(), IsOk());
  EXPECT_THAT(Upload("bytes"), IsOk()) << "it is known to be gone";
  EXPECT_THAT(ReadAll(artifact), IsOk());
}

/// Uploaders, honest and not, at two artifacts: whatever the order, what is complete is right, and an honest uploader that
/// tries again gets through.
class ArtifactInterleavingTest : public ArtifactStoreTest, public testing::WithParamInterface<uint64_t> {};

TEST_P(ArtifactInterleavingTest, NothingPoisonsTheStore) {
  const uint64_t seed = GetParam();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  CounterRandom random(seed, "artifact_store_test/interleaving");
  options_.max_uploads = 6;
  options_.max_resting_parts = 3;
  Reopen();
  const std::string whole[] = {"the bytes of one artifact", "and those of another, which are more"};
  struct Stream {
    const std::string* bytes;
    bool honest;
    std::unique_ptr<ArtifactUpload> upload;
    int64_t offset;
  };
  std::vector<Stream> streams;
  const auto check_complete = [&] {
    for (const std::string& bytes : whole) {
      if (!store_->Contains(Sha256(bytes))) continue;
      EXPECT_THAT(store_->Read(Sha256(bytes), 0, 1000), IsOkAndHolds(bytes));
    }
  };
  for (int step = 0; step < 300; ++step) {
    const uint64_t kind = random.UniformInt(20);
    now_ += absl::Seconds(static_cast<int64_t>(random.UniformInt(4)));
    if (kind < 5) {  // a stream begins, anew, where the store says, or anywhere
      const std::string& bytes = whole[random.UniformInt(2)];
      const int64_t received = Received(Ref(bytes));
      const uint64_t where = random.UniformInt(4);
      const int64_t offset = where == 0 ? 0 : where == 1 ? static_cast<int64_t>(random.UniformInt(bytes.size() + 2)) : received;
      auto upload = store_->BeginUpload(Ref(bytes), offset);
      if (upload.ok()) streams.push_back({&bytes, random.Bernoulli(0.6), *std::move(upload), offset});
    } else if (!streams.empty() && kind < 16) {  // a message: the bytes, others, at another offset, too many
      Stream& stream = streams[random.UniformInt(streams.size())];
      std::string data =
          stream.bytes->substr(std::min<size_t>(static_cast<size_t>(stream.offset), stream.bytes->size()), 1 + random.UniformInt(12));
      int64_t offset = stream.offset;
      if (!stream.honest && random.Bernoulli(0.5)) data[0] ^= 1;
      if (!stream.honest && random.Bernoulli(0.2)) offset = static_cast<int64_t>(random.UniformInt(50)) - 5;
      if (!stream.honest && random.Bernoulli(0.2)) data += std::string(random.UniformInt(40), '!');
      if (stream.upload->Write(offset, data).ok()) stream.offset += static_cast<int64_t>(data.size());
    } else if (!streams.empty()) {  // the end: said, or cut
      const size_t at = random.UniformInt(streams.size());
      if (kind < 19) (void)streams[at].upload->Finish();
      streams.erase(streams.begin() + static_cast<std::ptrdiff_t>(at));
    }
    if (kind == 0 && random.Bernoulli(0.3)) {
      EXPECT_THAT(store_->Remove(Sha256(whole[random.UniformInt(2)])), IsOk());
    }
    if (kind == 1 && random.Bernoulli(0.1)) {
      streams.clear();
      Reopen();
    }
    if (kind == 2 && random.Bernoulli(0.3)) {  // behind the store's back
      const ArtifactRef artifact = Ref(whole[random.UniformInt(2)]);
      if (store_->Contains(artifact.sha256)) Overwrite(File("complete", artifact), "rotten");
      (void)ReadAll(artifact);
    }
    check_complete();
  }
  streams.clear();
  for (const std::string& bytes : whole) {
    EXPECT_THAT(Upload(bytes), IsOk());
    EXPECT_THAT(ReadAll(Ref(bytes)), IsOk());
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, ArtifactInterleavingTest, testing::Range<uint64_t>(1, 101));

TEST_F(ArtifactStoreTest, ThreadsOfUploadersDoNotMeet) {
  std::string bytes(size_t{1} << 20, '\0');
  CounterRandom random(5, "artifact_store_test/threads");
  for (char& byte : bytes) byte = static_cast<char>(random.NextUint32());
  const ArtifactRef artifact = Ref(bytes);
  std::vector<std::thread> threads;
  std::atomic<int> stored = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, poison = i % 2 == 1] {
      const auto upload = Begin(artifact);
      absl::Status status;
      for (int64_t offset = 0; offset < artifact.size_bytes && status.ok(); offset += 4096) {
        std::string data = bytes.substr(static_cast<size_t>(offset), 4096);
        if (poison && offset == 4096) data[7] ^= 1;
        status = upload->Write(offset, data);
      }
      if (status.ok()) status = upload->Finish();
      stored += status.ok() && !poison;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(stored, 4);
  EXPECT_THAT(ReadAll(artifact), IsOk());
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
  EXPECT_THAT(ParseRecord(std::string("\x08\x7f\x10\x01", 4)), StatusIs(absl::StatusCode::kFailedPrecondition));  // version 2
}

}  // namespace
}  // namespace hanas::coordinator
