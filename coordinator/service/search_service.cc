// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/grpcpp.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "coordinator/service/report.h"
#include "coordinator/service/search_convert.h"
#include "coordinator/service/services.h"
#include "coordinator/service/task_convert.h"
#include "proto/hanas/v1/search.grpc.pb.h"
#include "rpc/convert/job.h"
#include "rpc/status.h"

namespace hanas::coordinator {
namespace {

constexpr absl::Duration kProgressInterval = absl::Seconds(1);
constexpr int kMaxPageSize = 100;

class SearchServiceImpl final : public v1::SearchService::Service {
 public:
  explicit SearchServiceImpl(App* app) : app_(app) {}

  grpc::Status CreateSearch(grpc::ServerContext*, const v1::CreateSearchRequest* request, v1::Search* response) override {
    absl::StatusOr<SearchJob> job = rpc::SearchJobFromProto(request->spec());
    if (!job.ok()) return rpc::ToGrpcStatus(job.status());
    return Reply(app_->CreateSearch(request->request_id(), request->spec().SerializeAsString(), *std::move(job)), response);
  }

  grpc::Status GetSearch(grpc::ServerContext*, const v1::GetSearchRequest* request, v1::Search* response) override {
    const absl::StatusOr<uint64_t> id = IdFromName(request->name(), "searches");
    if (!id.ok()) return rpc::ToGrpcStatus(id.status());
    return Reply(app_->GetSearch(*id), response);
  }

  grpc::Status ListSearches(grpc::ServerContext*, const v1::ListSearchesRequest* request, v1::ListSearchesResponse* response) override {
    // The token is the number of the last search of the page before.
    uint64_t after = 0;
    if (!request->page_token().empty() && !absl::SimpleAtoi(request->page_token(), &after)) {
      return rpc::ToGrpcStatus(absl::InvalidArgumentError("page_token: expected one that this coordinator answered, found another"));
    }
    const absl::StatusOr<std::vector<SearchSnapshot>> all = app_->ListSearches();
    if (!all.ok()) return rpc::ToGrpcStatus(all.status());
    const int page = request->page_size() <= 0 ? kMaxPageSize : std::min<int>(request->page_size(), kMaxPageSize);
    for (const SearchSnapshot& search : *all) {
      if (search.record.id <= after) continue;
      if (response->searches_size() == page) {
        response->set_next_page_token(absl::StrCat(after));
        break;
      }
      *response->add_searches() = ToProto(search);
      after = search.record.id;
    }
    return grpc::Status::OK;
  }

  grpc::Status WatchSearch(grpc::ServerContext* context, const v1::WatchSearchRequest* request,
                           grpc::ServerWriter<v1::SearchEvent>* writer) override {
    const absl::StatusOr<uint64_t> id = IdFromName(request->name(), "searches");
    if (!id.ok()) return rpc::ToGrpcStatus(id.status());
    int64_t sequence = request->after_sequence();
    while (!context->IsCancelled()) {
      const absl::StatusOr<WatchedEvents> watched = app_->WaitForEvents(*id, sequence, kProgressInterval);
      if (!watched.ok()) return rpc::ToGrpcStatus(watched.status());
      for (const EventRecord& event : watched->events) {
        if (!writer->Write(ToProto(event))) return grpc::Status::OK;
        sequence = event.sequence;
      }
      if (IsTerminal(watched->search.record.phase)) return grpc::Status::OK;
      if (watched->stopped)
        return rpc::ToGrpcStatus(absl::UnavailableError("the coordinator is shutting down; watch again from the last sequence"));
      if (!writer->Write(ProgressEvent(watched->search))) return grpc::Status::OK;
    }
    return grpc::Status::OK;
  }

  grpc::Status CancelSearch(grpc::ServerContext*, const v1::CancelSearchRequest* request, v1::Search* response) override {
    const absl::StatusOr<uint64_t> id = IdFromName(request->name(), "searches");
    if (!id.ok()) return rpc::ToGrpcStatus(id.status());
    return Reply(app_->CancelSearch(*id), response);
  }

  grpc::Status GetReport(grpc::ServerContext*, const v1::GetReportRequest* request, v1::Report* response) override {
    const absl::StatusOr<uint64_t> id = IdFromName(request->name(), "searches");
    if (!id.ok()) return rpc::ToGrpcStatus(id.status());
    const absl::StatusOr<ReportData> data = app_->GetReport(*id);
    if (!data.ok()) return rpc::ToGrpcStatus(data.status());
    *response = MakeReport(*data);
    return grpc::Status::OK;
  }

 private:
  static grpc::Status Reply(const absl::StatusOr<SearchSnapshot>& search, v1::Search* response) {
    if (search.ok()) *response = ToProto(*search);
    return rpc::ToGrpcStatus(search.status());
  }

  App* const app_;
};

}  // namespace

std::unique_ptr<grpc::Service> CreateSearchService(App* app) { return std::make_unique<SearchServiceImpl>(app); }

}  // namespace hanas::coordinator
