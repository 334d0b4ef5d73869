// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_RPC_FAKE_TASK_SERVICE_H_
#define HANAS_TESTS_RPC_FAKE_TASK_SERVICE_H_

#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "hanas/v1/task.grpc.pb.h"
#include "rpc/status.h"

namespace hanas::rpc {

/// A coordinator's task service that a test scripts: it hands out the tasks it was given, answers OK unless told otherwise, and remembers
/// what it was asked. Thread-safe.
class FakeTaskService : public v1::TaskService::Service {
 public:
  /// What was asked, in order.
  struct Log {
    std::vector<v1::RegisterRequest> registrations;
    std::vector<v1::RenewLeaseRequest> renewals;
    std::vector<v1::CompleteTaskRequest> completions;
    std::vector<v1::FailTaskRequest> failures;
    std::vector<v1::RecordRoundRequest> rounds;
    int leases = 0;  // lease requests
  };

  /// A reply that is not OK, once for each element, before the OK ones.
  struct Script {
    std::deque<absl::Status> registrations;
    std::deque<absl::Status> leases;
    std::deque<absl::Status> renewals;
    std::deque<absl::Status> completions;
    std::deque<absl::Status> failures;
    std::deque<absl::Status> rounds;
    v1::Instruction instruction = v1::INSTRUCTION_CONTINUE;
    bool away = false;  // every call is UNAVAILABLE
  };

  void AddTask(const v1::Task& task) {
    absl::MutexLock lock(&mutex_);
    tasks_.push_back(task);
  }
  void Change(const std::function<void(Script&)>& change) {
    absl::MutexLock lock(&mutex_);
    change(script_);
  }
  /// From here on nothing was asked.
  void Forget() {
    absl::MutexLock lock(&mutex_);
    log_ = {};
  }
  Log log() {
    absl::MutexLock lock(&mutex_);
    return log_;
  }
  /// Blocks until `condition` holds of what was asked so far.
  void Await(const std::function<bool(const Log&)>& condition) {
    absl::MutexLock lock(&mutex_);
    const auto holds = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return condition(log_); };
    mutex_.Await(absl::Condition(&holds));
  }

  grpc::Status Register(grpc::ServerContext*, const v1::RegisterRequest* request, v1::RegisterResponse* response) override {
    absl::MutexLock lock(&mutex_);
    log_.registrations.push_back(*request);
    response->set_party("workers/" + request->party().name());
    return Next(script_.registrations);
  }
  grpc::Status LeaseTask(grpc::ServerContext*, const v1::LeaseTaskRequest*, v1::LeaseTaskResponse* response) override {
    absl::MutexLock lock(&mutex_);
    ++log_.leases;
    if (grpc::Status status = Next(script_.leases); !status.ok()) return status;
    if (!tasks_.empty()) {
      *response->mutable_task() = tasks_.front();
      tasks_.pop_front();
    }
    return grpc::Status::OK;
  }
  grpc::Status RenewLease(grpc::ServerContext*, const v1::RenewLeaseRequest* request, v1::RenewLeaseResponse* response) override {
    absl::MutexLock lock(&mutex_);
    log_.renewals.push_back(*request);
    response->set_instruction(script_.instruction);
    return Next(script_.renewals);
  }
  grpc::Status CompleteTask(grpc::ServerContext*, const v1::CompleteTaskRequest* request, v1::CompleteTaskResponse*) override {
    absl::MutexLock lock(&mutex_);
    log_.completions.push_back(*request);
    return Next(script_.completions);
  }
  grpc::Status FailTask(grpc::ServerContext*, const v1::FailTaskRequest* request, v1::FailTaskResponse*) override {
    absl::MutexLock lock(&mutex_);
    log_.failures.push_back(*request);
    return Next(script_.failures);
  }
  grpc::Status RecordRound(grpc::ServerContext*, const v1::RecordRoundRequest* request, v1::RecordRoundResponse*) override {
    absl::MutexLock lock(&mutex_);
    log_.rounds.push_back(*request);
    return Next(script_.rounds);
  }

 private:
  grpc::Status Next(std::deque<absl::Status>& script) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (script_.away) return ToGrpcStatus(absl::UnavailableError("the coordinator is away"));
    if (script.empty()) return grpc::Status::OK;
    const absl::Status status = std::move(script.front());
    script.pop_front();
    return ToGrpcStatus(status);
  }

  absl::Mutex mutex_;
  std::deque<v1::Task> tasks_ ABSL_GUARDED_BY(mutex_);
  Script script_ ABSL_GUARDED_BY(mutex_);
  Log log_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hanas::rpc

#endif  // HANAS_TESTS_RPC_FAKE_TASK_SERVICE_H_
