// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_FAULT_LOAD_H_
#define HANAS_TESTS_FAULT_LOAD_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/job/search_job.h"
#include "hanas/v1/search.grpc.pb.h"
#include "hanas/v1/task.grpc.pb.h"
#include "tests/fault/oracle.h"
#include "tests/support/wire_evaluator.h"

namespace hanas::fault {

/// A search that takes every phase and a second or two, for a device of the name "local".
SearchJob SmallJob();

/// What a fake party does with a task, given what would usually do it.
using Behaviour =
    std::function<absl::StatusOr<v1::CompleteTaskRequest>(const v1::Task& task, rpc::TaskContext& context, rpc::TaskExecutor& usual)>;

/// A worker or an agent: the real task loop with a fake evaluator, on a thread of its own. Survives outages of the coordinator.
class FakeParty : private rpc::TaskExecutor {
 public:
  /// Borrows the oracle. `behaviour` may be empty: the usual.
  FakeParty(Oracle* oracle, const std::string& address, v1::Party party, Behaviour behaviour = nullptr);
  /// Hands back what it has, if somebody is there to take it.
  ~FakeParty() override;
  FakeParty(const FakeParty&) = delete;
  FakeParty& operator=(const FakeParty&) = delete;

 private:
  absl::StatusOr<v1::CompleteTaskRequest> Execute(const v1::Task& task, rpc::TaskContext& context) override;

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::TaskService::Stub> tasks_;
  std::unique_ptr<v1::ArtifactService::Stub> files_;
  rpc::ArtifactClient artifacts_;
  WireEvaluator evaluator_;
  const Behaviour behaviour_;
  rpc::TaskLoop loop_;
  std::thread thread_;
};

/// How a search of a user ended.
struct Ended {
  std::string search;
  v1::Phase phase = v1::PHASE_UNSPECIFIED;
  std::string error;
  std::string front;  // every member: network, test score, latency
};

/// Somebody who submits one search after the other, asks twice for each, follows it over every outage to its end, and cancels every
/// fourth. On a thread of its own.
class FakeUser {
 public:
  /// Borrows the oracle.
  FakeUser(Oracle* oracle, const std::string& address, std::string name, SearchJob job = SmallJob());
  ~FakeUser();
  FakeUser(const FakeUser&) = delete;
  FakeUser& operator=(const FakeUser&) = delete;

  /// Ends the search under way, the first one at least, and begins no other. Blocks until then.
  std::vector<Ended> Finish();

 private:
  void Run();
  Ended RunSearch(int number);

  Oracle* const oracle_;
  const std::string name_;
  const SearchJob job_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::SearchService::Stub> stub_;
  std::atomic<bool> finishing_ = false;
  std::vector<Ended> ended_;  // of the thread until it is joined
  std::thread thread_;
};

}  // namespace hanas::fault

#endif  // HANAS_TESTS_FAULT_LOAD_H_
