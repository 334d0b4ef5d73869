// SPDX-License-Identifier: Apache-2.0
#include "rpc/search_client.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "rpc/client.h"
#include "rpc/sha256.h"
#include "rpc/status.h"

namespace hanas::rpc {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(30);
constexpr absl::Duration kDownloadTimeout = absl::Minutes(5);

template <typename Request, typename Response, typename Method>
absl::StatusOr<Response> Call(v1::SearchService::Stub& stub, Method method, const Request& request) {
  grpc::ClientContext context;
  SetDeadline(context, kCallTimeout);
  Response response;
  if (absl::Status status = FromGrpcStatus((stub.*method)(&context, request, &response)); !status.ok()) return status;
  return response;
}

}  // namespace

SearchClient::SearchClient(std::shared_ptr<grpc::Channel> channel)
    : channel_(std::move(channel)), searches_(v1::SearchService::NewStub(channel_)), artifacts_(v1::ArtifactService::NewStub(channel_)) {}

absl::StatusOr<std::unique_ptr<SearchClient>> SearchClient::Create(absl::string_view address) {
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = CreateChannel(address);
  if (!channel.ok()) return channel.status();
  return std::unique_ptr<SearchClient>(new SearchClient(*std::move(channel)));
}

absl::Status SearchClient::WaitUntilReady(absl::Duration timeout) {
  if (channel_->WaitForConnected(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout))) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("no coordinator answered within ", absl::FormatDuration(timeout)));
}

absl::StatusOr<v1::Search> SearchClient::CreateSearch(const v1::SearchSpec& spec, absl::string_view request_id) {
  v1::CreateSearchRequest request;
  *request.mutable_spec() = spec;
  request.set_request_id(std::string(request_id));
  return Call<v1::CreateSearchRequest, v1::Search>(*searches_, &v1::SearchService::Stub::CreateSearch, request);
}

absl::StatusOr<v1::Search> SearchClient::GetSearch(absl::string_view name) {
  v1::GetSearchRequest request;
  request.set_name(std::string(name));
  return Call<v1::GetSearchRequest, v1::Search>(*searches_, &v1::SearchService::Stub::GetSearch, request);
}

absl::StatusOr<v1::ListSearchesResponse> SearchClient::ListSearches(int page_size, absl::string_view page_token) {
  v1::ListSearchesRequest request;
  request.set_page_size(page_size);
  request.set_page_token(std::string(page_token));
  return Call<v1::ListSearchesRequest, v1::ListSearchesResponse>(*searches_, &v1::SearchService::Stub::ListSearches, request);
}

absl::StatusOr<v1::Search> SearchClient::CancelSearch(absl::string_view name) {
  v1::CancelSearchRequest request;
  request.set_name(std::string(name));
  return Call<v1::CancelSearchRequest, v1::Search>(*searches_, &v1::SearchService::Stub::CancelSearch, request);
}

absl::StatusOr<v1::Report> SearchClient::GetReport(absl::string_view name) {
  v1::GetReportRequest request;
  request.set_name(std::string(name));
  return Call<v1::GetReportRequest, v1::Report>(*searches_, &v1::SearchService::Stub::GetReport, request);
}

absl::Status SearchClient::WatchSearch(absl::string_view name, int64_t after_sequence,
                                       absl::FunctionRef<void(const v1::SearchEvent&)> on_event) {
  grpc::ClientContext context;
  {
    const absl::MutexLock lock(&mutex_);
    if (stopped_) return absl::CancelledError("watching was stopped");
    watching_ = &context;
  }
  v1::WatchSearchRequest request;
  request.set_name(std::string(name));
  request.set_after_sequence(after_sequence);
  const std::unique_ptr<grpc::ClientReader<v1::SearchEvent>> reader = searches_->WatchSearch(&context, request);
  v1::SearchEvent event;
  while (reader->Read(&event)) on_event(event);
  const absl::Status status = FromGrpcStatus(reader->Finish());
  const absl::MutexLock lock(&mutex_);
  watching_ = nullptr;
  return status;
}

absl::Status SearchClient::DownloadArtifact(absl::string_view sha256, const std::string& path) {
  if (absl::Status status = CheckSha256Hex(sha256); !status.ok()) return status;
  const std::string part = path + ".part";
  std::ofstream file(part, std::ios::binary | std::ios::trunc);
  grpc::ClientContext context;
  SetDeadline(context, kDownloadTimeout);
  v1::DownloadArtifactRequest request;
  request.set_sha256(std::string(sha256));
  const std::unique_ptr<grpc::ClientReader<v1::DownloadArtifactResponse>> reader = artifacts_->DownloadArtifact(&context, request);
  Sha256 digest;
  v1::DownloadArtifactResponse chunk;
  while (file && reader->Read(&chunk)) {
    digest.Add(chunk.data());
    file.write(chunk.data().data(), static_cast<std::streamsize>(chunk.data().size()));
  }
  file.flush();
  if (!file) {
    const int error = errno;
    context.TryCancel();
    reader->Finish();
    std::remove(part.c_str());
    return absl::ErrnoToStatus(error, absl::StrCat("cannot write ", part));
  }
  file.close();
  absl::Status status = FromGrpcStatus(reader->Finish());
  const std::string found = digest.FinishHex();
  if (status.ok() && found != sha256)
    status = absl::DataLossError(absl::StrCat("expected an artifact with sha256 ", sha256, ", found ", found));
  if (status.ok() && std::rename(part.c_str(), path.c_str()) != 0) status = absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
  if (!status.ok()) std::remove(part.c_str());
  return status;
}

void SearchClient::StopWatching() {
  const absl::MutexLock lock(&mutex_);
  stopped_ = true;
  if (watching_ != nullptr) watching_->TryCancel();
}

}  // namespace hanas::rpc
