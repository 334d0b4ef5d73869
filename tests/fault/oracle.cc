// SPDX-License-Identifier: Apache-2.0
#include "tests/fault/oracle.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/client_interceptor.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/service/task_convert.h"
#include "core/base/error_reason.h"
#include "rpc/authentication.h"
#include "rpc/status.h"

namespace hanas::fault {
namespace {

using coordinator::Outcome;
using coordinator::SearchState;
using coordinator::State;
using coordinator::TaskRecord;
using coordinator::TaskState;
using coordinator::TrainOutcome;
using coordinator::TrainWork;

constexpr size_t kMaxViolations = 50;

uint64_t TaskId(const std::string& name) { return coordinator::IdFromName(name, "tasks").value_or(0); }
uint64_t SearchId(const std::string& name) { return coordinator::IdFromName(name, "searches").value_or(0); }

/// Ends only a part of its task: training that was handed back.
bool IsPartial(const v1::CompleteTaskRequest& request) { return request.has_train() && !request.train().reached_end(); }

/// Reports one call to the oracle. Its methods are called in turn, for the parts of the call.
class Listener : public grpc::experimental::Interceptor {
 public:
  explicit Listener(Oracle* oracle) : oracle_(oracle) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using Point = grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(Point::PRE_SEND_MESSAGE)) Request(methods->GetSendMessage());
    if (methods->QueryInterceptionHookPoint(Point::POST_RECV_MESSAGE)) {
      response_ = static_cast<const google::protobuf::MessageLite*>(methods->GetRecvMessage());
    }
    if (methods->QueryInterceptionHookPoint(Point::POST_RECV_STATUS)) Answer(*methods->GetRecvStatus());
    methods->Proceed();
  }

 private:
  void Request(const void* message) {
    const auto* request = static_cast<const google::protobuf::MessageLite*>(message);
    if (request == nullptr) return;
    request_.reset(request->New());
    request_->CheckTypeAndMergeFrom(*request);
    if (const auto* lease = dynamic_cast<const v1::LeaseTaskRequest*>(request)) oracle_->Sent(*lease);
    if (const auto* complete = dynamic_cast<const v1::CompleteTaskRequest*>(request)) oracle_->Sent(*complete);
  }
  void Answer(const grpc::Status& status) {
    if (!status.ok()) return oracle_->Refused(ReasonOf(rpc::FromGrpcStatus(status)));
    Pair<v1::CreateSearchRequest, v1::Search>();
    Pair<v1::CancelSearchRequest, v1::Search>();
    Pair<v1::RegisterRequest, v1::RegisterResponse>();
    Pair<v1::LeaseTaskRequest, v1::LeaseTaskResponse>();
    Alone<v1::CompleteTaskRequest>();
    Alone<v1::FailTaskRequest>();
    Alone<v1::RecordRoundRequest>();
  }
  template <typename Request, typename Response>
  void Pair() {
    const auto* request = dynamic_cast<const Request*>(request_.get());
    const auto* response = dynamic_cast<const Response*>(response_);
    if (request != nullptr && response != nullptr) oracle_->Acknowledged(*request, *response);
  }
  template <typename Request>
  void Alone() {
    if (const auto* request = dynamic_cast<const Request*>(request_.get())) oracle_->Acknowledged(*request);
  }

  Oracle* const oracle_;
  std::unique_ptr<google::protobuf::MessageLite> request_;
  const google::protobuf::MessageLite* response_ = nullptr;
};

class ListenerFactory : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit ListenerFactory(Oracle* oracle) : oracle_(oracle) {}
  /// Streams (watching, artifacts) pass unseen; their clients report what matters.
  grpc::experimental::Interceptor* CreateClientInterceptor(grpc::experimental::ClientRpcInfo* call) override {
    return call->type() == grpc::experimental::ClientRpcInfo::Type::UNARY ? new Listener(oracle_) : nullptr;
  }

 private:
  Oracle* const oracle_;
};

}  // namespace

