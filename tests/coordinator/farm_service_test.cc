// SPDX-License-Identifier: Apache-2.0
// FarmService over an in-process channel: who is there, what they do, how they feel, and draining.

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "coordinator/app/app.h"
#include "coordinator/service/search_convert.h"
#include "coordinator/service/services.h"
#include "coordinator/state/device_health.h"
#include "coordinator/store/memory_store.h"
#include "hanas/v1/farm.grpc.pb.h"
#include "rpc/convert/job.h"
#include "rpc/status.h"
#include "tests/core/small_space.h"

namespace hanas::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class FarmServiceTest : public testing::Test {
 protected:
  FarmServiceTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hanas-farm-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    artifacts_ = ArtifactStore::Open(directory_).value();
    Open();
  }
  ~FarmServiceTest() override {
    Close();
    std::filesystem::remove_all(directory_);
  }
  void Open() {
    store_ = MemoryStore::Open(disk_).value();
    app_ = App::Create(store_.get(), artifacts_.get(), &clock_, ParseSpec).value();
    farm_service_ = CreateFarmService(app_.get());
    grpc::ServerBuilder builder;
    builder.RegisterService(farm_service_.get());
    server_ = builder.BuildAndStart();
    farm_ = v1::FarmService::NewStub(server_->InProcessChannel({}));
  }
  void Close() {
    app_->Stop();
    server_->Shutdown();
    farm_.reset();
    server_.reset();
    app_.reset();
    store_.reset();
  }

  uint64_t AddWorker(const std::string& name) {
    return app_->Register({.name = name, .instance = "1", .host = "host-" + name, .threads = 2, .datasets = {"data"}})->id;
  }
  uint64_t AddDevice(const std::string& name, const std::string& cpu) {
    PartyRecord party = {.agent = true, .name = name, .instance = "1", .host = "host-" + name};
    party.device = {.device = name, .cpu = cpu};
    party.caps = {.name = "xnnpack", .version = "1", .isa = "none", .native = {{.compute = ElementType::kInt8}}};
    return app_->Register(party)->id;
  }
  void Submit(const std::string& device) {
    SearchJob job = {.name = "small", .seed = 3};
    job.dataset = {.name = "data", .directory = "data", .validation_images = 1000};
    job.space = SmallSpaceSpec();
    job.target.device = device;
    job.measure.calibration_networks = 60;  // enough tasks
    ASSERT_TRUE(app_->CreateSearch("r", rpc::ToProto(job).SerializeAsString(), job).ok());
    ASSERT_TRUE(app_->RunOnce().ok());
  }
  GrantedTask Lease(uint64_t party) {
    absl::StatusOr<std::optional<GrantedTask>> granted = app_->LeaseTask(party, "1", absl::ZeroDuration());
    EXPECT_TRUE(granted.ok() && granted->has_value());
    return **std::move(granted);
  }
  static Holder HolderOf(const GrantedTask& granted) {
    return {granted.task.party, granted.task.instance, granted.task.id, granted.task.fencing_token};
  }
  /// One measuring task, on a host whose canary ran at `canary_ratio`.
  void Measure(uint64_t device, double canary_ratio) {
    const GrantedTask granted = Lease(device);
    const HostObservation host = {.canary_ratio = canary_ratio};
    Outcome outcome;
    if (const auto* operators = std::get_if<MeasureOperatorsWork>(&granted.task.work)) {
      MeasureOperatorsOutcome measured = {.host = host, .seconds = 1};
      for (const std::string& key : operators->keys) measured.rows.push_back({key, 2, 1, 0.01, 5, false});
      outcome = measured;
    } else {
      const auto& networks = std::get<MeasureNetworksWork>(granted.task.work);
      MeasureNetworksOutcome measured = {.host = host, .seconds = 1};
      measured.rows.assign(networks.architectures.size(), {.p50_us = 30, .p90_us = 31, .p99_us = 32, .cv = 0.01, .rounds = 5});
      outcome = measured;
    }
    ASSERT_TRUE(app_->Complete(HolderOf(granted), outcome).ok());
    ASSERT_TRUE(app_->RunOnce().ok());
  }

  v1::ListWorkersResponse Workers(int page_size = 0, const std::string& token = "") {
    v1::ListWorkersRequest request;
    request.set_page_size(page_size);
    request.set_page_token(token);
    v1::ListWorkersResponse response;
    grpc::ClientContext context;
    status_ = farm_->ListWorkers(&context, request, &response);
    return response;
  }
  v1::ListDevicesResponse Devices(const std::string& token = "") {
    v1::ListDevicesRequest request;
    request.set_page_token(token);
    v1::ListDevicesResponse response;
    grpc::ClientContext context;
    status_ = farm_->ListDevices(&context, request, &response);
    return response;
  }
  grpc::Status Drain(const std::string& name, bool drain) {
    v1::SetDrainRequest request;
    request.set_name(name);
    request.set_drain(drain);
    v1::SetDrainResponse response;
    grpc::ClientContext context;
    return farm_->SetDrain(&context, request, &response);
  }

  std::string directory_;
  FakeClock clock_;
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<Store> store_;
  std::unique_ptr<ArtifactStore> artifacts_;
  std::unique_ptr<App> app_;
  std::unique_ptr<grpc::Service> farm_service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::FarmService::Stub> farm_;
  grpc::Status status_;
};

