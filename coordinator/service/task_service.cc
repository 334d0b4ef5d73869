// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include <grpcpp/alarm.h>

#include "absl/strings/str_cat.h"
#include "coordinator/service/paging.h"
#include "coordinator/service/services.h"
#include "coordinator/service/task_convert.h"
#include "core/base/text.h"
#include "hanas/v1/task.grpc.pb.h"
#include "rpc/protocol.h"
#include "rpc/request.h"
#include "rpc/status.h"

#ifndef HANAS_VERSION
#define HANAS_VERSION "unknown"
#endif

namespace hanas::coordinator {
namespace {

constexpr double kMaxWaitSeconds = 30;
// What holders say of their tasks is stored and shown: more is shortened.
constexpr size_t kMaxNoteBytes = 200;
constexpr size_t kMaxCodeBytes = 64;
constexpr size_t kMaxFailureBytes = 4096;

/// The wire has one more, which says nothing and is 0.
v1::Instruction ToProto(LeaseInstruction instruction) { return static_cast<v1::Instruction>(static_cast<int>(instruction) + 1); }

absl::Status CheckProtocol(const v1::Party& party) {
  if (party.protocol_version() == rpc::kProtocolVersion) return absl::OkStatus();
  return WithReason(absl::FailedPreconditionError(absl::StrCat("expected a party of protocol version ", rpc::kProtocolVersion, ", found ",
                                                               party.protocol_version(), " (", party.name(), ", build ", party.version(),
                                                               "; this coordinator is ", HANAS_VERSION, "): install the same release")),
                    kProtocolVersion);
}

/// One that lists show with others.
absl::Status CheckSize(const v1::Party& party) {
  if (party.ByteSizeLong() <= kMaxPageBytes) return absl::OkStatus();
  FieldViolations violations;
  violations.Add("party", absl::StrCat("expected a description of at most ", kMaxPageBytes, " bytes, found ", party.ByteSizeLong(),
                                       "; offer fewer data sets"));
  return violations.ToStatus();
}

/// A lease request that may wait: it holds no thread, only this object. The application answers it once: with a task, when the wait ends,
/// or when the client went away.
class LeaseCall final : public grpc::ServerUnaryReactor {
 public:
  LeaseCall(App* app, v1::LeaseTaskResponse* response) : app_(app), response_(response) {}

  void Start(uint64_t party, const std::string& instance, double wait_seconds) {
    if (wait_seconds > 0) wait_ = app_->NewWait();
    app_->RequestTask(party, instance, wait_, [this](absl::StatusOr<std::optional<GrantedTask>> answer) { Answer(std::move(answer)); });
    if (wait_ == 0) return;
    // This object lives until the handler has returned it. An alarm that comes after the answer finds no wait.
    alarm_.Set(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(absl::Seconds(wait_seconds)),
               [app = app_, wait = wait_](bool elapsed) {
                 if (elapsed) app->EndWait(wait);
               });
  }

  void Refuse(const absl::Status& status) { Finish(rpc::ToGrpcStatus(status)); }
  void OnCancel() override { app_->EndWait(wait_); }
  void OnDone() override { delete this; }

 private:
  void Answer(absl::StatusOr<std::optional<GrantedTask>> answer) {
    if (answer.ok() && answer->has_value()) *response_->mutable_task() = ToProto(**answer);
    Finish(rpc::ToGrpcStatus(answer.status()));
  }

  App* const app_;
  v1::LeaseTaskResponse* const response_;
  uint64_t wait_ = 0;  // 0: it does not wait
  grpc::Alarm alarm_;
};

/// LeaseTask waits for long and is called back; the other methods are short and run on gRPC's threads.
class TaskServiceImpl final : public v1::TaskService::WithCallbackMethod_LeaseTask<v1::TaskService::Service> {
 public:
  explicit TaskServiceImpl(App* app) : app_(app) {}

  grpc::Status Register(grpc::ServerContext*, const v1::RegisterRequest* request, v1::RegisterResponse* response) override {
    if (absl::Status status = CheckProtocol(request->party()); !status.ok()) return rpc::ToGrpcStatus(status);
    if (absl::Status status = CheckSize(request->party()); !status.ok()) return rpc::ToGrpcStatus(status);
    if (absl::Status status = rpc::CheckKnownFields(*request); !status.ok()) return rpc::ToGrpcStatus(status);
    absl::StatusOr<PartyRecord> party = PartyFromProto(request->party());
    if (!party.ok()) return rpc::ToGrpcStatus(party.status());
    const absl::StatusOr<PartyRecord> registered = app_->Register(*std::move(party));
    if (!registered.ok()) return rpc::ToGrpcStatus(registered.status());
    response->set_party(PartyName(*registered));
    response->set_coordinator_version(HANAS_VERSION);
    return grpc::Status::OK;
  }

  grpc::ServerUnaryReactor* LeaseTask(grpc::CallbackServerContext*, const v1::LeaseTaskRequest* request,
                                      v1::LeaseTaskResponse* response) override {
    auto* call = new LeaseCall(app_, response);  // deletes itself when the call is over
    const absl::StatusOr<uint64_t> party = PartyIdFromName(request->party());
    if (!party.ok()) {
      call->Refuse(party.status());
      return call;
    }
    // NaN waits not at all.
    call->Start(*party, request->instance_id(), request->wait_seconds() > 0 ? std::min(request->wait_seconds(), kMaxWaitSeconds) : 0);
    return call;
  }

  grpc::Status RenewLease(grpc::ServerContext*, const v1::RenewLeaseRequest* request, v1::RenewLeaseResponse* response) override {
    absl::StatusOr<Holder> holder = HolderOf(*request);
    if (!holder.ok()) return rpc::ToGrpcStatus(holder.status());
    const Renewal renewal = {*std::move(holder), request->done(), request->total(), Shorten(request->note(), kMaxNoteBytes),
                             request->paused()};
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
    return rpc::ToGrpcStatus(
        app_->Fail(*holder, Shorten(request->code(), kMaxCodeBytes), Shorten(request->message(), kMaxFailureBytes), request->retryable()));
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