std::shared_ptr<grpc::Channel> Oracle::Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(std::make_unique<ListenerFactory>(this));
  interceptors.push_back(rpc::ShowToken("").value());
  return grpc::experimental::CreateCustomChannelWithInterceptors(address, grpc::InsecureChannelCredentials(), arguments,
                                                                 std::move(interceptors));
}

void Oracle::Violation(std::string text) {
  if (violations_.size() < kMaxViolations) violations_.push_back(std::move(text));
}

void Oracle::Count(int64_t& what) {
  ++what;
  ++acknowledged_;
}

bool Oracle::AwaitAcknowledged(int64_t count, absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const int64_t wanted = acknowledged_ + count;
  const auto reached = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return acknowledged_ >= wanted; };
  return mutex_.AwaitWithTimeout(absl::Condition(&reached), timeout);
}

Oracle::Counts Oracle::counts() {
  absl::MutexLock lock(&mutex_);
  return counts_;
}

std::vector<std::string> Oracle::violations() {
  absl::MutexLock lock(&mutex_);
  return violations_;
}

std::optional<v1::CompleteTaskRequest> Oracle::AcknowledgedCompletion(uint64_t number) {
  absl::MutexLock lock(&mutex_);
  if (completed_.empty()) return std::nullopt;
  return tasks_.at(completed_[number % completed_.size()]).completed;
}

// ---- what was promised ----

void Oracle::Event(const std::string& search, const v1::SearchEvent& event) {
  absl::MutexLock lock(&mutex_);
  const auto [at, fresh] = events_[search].try_emplace(event.sequence(), Seen{event.kind(), event.text()});
  if (fresh) {
    Count(counts_.events);
  } else if (at->second != Seen{event.kind(), event.text()}) {
    Violation(absl::StrCat(search, " event ", event.sequence(), " was \"", at->second.second, "\" and became \"", event.text(), "\""));
  }
}

void Oracle::Acknowledged(const v1::CreateSearchRequest& request, const v1::Search& search) {
  absl::MutexLock lock(&mutex_);
  const auto [at, fresh] = search_of_request_.try_emplace(request.request_id(), search.name());
  if (fresh) {
    Count(counts_.searches);
  } else if (at->second != search.name()) {
    Violation(absl::StrCat("request ", request.request_id(), " made ", at->second, " and then ", search.name()));
  }
}

void Oracle::Acknowledged(const v1::CancelSearchRequest& request, const v1::Search&) {
  absl::MutexLock lock(&mutex_);
  if (cancelled_.insert(request.name()).second) Count(counts_.cancelled);
}

void Oracle::Acknowledged(const v1::RegisterRequest& request, const v1::RegisterResponse& response) {
  absl::MutexLock lock(&mutex_);
  const std::string who = absl::StrCat(request.party().has_agent() ? "agent " : "worker ", request.party().name());
  const auto [at, fresh] = party_names_.try_emplace(who, response.party());
  if (!fresh && at->second != response.party()) Violation(absl::StrCat(who, " was ", at->second, " and became ", response.party()));
}

void Oracle::Sent(const v1::LeaseTaskRequest& request) {
  absl::MutexLock lock(&mutex_);
  floor_.try_emplace({request.party(), request.instance_id()}, largest_token_);
}

