// SPDX-License-Identifier: Apache-2.0
// Artifacts on the wire: whole, cut, repeated, and not what they said.

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "absl/time/clock.h"
#include "rpc/status.h"
#include "tests/coordinator/services_fixture.h"

namespace hanas::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;

class ArtifactsTest : public ServicesTest {
 protected:
  static v1::UploadArtifactRequest Part(const std::string& data, int64_t offset) {
    v1::UploadArtifactRequest request;
    request.set_offset(offset);
    request.set_data(data);
    return request;
  }
  static v1::UploadArtifactRequest First(const std::string& whole, const std::string& data, int64_t offset = 0) {
    v1::UploadArtifactRequest request = Part(data, offset);
    request.mutable_artifact()->set_sha256(Sha256(whole));
    request.mutable_artifact()->set_size_bytes(static_cast<int64_t>(whole.size()));
    return request;
  }
  absl::Status Upload(const std::vector<v1::UploadArtifactRequest>& parts) {
    grpc::ClientContext context;
    v1::UploadArtifactResponse response;
    const auto writer = files_->UploadArtifact(&context, &response);
    for (const v1::UploadArtifactRequest& part : parts) {
      if (!writer->Write(part)) break;
    }
    writer->WritesDone();
    return rpc::FromGrpcStatus(writer->Finish());
  }
  v1::StatArtifactResponse Stat(const std::string& sha256) {
    grpc::ClientContext context;
    v1::StatArtifactRequest request;
    request.set_sha256(sha256);
    v1::StatArtifactResponse response;
    EXPECT_TRUE(files_->StatArtifact(&context, request, &response).ok());
    return response;
  }
  absl::StatusOr<std::string> Download(const std::string& sha256, int64_t offset = 0) {
    grpc::ClientContext context;
    v1::DownloadArtifactRequest request;
    request.set_sha256(sha256);
    request.set_offset(offset);
    const auto reader = files_->DownloadArtifact(&context, request);
    std::string bytes;
    v1::DownloadArtifactResponse part;
    while (reader->Read(&part)) bytes += part.data();
    const absl::Status status = rpc::FromGrpcStatus(reader->Finish());
    if (!status.ok()) return status;
    return bytes;
  }
};

TEST_F(ArtifactsTest, GoUpAndDown) {
  const std::string bytes(3 << 20, 'x');
  grpc::ClientContext up;
  v1::UploadArtifactResponse uploaded;
  const auto writer = files_->UploadArtifact(&up, &uploaded);
  for (size_t offset = 0; offset < bytes.size(); offset += 1 << 20) {
    v1::UploadArtifactRequest request;
    if (offset == 0) {
      request.mutable_artifact()->set_sha256(Sha256(bytes));
      request.mutable_artifact()->set_size_bytes(static_cast<int64_t>(bytes.size()));
    }
    request.set_offset(static_cast<int64_t>(offset));
    request.set_data(bytes.substr(offset, 1 << 20));
    ASSERT_TRUE(writer->Write(request));
  }
  writer->WritesDone();
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(Download(Sha256(bytes), 10).value(), bytes.substr(10));
}

