// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/app/executor.h"
#include "coordinator/service/services.h"
#include "hanas/v1/task.grpc.pb.h"
#include "rpc/artifact_client.h"
#include "rpc/request.h"
#include "rpc/status.h"
#include "telemetry/event_log.h"

namespace hanas::coordinator {
namespace {

constexpr auto kChunkBytes = static_cast<int64_t>(rpc::kArtifactChunkBytes);
constexpr int64_t kSliceBytes = int64_t{64} << 20;  // of one artifact before another call has its turn
constexpr int kThreads = 2;                         // for what waits for the disk or hashes: gRPC's own must not

absl::Status Violation(absl::string_view path, absl::string_view message) {
  FieldViolations violations;
  violations.Add(path, message);
  return violations.ToStatus();
}

absl::Status CheckArtifact(const v1::ArtifactRef& artifact) {
  if (absl::Status status = CheckSha256(artifact.sha256()); !status.ok()) return Violation("artifact.sha256", status.message());
  if (artifact.size_bytes() >= 0 && artifact.size_bytes() <= rpc::kMaxArtifactBytes) return absl::OkStatus();
  return Violation("artifact.size_bytes", absl::StrCat("expected 0 to ", rpc::kMaxArtifactBytes, ", found ", artifact.size_bytes()));
}

/// An upload: holds no thread while the client is slow. What arrived stays when the call is cut; the client asks StatArtifact how much
/// there is and goes on from there. A call that brings less than a chunk in `max_stall` is ended: it holds one of few places.
///
/// States: a message is awaited, or one is worked on in the background; then finished. The alarm ends only calls that await.
class UploadCall final : public grpc::ServerReadReactor<v1::UploadArtifactRequest>, public std::enable_shared_from_this<UploadCall> {
 public:
  UploadCall(ArtifactStore* artifacts, Executor* background, grpc::CallbackServerContext* context, const UploadOptions& options)
      : artifacts_(artifacts), background_(background), context_(context), options_(options) {}

  void Start() ABSL_LOCKS_EXCLUDED(mutex_) {
    self_ = shared_from_this();
    absl::MutexLock lock(&mutex_);
    SetAlarm();
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (finished_) return;
    working_ = true;
    background_->Run([self = shared_from_this(), ok] { ok ? self->Take() : self->Complete(); });
  }
  void OnDone() override { self_.reset(); }

 private:
  /// In the background: a message.
  void Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    if (absl::Status status = CheckMessage(); !status.ok()) return End(rpc::ToGrpcStatus(status));
    if (upload_ == nullptr) {
      absl::StatusOr<std::unique_ptr<ArtifactUpload>> upload = artifacts_->BeginUpload(artifact_, request_.offset());
      if (!upload.ok()) return End(rpc::ToGrpcStatus(upload.status()));
      upload_ = *std::move(upload);
    }
    Write();
  }
  void Write() {
    // While kept bytes are hashed no read is outstanding that would tell that the client has gone.
    if (context_->IsCancelled()) return End(grpc::Status(grpc::StatusCode::CANCELLED, "the client has gone"));
    const absl::StatusOr<bool> hashed = upload_->HashKept(kSliceBytes);
    if (!hashed.ok()) return End(rpc::ToGrpcStatus(hashed.status()));
    if (!*hashed) return background_->Run([self = shared_from_this()] { self->Write(); });
    if (absl::Status status = upload_->Write(request_.offset(), request_.data()); !status.ok()) return End(rpc::ToGrpcStatus(status));
    absl::MutexLock lock(&mutex_);
    received_bytes_ += static_cast<int64_t>(request_.data().size());
    working_ = false;
    StartRead(&request_);
  }

  /// In the background: no more messages.
  void Complete() {
    if (context_->IsCancelled()) return End(grpc::Status::CANCELLED);
    if (upload_ == nullptr) return End(rpc::ToGrpcStatus(Violation("artifact", "expected it in the first message, found no message")));
    End(rpc::ToGrpcStatus(upload_->Finish()));
  }

