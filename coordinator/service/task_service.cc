// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <utility>

#include "coordinator/service/services.h"
#include "coordinator/service/task_convert.h"
#include "proto/hanas/v1/task.grpc.pb.h"
#include "rpc/status.h"

#ifndef HANAS_VERSION
#define HANAS_VERSION "unknown"
#endif

namespace hanas::coordinator {
namespace {

constexpr double kMaxWaitSeconds = 30;

v1::Instruction ToProto(LeaseInstruction instruction) { return static_cast<v1::Instruction>(static_cast<int>(instruction)); }

class TaskServiceImpl final : public v1::TaskService::Service {
 public:
  explicit TaskServiceImpl(App* app) : app_(app) {}

  grpc::Status Register(grpc::ServerContext*, const v1::RegisterRequest* request, v1::RegisterResponse* response) override {
    absl::StatusOr<PartyRecord> party = PartyFromProto(request->party());
    if (!party.ok()) return rpc::ToGrpcStatus(party.status());
    const absl::StatusOr<PartyRecord> registered = app_->Register(*std::move(party));
    if (!registered.ok()) return rpc::ToGrpcStatus(registered.status());
    response->set_party(PartyName(*registered));
    response->set_coordinator_version(HANAS_VERSION);
    return grpc::Status::OK;
  }

  grpc::Status LeaseTask(grpc::ServerContext* context, const v1::LeaseTaskRequest* request, v1::LeaseTaskResponse* response) override {
    const absl::StatusOr<uint64_t> party = PartyIdFromName(request->party());
    if (!party.ok()) return rpc::ToGrpcStatus(party.status());
    // NaN waits not at all.
    const double wait = request->wait_seconds() > 0 ? std::min(request->wait_seconds(), kMaxWaitSeconds) : 0;
    const absl::StatusOr<std::optional<GrantedTask>> granted = app_->LeaseTask(*party, request->instance_id(), absl::Seconds(wait));
    if (!granted.ok()) return rpc::ToGrpcStatus(granted.status());
    if (granted->has_value() && !context->IsCancelled()) *response->mutable_task() = ToProto(**granted);
    return grpc::Status::OK;
  }

  grpc::Status RenewLease(grpc::ServerContext*, const v1::RenewLeaseRequest* request, v1::RenewLeaseResponse* response) override {
    absl::StatusOr<Holder> holder = HolderOf(*request);
    if (!holder.ok()) return rpc::ToGrpcStatus(holder.status());
    const Renewal renewal = {*std::move(holder), request->done(), request->total(), request->note().substr(0, 200), request->paused()};
    const absl::StatusOr<RenewalReply> reply = app_->Renew(renewal);
    if (!reply.ok()) return rpc::ToGrpcStatus(reply.status());
    response->set_ttl_seconds(absl::ToDoubleSeconds(reply->ttl));
    response->set_instruction(ToProto(reply->instruction));
    return grpc::Status::OK;
  }

  grpc::Status CompleteTask(grpc::ServerContext*, const v1::CompleteTaskRequest* request, v1::CompleteTaskResponse*) override {
    const absl::StatusOr<Holder> holder = HolderOf(*request);
    if (!holder.ok()) return rpc::ToGrpcStatus(holder.status());
    absl::StatusOr<Outcome> outcome = OutcomeFromProto(*request);
    if (!outcome.ok()) return rpc::ToGrpcStatus(outcome.status());
    return rpc::ToGrpcStatus(app_->Complete(*holder, *std::move(outcome)));
  }

  grpc::Status FailTask(grpc::ServerContext*, const v1::FailTaskRequest* request, v1::FailTaskResponse*) override {
    const absl::StatusOr<Holder> holder = HolderOf(*request);
    if (!holder.ok()) return rpc::ToGrpcStatus(holder.status());
    return rpc::ToGrpcStatus(app_->Fail(*holder, request->code().substr(0, 64), request->message().substr(0, 4096), request->retryable()));
  }

  grpc::Status RecordRound(grpc::ServerContext*, const v1::RecordRoundRequest* request, v1::RecordRoundResponse*) override {
    const absl::StatusOr<Holder> holder = HolderOf(*request);
    if (!holder.ok()) return rpc::ToGrpcStatus(holder.status());
    return rpc::ToGrpcStatus(app_->RecordRound(*holder, RoundFromProto(*request)));
  }

 private:
  template <typename Request>
  static absl::StatusOr<Holder> HolderOf(const Request& request) {
    return HolderFromProto(request.party(), request.instance_id(), request.task(), request.fencing_token());
  }

  App* const app_;
};

}  // namespace

std::unique_ptr<grpc::Service> CreateTaskService(App* app) { return std::make_unique<TaskServiceImpl>(app); }

}  // namespace hanas::coordinator
