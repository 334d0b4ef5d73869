// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_RPC_FAKE_ARTIFACT_SERVICE_H_
#define HANAS_TESTS_RPC_FAKE_ARTIFACT_SERVICE_H_

#include <algorithm>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "hanas/v1/task.grpc.pb.h"
#include "rpc/sha256.h"
#include "rpc/status.h"

namespace hanas::rpc {

/// An artifact store in memory that can lose connections. Thread-safe.
class FakeArtifactService : public v1::ArtifactService::Service {
 public:
  grpc::Status StatArtifact(grpc::ServerContext*, const v1::StatArtifactRequest* request, v1::StatArtifactResponse* response) override {
    absl::MutexLock lock(&mutex_);
    response->set_complete(complete_.contains(request->sha256()));
    const bool hidden = !partial_[request->sha256()].empty() && hide_partial_for_ > 0;
    if (hidden) --hide_partial_for_;
    response->set_received_bytes(hidden ? 0 : static_cast<int64_t>(partial_[request->sha256()].size()));
    return grpc::Status::OK;
  }

  grpc::Status UploadArtifact(grpc::ServerContext*, grpc::ServerReader<v1::UploadArtifactRequest>* reader,
                              v1::UploadArtifactResponse*) override {
    v1::UploadArtifactRequest request;
    v1::ArtifactRef artifact;
    while (reader->Read(&request)) {
      absl::MutexLock lock(&mutex_);
      ++messages_;
      if (request.has_artifact()) artifact = request.artifact();
      std::string& bytes = partial_[artifact.sha256()];
      if (request.has_artifact() && request.offset() == 0) bytes.clear();
      if (request.offset() != static_cast<int64_t>(bytes.size())) return ToGrpcStatus(absl::AbortedError("another offset was expected"));
      largest_message_ = std::max(largest_message_, request.data().size());
      bytes += request.data();
      if (fail_upload_after_ > 0 && --fail_upload_after_ == 0) return ToGrpcStatus(absl::UnavailableError("going away"));
    }
    absl::MutexLock lock(&mutex_);
    const std::string bytes = partial_[artifact.sha256()];
    partial_.erase(artifact.sha256());
    if (Sha256Hex(bytes) != artifact.sha256()) return ToGrpcStatus(absl::DataLossError("wrong digest"));
    complete_[artifact.sha256()] = bytes;
    return grpc::Status::OK;
  }

  grpc::Status DownloadArtifact(grpc::ServerContext*, const v1::DownloadArtifactRequest* request,
                                grpc::ServerWriter<v1::DownloadArtifactResponse>* writer) override {
    std::string bytes;
    {
      absl::MutexLock lock(&mutex_);
      const auto found = complete_.find(request->sha256());
      if (found == complete_.end()) return ToGrpcStatus(absl::NotFoundError("no such artifact"));
      bytes = found->second;
    }
    constexpr size_t kChunk = 1000;
    for (size_t offset = static_cast<size_t>(request->offset()); offset < bytes.size(); offset += kChunk) {
      v1::DownloadArtifactResponse response;
      response.set_data(bytes.substr(offset, kChunk));
      writer->Write(response);
      absl::MutexLock lock(&mutex_);
      if (fail_download_after_ > 0 && --fail_download_after_ == 0) return ToGrpcStatus(absl::UnavailableError("going away"));
    }
    return grpc::Status::OK;
  }

  void Store(const std::string& sha256, std::string bytes) {
    absl::MutexLock lock(&mutex_);
    complete_[sha256] = std::move(bytes);
  }
  void StorePartial(const std::string& sha256, std::string bytes) {
    absl::MutexLock lock(&mutex_);
    partial_[sha256] = std::move(bytes);
  }
  bool Has(const std::string& sha256) {
    absl::MutexLock lock(&mutex_);
    return complete_.contains(sha256);
  }
  void FailUploadAfter(int messages) {
    absl::MutexLock lock(&mutex_);
    fail_upload_after_ = messages;
  }
  /// A service that has not noticed yet that a connection broke.
  void HidePartialFor(int asks) {
    absl::MutexLock lock(&mutex_);
    hide_partial_for_ = asks;
  }
  void FailDownloadAfter(int messages) {
    absl::MutexLock lock(&mutex_);
    fail_download_after_ = messages;
  }
  int messages() {
    absl::MutexLock lock(&mutex_);
    return messages_;
  }
  size_t largest_message() {
    absl::MutexLock lock(&mutex_);
    return largest_message_;
  }

 private:
  absl::Mutex mutex_;
  std::map<std::string, std::string> complete_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> partial_ ABSL_GUARDED_BY(mutex_);
  int messages_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t largest_message_ ABSL_GUARDED_BY(mutex_) = 0;
  int fail_upload_after_ ABSL_GUARDED_BY(mutex_) = 0;
  int hide_partial_for_ ABSL_GUARDED_BY(mutex_) = 0;
  int fail_download_after_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace hanas::rpc

#endif  // HANAS_TESTS_RPC_FAKE_ARTIFACT_SERVICE_H_
