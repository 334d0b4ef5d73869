// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_CLI_FAKE_COORDINATOR_H_
#define HANAS_TESTS_CLI_FAKE_COORDINATOR_H_

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "hanas/v1/farm.grpc.pb.h"
#include "hanas/v1/search.grpc.pb.h"
#include "rpc/status.h"

namespace hanas::cli {

/// What a FakeCoordinator answers, and what it was asked. Pages hold two elements, so that every list has several.
struct FakeState {
  std::map<std::string, v1::Search> searches;
  std::map<std::string, v1::Report> reports;
  std::vector<v1::SearchEvent> events;
  bool stream_ends = false;  // after the events; else the stream stays open
  std::vector<v1::TaskSummary> tasks;
  std::vector<v1::Candidate> candidates;
  v1::ReplaySearchResponse replay;
  v1::Forecast forecast;
  std::string infeasible;  // what validating finds, when not empty
  absl::Status create_status;
  std::vector<v1::Worker> workers;
  std::vector<v1::Device> devices;

  std::vector<v1::CreateSearchRequest> created;
  std::vector<std::string> calls;  // "PauseSearch searches/1"
  std::vector<int64_t> watched_after;
  std::vector<std::string> filters;  // of lists, as they were asked for
};

/// The searches and the farm of a coordinator, as a test says they are. Thread-safe.
class FakeSearches : public v1::SearchService::Service {
 public:
  explicit FakeSearches(FakeState* state, absl::Mutex* mutex) : state_(state), mutex_(mutex) {}