  absl::Status CheckMessage() {
    if (artifact_.empty()) {
      if (absl::Status status = CheckArtifact(request_.artifact()); !status.ok()) return status;
      artifact_ = {request_.artifact().sha256(), request_.artifact().size_bytes()};
    } else if (request_.has_artifact() && ArtifactRef{request_.artifact().sha256(), request_.artifact().size_bytes()} != artifact_) {
      return Violation("artifact", absl::StrCat("expected one artifact in an upload, ", artifact_.sha256, ", found another"));
    }
    if (static_cast<int64_t>(request_.data().size()) <= kChunkBytes) return absl::OkStatus();
    return Violation("data", absl::StrCat("expected at most ", kChunkBytes, " bytes in a message, found ", request_.data().size()));
  }

  void End(const grpc::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    upload_.reset();  // what it brought rests before the client hears of the end, and asks for it
    absl::MutexLock lock(&mutex_);
    finished_ = true;
    Finish(status);
  }

  void Tick() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (finished_) return;
    if (working_ || received_bytes_ - received_at_last_tick_ >= kChunkBytes) {
      received_at_last_tick_ = received_bytes_;
      return SetAlarm();
    }
    finished_ = true;
    upload_.reset();
    Finish(rpc::ToGrpcStatus(WithReason(
        absl::AbortedError(absl::StrCat("the upload brought less than ", kChunkBytes, " bytes in ",
                                        absl::FormatDuration(options_.max_stall), "; ask how much there is and go on from there")),
        kUploadStalled)));
  }

  void SetAlarm() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(options_.max_stall), [weak = weak_from_this()](bool elapsed) {
      const std::shared_ptr<UploadCall> call = weak.lock();
      if (elapsed && call != nullptr) call->Tick();
    });
  }

  ArtifactStore* const artifacts_;
  Executor* const background_;
  grpc::CallbackServerContext* const context_;
  const UploadOptions options_;
  std::shared_ptr<UploadCall> self_;  // until OnDone

  // These belong to whoever works: the background while working_, else the alarm.
  v1::UploadArtifactRequest request_;
  ArtifactRef artifact_;
  std::unique_ptr<ArtifactUpload> upload_;

  absl::Mutex mutex_;
  bool working_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t received_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t received_at_last_tick_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mutex_);
};

void LogDamage(const absl::Status& status) {
  if (absl::IsDataLoss(status)) telemetry::LogEvent(telemetry::Severity::kError, "artifact_damaged", {{"status", status.ToString()}});
}

/// A download: one chunk in memory, the next one read when it has gone out.
class DownloadCall final : public grpc::ServerWriteReactor<v1::DownloadArtifactResponse> {
 public:
  DownloadCall(ArtifactStore* artifacts, Executor* background, const v1::DownloadArtifactRequest& request) : background_(background) {
    if (absl::Status status = CheckSha256(request.sha256()); !status.ok()) {
      Finish(rpc::ToGrpcStatus(Violation("sha256", status.message())));
      return;
    }
    background_->Run([this, artifacts, sha256 = request.sha256(), offset = request.offset()] {
      absl::StatusOr<std::unique_ptr<ArtifactReader>> reader = artifacts->OpenReader(sha256, offset);
      if (!reader.ok()) return Finish(rpc::ToGrpcStatus(reader.status()));
      reader_ = *std::move(reader);
      Next();
    });
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    background_->Run([this] { Next(); });
  }
  void OnDone() override { delete this; }

 private:
  void Next() {
    absl::StatusOr<std::string> data = reader_->Next(kChunkBytes);
    LogDamage(data.status());
    if (!data.ok() || data->empty()) return Finish(rpc::ToGrpcStatus(data.status()));
    response_.set_data(*std::move(data));
    StartWrite(&response_);
  }

  Executor* const background_;
  std::unique_ptr<ArtifactReader> reader_;
  v1::DownloadArtifactResponse response_;
};