void Oracle::Acknowledged(const v1::LeaseTaskRequest& request, const v1::LeaseTaskResponse& response) {
  absl::MutexLock lock(&mutex_);
  // Asked anew below. A call that failed may have been granted, and the next answer then repeats that grant: its floor stays.
  const uint64_t floor = floor_[{request.party(), request.instance_id()}];
  floor_.erase({request.party(), request.instance_id()});
  if (!response.has_task()) return;
  const v1::Lease& lease = response.task().lease();
  TaskPromises& task = tasks_[TaskId(lease.task())];
  const Grant grant = {lease.fencing_token(), lease.attempt(), request.party(), request.instance_id()};
  const auto [at, fresh] = task_of_token_.try_emplace(grant.token, TaskId(lease.task()));
  if (!fresh) {
    const bool again = grant.token == task.last.token && grant.party == task.last.party && grant.instance == task.last.instance;
    if (at->second != TaskId(lease.task()) || !again) Violation(absl::StrCat(lease.task(), " was granted with a used token ", grant.token));
    return;
  }
  if (grant.token <= floor) Violation(absl::StrCat(lease.task(), " was granted with token ", grant.token, " after token ", floor));
  if (grant.token <= task.last.token || grant.attempt <= task.last.attempt) {
    Violation(absl::StrCat(lease.task(), " was granted with token ", grant.token, " (attempt ", grant.attempt, ") after token ",
                           task.last.token, " (attempt ", task.last.attempt, ")"));
  }
  if (task.completed.has_value()) Violation(absl::StrCat(lease.task(), " was granted after it was completed"));
  task.last = grant;
  largest_token_ = std::max(largest_token_, grant.token);
  Count(counts_.grants);
}

void Oracle::Sent(const v1::CompleteTaskRequest& request) {
  absl::MutexLock lock(&mutex_);
  absl::StatusOr<Outcome> outcome = coordinator::OutcomeFromProto(request);
  if (outcome.ok()) tasks_[TaskId(request.task())].sent[request.fencing_token()].push_back(*std::move(outcome));
}

void Oracle::Acknowledged(const v1::CompleteTaskRequest& request) {
  absl::MutexLock lock(&mutex_);
  TaskPromises& task = tasks_[TaskId(request.task())];
  if (IsPartial(request)) {
    task.trained_to = std::max(task.trained_to, request.train().step());
    task.given_up.insert(request.fencing_token());
    Count(counts_.handed_back);
    return;
  }
  if (!task.completed.has_value()) {
    task.completed = request;
    completed_.push_back(TaskId(request.task()));
    Count(counts_.completions);
  } else if (task.completed->fencing_token() != request.fencing_token()) {
    Violation(absl::StrCat(request.task(), " was completed twice, with tokens ", task.completed->fencing_token(), " and ",
                           request.fencing_token()));
  }
}

void Oracle::Acknowledged(const v1::FailTaskRequest& request) {
  absl::MutexLock lock(&mutex_);
  tasks_[TaskId(request.task())].given_up.insert(request.fencing_token());
  Count(counts_.handed_back);
}

void Oracle::Acknowledged(const v1::RecordRoundRequest& request) {
  absl::MutexLock lock(&mutex_);
  tasks_[TaskId(request.task())].rounds[request.round()] = coordinator::RoundFromProto(request);
  Count(counts_.rounds);
}

void Oracle::Refused(const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  if (reason == "STALE_LEASE") ++counts_.refused_stale;
}

// ---- what is in the store ----

void Oracle::Check(const State& state) {
  absl::MutexLock lock(&mutex_);
  if (state.counter < largest_token_) {
    Violation(absl::StrCat("token ", largest_token_, " was handed out and the store counts ", state.counter));
  }
  CheckSearches(state);
  CheckEvents(state);
  for (const auto& [id, promises] : tasks_) CheckTask(id, promises, state);
}

void Oracle::CheckSearches(const State& state) {
  std::set<std::string> requests;
  for (const auto& [id, search] : state.searches) {
    if (!requests.insert(search.record.request_id).second) Violation(absl::StrCat("two searches of request ", search.record.request_id));
  }
  for (const auto& [request, name] : search_of_request_) {
    const SearchState* search = state.FindSearch(SearchId(name));
    if (search == nullptr) {
      Violation(absl::StrCat(name, " is lost"));
    } else if (search->record.request_id != request) {
      Violation(absl::StrCat(name, " of request ", request, " became that of ", search->record.request_id));
    } else if (cancelled_.contains(name) && search->record.phase != coordinator::SearchPhase::kCancelled) {
      Violation(absl::StrCat(name, " was cancelled and is ", coordinator::Name(search->record.phase)));
    }
  }
}