  grpc::Status CreateSearch(grpc::ServerContext*, const v1::CreateSearchRequest* request, v1::Search* response) override {
    const absl::MutexLock lock(mutex_);
    state_->created.push_back(*request);
    if (!state_->create_status.ok()) return rpc::ToGrpcStatus(state_->create_status);
    *response->mutable_spec() = request->spec();
    if (request->validate_only()) {
      *response->mutable_forecast() = state_->forecast;
      if (!state_->infeasible.empty()) {
        response->set_phase(v1::PHASE_FAILED);
        response->set_error_code("INFEASIBLE_LIMITS");
        response->set_error(state_->infeasible);
      }
    } else {
      response->set_name("searches/1");
      response->set_phase(v1::PHASE_PENDING);
      state_->searches["searches/1"] = *response;
    }
    return grpc::Status::OK;
  }
  grpc::Status GetSearch(grpc::ServerContext*, const v1::GetSearchRequest* request, v1::Search* response) override {
    return Reply("GetSearch", request->name(), response);
  }
  grpc::Status CancelSearch(grpc::ServerContext*, const v1::CancelSearchRequest* request, v1::Search* response) override {
    return Move("CancelSearch", request->name(), v1::PHASE_CANCELLED, response);
  }
  grpc::Status PauseSearch(grpc::ServerContext*, const v1::PauseSearchRequest* request, v1::Search* response) override {
    return Move("PauseSearch", request->name(), v1::PHASE_PAUSED, response);
  }
  grpc::Status ResumeSearch(grpc::ServerContext*, const v1::ResumeSearchRequest* request, v1::Search* response) override {
    return Move("ResumeSearch", request->name(), v1::PHASE_TRAINING, response);
  }
  grpc::Status TrainMember(grpc::ServerContext*, const v1::TrainMemberRequest* request, v1::Search* response) override {
    {
      const absl::MutexLock lock(mutex_);
      const auto found = state_->searches.find(request->name());
      if (found != state_->searches.end()) found->second.set_phase(v1::PHASE_VERIFYING);
    }
    return Reply(absl::StrCat("TrainMember ", request->member(), " of \"", request->target(), "\" for ", request->steps(), ":"),
                 request->name(), response);
  }
  grpc::Status FinishSearch(grpc::ServerContext*, const v1::FinishSearchRequest* request, v1::Search* response) override {
    return Move("FinishSearch", request->name(), v1::PHASE_VERIFYING, response);
  }
  grpc::Status DeleteSearch(grpc::ServerContext*, const v1::DeleteSearchRequest* request, v1::DeleteSearchResponse*) override {
    const absl::MutexLock lock(mutex_);
    const auto found = state_->searches.find(request->name());
    if (found == state_->searches.end())
      return rpc::ToGrpcStatus(WithReason(absl::NotFoundError(absl::StrCat("no search ", request->name())), kSearchNotFound));
    if (found->second.phase() != v1::PHASE_SUCCEEDED && found->second.phase() != v1::PHASE_CANCELLED)
      return rpc::ToGrpcStatus(WithReason(absl::FailedPreconditionError(absl::StrCat(request->name(), " goes on")), kSearchNotOver));
    state_->searches.erase(found);
    return grpc::Status::OK;
  }
  grpc::Status ListSearches(grpc::ServerContext*, const v1::ListSearchesRequest* request, v1::ListSearchesResponse* response) override {
    const absl::MutexLock lock(mutex_);
    state_->filters.push_back(request->filter());
    std::vector<v1::Search> all;
    for (const auto& [name, search] : state_->searches) all.push_back(search);
    Page(all, request->page_token(), *response->mutable_searches(), *response->mutable_next_page_token());
    return grpc::Status::OK;
  }
  grpc::Status WatchSearch(grpc::ServerContext* context, const v1::WatchSearchRequest* request,
                           grpc::ServerWriter<v1::SearchEvent>* writer) override {
    size_t next = 0;
    {
      const absl::MutexLock lock(mutex_);
      state_->watched_after.push_back(request->after_sequence());
    }
    while (!context->IsCancelled()) {
      v1::SearchEvent event;
      {
        const absl::MutexLock lock(mutex_);
        const auto ready = [&] { return next < state_->events.size() || state_->stream_ends; };
        if (!mutex_->AwaitWithTimeout(absl::Condition(&ready), absl::Milliseconds(50))) continue;
        if (next >= state_->events.size()) return grpc::Status::OK;
        event = state_->events[next++];
      }
      if (event.sequence() > request->after_sequence() && !writer->Write(event)) return grpc::Status::OK;
    }
    return grpc::Status::OK;
  }
  grpc::Status GetReport(grpc::ServerContext*, const v1::GetReportRequest* request, v1::Report* response) override {
    const absl::MutexLock lock(mutex_);
    const auto found = state_->reports.find(request->name());
    if (found == state_->reports.end())
      return rpc::ToGrpcStatus(absl::FailedPreconditionError(absl::StrCat(request->name(), " has no report yet")));
    *response = found->second;
    return grpc::Status::OK;
  }
  grpc::Status ListTasks(grpc::ServerContext*, const v1::ListTasksRequest* request, v1::ListTasksResponse* response) override {
    const absl::MutexLock lock(mutex_);
    state_->filters.push_back(request->filter());
    Page(state_->tasks, request->page_token(), *response->mutable_tasks(), *response->mutable_next_page_token());
    return grpc::Status::OK;
  }
  grpc::Status ListCandidates(grpc::ServerContext*, const v1::ListCandidatesRequest* request,
                              v1::ListCandidatesResponse* response) override {
    const absl::MutexLock lock(mutex_);
    state_->filters.push_back(request->filter());
    response->set_total(static_cast<int64_t>(state_->candidates.size()));
    Page(state_->candidates, request->page_token(), *response->mutable_candidates(), *response->mutable_next_page_token());
    return grpc::Status::OK;
  }
  grpc::Status GetFront(grpc::ServerContext*, const v1::GetFrontRequest*, v1::GetFrontResponse* response) override {
    const absl::MutexLock lock(mutex_);
    if (!state_->candidates.empty()) *response->add_candidates() = state_->candidates.back();
    response->set_total(response->candidates_size());
    return grpc::Status::OK;
  }
  grpc::Status ReplaySearch(grpc::ServerContext*, const v1::ReplaySearchRequest*, v1::ReplaySearchResponse* response) override {
    const absl::MutexLock lock(mutex_);
    *response = state_->replay;
    return grpc::Status::OK;
  }

