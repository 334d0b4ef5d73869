// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "config/presets.h"
#include "coordinator/service/paging.h"
#include "coordinator/service/report.h"
#include "coordinator/service/search_convert.h"
#include "coordinator/service/services.h"
#include "coordinator/service/task_convert.h"
#include "coordinator/service/watch_stream.h"
#include "core/base/bounds.h"
#include "core/base/field_violation.h"
#include "hanas/v1/search.grpc.pb.h"
#include "rpc/client.h"
#include "rpc/convert/job.h"
#include "rpc/request.h"
#include "rpc/status.h"

namespace hanas::coordinator {
namespace {

/// The query of a list that a search has for each of its targets.
std::string OfTarget(const std::string& search, absl::string_view list, const std::string& target) {
  return absl::StrCat(search, list, target.empty() ? "" : " for ", absl::Utf8SafeCHexEscape(target));
}

/// WatchSearch goes on for long and is called back; the other methods are short, or compute, and run on gRPC's threads.
class SearchServiceImpl final : public v1::SearchService::WithCallbackMethod_WatchSearch<v1::SearchService::Service> {
 public:
  SearchServiceImpl(App* app, WatchOptions options) : app_(app), options_(options) {}

  grpc::Status CreateSearch(grpc::ServerContext* context, const v1::CreateSearchRequest* request, v1::Search* response) override {
    if (absl::Status status = CheckBytes(request->spec()); !status.ok()) return rpc::ToGrpcStatus(status);
    if (absl::Status status = rpc::CheckKnownFields(*request); !status.ok()) return rpc::ToGrpcStatus(status);
    if (absl::Status status = rpc::CheckRequestId(request->request_id()); !status.ok()) return rpc::ToGrpcStatus(status);
    absl::StatusOr<SearchJob> job = rpc::SearchJobFromProto(request->spec(), &config::FindPresetSpec);
    if (!job.ok()) return rpc::ToGrpcStatus(job.status());
    if (job->training.numerics == Numerics::kAuto) job->training.numerics = app_->BestNumerics();
    const auto gone = [context] { return context->IsCancelled(); };
    const v1::SearchSpec spec = rpc::ToProto(*job);  // as it was understood: what is validated, stored and answered is the same
    if (!request->validate_only())
      return Reply(app_->CreateSearch(request->request_id(), spec.SerializeAsString(), *std::move(job), gone), response);
    absl::StatusOr<SearchSnapshot> validated = app_->Validate(*job, gone);
    if (!validated.ok()) return rpc::ToGrpcStatus(validated.status());
    validated->record.spec = absl::Cord(spec.SerializeAsString());
    validated->job = std::make_shared<const SearchJob>(*std::move(job));
    return Reply(validated, response);
  }

  grpc::Status GetSearch(grpc::ServerContext*, const v1::GetSearchRequest* request, v1::Search* response) override {
    return OnSearch(*request, &App::GetSearch, response);
  }