void Oracle::CheckEvents(const State& state) {
  for (const auto& [name, events] : events_) {
    const SearchState* search = state.FindSearch(SearchId(name));
    if (search == nullptr) continue;  // said already
    for (const auto& [sequence, seen] : events) {
      if (sequence < 1 || sequence > static_cast<int64_t>(search->events.size())) {
        Violation(absl::StrCat(name, " event ", sequence, " is lost"));
        continue;
      }
      const coordinator::EventRecord& stored = search->events[static_cast<size_t>(sequence) - 1];
      if (stored.sequence != sequence || seen != Seen{stored.kind, stored.text}) {
        Violation(absl::StrCat(name, " event ", sequence, " was \"", seen.second, "\" and became \"", stored.text, "\""));
      }
    }
  }
}

void Oracle::CheckTask(uint64_t id, const TaskPromises& promises, const State& state) {
  const TaskRecord* task = state.FindTask(id);
  if (task == nullptr) {
    Violation(absl::StrCat("tasks/", id, " is lost"));
    return;
  }
  if (task->fencing_token < promises.last.token || task->attempt < promises.last.attempt) {
    Violation(absl::StrCat("tasks/", id, " was granted with token ", promises.last.token, " and the store has ", task->fencing_token));
  }
  if (task->fencing_token == promises.last.token && task->instance != promises.last.instance) {
    Violation(absl::StrCat("tasks/", id, " was granted to ", promises.last.instance, " and the store has ", task->instance));
  }
  if (task->state == TaskState::kLeased && promises.given_up.contains(task->fencing_token)) {
    Violation(absl::StrCat("tasks/", id, " was given up with token ", task->fencing_token, " and is leased by it"));
  }
  const auto* train = std::get_if<TrainWork>(&task->work);
  if (train != nullptr && task->state != TaskState::kDone && train->from_step < promises.trained_to) {
    Violation(absl::StrCat("tasks/", id, " was trained to step ", promises.trained_to, " and begins at ", train->from_step));
  }
  CheckOutcome(*task, promises);
  CheckRounds(*task, promises);
}

void Oracle::CheckOutcome(const TaskRecord& task, const TaskPromises& promises) {
  if (promises.completed.has_value() && task.state != TaskState::kDone) {
    Violation(absl::StrCat("tasks/", task.id, " was completed and is not done"));
  }
  if (task.state != TaskState::kDone) return;
  if (promises.completed.has_value() && promises.completed->fencing_token() != task.fencing_token) {
    Violation(absl::StrCat("tasks/", task.id, " was completed with token ", promises.completed->fencing_token(), " and the store has ",
                           task.fencing_token));
  }
  const auto sent = promises.sent.find(task.fencing_token);
  const bool known = sent != promises.sent.end() && task.outcome.has_value() &&
                     std::find(sent->second.begin(), sent->second.end(), *task.outcome) != sent->second.end();
  if (!known) Violation(absl::StrCat("tasks/", task.id, " has an outcome that its holder never sent"));
}

void Oracle::CheckRounds(const TaskRecord& task, const TaskPromises& promises) {
  std::map<int, const coordinator::RecordedRound*> stored;
  for (const coordinator::RecordedRound& round : task.rounds) {
    if (!stored.emplace(round.round, &round).second) Violation(absl::StrCat("tasks/", task.id, " has round ", round.round, " twice"));
  }
  if (task.state != TaskState::kReady && task.state != TaskState::kLeased) return;  // the outcome has what the rounds said
  for (const auto& [number, round] : promises.rounds) {
    const auto found = stored.find(number);
    if (found == stored.end()) {
      Violation(absl::StrCat("tasks/", task.id, " lost round ", number));
    } else if (*found->second != round) {
      Violation(absl::StrCat("tasks/", task.id, " has another round ", number));
    }
  }
}

}  // namespace hanas::fault
