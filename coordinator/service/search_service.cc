// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/grpcpp.h>

#include "absl/strings/str_cat.h"
#include "coordinator/service/report.h"
#include "coordinator/service/search_convert.h"
#include "coordinator/service/services.h"
#include "coordinator/service/task_convert.h"
#include "coordinator/service/watch_stream.h"
#include "proto/hanas/v1/search.grpc.pb.h"
#include "rpc/convert/job.h"
#include "rpc/request.h"
#include "rpc/status.h"

namespace hanas::coordinator {
namespace {

/// WatchSearch goes on for long and is called back; the other methods are short, or compute, and run on gRPC's threads.
class SearchServiceImpl final : public v1::SearchService::WithCallbackMethod_WatchSearch<v1::SearchService::Service> {
 public:
  SearchServiceImpl(App* app, WatchOptions options) : app_(app), options_(options) {}

  grpc::Status CreateSearch(grpc::ServerContext*, const v1::CreateSearchRequest* request, v1::Search* response) override {
    if (absl::Status status = rpc::CheckKnownFields(*request); !status.ok()) return rpc::ToGrpcStatus(status);
    if (absl::Status status = rpc::CheckRequestId(request->request_id()); !status.ok()) return rpc::ToGrpcStatus(status);
    absl::StatusOr<SearchJob> job = rpc::SearchJobFromProto(request->spec());
    if (!job.ok()) return rpc::ToGrpcStatus(job.status());
    if (request->validate_only()) return Reply(app_->Validate(*job), response);
    return Reply(app_->CreateSearch(request->request_id(), request->spec().SerializeAsString(), *std::move(job)), response);
  }

  grpc::Status GetSearch(grpc::ServerContext*, const v1::GetSearchRequest* request, v1::Search* response) override {
    return OnSearch(*request, &App::GetSearch, response);
  }

  grpc::Status ListSearches(grpc::ServerContext*, const v1::ListSearchesRequest* request, v1::ListSearchesResponse* response) override {
    constexpr absl::string_view kQuery = "searches";
    const absl::StatusOr<int> size = rpc::PageSize(request->page_size());
    if (!size.ok()) return rpc::ToGrpcStatus(size.status());
    const absl::StatusOr<uint64_t> after = rpc::CursorOf(kQuery, request->page_token());
    if (!after.ok()) return rpc::ToGrpcStatus(after.status());
    // One more says whether there is a next page.
    const absl::StatusOr<std::vector<SearchSnapshot>> found = app_->ListSearches(*after, static_cast<size_t>(*size) + 1);
    if (!found.ok()) return rpc::ToGrpcStatus(found.status());
    for (const SearchSnapshot& search : *found) {
      if (response->searches_size() == *size) {
        response->set_next_page_token(rpc::PageToken(kQuery, (*found)[static_cast<size_t>(*size) - 1].record.id));
        break;
      }
      *response->add_searches() = ToProto(search);
    }
    return grpc::Status::OK;
  }

  grpc::ServerWriteReactor<v1::SearchEvent>* WatchSearch(grpc::CallbackServerContext*, const v1::WatchSearchRequest* request) override {
    return StartWatch(app_, *request, options_);
  }

  grpc::Status CancelSearch(grpc::ServerContext*, const v1::CancelSearchRequest* request, v1::Search* response) override {
    return OnSearch(*request, &App::CancelSearch, response);
  }

  grpc::Status PauseSearch(grpc::ServerContext*, const v1::PauseSearchRequest* request, v1::Search* response) override {
    return OnSearch(*request, &App::PauseSearch, response);
  }

  grpc::Status ResumeSearch(grpc::ServerContext*, const v1::ResumeSearchRequest* request, v1::Search* response) override {
    return OnSearch(*request, &App::ResumeSearch, response);
  }

  grpc::Status FinishSearch(grpc::ServerContext*, const v1::FinishSearchRequest* request, v1::Search* response) override {
    return OnSearch(*request, &App::FinishSearch, response);
  }

  grpc::Status GetReport(grpc::ServerContext*, const v1::GetReportRequest* request, v1::Report* response) override {
    const absl::StatusOr<uint64_t> id = IdFromName(request->name(), "searches");
    if (!id.ok()) return rpc::ToGrpcStatus(id.status());
    const absl::StatusOr<ReportData> data = app_->GetReport(*id);
    if (!data.ok()) return rpc::ToGrpcStatus(data.status());
    *response = MakeReport(*data);
    return grpc::Status::OK;
  }

