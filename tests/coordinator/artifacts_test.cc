// SPDX-License-Identifier: Apache-2.0
// Artifacts on the wire: whole, cut, repeated, and not what they said.

#include <gmock/gmock.h>

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
  v1::DownloadArtifactRequest request;
  request.set_sha256(Sha256(bytes));
  request.set_offset(10);
  grpc::ClientContext down;
  const auto reader = files_->DownloadArtifact(&down, request);
  std::string read;
  v1::DownloadArtifactResponse part;
  while (reader->Read(&part)) read += part.data();
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(read, bytes.substr(10));
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
  grpc::ClientContext context;
  v1::DownloadArtifactRequest request;
  request.set_sha256(Sha256("nowhere"));
  const auto reader = files_->DownloadArtifact(&context, request);
  v1::DownloadArtifactResponse part;
  EXPECT_FALSE(reader->Read(&part));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace hanas::coordinator