  template <typename T, typename Field>
  static void Page(const std::vector<T>& all, const std::string& token, Field& page, std::string& next) {
    constexpr size_t kPageSize = 2;
    size_t begin = 0;
    if (!token.empty() && !absl::SimpleAtoi(token, &begin)) return;
    for (size_t i = begin; i < std::min(all.size(), begin + kPageSize); ++i) *page.Add() = all[i];
    if (begin + kPageSize < all.size()) next = absl::StrCat(begin + kPageSize);
  }

 private:
  grpc::Status Reply(const std::string& call, const std::string& name, v1::Search* response) {
    const absl::MutexLock lock(mutex_);
    state_->calls.push_back(absl::StrCat(call, " ", name));
    const auto found = state_->searches.find(name);
    if (found == state_->searches.end()) return rpc::ToGrpcStatus(absl::NotFoundError(absl::StrCat("no search ", name)));
    *response = found->second;
    return grpc::Status::OK;
  }
  grpc::Status Move(const std::string& call, const std::string& name, v1::Phase phase, v1::Search* response) {
    {
      const absl::MutexLock lock(mutex_);
      const auto found = state_->searches.find(name);
      if (found != state_->searches.end() && found->second.phase() == v1::PHASE_SUCCEEDED)
        return rpc::ToGrpcStatus(WithReason(
            absl::FailedPreconditionError(absl::StrCat("expected a search that goes on, found ", name, " SUCCEEDED")), kSearchOver));
      if (found != state_->searches.end()) found->second.set_phase(phase);
    }
    return Reply(call, name, response);
  }

  FakeState* state_;
  absl::Mutex* mutex_;
};

class FakeFarm : public v1::FarmService::Service {
 public:
  explicit FakeFarm(FakeState* state, absl::Mutex* mutex) : state_(state), mutex_(mutex) {}

  grpc::Status ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest* request, v1::ListWorkersResponse* response) override {
    const absl::MutexLock lock(mutex_);
    state_->filters.push_back(request->filter());
    FakeSearches::Page(state_->workers, request->page_token(), *response->mutable_workers(), *response->mutable_next_page_token());
    return grpc::Status::OK;
  }
  grpc::Status ListDevices(grpc::ServerContext*, const v1::ListDevicesRequest* request, v1::ListDevicesResponse* response) override {
    const absl::MutexLock lock(mutex_);
    state_->filters.push_back(request->filter());
    FakeSearches::Page(state_->devices, request->page_token(), *response->mutable_devices(), *response->mutable_next_page_token());
    return grpc::Status::OK;
  }
  grpc::Status SetDrain(grpc::ServerContext*, const v1::SetDrainRequest* request, v1::SetDrainResponse*) override {
    const absl::MutexLock lock(mutex_);
    state_->calls.push_back(absl::StrCat("SetDrain ", request->name(), request->drain() ? " on" : " off"));
    return grpc::Status::OK;
  }

 private:
  FakeState* state_;
  absl::Mutex* mutex_;
};

/// Both, over one state.
class FakeCoordinator {
 public:
  /// Changes or reads the state.
  void With(const std::function<void(FakeState&)>& use) {
    const absl::MutexLock lock(&mutex_);
    use(state_);
  }
  /// Waits until `holds`.
  void Await(const std::function<bool(const FakeState&)>& holds) {
    const absl::MutexLock lock(&mutex_);
    const auto condition = [&] { return holds(state_); };
    mutex_.Await(absl::Condition(&condition));
  }
  std::vector<grpc::Service*> services() { return {&searches_, &farm_}; }

 private:
  absl::Mutex mutex_;
  FakeState state_;
  FakeSearches searches_{&state_, &mutex_};
  FakeFarm farm_{&state_, &mutex_};
};

}  // namespace hanas::cli

#endif  // HANAS_TESTS_CLI_FAKE_COORDINATOR_H_