  grpc::Status ListSearches(grpc::ServerContext*, const v1::ListSearchesRequest* request, v1::ListSearchesResponse* response) override {
    const absl::StatusOr<Page> page = FilteredPageOf<v1::Search>(*request, "searches", SearchFilterFields());
    if (!page.ok()) return rpc::ToGrpcStatus(page.status());
    return rpc::ToGrpcStatus(FillPage(
        *page, *response->mutable_searches(), *response->mutable_next_page_token(),
        [this](uint64_t after, size_t max) { return RowsOf(app_->ListSearches(after, max), max); }, ToAbridgedProto,
        [](const SearchSnapshot& search) { return search.record.id; }));
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

  grpc::Status TrainMember(grpc::ServerContext*, const v1::TrainMemberRequest* request, v1::Search* response) override {
    const absl::StatusOr<uint64_t> id = IdFromName(request->name(), "searches");
    if (!id.ok()) return rpc::ToGrpcStatus(id.status());
    FieldViolations violations;
    if (request->member().empty()) violations.Add("member", "expected the name of a member, found none");
    if (request->steps() < 0 || request->steps() > bounds::kMaxSteps) {
      violations.Add("steps", absl::StrCat("expected 1 to ", bounds::kMaxSteps, ", or 0 for those of the job, found ", request->steps()));
    }
    if (absl::Status status = violations.ToStatus(); !status.ok()) return rpc::ToGrpcStatus(status);
    return Reply(app_->TrainMember(*id, request->target(), request->member(), request->steps()), response);
  }

  grpc::Status DeleteSearch(grpc::ServerContext*, const v1::DeleteSearchRequest* request, v1::DeleteSearchResponse*) override {
    const absl::StatusOr<uint64_t> id = IdFromName(request->name(), "searches");
    if (!id.ok()) return rpc::ToGrpcStatus(id.status());
    return rpc::ToGrpcStatus(app_->DeleteSearch(*id));
  }

  grpc::Status GetReport(grpc::ServerContext*, const v1::GetReportRequest* request, v1::Report* response) override {
    const absl::StatusOr<uint64_t> id = IdFromName(request->name(), "searches");
    if (!id.ok()) return rpc::ToGrpcStatus(id.status());
    const absl::StatusOr<ReportData> data = app_->GetReport(*id, request->target());
    if (!data.ok()) return rpc::ToGrpcStatus(data.status());
    *response = MakeReport(*data);
    return rpc::ToGrpcStatus(CheckFits(*response));
  }

  grpc::Status ListTasks(grpc::ServerContext*, const v1::ListTasksRequest* request, v1::ListTasksResponse* response) override {
    const absl::StatusOr<uint64_t> id = IdFromName(request->parent(), "searches", "parent");
    if (!id.ok()) return rpc::ToGrpcStatus(id.status());
    const absl::StatusOr<Page> page =
        FilteredPageOf<v1::TaskSummary>(*request, absl::StrCat(request->parent(), "/tasks"), TaskFilterFields());
    if (!page.ok()) return rpc::ToGrpcStatus(page.status());
    const auto read = [&](uint64_t after, size_t max) -> absl::StatusOr<Rows<TaskSnapshot>> {
      absl::StatusOr<TaskPage> found = app_->ListTasks(*id, after, static_cast<int>(max));
      if (!found.ok()) return found.status();
      return Rows<TaskSnapshot>{std::move(found->tasks), found->more};
    };
    return rpc::ToGrpcStatus(FillPage(
        *page, *response->mutable_tasks(), *response->mutable_next_page_token(), read,
        [](const TaskSnapshot& task) { return ToProto(task); }, [](const TaskSnapshot& task) { return task.task.id; }));
  }

  grpc::Status ListCandidates(grpc::ServerContext*, const v1::ListCandidatesRequest* request,
                              v1::ListCandidatesResponse* response) override {
    const absl::StatusOr<uint64_t> id = IdFromName(request->parent(), "searches", "parent");
    if (!id.ok()) return rpc::ToGrpcStatus(id.status());
    const absl::StatusOr<Page> page =
        FilteredPageOf<v1::Candidate>(*request, OfTarget(request->parent(), "/candidates", request->target()), CandidateFilterFields());
    if (!page.ok()) return rpc::ToGrpcStatus(page.status());
    const auto read = [&](uint64_t after, size_t max) -> absl::StatusOr<Rows<CandidateRow>> {
      absl::StatusOr<CandidatePage> found =
          app_->ListCandidates(*id, static_cast<int64_t>(after), static_cast<int>(max), request->target());
      if (!found.ok()) return found.status();
      response->set_total(found->total);
      return Rows<CandidateRow>{std::move(found->candidates), found->more};
    };
    return rpc::ToGrpcStatus(FillPage(
        *page, *response->mutable_candidates(), *response->mutable_next_page_token(), read,
        [](const CandidateRow& candidate) { return ToProto(candidate); },
        [](const CandidateRow& candidate) { return static_cast<uint64_t>(candidate.sequence); }));
  }

  grpc::Status GetFront(grpc::ServerContext*, const v1::GetFrontRequest* request, v1::GetFrontResponse* response) override {
    const absl::StatusOr<uint64_t> id = IdFromName(request->name(), "searches");
    if (!id.ok()) return rpc::ToGrpcStatus(id.status());
    const absl::StatusOr<Page> page = PageOf(*request, OfTarget(request->name(), "/front", request->target()));
    if (!page.ok()) return rpc::ToGrpcStatus(page.status());
    const absl::StatusOr<std::vector<CandidateRow>> front = app_->GetFront(*id, request->target());
    if (!front.ok()) return rpc::ToGrpcStatus(front.status());
    // The front has no number of its own that is in its order: its pages count.
    using Numbered = std::pair<uint64_t, const CandidateRow*>;
    const auto read = [&](uint64_t after, size_t) -> absl::StatusOr<Rows<Numbered>> {
      Rows<Numbered> all;
      for (uint64_t i = after; i < front->size(); ++i) all.rows.emplace_back(i + 1, &(*front)[i]);
      return all;
    };
    response->set_total(static_cast<int64_t>(front->size()));
    return rpc::ToGrpcStatus(FillPage(
        *page, *response->mutable_candidates(), *response->mutable_next_page_token(), read,
        [](const Numbered& row) { return ToProto(*row.second); }, [](const Numbered& row) { return row.first; }));
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
  /// Before anything looks at it: a specification of millions of fields takes seconds to check.
  static absl::Status CheckBytes(const v1::SearchSpec& spec) {
    if (spec.ByteSizeLong() <= bounds::kJobFileBytes) return absl::OkStatus();
    FieldViolations violations;
    violations.Add("spec", absl::StrCat("expected a job of at most ", bounds::kJobFileBytes, " bytes, found ", spec.ByteSizeLong()));
    return violations.ToStatus();
  }

  /// Refuses a reply that no page bounds and that is too large to be sent.
  static absl::Status CheckFits(const google::protobuf::Message& reply) {
    if (reply.ByteSizeLong() <= static_cast<size_t>(rpc::kMaxMessageBytes)) return absl::OkStatus();
    return WithReason(absl::ResourceExhaustedError(
                          absl::StrCat("expected an answer of at most ", rpc::kMaxMessageBytes, " bytes, found ", reply.ByteSizeLong())),
                      kReplyTooLarge);
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
