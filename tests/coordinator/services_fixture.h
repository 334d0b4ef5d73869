// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_COORDINATOR_SERVICES_FIXTURE_H_
#define HANAS_TESTS_COORDINATOR_SERVICES_FIXTURE_H_

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "coordinator/app/app.h"
#include "coordinator/service/search_convert.h"
#include "coordinator/service/services.h"
#include "coordinator/store/memory_store.h"
#include "hanas/v1/farm.grpc.pb.h"
#include "hanas/v1/search.grpc.pb.h"
#include "hanas/v1/task.grpc.pb.h"
#include "rpc/convert/job.h"
#include "rpc/protocol.h"
#include "rpc/server.h"
#include "tests/core/small_space.h"

namespace hanas::coordinator {

inline SearchJob SmallJob() {
  SearchJob job = {.name = "small", .seed = 3};
  job.dataset = {.name = "data", .directory = "data", .validation_images = 1000};
  job.space = SmallSpaceSpec();
  return job;
}

/// The coordinator's services on loopback, over a disk in memory.
class ServicesTest : public testing::Test {
 protected:
  ServicesTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hanas-services-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    artifacts_ = ArtifactStore::Open(directory_).value();
    Start();
  }
  ~ServicesTest() override {
    Stop();
    std::filesystem::remove_all(directory_);
  }

  void Start() {
    store_ = MemoryStore::Open(disk_).value();
    app_ = App::Create(store_.get(), artifacts_.get(), &clock_, ParseSpec).value();
    services_.push_back(CreateSearchService(app_.get(), watch_options_));
    services_.push_back(CreateTaskService(app_.get()));
    services_.push_back(CreateArtifactService(app_.get(), upload_options_));
    services_.push_back(CreateFarmService(app_.get()));
    std::vector<grpc::Service*> services;
    for (const std::unique_ptr<grpc::Service>& service : services_) services.push_back(service.get());
    server_ = rpc::Server::Start(server_options_, services).value();
    Connect({});
  }
  void Stop() {
    if (app_ == nullptr) return;
    app_->Stop();
    server_->Shutdown();
    server_.reset();
    services_.clear();
    app_.reset();
    store_.reset();
  }
  void Connect(const grpc::ChannelArguments& arguments) {
    const std::shared_ptr<grpc::Channel> channel =
        grpc::CreateCustomChannel(server_->address().ToString(), grpc::InsecureChannelCredentials(), arguments);
    searches_ = v1::SearchService::NewStub(channel);
    tasks_ = v1::TaskService::NewStub(channel);
    files_ = v1::ArtifactService::NewStub(channel);
    farm_ = v1::FarmService::NewStub(channel);
  }

  grpc::Status Create(const SearchJob& job, const std::string& request_id, v1::Search* search) {
    grpc::ClientContext context;
    v1::CreateSearchRequest request;
    *request.mutable_spec() = rpc::ToProto(job);
    request.set_request_id(request_id);
    return searches_->CreateSearch(&context, request, search);
  }
  static v1::RegisterRequest AgentRegistration() {
    v1::RegisterRequest request;
    request.mutable_party()->set_name("local");
    request.mutable_party()->set_instance_id("1");
    request.mutable_party()->set_key(std::string(32, 'k'));
    request.mutable_party()->set_host_id("host");
    request.mutable_party()->set_protocol_version(rpc::kProtocolVersion);
    request.mutable_party()->mutable_agent()->mutable_device()->set_cpu("cpu");
    request.mutable_party()->mutable_agent()->mutable_caps()->set_name("xnnpack");
    return request;
  }
  std::string RegisterAgent() {
    grpc::ClientContext context;
    v1::RegisterResponse response;
    EXPECT_TRUE(tasks_->Register(&context, AgentRegistration(), &response).ok());
    return response.party();
  }

  std::string directory_;
  FakeClock clock_;
  WatchOptions watch_options_;
  UploadOptions upload_options_;
  rpc::ServerOptions server_options_;
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<Store> store_;
  std::unique_ptr<ArtifactStore> artifacts_;
  std::unique_ptr<App> app_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<v1::SearchService::Stub> searches_;
  std::unique_ptr<v1::TaskService::Stub> tasks_;
  std::unique_ptr<v1::ArtifactService::Stub> files_;
  std::unique_ptr<v1::FarmService::Stub> farm_;
};

}  // namespace hanas::coordinator

#endif  // HANAS_TESTS_COORDINATOR_SERVICES_FIXTURE_H_
