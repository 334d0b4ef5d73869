// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/service/paging.h"
#include "coordinator/service/services.h"
#include "coordinator/service/task_convert.h"
#include "coordinator/store/codec/data_codec.h"
#include "hanas/v1/farm.grpc.pb.h"
#include "rpc/convert/device.h"
#include "rpc/status.h"

namespace hanas::coordinator {
namespace {

v1::Worker::State WorkerStateOf(PartyActivity activity) {
  switch (activity) {
    case PartyActivity::kOffline:
      return v1::Worker::STATE_OFFLINE;
    case PartyActivity::kIdle:
      return v1::Worker::STATE_IDLE;
    case PartyActivity::kWaiting:
      return v1::Worker::STATE_WAITING;
    case PartyActivity::kBusy:
    case PartyActivity::kCooling:
      return v1::Worker::STATE_WORKING;
  }
  return v1::Worker::STATE_UNSPECIFIED;
}

v1::Device::State DeviceStateOf(PartyActivity activity) {
  switch (activity) {
    case PartyActivity::kOffline:
      return v1::Device::STATE_OFFLINE;
    case PartyActivity::kIdle:
      return v1::Device::STATE_IDLE;
    case PartyActivity::kCooling:
      return v1::Device::STATE_COOLING;
    case PartyActivity::kBusy:
    case PartyActivity::kWaiting:
      return v1::Device::STATE_MEASURING;
  }
  return v1::Device::STATE_UNSPECIFIED;
}

/// What workers and devices have in common.
template <typename Proto>
void FillCommon(const PartySnapshot& party, Proto& out) {
  out.set_name(PartyName(party.record));
  out.set_display_name(party.record.name);
  out.set_host_id(party.record.host);
  out.set_version(party.record.version);
  if (party.task != 0) out.set_task(absl::StrCat("tasks/", party.task));
  if (party.search != 0) out.set_search(absl::StrCat("searches/", party.search));
  out.set_silent_seconds(absl::ToDoubleSeconds(party.silent));
  out.set_draining(party.record.draining);
  out.set_completed_tasks(party.record.completed_tasks);
  out.set_failed_tasks(party.record.failed_tasks);
  using google::protobuf::util::TimeUtil;
  if (party.record.create_time_us > 0) *out.mutable_create_time() = TimeUtil::MicrosecondsToTimestamp(party.record.create_time_us);
  if (party.record.update_time_us > 0) *out.mutable_update_time() = TimeUtil::MicrosecondsToTimestamp(party.record.update_time_us);
}

void Fill(const PartySnapshot& party, v1::Worker& out) {
  FillCommon(party, out);
  out.set_state(WorkerStateOf(party.activity));
  out.mutable_info()->set_threads(party.record.threads);
  out.mutable_info()->set_multiplies_bf16(party.record.multiplies_bf16);
  for (const std::string& dataset : party.record.datasets) out.mutable_info()->add_datasets(dataset);
  for (const std::string& digest : party.record.dataset_digests) out.mutable_info()->add_dataset_digests(digest);
}

void Fill(const PartySnapshot& party, v1::Device& out) {
  FillCommon(party, out);
  out.set_state(DeviceStateOf(party.activity));
  out.set_health(static_cast<v1::Device::Health>(party.record.health));
  *out.mutable_info()->mutable_device() = ToProto(party.record.device);
  *out.mutable_info()->mutable_caps() = rpc::ToProto(party.record.caps);
  out.set_device_class(DeviceClassName(party.device_class));
  out.set_table_rows(party.table_rows);
  if (party.record.last_host.has_value()) *out.mutable_last_host_state() = ToProto(*party.record.last_host);
}

class FarmServiceImpl final : public v1::FarmService::CallbackService {
 public:
  explicit FarmServiceImpl(App* app) : app_(app) {}

  grpc::ServerUnaryReactor* ListWorkers(grpc::CallbackServerContext* context, const v1::ListWorkersRequest* request,
                                        v1::ListWorkersResponse* response) override {
    return Finish(context, List(/*agents=*/false, "workers", *request, *response, *response->mutable_workers()));
  }

  grpc::ServerUnaryReactor* ListDevices(grpc::CallbackServerContext* context, const v1::ListDevicesRequest* request,
                                        v1::ListDevicesResponse* response) override {
    return Finish(context, List(/*agents=*/true, "devices", *request, *response, *response->mutable_devices()));
  }

  grpc::ServerUnaryReactor* SetDrain(grpc::CallbackServerContext* context, const v1::SetDrainRequest* request,
                                     v1::SetDrainResponse*) override {
    const absl::StatusOr<uint64_t> id = PartyIdFromName(request->name());
    if (!id.ok()) return Finish(context, id.status());
    const bool agent = absl::StartsWith(request->name(), "devices/");
    return Finish(context, app_->SetDrain(agent, *id, request->drain()));
  }

 private:
  static grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context, const absl::Status& status) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(rpc::ToGrpcStatus(status));
    return reactor;
  }

  template <typename Message>
  static Message Convert(const PartySnapshot& party) {
    Message message;
    Fill(party, message);
    return message;
  }

  template <typename Request, typename Response, typename Message>
  absl::Status List(bool agents, const std::string& query, const Request& request, Response& response,
                    google::protobuf::RepeatedPtrField<Message>& out) {
    const absl::StatusOr<Page> page = FilteredPageOf<Message>(request, query, agents ? DeviceFilterFields() : WorkerFilterFields());
    if (!page.ok()) return page.status();
    return FillPage(
        *page, out, *response.mutable_next_page_token(),
        [&](uint64_t after, size_t max) { return RowsOf(app_->ListParties(agents, after, max), max); }, Convert<Message>,
        [](const PartySnapshot& party) { return party.record.id; });
  }

  App* const app_;
};

}  // namespace

std::unique_ptr<grpc::Service> CreateFarmService(App* app) { return std::make_unique<FarmServiceImpl>(app); }

}  // namespace hanas::coordinator