TEST_F(FarmServiceTest, PagesAreBoundToTheirQuery) {
  for (const char* name : {"a", "b", "c"}) AddWorker(name);
  AddDevice("board", "cpu");
  const v1::ListWorkersResponse first = Workers(2);
  ASSERT_THAT(first.workers(), SizeIs(2));
  EXPECT_EQ(first.workers(0).display_name(), "a");
  ASSERT_FALSE(first.next_page_token().empty());
  const v1::ListWorkersResponse second = Workers(2, first.next_page_token());
  ASSERT_THAT(second.workers(), SizeIs(1));
  EXPECT_EQ(second.workers(0).display_name(), "c");
  EXPECT_EQ(second.next_page_token(), "");
  for (const std::string& token : {std::string("2"), std::string("!"), std::string(5000, 'A')}) {
    Workers(2, token);
    EXPECT_EQ(status_.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << token.substr(0, 10);
  }
  Devices(first.next_page_token());
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << "a token of the workers";
  EXPECT_EQ(ViolationsOf(rpc::FromGrpcStatus(status_)).at(0).path, "page_token");
  Workers(-1);
  EXPECT_EQ(ViolationsOf(rpc::FromGrpcStatus(status_)).at(0).path, "page_size");
}

TEST_F(FarmServiceTest, FiltersChooseParties) {
  for (const char* name : {"a", "b", "c"}) AddWorker(name);
  AddDevice("board-1", "cpu");
  AddDevice("board-2", "another cpu");
  ASSERT_TRUE(Drain("workers/2", true).ok());
  v1::ListWorkersRequest workers;
  workers.set_filter("draining = false AND state = IDLE");
  v1::ListWorkersResponse idle;
  grpc::ClientContext of_workers;
  ASSERT_TRUE(farm_->ListWorkers(&of_workers, workers, &idle).ok());
  ASSERT_THAT(idle.workers(), SizeIs(2));
  EXPECT_EQ(idle.workers(1).display_name(), "c");
  v1::ListDevicesRequest devices;
  devices.set_filter("info.device.cpu : ANOTHER");
  v1::ListDevicesResponse found;
  grpc::ClientContext of_devices;
  ASSERT_TRUE(farm_->ListDevices(&of_devices, devices, &found).ok());
  ASSERT_THAT(found.devices(), SizeIs(1));
  EXPECT_EQ(found.devices(0).display_name(), "board-2");
  devices.set_filter("info.datasets : mnist");
  grpc::ClientContext wrong;
  EXPECT_EQ(ViolationsOf(rpc::FromGrpcStatus(farm_->ListDevices(&wrong, devices, &found))).at(0).path, "filter");
}

TEST_F(FarmServiceTest, ChangesHaveATime) {
  AddDevice("board", "cpu");
  const v1::Device first = Devices().devices(0);
  EXPECT_EQ(first.create_time().seconds(), absl::ToUnixSeconds(clock_.Wall()));
  EXPECT_EQ(first.update_time().seconds(), first.create_time().seconds());
  clock_.Advance(absl::Seconds(7));
  EXPECT_EQ(Devices().devices(0).update_time().seconds(), first.update_time().seconds());
  ASSERT_TRUE(Drain("devices/1", true).ok());
  EXPECT_EQ(Devices().devices(0).create_time().seconds(), first.create_time().seconds());
  EXPECT_EQ(Devices().devices(0).update_time().seconds(), first.update_time().seconds() + 7);
  Close();
  Open();
  EXPECT_EQ(Devices().devices(0).update_time().seconds(), first.update_time().seconds() + 7);
  AddDevice("board", "cpu");
  EXPECT_EQ(Devices().devices(0).create_time().seconds(), first.create_time().seconds()) << "the same name, registered anew";
}

TEST_F(FarmServiceTest, StatesFollowWhatIsLive) {
  const uint64_t device = AddDevice("board", "cpu");
  AddWorker("w");
  EXPECT_EQ(Devices().devices(0).state(), v1::Device::STATE_IDLE);
  EXPECT_EQ(Devices().devices(0).health(), v1::Device::HEALTH_UNKNOWN);
  Submit("board");
  const GrantedTask granted = Lease(device);
  v1::Device measuring = Devices().devices(0);
  EXPECT_EQ(measuring.state(), v1::Device::STATE_MEASURING);
  EXPECT_EQ(measuring.task(), absl::StrCat("tasks/", granted.task.id));
  EXPECT_EQ(measuring.search(), absl::StrCat("searches/", granted.task.search));
  ASSERT_TRUE(app_->Renew({HolderOf(granted), 1, 10, "cooling down for 2s", false}).ok());
  EXPECT_EQ(Devices().devices(0).state(), v1::Device::STATE_COOLING);
  clock_.Advance(absl::Seconds(16));
  EXPECT_EQ(Devices().devices(0).state(), v1::Device::STATE_OFFLINE);
  EXPECT_EQ(Workers().workers(0).state(), v1::Worker::STATE_OFFLINE);
  EXPECT_NEAR(Workers().workers(0).silent_seconds(), 16, 1e-6);
}

TEST_F(FarmServiceTest, TwinsHaveOneTable) {
  const uint64_t device = AddDevice("board-1", "cpu");
  AddDevice("board-2", "cpu");
  AddDevice("other", "another cpu");
  Submit("board-1");
  Measure(device, 1.0);
  const v1::ListDevicesResponse devices = Devices();
  EXPECT_EQ(devices.devices(0).device_class(), devices.devices(1).device_class());
  EXPECT_NE(devices.devices(0).device_class(), devices.devices(2).device_class());
  EXPECT_GT(devices.devices(0).table_rows(), 0);
  EXPECT_EQ(devices.devices(0).table_rows(), devices.devices(1).table_rows());
  EXPECT_EQ(devices.devices(2).table_rows(), 0);
  EXPECT_EQ(devices.devices(0).completed_tasks(), 1);
}

TEST_F(FarmServiceTest, SlowCanariesThrottleThenQuarantineUntilSomebodyLooked) {
  const uint64_t device = AddDevice("board", "cpu");
  Submit("board");
  std::vector<v1::Device::Health> seen;
  // One calm task between two slow ones begins the count anew.
  for (const double ratio : {1.0, 1.2, 1.05, 1.2, 1.3, 1.11, 1.0}) {
    Measure(device, ratio);
    seen.push_back(Devices().devices(0).health());
  }
  EXPECT_THAT(
      seen, ElementsAre(v1::Device::HEALTH_HEALTHY, v1::Device::HEALTH_THROTTLED, v1::Device::HEALTH_HEALTHY, v1::Device::HEALTH_THROTTLED,
                        v1::Device::HEALTH_THROTTLED, v1::Device::HEALTH_QUARANTINED, v1::Device::HEALTH_QUARANTINED));
  EXPECT_EQ(Devices().devices(0).last_host_state().canary_ratio(), 1.0);
  Close();
  Open();
  EXPECT_EQ(Devices().devices(0).health(), v1::Device::HEALTH_QUARANTINED) << "a restart forgets nothing";
  ASSERT_TRUE(Drain("devices/1", false).ok());
  EXPECT_EQ(Devices().devices(0).health(), v1::Device::HEALTH_UNKNOWN);
}

TEST_F(FarmServiceTest, DrainSurvivesRestartsOfBoth) {
  AddWorker("w");
  ASSERT_TRUE(Drain("workers/1", true).ok());
  Close();
  Open();
  AddWorker("w");
  EXPECT_TRUE(Workers().workers(0).draining());
  ASSERT_TRUE(Drain("workers/1", false).ok());
  EXPECT_FALSE(Workers().workers(0).draining());
  EXPECT_EQ(Drain("devices/1", true).error_code(), grpc::StatusCode::NOT_FOUND) << "it is a worker";
  EXPECT_EQ(Drain("workers/77", true).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Drain("somebody", true).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace hanas::coordinator
