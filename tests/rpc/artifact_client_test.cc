// SPDX-License-Identifier: Apache-2.0
#include "rpc/artifact_client.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/server.h"
#include "tests/rpc/fake_artifact_service.h"
#include "tests/rpc/fake_clock.h"

namespace hanas::rpc {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string RandomBytes(size_t size) {
  CounterRandom random(7, "artifact");
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.NextUint32());
  return bytes;
}

class ArtifactClientTest : public ::testing::Test {
 protected:
  FakeArtifactService service_;
  std::unique_ptr<Server> server_ = *Server::Start({}, {&service_});
  std::unique_ptr<v1::ArtifactService::Stub> stub_ = v1::ArtifactService::NewStub(server_->InProcessChannel());
  JumpingClock clock_;
  ArtifactClient client_{stub_.get(), {}, &clock_};
};

TEST_F(ArtifactClientTest, UploadsInChunksAndDownloads) {
  const std::string bytes = RandomBytes((size_t{3} << 20) + 17);
  const auto artifact = client_.Upload(bytes);
  ASSERT_THAT(artifact, IsOk());
  EXPECT_EQ(artifact->size_bytes(), static_cast<int64_t>(bytes.size()));
  EXPECT_EQ(service_.messages(), 4);
  EXPECT_EQ(service_.largest_message(), kArtifactChunkBytes);
  EXPECT_THAT(client_.Download(*artifact), IsOkAndHolds(bytes));

  // Again: one small call.
  EXPECT_THAT(client_.Upload(bytes), IsOk());
  EXPECT_EQ(service_.messages(), 4);
}

TEST_F(ArtifactClientTest, EmptyArtifactsExist) {
  const auto artifact = client_.Upload("");
  ASSERT_THAT(artifact, IsOk());
  EXPECT_TRUE(service_.Has(artifact->sha256()));
  EXPECT_THAT(client_.Download(*artifact), IsOkAndHolds(""));
}

TEST_F(ArtifactClientTest, AnInterruptedUploadGoesOnWhereItWas) {
  const std::string bytes = RandomBytes(size_t{5} << 20);
  service_.FailUploadAfter(3);
  ASSERT_THAT(client_.Upload(bytes), IsOk());
  EXPECT_EQ(service_.messages(), 5) << "no chunk is sent twice";
  EXPECT_THAT(clock_.waits, SizeIs(1));
  EXPECT_TRUE(service_.Has(Sha256Hex(bytes)));
}

TEST_F(ArtifactClientTest, GoesOnFromWhatAnotherAttemptLeft) {
  const std::string bytes = RandomBytes(size_t{2} << 20);
  service_.StorePartial(Sha256Hex(bytes), bytes.substr(0, bytes.size() - 10));
  ASSERT_THAT(client_.Upload(bytes), IsOk());
  EXPECT_EQ(service_.messages(), 1);
}

TEST_F(ArtifactClientTest, SendsAllOfItWhenWhatAnotherLeftHasOtherBytes) {
  const std::string bytes = RandomBytes(size_t{2} << 20);
  service_.StorePartial(Sha256Hex(bytes), "not its beginning");
  ASSERT_THAT(client_.Upload(bytes), IsOk());
  EXPECT_TRUE(service_.Has(Sha256Hex(bytes)));
}

TEST_F(ArtifactClientTest, WaitsUntilTheStoreNoticesThatTheConnectionBroke) {
  const std::string bytes = RandomBytes(size_t{20} << 20);
  service_.FailUploadAfter(18);
  service_.HidePartialFor(/*asks=*/3);
  ASSERT_THAT(client_.Upload(bytes), IsOk());
  EXPECT_EQ(service_.messages(), 20) << "no chunk is sent twice";

  const std::string never = RandomBytes((size_t{20} << 20) + 1);
  service_.FailUploadAfter(18);
  service_.HidePartialFor(/*asks=*/1000);
  EXPECT_THAT(client_.Upload(never), IsOk()) << "it does not wait for ever";
}

TEST_F(ArtifactClientTest, AnInterruptedDownloadGoesOnWhereItWas) {
  const std::string bytes = RandomBytes(4500);
  const v1::ArtifactRef artifact = ArtifactRefOf(bytes);
  service_.Store(artifact.sha256(), bytes);
  service_.FailDownloadAfter(2);
  EXPECT_THAT(client_.Download(artifact), IsOkAndHolds(bytes));
  EXPECT_THAT(clock_.waits, SizeIs(1));
}

TEST_F(ArtifactClientTest, RefusesWhatIsNotWhatWasAskedFor) {
  v1::ArtifactRef artifact = ArtifactRefOf("expected");
  EXPECT_THAT(client_.Download(artifact), StatusIs(absl::StatusCode::kNotFound, HasSubstr(artifact.sha256())));
  service_.Store(artifact.sha256(), "exqected");
  EXPECT_THAT(client_.Download(artifact), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("digest")));
  service_.Store(artifact.sha256(), "expected and more");
  EXPECT_THAT(client_.Download(artifact), StatusIs(absl::StatusCode::kDataLoss));
  service_.Store(artifact.sha256(), "exp");
  EXPECT_THAT(client_.Download(artifact), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("expected 8 bytes, received 3")));

  artifact.set_size_bytes(-1);
  EXPECT_THAT(client_.Download(artifact), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("size_bytes")));
  artifact.set_size_bytes(kMaxArtifactBytes + 1);
  EXPECT_THAT(client_.Download(artifact), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("size_bytes")));
  artifact.set_size_bytes(1);
  artifact.set_sha256("../../etc/passwd");
  EXPECT_THAT(client_.Download(artifact), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("sha256")));
}

TEST_F(ArtifactClientTest, FilesAreCompleteOrAbsent) {
  const std::filesystem::path directory = std::filesystem::path(::testing::TempDir()) / absl::StrCat("hanas-artifact-", ::getpid());
  std::filesystem::create_directories(directory);
  const std::string path = directory / "model.onnx";
  const std::string bytes = RandomBytes(2500);
  const v1::ArtifactRef artifact = ArtifactRefOf(bytes);
  service_.Store(artifact.sha256(), bytes.substr(1));
  EXPECT_THAT(client_.DownloadToFile(artifact, path), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_TRUE(std::filesystem::is_empty(directory));

  service_.Store(artifact.sha256(), bytes);
  ASSERT_THAT(client_.DownloadToFile(artifact, path), IsOk());
  std::stringstream read;
  read << std::ifstream(path).rdbuf();
  EXPECT_EQ(read.str(), bytes);
  EXPECT_THAT(client_.DownloadToFile(artifact, "/nonexistent/model"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nonexistent/model")));
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace hanas::rpc
