// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/grpcpp.h>

#include <deque>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/service/services.h"
#include "proto/hanas/v1/task.grpc.pb.h"
#include "rpc/request.h"
#include "rpc/status.h"

namespace hanas::coordinator {
namespace {

constexpr int64_t kChunkBytes = int64_t{1} << 20;
constexpr int64_t kMaxArtifactBytes = int64_t{4} << 30;

/// A thread for what takes long: hashing a whole upload. Runs everything that it was given before it ends. Thread-safe.
class Background {
 public:
  Background() : thread_([this] { Run(); }) {}
  ~Background() {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    thread_.join();
  }

  void Do(absl::AnyInvocable<void()> work) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    queue_.push_back(std::move(work));
  }

 private:
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !queue_.empty(); }
  void Run() ABSL_LOCKS_EXCLUDED(mutex_) {
    while (true) {
      absl::AnyInvocable<void()> work;
      {
        absl::MutexLock lock(&mutex_);
        mutex_.Await(absl::Condition(this, &Background::HasWork));
        if (queue_.empty()) return;
        work = std::move(queue_.front());
        queue_.pop_front();
      }
      work();
    }
  }

  absl::Mutex mutex_;
  std::deque<absl::AnyInvocable<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

absl::Status Violation(std::string path, std::string message) {
  FieldViolations violations;
  violations.Add(std::move(path), std::move(message));
  return violations.ToStatus();
}

absl::Status CheckArtifact(const v1::ArtifactRef& artifact) {
  if (absl::Status status = CheckSha256(artifact.sha256()); !status.ok())
    return Violation("artifact.sha256", std::string(status.message()));
  if (artifact.size_bytes() >= 0 && artifact.size_bytes() <= kMaxArtifactBytes) return absl::OkStatus();
  return Violation("artifact.size_bytes", absl::StrCat("expected 0 to ", kMaxArtifactBytes, ", found ", artifact.size_bytes()));
}

/// An upload: holds no thread while the client is slow. A part that arrived stays when the call is cut; the client asks StatArtifact how
/// much there is and goes on from there. States: reading -> finishing (in the background) -> done.
class UploadCall final : public grpc::ServerReadReactor<v1::UploadArtifactRequest> {
 public:
  UploadCall(ArtifactStore* artifacts, Background* background, grpc::CallbackServerContext* context)
      : artifacts_(artifacts), background_(background), context_(context) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Complete();
    if (absl::Status status = Take(); !status.ok()) return Finish(rpc::ToGrpcStatus(status));
    StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  absl::Status Take() {
    if (artifact_.empty()) {
      if (absl::Status status = CheckArtifact(request_.artifact()); !status.ok()) return status;
      artifact_ = {request_.artifact().sha256(), request_.artifact().size_bytes()};
    } else if (request_.has_artifact() && ArtifactRef{request_.artifact().sha256(), request_.artifact().size_bytes()} != artifact_) {
      return Violation("artifact", absl::StrCat("expected one artifact in an upload, ", artifact_.sha256, ", found another"));
    }
    if (static_cast<int64_t>(request_.data().size()) > kChunkBytes)
      return Violation("data", absl::StrCat("expected at most ", kChunkBytes, " bytes in a message, found ", request_.data().size()));
    return artifacts_->WritePart(artifact_, request_.offset(), request_.data());
  }

  void Complete() {
    if (context_->IsCancelled()) return Finish(grpc::Status::CANCELLED);
    if (artifact_.empty()) return Finish(rpc::ToGrpcStatus(Violation("artifact", "expected it in the first message, found no message")));
    background_->Do([this] { Finish(rpc::ToGrpcStatus(artifacts_->Finish(artifact_))); });
  }

  ArtifactStore* const artifacts_;
  Background* const background_;
  grpc::CallbackServerContext* const context_;
  v1::UploadArtifactRequest request_;
  ArtifactRef artifact_;
};

/// A download: one chunk in memory, the next one read when it has gone out.
class DownloadCall final : public grpc::ServerWriteReactor<v1::DownloadArtifactResponse> {
 public:
  DownloadCall(ArtifactStore* artifacts, const v1::DownloadArtifactRequest& request)
      : artifacts_(artifacts), sha256_(request.sha256()), offset_(request.offset()) {
    Next();
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    Next();
  }
  void OnDone() override { delete this; }

 private:
  void Next() {
    absl::StatusOr<std::string> data = artifacts_->Read(sha256_, offset_, kChunkBytes);
    if (!data.ok() || data->empty()) return Finish(rpc::ToGrpcStatus(data.status()));
    offset_ += static_cast<int64_t>(data->size());
    response_.set_data(*std::move(data));
    StartWrite(&response_);
  }

  ArtifactStore* const artifacts_;
  const std::string sha256_;
  int64_t offset_;
  v1::DownloadArtifactResponse response_;
};

using ArtifactServiceBase = v1::ArtifactService::WithCallbackMethod_UploadArtifact<
    v1::ArtifactService::WithCallbackMethod_DownloadArtifact<v1::ArtifactService::Service>>;

class ArtifactServiceImpl final : public ArtifactServiceBase {
 public:
  explicit ArtifactServiceImpl(App* app) : artifacts_(app->artifacts()) {}

  grpc::Status StatArtifact(grpc::ServerContext*, const v1::StatArtifactRequest* request, v1::StatArtifactResponse* response) override {
    if (absl::Status status = CheckSha256(request->sha256()); !status.ok())
      return rpc::ToGrpcStatus(Violation("sha256", std::string(status.message())));
    const absl::StatusOr<ArtifactStore::UploadState> state = artifacts_->Stat(request->sha256());
    if (!state.ok()) return rpc::ToGrpcStatus(state.status());
    response->set_complete(state->complete);
    response->set_received_bytes(state->received_bytes);
    return grpc::Status::OK;
  }

  grpc::ServerReadReactor<v1::UploadArtifactRequest>* UploadArtifact(grpc::CallbackServerContext* context,
                                                                     v1::UploadArtifactResponse*) override {
    return new UploadCall(artifacts_, &background_, context);  // deletes itself when the call is over
  }

  grpc::ServerWriteReactor<v1::DownloadArtifactResponse>* DownloadArtifact(grpc::CallbackServerContext*,
                                                                           const v1::DownloadArtifactRequest* request) override {
    return new DownloadCall(artifacts_, *request);  // deletes itself when the call is over
  }

 private:
  ArtifactStore* const artifacts_;
  Background background_;
};

}  // namespace

std::unique_ptr<grpc::Service> CreateArtifactService(App* app) { return std::make_unique<ArtifactServiceImpl>(app); }

}  // namespace hanas::coordinator
