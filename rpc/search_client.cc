// SPDX-License-Identifier: Apache-2.0
#include "rpc/search_client.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"
#include "hanas/v1/farm.grpc.pb.h"
#include "hanas/v1/search.grpc.pb.h"
#include "hanas/v1/task.grpc.pb.h"
#include "rpc/client.h"
#include "rpc/health.grpc.pb.h"
#include "rpc/sha256.h"
#include "rpc/status.h"

namespace hanas::rpc {
namespace {

using Searches = v1::SearchService::Stub;
using Farm = v1::FarmService::Stub;

constexpr absl::Duration kCancellationInterval = absl::Milliseconds(50);
constexpr absl::Duration kDownloadTimeout = absl::Minutes(30);  // of one artifact; a stalled peer is noticed by keepalive

template <typename Request>
Request Named(absl::string_view name) {
  Request request;
  request.set_name(std::string(name));
  return request;
}

template <typename Request>
Request Page(int page_size, absl::string_view page_token) {
  Request request;
  request.set_page_size(page_size);
  request.set_page_token(std::string(page_token));
  return request;
}

template <typename Request>
Request Page(int page_size, absl::string_view page_token, absl::string_view filter) {
  Request request = Page<Request>(page_size, page_token);
  request.set_filter(std::string(filter));
  return request;
}

/// Adds the bytes of a file to `digest`. Returns their number, 0 when there is no file that can be read.
int64_t HashFile(const std::string& path, Sha256& digest) {
  std::ifstream file(path, std::ios::binary);
  std::string buffer(size_t{1} << 20, '\0');
  int64_t bytes = 0;
  while (file) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    if (file.gcount() <= 0) break;
    digest.Add(absl::string_view(buffer.data(), static_cast<size_t>(file.gcount())));
    bytes += file.gcount();
  }
  return bytes;
}

bool HasDigest(const std::string& path, absl::string_view sha256) {
  Sha256 digest;
  return HashFile(path, digest) > 0 && digest.FinishHex() == sha256;
}

}  // namespace

struct SearchClient::Connection {
  explicit Connection(std::shared_ptr<grpc::Channel> to)
      : channel(std::move(to)),
        searches(v1::SearchService::NewStub(channel)),
        farm(v1::FarmService::NewStub(channel)),
        artifacts(v1::ArtifactService::NewStub(channel)),
        health(grpc::health::v1::Health::NewStub(channel)) {}

  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<Searches> searches;
  std::unique_ptr<Farm> farm;
  std::unique_ptr<v1::ArtifactService::Stub> artifacts;
  std::unique_ptr<grpc::health::v1::Health::Stub> health;
};

/// The calls under way, and the thread that ends them.
class SearchClient::Cancellation {
 public:
  ~Cancellation() {
    {
      const absl::MutexLock lock(&mutex_);
      ending_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }

  void Watch(std::function<bool()> cancelled) {
    thread_ = std::thread([this, cancelled = std::move(cancelled)] {
      while (!cancelled()) {
        const absl::MutexLock lock(&mutex_);
        if (mutex_.AwaitWithTimeout(absl::Condition(&ending_), kCancellationInterval)) return;
      }
      const absl::MutexLock lock(&mutex_);
      cancelled_ = true;
      for (grpc::ClientContext* call : calls_) call->TryCancel();
    });
  }

  /// A call while it is alive; its context outlives it.
  class Call {
   public:
    Call(Cancellation& cancellation, grpc::ClientContext& context) : cancellation_(cancellation), context_(context) {
      const absl::MutexLock lock(&cancellation_.mutex_);
      cancellation_.calls_.insert(&context_);
      if (cancellation_.cancelled_) context_.TryCancel();
    }
    ~Call() {
      const absl::MutexLock lock(&cancellation_.mutex_);
      cancellation_.calls_.erase(&context_);
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    Cancellation& cancellation_;
    grpc::ClientContext& context_;
  };

 private:
  absl::Mutex mutex_;
  std::set<grpc::ClientContext*> calls_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

struct SearchClient::Watching {
  grpc::ClientContext context;
};

SearchClient::SearchClient(std::unique_ptr<Connection> connection, absl::Duration timeout)
    : connection_(std::move(connection)), timeout_(timeout), cancellation_(std::make_unique<Cancellation>()) {}

SearchClient::~SearchClient() = default;

absl::StatusOr<std::unique_ptr<SearchClient>> SearchClient::Create(absl::string_view address, absl::Duration timeout, bool insecure_connect,
                                                                   const std::string& token_file) {
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel =
      CreateChannel(address, {.insecure_connect = insecure_connect, .token_file = token_file});
  if (!channel.ok()) return channel.status();
  return std::unique_ptr<SearchClient>(new SearchClient(std::make_unique<Connection>(*std::move(channel)), timeout));
}

void SearchClient::CancelWhen(std::function<bool()> cancelled) { cancellation_->Watch(std::move(cancelled)); }

absl::Status SearchClient::WaitUntilReady(absl::Duration timeout) {
  if (connection_->channel->WaitForConnected(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout)))
    return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("no coordinator answered within ", absl::FormatDuration(timeout)));
}

template <typename Response, typename Stub, typename Method, typename Request>
absl::StatusOr<Response> SearchClient::Call(Stub& stub, Method method, const Request& request) {
  grpc::ClientContext context;
  SetDeadline(context, timeout_);
  const Cancellation::Call call(*cancellation_, context);
  Response response;
  if (absl::Status status = FromGrpcStatus((stub.*method)(&context, request, &response)); !status.ok()) return status;
  return response;
}

absl::Status SearchClient::CheckHealth() {
  const auto answer = Call<grpc::health::v1::HealthCheckResponse>(*connection_->health, &grpc::health::v1::Health::Stub::Check,
                                                                  grpc::health::v1::HealthCheckRequest());
  if (!answer.ok()) return answer.status();
  if (answer->status() == grpc::health::v1::HealthCheckResponse::SERVING) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("expected SERVING, found ", grpc::health::v1::HealthCheckResponse::ServingStatus_Name(answer->status())));
}

