// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_FAULT_ORACLE_H_
#define HANAS_TESTS_FAULT_ORACLE_H_

#include <grpcpp/channel.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "coordinator/state/state.h"
#include "hanas/v1/search.pb.h"
#include "hanas/v1/task.pb.h"

namespace hanas::fault {

/// Remembers what a coordinator promised, outside of its process: every call made over the oracle's channels is seen on its way out and on
/// its way back. What was acknowledged must be in the store after any crash; what was only sent may be there or not; nothing else may be.
///
/// Each broken promise is a line of `violations`. Thread-safe.
class Oracle {
 public:
  /// A channel whose calls the oracle sees. It connects again quickly after an outage.
  std::shared_ptr<grpc::Channel> Connect(const std::string& address);

  /// An event that WatchSearch delivered.
  void Event(const std::string& search, const v1::SearchEvent& event) ABSL_LOCKS_EXCLUDED(mutex_);

  /// Blocks until `count` more promises were made than before; false after `timeout`.
  bool AwaitAcknowledged(int64_t count, absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

  /// Holds the state of a dead coordinator's store against what was promised.
  void Check(const coordinator::State& state) ABSL_LOCKS_EXCLUDED(mutex_);

  /// Some completion that was acknowledged, drawn by `number`; for sending it again.
  std::optional<v1::CompleteTaskRequest> AcknowledgedCompletion(uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);

  struct Counts {
    int64_t searches = 0;
    int64_t cancelled = 0;
    int64_t grants = 0;
    int64_t completions = 0;
    int64_t handed_back = 0;
    int64_t rounds = 0;
    int64_t events = 0;
    int64_t refused_stale = 0;
  };
  Counts counts() ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::string> violations() ABSL_LOCKS_EXCLUDED(mutex_);

  /// What its channels report. A request before it is sent; its answer if it was OK, else the reason of the error.
  void Sent(const v1::LeaseTaskRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  void Sent(const v1::CompleteTaskRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  void Acknowledged(const v1::CreateSearchRequest& request, const v1::Search& search) ABSL_LOCKS_EXCLUDED(mutex_);
  void Acknowledged(const v1::CancelSearchRequest& request, const v1::Search& search) ABSL_LOCKS_EXCLUDED(mutex_);
  void Acknowledged(const v1::RegisterRequest& request, const v1::RegisterResponse& response) ABSL_LOCKS_EXCLUDED(mutex_);
  void Acknowledged(const v1::LeaseTaskRequest& request, const v1::LeaseTaskResponse& response) ABSL_LOCKS_EXCLUDED(mutex_);
  void Acknowledged(const v1::CompleteTaskRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  void Acknowledged(const v1::FailTaskRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  void Acknowledged(const v1::RecordRoundRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  void Refused(const std::string& reason) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Grant {
    uint64_t token = 0;
    int attempt = 0;
    std::string party;
    std::string instance;
  };
  struct TaskPromises {
    Grant last;                                                  // granted
    std::map<uint64_t, std::vector<coordinator::Outcome>> sent;  // by token: what a holder asked to record as its outcome
    std::optional<v1::CompleteTaskRequest> completed;            // to its end
    int64_t trained_to = 0;                                      // by holders that handed back
    std::set<uint64_t> given_up;                                 // tokens whose holders failed or handed back
    std::map<int, coordinator::RecordedRound> rounds;
  };
  using Seen = std::pair<std::string, std::string>;  // kind, text of an event

  void Violation(std::string text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Count(int64_t& what) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CheckSearches(const coordinator::State& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CheckEvents(const coordinator::State& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CheckTask(uint64_t id, const TaskPromises& promises, const coordinator::State& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CheckOutcome(const coordinator::TaskRecord& task, const TaskPromises& promises) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CheckRounds(const coordinator::TaskRecord& task, const TaskPromises& promises) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  Counts counts_ ABSL_GUARDED_BY(mutex_);
  int64_t acknowledged_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> violations_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> search_of_request_ ABSL_GUARDED_BY(mutex_);  // by request_id
  std::set<std::string> cancelled_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> party_names_ ABSL_GUARDED_BY(mutex_);  // resource name by kind and name
  std::map<uint64_t, TaskPromises> tasks_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint64_t> completed_ ABSL_GUARDED_BY(mutex_);                        // tasks, in the order acknowledged
  std::map<std::string, std::map<int64_t, Seen>> events_ ABSL_GUARDED_BY(mutex_);  // by search and sequence
  // Of the fencing tokens: the largest one acknowledged, all of them, and for each holder the largest one when it began to ask for work.
  uint64_t largest_token_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, uint64_t> task_of_token_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::string>, uint64_t> floor_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hanas::fault

#endif  // HANAS_TESTS_FAULT_ORACLE_H_
