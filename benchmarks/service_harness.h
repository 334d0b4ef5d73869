// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_BENCHMARKS_SERVICE_HARNESS_H_
#define HANAS_BENCHMARKS_SERVICE_HARNESS_H_

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "absl/log/check.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "coordinator/app/app.h"
#include "coordinator/app/executor.h"
#include "coordinator/service/search_convert.h"
#include "coordinator/service/services.h"
#include "coordinator/store/rocksdb/rocksdb_store.h"
#include "hanas/v1/search.grpc.pb.h"
#include "hanas/v1/task.grpc.pb.h"
#include "rpc/client.h"
#include "rpc/protocol.h"
#include "rpc/server.h"

namespace hanas::coordinator {

// The coordinator as its program runs it, its clients, and figures next to their targets.

// ---- printing ----

/// One line: a figure, and the target that it is held against.
inline void Print(absl::string_view name, double value, absl::string_view unit, double target = 0, bool at_least = false) {
  std::printf("%-52s %12.2f %-6s", std::string(name).c_str(), value, std::string(unit).c_str());
  if (target > 0)
    std::printf("  target %s %g: %s", at_least ? ">=" : "<=", target, (at_least ? value >= target : value <= target) ? "met" : "MISSED");
  std::printf("\n");
  std::fflush(stdout);
}

/// Milliseconds.
class Latencies {
 public:
  void Add(absl::Duration duration) {
    absl::MutexLock lock(&mutex_);
    ms_.push_back(absl::ToDoubleMilliseconds(duration));
  }
  double Quantile(double q) {
    absl::MutexLock lock(&mutex_);
    CHECK(!ms_.empty());
    std::sort(ms_.begin(), ms_.end());
    return ms_[std::min(ms_.size() - 1, static_cast<size_t>(q * static_cast<double>(ms_.size())))];
  }
  size_t size() {
    absl::MutexLock lock(&mutex_);
    return ms_.size();
  }

 private:
  absl::Mutex mutex_;
  std::vector<double> ms_ ABSL_GUARDED_BY(mutex_);
};

// ---- the coordinator ----

/// As the program runs it: store, application, loop, server.
class Coordinator {
 public:
  explicit Coordinator(const std::string& directory, const std::string& port_file = "") {
    std::filesystem::create_directories(directory);
    store_ = OpenRocksDbStore(directory + "/db").value();
    artifacts_ = ArtifactStore::Open(directory + "/artifacts").value();
    app_ = App::Create(store_.get(), artifacts_.get(), &clock_, ParseSpec, {.executor = &executor_}).value();
    services_.push_back(CreateSearchService(app_.get()));
    services_.push_back(CreateTaskService(app_.get()));
    services_.push_back(CreateArtifactService(app_.get()));
    server_ = rpc::Server::Start({.port_file = port_file}, {services_[0].get(), services_[1].get(), services_[2].get()}).value();
    loop_ = std::thread([this] {
      while (!stopping_) {
        app_->WaitForChange(absl::Milliseconds(500));
        CHECK_OK(app_->RunOnce());
      }
    });
  }
  ~Coordinator() {
    stopping_ = true;
    app_->Stop();
    loop_.join();
    server_->Shutdown();
  }
  std::string address() const { return server_->address().ToString(); }

 private:
  SystemClock clock_;
  ThreadExecutor executor_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<ArtifactStore> artifacts_;
  std::unique_ptr<App> app_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<rpc::Server> server_;
  std::atomic<bool> stopping_ = false;
  std::thread loop_;
};

/// A client process's connection: a channel of its own.
struct Client {
  explicit Client(const std::string& address)
      : channel(rpc::CreateChannel(address).value()),
        searches(v1::SearchService::NewStub(channel)),
        tasks(v1::TaskService::NewStub(channel)) {}

  std::string Register(const std::string& name, bool agent) {
    v1::RegisterRequest request;
    v1::Party& party = *request.mutable_party();
    party.set_name(name);
    party.set_instance_id("1");
    party.set_key(std::string(32, 'k'));
    party.set_host_id("host-of-" + name);
    party.set_protocol_version(rpc::kProtocolVersion);
    if (agent) {
      party.mutable_agent()->mutable_device()->set_cpu("cpu");
      party.mutable_agent()->mutable_caps()->set_name("xnnpack");
    } else {
      party.mutable_worker()->set_threads(1);
      party.mutable_worker()->add_datasets("none");
    }
    v1::RegisterResponse response;
    grpc::ClientContext context;
    const grpc::Status status = tasks->Register(&context, request, &response);
    CHECK(status.ok()) << status.error_message();
    return response.party();
  }
  v1::LeaseTaskResponse Lease(const std::string& party, double wait_seconds) {
    v1::LeaseTaskRequest request;
    request.set_party(party);
    request.set_instance_id("1");
    request.set_wait_seconds(wait_seconds);
    v1::LeaseTaskResponse response;
    grpc::ClientContext context;
    const grpc::Status status = tasks->LeaseTask(&context, request, &response);
    CHECK(status.ok()) << status.error_message();
    return response;
  }

  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::SearchService::Stub> searches;
  std::unique_ptr<v1::TaskService::Stub> tasks;
};

template <typename Request>
Request HeldBy(const std::string& party, const v1::Task& task) {
  Request request;
  request.set_party(party);
  request.set_instance_id("1");
  request.set_task(task.lease().task());
  request.set_fencing_token(task.lease().fencing_token());
  return request;
}

}  // namespace hanas::coordinator

#endif  // HANAS_BENCHMARKS_SERVICE_HARNESS_H_