absl::StatusOr<v1::Search> SearchClient::CreateSearch(const v1::SearchSpec& spec, absl::string_view request_id) {
  v1::CreateSearchRequest request;
  *request.mutable_spec() = spec;
  request.set_request_id(std::string(request_id));
  return Call<v1::Search>(*connection_->searches, &Searches::CreateSearch, request);
}

absl::StatusOr<v1::Search> SearchClient::ValidateSearch(const v1::SearchSpec& spec) {
  v1::CreateSearchRequest request;
  *request.mutable_spec() = spec;
  request.set_validate_only(true);
  return Call<v1::Search>(*connection_->searches, &Searches::CreateSearch, request);
}

absl::StatusOr<v1::Search> SearchClient::GetSearch(absl::string_view name) {
  return Call<v1::Search>(*connection_->searches, &Searches::GetSearch, Named<v1::GetSearchRequest>(name));
}

absl::StatusOr<v1::ListSearchesResponse> SearchClient::ListSearches(int page_size, absl::string_view page_token, absl::string_view filter) {
  return Call<v1::ListSearchesResponse>(*connection_->searches, &Searches::ListSearches,
                                        Page<v1::ListSearchesRequest>(page_size, page_token, filter));
}

absl::StatusOr<v1::Search> SearchClient::CancelSearch(absl::string_view name) {
  return Call<v1::Search>(*connection_->searches, &Searches::CancelSearch, Named<v1::CancelSearchRequest>(name));
}

absl::StatusOr<v1::Search> SearchClient::PauseSearch(absl::string_view name) {
  return Call<v1::Search>(*connection_->searches, &Searches::PauseSearch, Named<v1::PauseSearchRequest>(name));
}

absl::StatusOr<v1::Search> SearchClient::ResumeSearch(absl::string_view name) {
  return Call<v1::Search>(*connection_->searches, &Searches::ResumeSearch, Named<v1::ResumeSearchRequest>(name));
}

absl::StatusOr<v1::Search> SearchClient::TrainMember(const v1::TrainMemberRequest& request) {
  return Call<v1::Search>(*connection_->searches, &Searches::TrainMember, request);
}

absl::StatusOr<v1::Search> SearchClient::FinishSearch(absl::string_view name) {
  return Call<v1::Search>(*connection_->searches, &Searches::FinishSearch, Named<v1::FinishSearchRequest>(name));
}

absl::Status SearchClient::DeleteSearch(absl::string_view name) {
  return Call<v1::DeleteSearchResponse>(*connection_->searches, &Searches::DeleteSearch, Named<v1::DeleteSearchRequest>(name)).status();
}

absl::StatusOr<v1::Report> SearchClient::GetReport(absl::string_view name, absl::string_view target) {
  auto request = Named<v1::GetReportRequest>(name);
  request.set_target(std::string(target));
  return Call<v1::Report>(*connection_->searches, &Searches::GetReport, request);
}

absl::StatusOr<v1::ListTasksResponse> SearchClient::ListTasks(absl::string_view parent, int page_size, absl::string_view page_token,
                                                              absl::string_view filter) {
  auto request = Page<v1::ListTasksRequest>(page_size, page_token, filter);
  request.set_parent(std::string(parent));
  return Call<v1::ListTasksResponse>(*connection_->searches, &Searches::ListTasks, request);
}

absl::StatusOr<v1::ListCandidatesResponse> SearchClient::ListCandidates(absl::string_view parent, int page_size,
                                                                        absl::string_view page_token, absl::string_view filter,
                                                                        absl::string_view target) {
  auto request = Page<v1::ListCandidatesRequest>(page_size, page_token, filter);
  request.set_parent(std::string(parent));
  request.set_target(std::string(target));
  return Call<v1::ListCandidatesResponse>(*connection_->searches, &Searches::ListCandidates, request);
}

absl::StatusOr<v1::GetFrontResponse> SearchClient::GetFront(absl::string_view name, int page_size, absl::string_view page_token,
                                                            absl::string_view target) {
  auto request = Page<v1::GetFrontRequest>(page_size, page_token);
  request.set_name(std::string(name));
  request.set_target(std::string(target));
  return Call<v1::GetFrontResponse>(*connection_->searches, &Searches::GetFront, request);
}

