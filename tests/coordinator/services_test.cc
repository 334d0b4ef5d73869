// SPDX-License-Identifier: Apache-2.0
// The coordinator's services over an in-process channel: what a user, a worker and an agent see of them.

#include <stdlib.h>

#include <filesystem>
#include <memory>

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "coordinator/app/app.h"
#include "coordinator/service/search_convert.h"
#include "coordinator/service/services.h"
#include "coordinator/store/memory_store.h"
#include "proto/hanas/v1/search.grpc.pb.h"
#include "proto/hanas/v1/task.grpc.pb.h"
#include "rpc/convert/job.h"
#include "rpc/status.h"
#include "tests/core/small_space.h"

namespace hanas::coordinator {
namespace {

using ::testing::HasSubstr;

SearchJob SmallJob() {
  SearchJob job = {.name = "small", .seed = 3};
  job.dataset = {.name = "data", .directory = "data", .validation_images = 1000};
  job.space = SmallSpaceSpec();
  return job;
}

class ServicesTest : public testing::Test {
 protected:
  ServicesTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hanas-services-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    store_ = MemoryStore::Open(std::make_shared<MemoryDisk>()).value();
    artifacts_ = ArtifactStore::Open(directory_).value();
    app_ = App::Create(store_.get(), artifacts_.get(), &clock_, ParseSpec).value();
    services_.push_back(CreateSearchService(app_.get()));
    services_.push_back(CreateTaskService(app_.get()));
    services_.push_back(CreateArtifactService(app_.get()));
    grpc::ServerBuilder builder;
    for (const auto& service : services_) builder.RegisterService(service.get());
    server_ = builder.BuildAndStart();
    const std::shared_ptr<grpc::Channel> channel = server_->InProcessChannel({});
    searches_ = v1::SearchService::NewStub(channel);
    tasks_ = v1::TaskService::NewStub(channel);
    files_ = v1::ArtifactService::NewStub(channel);
  }
  ~ServicesTest() override {
    app_->Stop();
    server_->Shutdown();
    std::filesystem::remove_all(directory_);
  }

  grpc::Status Create(const SearchJob& job, const std::string& request_id, v1::Search* search) {
    grpc::ClientContext context;
    v1::CreateSearchRequest request;
    *request.mutable_spec() = rpc::ToProto(job);
    request.set_request_id(request_id);
    return searches_->CreateSearch(&context, request, search);
  }
  std::string RegisterAgent() {
    grpc::ClientContext context;
    v1::RegisterRequest request;
    request.mutable_party()->set_name("local");
    request.mutable_party()->set_instance_id("1");
    request.mutable_party()->set_host_id("host");
    request.mutable_party()->mutable_agent()->mutable_device()->set_cpu("cpu");
    request.mutable_party()->mutable_agent()->mutable_caps()->set_name("xnnpack");
    v1::RegisterResponse response;
    EXPECT_TRUE(tasks_->Register(&context, request, &response).ok());
    return response.party();
  }

  std::string directory_;
  FakeClock clock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<ArtifactStore> artifacts_;
  std::unique_ptr<App> app_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::SearchService::Stub> searches_;
  std::unique_ptr<v1::TaskService::Stub> tasks_;
  std::unique_ptr<v1::ArtifactService::Stub> files_;
};

TEST_F(ServicesTest, SameRequestIsTheSameSearch) {
  v1::Search first;
  v1::Search second;
  ASSERT_TRUE(Create(SmallJob(), "r", &first).ok());
  ASSERT_TRUE(Create(SmallJob(), "r", &second).ok());
  EXPECT_EQ(first.name(), second.name());
  EXPECT_EQ(first.phase(), v1::PENDING);
  SearchJob other = SmallJob();
  other.seed = 4;
  EXPECT_EQ(Create(other, "r", &second).error_code(), grpc::StatusCode::ALREADY_EXISTS);
}

TEST_F(ServicesTest, BadJobNamesItsFields) {
  SearchJob job = SmallJob();
  job.training.steps = 0;
  v1::Search search;
  const grpc::Status status = Create(job, "r", &search);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  const std::vector<FieldViolation> violations = ViolationsOf(rpc::FromGrpcStatus(status));
  ASSERT_EQ(violations.size(), 1);
  EXPECT_EQ(violations[0].path, "training.steps");
}

TEST_F(ServicesTest, AgentLeasesMeasuringAndStaleTokensAreRefused) {
  v1::Search search;
  ASSERT_TRUE(Create(SmallJob(), "r", &search).ok());
  const std::string party = RegisterAgent();
  EXPECT_THAT(party, HasSubstr("devices/"));
  ASSERT_TRUE(app_->RunOnce().ok());
  v1::LeaseTaskRequest lease;
  lease.set_party(party);
  lease.set_instance_id("1");
  v1::LeaseTaskResponse leased;
  grpc::ClientContext context;
  ASSERT_TRUE(tasks_->LeaseTask(&context, lease, &leased).ok());
  ASSERT_TRUE(leased.task().has_measure_operators());
  EXPECT_GT(leased.task().measure_operators().keys_size(), 0);
  EXPECT_GT(leased.task().lease().ttl_seconds(), 0);
  v1::RenewLeaseRequest renew;
  renew.set_party(party);
  renew.set_instance_id("1");
  renew.set_task(leased.task().lease().task());
  renew.set_fencing_token(leased.task().lease().fencing_token() + 1);
  v1::RenewLeaseResponse renewed;
  grpc::ClientContext stale;
  EXPECT_TRUE(HasReason(rpc::FromGrpcStatus(tasks_->RenewLease(&stale, renew, &renewed)), "STALE_LEASE"));
  renew.set_fencing_token(leased.task().lease().fencing_token());
  grpc::ClientContext live;
  EXPECT_TRUE(tasks_->RenewLease(&live, renew, &renewed).ok());
}

TEST_F(ServicesTest, UnknownPartyIsToldToRegister) {
  v1::LeaseTaskRequest lease;
  lease.set_party("workers/77");
  v1::LeaseTaskResponse leased;
  grpc::ClientContext context;
  EXPECT_TRUE(HasReason(rpc::FromGrpcStatus(tasks_->LeaseTask(&context, lease, &leased)), "UNKNOWN_PARTY"));
}

TEST_F(ServicesTest, WatchGivesEventsInOrderAndEndsWithTheSearch) {
  v1::Search search;
  ASSERT_TRUE(Create(SmallJob(), "r", &search).ok());
  ASSERT_TRUE(app_->CancelSearch(1).ok());
  v1::WatchSearchRequest request;
  request.set_name(search.name());
  grpc::ClientContext context;
  const auto reader = searches_->WatchSearch(&context, request);
  std::vector<int64_t> sequences;
  v1::SearchEvent event;
  while (reader->Read(&event)) sequences.push_back(event.sequence());
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_THAT(sequences, testing::ElementsAre(1, 2));
  EXPECT_EQ(event.kind(), "done");
}

TEST_F(ServicesTest, ArtifactsGoUpAndDown) {
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

}  // namespace
}  // namespace hanas::coordinator