/// What there is of an artifact. One that nobody has read since this process began is read first: a complete one is a good one. Deletes
/// itself.
class StatCall {
 public:
  StatCall(ArtifactStore* artifacts, Executor* background, grpc::CallbackServerContext* context, std::string sha256,
           v1::StatArtifactResponse* response)
      : artifacts_(artifacts),
        background_(background),
        context_(context),
        sha256_(std::move(sha256)),
        response_(response),
        reactor_(context->DefaultReactor()) {}

  void Begin() {
    if (absl::Status status = CheckSha256(sha256_); !status.ok()) return End(rpc::ToGrpcStatus(Violation("sha256", status.message())));
    const absl::StatusOr<ArtifactStore::UploadState> state = artifacts_->Stat(sha256_);
    if (!state.ok()) return End(rpc::ToGrpcStatus(state.status()));
    if (!state->complete || state->verified) return Answer(*state);
    absl::StatusOr<std::unique_ptr<ArtifactReader>> reader = artifacts_->OpenReader(sha256_, 0);
    if (!reader.ok()) return Answer({});  // removed since
    reader_ = *std::move(reader);
    Verify();
  }

 private:
  void Verify() {
    for (int64_t read = 0; read < kSliceBytes; read += kChunkBytes) {
      if (context_->IsCancelled()) return End(grpc::Status::CANCELLED);
      const absl::StatusOr<std::string> data = reader_->Next(kChunkBytes);
      LogDamage(data.status());
      if (!data.ok()) return Answer({});  // whoever sends it again repairs it
      if (data->empty()) return Answer({.complete = true, .verified = true, .received_bytes = read_bytes_});
      read_bytes_ += static_cast<int64_t>(data->size());
    }
    background_->Run([this] { Verify(); });
  }
  void Answer(const ArtifactStore::UploadState& state) {
    response_->set_complete(state.complete);
    response_->set_received_bytes(state.received_bytes);
    End(grpc::Status::OK);
  }
  void End(const grpc::Status& status) {
    reactor_->Finish(status);
    delete this;
  }

  ArtifactStore* const artifacts_;
  Executor* const background_;
  grpc::CallbackServerContext* const context_;
  const std::string sha256_;
  v1::StatArtifactResponse* const response_;
  grpc::ServerUnaryReactor* const reactor_;
  std::unique_ptr<ArtifactReader> reader_;
  int64_t read_bytes_ = 0;
};

class ArtifactServiceImpl final : public v1::ArtifactService::CallbackService {
 public:
  ArtifactServiceImpl(App* app, const UploadOptions& options) : artifacts_(app->artifacts()), options_(options) {}

  grpc::ServerUnaryReactor* StatArtifact(grpc::CallbackServerContext* context, const v1::StatArtifactRequest* request,
                                         v1::StatArtifactResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    background_.Run([call = new StatCall(artifacts_, &background_, context, request->sha256(), response)] { call->Begin(); });
    return reactor;
  }

  grpc::ServerReadReactor<v1::UploadArtifactRequest>* UploadArtifact(grpc::CallbackServerContext* context,
                                                                     v1::UploadArtifactResponse*) override {
    const auto call = std::make_shared<UploadCall>(artifacts_, &background_, context, options_);
    call->Start();
    return call.get();  // keeps itself until the call is over
  }

  grpc::ServerWriteReactor<v1::DownloadArtifactResponse>* DownloadArtifact(grpc::CallbackServerContext*,
                                                                           const v1::DownloadArtifactRequest* request) override {
    return new DownloadCall(artifacts_, &background_, *request);  // deletes itself when the call is over
  }

 private:
  ArtifactStore* const artifacts_;
  const UploadOptions options_;
  ThreadExecutor background_{kThreads};
};

}  // namespace

std::unique_ptr<grpc::Service> CreateArtifactService(App* app, UploadOptions options) {
  return std::make_unique<ArtifactServiceImpl>(app, options);
}

}  // namespace hanas::coordinator