absl::StatusOr<v1::ReplaySearchResponse> SearchClient::ReplaySearch(absl::string_view name) {
  return Call<v1::ReplaySearchResponse>(*connection_->searches, &Searches::ReplaySearch, Named<v1::ReplaySearchRequest>(name));
}

absl::StatusOr<v1::ListWorkersResponse> SearchClient::ListWorkers(int page_size, absl::string_view page_token, absl::string_view filter) {
  return Call<v1::ListWorkersResponse>(*connection_->farm, &Farm::ListWorkers, Page<v1::ListWorkersRequest>(page_size, page_token, filter));
}

absl::StatusOr<v1::ListDevicesResponse> SearchClient::ListDevices(int page_size, absl::string_view page_token, absl::string_view filter) {
  return Call<v1::ListDevicesResponse>(*connection_->farm, &Farm::ListDevices, Page<v1::ListDevicesRequest>(page_size, page_token, filter));
}

absl::Status SearchClient::SetDrain(absl::string_view name, bool drain) {
  auto request = Named<v1::SetDrainRequest>(name);
  request.set_drain(drain);
  return Call<v1::SetDrainResponse>(*connection_->farm, &Farm::SetDrain, request).status();
}

absl::Status SearchClient::WatchSearch(absl::string_view name, int64_t after_sequence,
                                       absl::FunctionRef<void(const v1::SearchEvent&)> on_event) {
  Watching watching;
  {
    const absl::MutexLock lock(&mutex_);
    if (stopped_) return absl::CancelledError("watching was stopped");
    watching_ = &watching;
  }
  const Cancellation::Call call(*cancellation_, watching.context);
  auto request = Named<v1::WatchSearchRequest>(name);
  request.set_after_sequence(after_sequence);
  const std::unique_ptr<grpc::ClientReader<v1::SearchEvent>> reader = connection_->searches->WatchSearch(&watching.context, request);
  v1::SearchEvent event;
  while (reader->Read(&event)) on_event(event);
  const absl::Status status = FromGrpcStatus(reader->Finish());
  const absl::MutexLock lock(&mutex_);
  watching_ = nullptr;
  return status;
}

absl::Status SearchClient::DownloadOnce(absl::string_view sha256, const std::string& path, const std::function<bool()>& cancelled) {
  const std::string part = absl::StrCat(path, ".", sha256.substr(0, 16), ".part");
  Sha256 digest;
  const int64_t offset = HashFile(part, digest);
  std::ofstream file(part, std::ios::binary | std::ios::app);
  grpc::ClientContext context;
  SetDeadline(context, kDownloadTimeout);
  const Cancellation::Call call(*cancellation_, context);
  v1::DownloadArtifactRequest request;
  request.set_sha256(std::string(sha256));
  request.set_offset(offset);
  const std::unique_ptr<grpc::ClientReader<v1::DownloadArtifactResponse>> reader =
      connection_->artifacts->DownloadArtifact(&context, request);
  v1::DownloadArtifactResponse chunk;
  bool stopped = false;
  while (file && !stopped && reader->Read(&chunk)) {
    digest.Add(chunk.data());
    file.write(chunk.data().data(), static_cast<std::streamsize>(chunk.data().size()));
    stopped = cancelled != nullptr && cancelled();
  }
  file.flush();
  const int error = errno;
  const bool written = !file.fail();
  file.close();
  if (!written || stopped) context.TryCancel();
  absl::Status status = FromGrpcStatus(reader->Finish());
  if (!written) {
    std::remove(part.c_str());
    return ErrnoStatus(error == 0 ? EIO : error, absl::StrCat("cannot write ", part));
  }
  if (stopped) return absl::CancelledError("the download was interrupted; the next one goes on from there");
  // What was received is good for the next attempt.
  if (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsCancelled(status)) return status;
  const std::string found = digest.FinishHex();
  if (status.ok() && found == sha256) {
    if (std::rename(part.c_str(), path.c_str()) == 0) return absl::OkStatus();
    return ErrnoStatus(errno, absl::StrCat("cannot write ", path));
  }
  std::remove(part.c_str());
  if (offset > 0) return DownloadOnce(sha256, path, cancelled);  // what an earlier call left may be what is wrong
  return status.ok() ? absl::DataLossError(absl::StrCat("expected an artifact with sha256 ", sha256, ", found ", found)) : status;
}

absl::Status SearchClient::DownloadArtifact(absl::string_view sha256, const std::string& path, const RetryPolicy& retry,
                                            const std::function<bool()>& cancelled) {
  if (absl::Status status = CheckSha256Hex(sha256); !status.ok()) return status;
  if (HasDigest(path, sha256)) return absl::OkStatus();
  return RetryTemporary(retry, SystemClock(), [&] { return DownloadOnce(sha256, path, cancelled); }, cancelled);
}

void SearchClient::StopWatching() {
  const absl::MutexLock lock(&mutex_);
  stopped_ = true;
  if (watching_ != nullptr) watching_->context.TryCancel();
}

}  // namespace hanas::rpc