  grpc::Status ListTasks(grpc::ServerContext*, const v1::ListTasksRequest* request, v1::ListTasksResponse* response) override {
    const absl::StatusOr<PageQuery> query = PageOf(*request, "tasks");
    if (!query.ok()) return rpc::ToGrpcStatus(query.status());
    const absl::StatusOr<TaskPage> page = app_->ListTasks(query->search, query->after, query->size);
    if (!page.ok()) return rpc::ToGrpcStatus(page.status());
    for (const TaskSnapshot& task : page->tasks) *response->add_tasks() = ToProto(task);
    if (page->more) response->set_next_page_token(rpc::PageToken(query->name, page->tasks.back().task.id));
    return grpc::Status::OK;
  }

  grpc::Status ListCandidates(grpc::ServerContext*, const v1::ListCandidatesRequest* request,
                              v1::ListCandidatesResponse* response) override {
    const absl::StatusOr<PageQuery> query = PageOf(*request, "candidates");
    if (!query.ok()) return rpc::ToGrpcStatus(query.status());
    const absl::StatusOr<CandidatePage> page = app_->ListCandidates(query->search, static_cast<int64_t>(query->after), query->size);
    if (!page.ok()) return rpc::ToGrpcStatus(page.status());
    for (const CandidateRow& candidate : page->candidates) *response->add_candidates() = ToProto(candidate);
    if (page->more) response->set_next_page_token(rpc::PageToken(query->name, static_cast<uint64_t>(page->candidates.back().sequence)));
    response->set_total(page->total);
    return grpc::Status::OK;
  }

  grpc::Status GetFront(grpc::ServerContext*, const v1::GetFrontRequest* request, v1::GetFrontResponse* response) override {
    const absl::StatusOr<uint64_t> id = IdFromName(request->name(), "searches");
    if (!id.ok()) return rpc::ToGrpcStatus(id.status());
    const absl::StatusOr<std::vector<CandidateRow>> front = app_->GetFront(*id);
    if (!front.ok()) return rpc::ToGrpcStatus(front.status());
    for (const CandidateRow& candidate : *front) *response->add_candidates() = ToProto(candidate);
    return grpc::Status::OK;
  }

  grpc::Status ReplaySearch(grpc::ServerContext*, const v1::ReplaySearchRequest* request, v1::ReplaySearchResponse* response) override {
    const absl::StatusOr<uint64_t> id = IdFromName(request->name(), "searches");
    if (!id.ok()) return rpc::ToGrpcStatus(id.status());
    const absl::StatusOr<ReplayResult> result = app_->ReplaySearch(*id);
    if (!result.ok()) return rpc::ToGrpcStatus(result.status());
    *response = ToProto(*result);
    return grpc::Status::OK;
  }

 private:
  /// A page of a collection of a search.
  struct PageQuery {
    uint64_t search = 0;
    std::string name;  // what its tokens are bound to
    uint64_t after = 0;
    int size = 0;
  };
  template <typename Request>
  static absl::StatusOr<PageQuery> PageOf(const Request& request, absl::string_view collection) {
    const absl::StatusOr<uint64_t> id = IdFromName(request.parent(), "searches", "parent");
    if (!id.ok()) return id.status();
    const absl::StatusOr<int> size = rpc::PageSize(request.page_size());
    if (!size.ok()) return size.status();
    PageQuery query = {.search = *id, .name = absl::StrCat(request.parent(), "/", collection), .after = 0, .size = *size};
    const absl::StatusOr<uint64_t> after = rpc::CursorOf(query.name, request.page_token());
    if (!after.ok()) return after.status();
    query.after = *after;
    return query;
  }

  /// One application call on the search that the request names.
  template <typename Request>
  grpc::Status OnSearch(const Request& request, absl::StatusOr<SearchSnapshot> (App::*call)(uint64_t), v1::Search* response) {
    const absl::StatusOr<uint64_t> id = IdFromName(request.name(), "searches");
    if (!id.ok()) return rpc::ToGrpcStatus(id.status());
    return Reply((app_->*call)(*id), response);
  }

  static grpc::Status Reply(const absl::StatusOr<SearchSnapshot>& search, v1::Search* response) {
    if (search.ok()) *response = ToProto(*search);
    return rpc::ToGrpcStatus(search.status());
  }

  App* const app_;
  const WatchOptions options_;
};

}  // namespace

std::unique_ptr<grpc::Service> CreateSearchService(App* app, WatchOptions options) {
  return std::make_unique<SearchServiceImpl>(app, options);
}

}  // namespace hanas::coordinator