TEST_F(ArtifactsTest, CutUploadGoesOnWhereItWas) {
  const std::string whole = "hello world";
  const absl::Status cut = Upload({First(whole, "hello ")});
  EXPECT_EQ(cut.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(HasReason(cut, "UPLOAD_INCOMPLETE"));
  EXPECT_EQ(Stat(Sha256(whole)).received_bytes(), 6);
  EXPECT_TRUE(Upload({First(whole, "world", 6)}).ok());
  EXPECT_TRUE(Stat(Sha256(whole)).complete());
}

TEST_F(ArtifactsTest, RepeatedUploadIsFine) {
  const std::string whole = "hello world";
  EXPECT_TRUE(Upload({First(whole, whole)}).ok());
  EXPECT_TRUE(Upload({First(whole, whole)}).ok());
  EXPECT_TRUE(Upload({First(whole, "hello "), Part("world", 6)}).ok());
}

TEST_F(ArtifactsTest, OtherBytesAreRefusedAndDropped) {
  const std::string whole = "hello world";
  const absl::Status status = Upload({First(whole, "HELLO WORLD")});
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(HasReason(status, "DIGEST_MISMATCH"));
  EXPECT_EQ(Stat(Sha256(whole)).received_bytes(), 0);
}

TEST_F(ArtifactsTest, PartsThatDoNotFitAreRefused) {
  const std::string whole = "hello world";
  EXPECT_TRUE(HasReason(Upload({First(whole, "world", 6)}), "UPLOAD_OUT_OF_RANGE")) << "a hole";
  EXPECT_TRUE(HasReason(Upload({First(whole, whole + "!")}), "UPLOAD_OUT_OF_RANGE")) << "beyond the end";
}

/// A stream that its client goes on with message by message.
class OpenUpload {
 public:
  explicit OpenUpload(v1::ArtifactService::Stub* files) : writer_(files->UploadArtifact(&context_, &response_)) {}
  bool Send(const v1::UploadArtifactRequest& part) { return writer_->Write(part); }
  absl::Status Finish() {
    writer_->WritesDone();
    return End();
  }
  absl::Status End() { return rpc::FromGrpcStatus(writer_->Finish()); }
  void Cut() {
    context_.TryCancel();
    (void)writer_->Finish();
  }

 private:
  grpc::ClientContext context_;
  v1::UploadArtifactResponse response_;
  std::unique_ptr<grpc::ClientWriter<v1::UploadArtifactRequest>> writer_;
};

/// A second stream writes other bytes into an artifact while the first is under way, ending, and over.
TEST_F(ArtifactsTest, AnotherStreamCannotChangeWhatIsStored) {
  const std::string whole(size_t{3} << 20, 'x');
  const std::string chunk = whole.substr(0, size_t{1} << 20);
  OpenUpload good(files_.get());
  OpenUpload before(files_.get());
  OpenUpload after(files_.get());
  ASSERT_TRUE(before.Send(First(whole, "POISON")));
  ASSERT_TRUE(good.Send(First(whole, chunk)));
  ASSERT_TRUE(good.Send(Part(chunk, 1 << 20)));
  ASSERT_TRUE(before.Send(Part("POISON", 6)));
  ASSERT_TRUE(good.Send(Part(chunk, 2 << 20)));
  ASSERT_TRUE(after.Send(First(whole, "POISON")));
  EXPECT_TRUE(good.Finish().ok());
  (void)before.Finish();
  EXPECT_TRUE(after.Send(Part("POISON", 6)));
  after.Cut();
  EXPECT_TRUE(Stat(Sha256(whole)).complete());
  EXPECT_EQ(Download(Sha256(whole)).value(), whole);
}

TEST_F(ArtifactsTest, AnUploadWhoseConnectionBreaksGoesOnWhereItWas) {
  const std::string whole(size_t{5} << 20, 'x');
  const std::string chunk = whole.substr(0, size_t{1} << 20);
  OpenUpload cut(files_.get());
  ASSERT_TRUE(cut.Send(First(whole, chunk)));
  for (int64_t i = 1; i < 4; ++i) ASSERT_TRUE(cut.Send(Part(chunk, i << 20)));
  // The service hears of messages, and of the end, a little later than its client.
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  std::error_code absent;
  const auto arrived = [&] { return std::filesystem::file_size(directory_ + "/partial/" + Sha256(whole), absent); };
  while ((arrived() < 2 << 20 || absent) && absl::Now() < give_up) std::this_thread::yield();
  cut.Cut();
  int64_t received = 0;
  while (received == 0 && absl::Now() < give_up) received = Stat(Sha256(whole)).received_bytes();
  ASSERT_GT(received, 0);
  ASSERT_EQ(received % (1 << 20), 0);
  std::vector<v1::UploadArtifactRequest> rest = {First(whole, chunk, received)};
  for (int64_t offset = received + (1 << 20); offset < 5 << 20; offset += 1 << 20) rest.push_back(Part(chunk, offset));
  EXPECT_TRUE(Upload(rest).ok());
  EXPECT_EQ(Download(Sha256(whole)).value(), whole);
}

TEST_F(ArtifactsTest, AStreamThatBringsNothingIsEndedAndItsPartKept) {
  Stop();
  upload_options_.max_stall = absl::Seconds(1);
  Start();
  const std::string whole = "hello world";
  OpenUpload silent(files_.get());
  EXPECT_TRUE(HasReason(silent.End(), "UPLOAD_STALLED")) << "not even a first message";
  OpenUpload stalled(files_.get());
  ASSERT_TRUE(stalled.Send(First(whole, "hello ")));
  EXPECT_TRUE(HasReason(stalled.End(), "UPLOAD_STALLED"));
  EXPECT_EQ(Stat(Sha256(whole)).received_bytes(), 6);
}

TEST_F(ArtifactsTest, DamagedOnesAreSentAgain) {
  const std::string whole(size_t{3} << 20, 'x');
  const std::string file = directory_ + "/complete/" + Sha256(whole);
  const auto damage = [&] {
    std::ofstream(directory_ + "/other") << std::string(whole.size(), 'y');
    std::filesystem::rename(directory_ + "/other", file);
  };
  const auto upload = [&] {
    const std::string chunk = whole.substr(0, size_t{1} << 20);
    return Upload({First(whole, chunk), Part(chunk, 1 << 20), Part(chunk, 2 << 20)});
  };
  ASSERT_TRUE(upload().ok());

  damage();
  EXPECT_FALSE(Stat(Sha256(whole)).complete()) << "who asks whether to send it is told to";
  ASSERT_TRUE(upload().ok());
  EXPECT_EQ(Download(Sha256(whole)).value(), whole);

  damage();
  EXPECT_TRUE(HasReason(Download(Sha256(whole)).status(), "ARTIFACT_DAMAGED")) << "who reads it is told not to trust it";
  EXPECT_EQ(Download(Sha256(whole)).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(upload().ok());
  EXPECT_EQ(Download(Sha256(whole)).value(), whole);

  damage();
  ASSERT_TRUE(upload().ok()) << "who asked nobody repairs it, too";
  EXPECT_EQ(Download(Sha256(whole)).value(), whole);
}

TEST_F(ArtifactsTest, MalformedUploadsNameTheirField) {
  const auto blames = [](const std::string& path) { return ElementsAre(Field(&FieldViolation::path, path)); };
  EXPECT_THAT(ViolationsOf(Upload({})), blames("artifact"));
  EXPECT_THAT(ViolationsOf(Upload({Part("data", 0)})), blames("artifact.sha256"));
  v1::UploadArtifactRequest negative = First("x", "x");
  negative.mutable_artifact()->set_size_bytes(-1);
  EXPECT_THAT(ViolationsOf(Upload({negative})), blames("artifact.size_bytes"));
  const std::string large(size_t{2} << 20, 'x');
  EXPECT_THAT(ViolationsOf(Upload({First(large, large)})), blames("data"));
  EXPECT_THAT(ViolationsOf(Upload({First("ab", "a"), First("other", "o")})), blames("artifact"));
}

TEST_F(ArtifactsTest, UnknownOneIsNotFound) {
  EXPECT_EQ(Download(Sha256("nowhere")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Download("../../etc/passwd").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace hanas::coordinator
