// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/grpcpp.h>

#include "absl/strings/str_cat.h"
#include "coordinator/service/services.h"
#include "proto/hanas/v1/task.grpc.pb.h"
#include "rpc/status.h"

namespace hanas::coordinator {
namespace {

constexpr int64_t kChunkBytes = int64_t{1} << 20;
constexpr int64_t kMaxArtifactBytes = int64_t{4} << 30;

class ArtifactServiceImpl final : public v1::ArtifactService::Service {
 public:
  explicit ArtifactServiceImpl(App* app) : artifacts_(app->artifacts()) {}

  grpc::Status StatArtifact(grpc::ServerContext*, const v1::StatArtifactRequest* request, v1::StatArtifactResponse* response) override {
    const absl::StatusOr<ArtifactStore::UploadState> state = artifacts_->Stat(request->sha256());
    if (!state.ok()) return rpc::ToGrpcStatus(state.status());
    response->set_complete(state->complete);
    response->set_received_bytes(state->received_bytes);
    return grpc::Status::OK;
  }

  grpc::Status UploadArtifact(grpc::ServerContext*, grpc::ServerReader<v1::UploadArtifactRequest>* reader,
                              v1::UploadArtifactResponse*) override {
    ArtifactRef artifact;
    v1::UploadArtifactRequest request;
    while (reader->Read(&request)) {
      if (artifact.empty()) {
        artifact = {request.artifact().sha256(), request.artifact().size_bytes()};
        if (artifact.size_bytes < 0 || artifact.size_bytes > kMaxArtifactBytes) {
          return rpc::ToGrpcStatus(absl::InvalidArgumentError(
              absl::StrCat("artifact.size_bytes: expected 0 to ", kMaxArtifactBytes, ", found ", artifact.size_bytes)));
        }
      }
      if (absl::Status status = artifacts_->WritePart(artifact, request.offset(), request.data()); !status.ok())
        return rpc::ToGrpcStatus(status);
    }
    return rpc::ToGrpcStatus(artifacts_->Finish(artifact));
  }

  grpc::Status DownloadArtifact(grpc::ServerContext* context, const v1::DownloadArtifactRequest* request,
                                grpc::ServerWriter<v1::DownloadArtifactResponse>* writer) override {
    int64_t offset = request->offset();
    while (!context->IsCancelled()) {
      absl::StatusOr<std::string> data = artifacts_->Read(request->sha256(), offset, kChunkBytes);
      if (!data.ok()) return rpc::ToGrpcStatus(data.status());
      if (data->empty()) return grpc::Status::OK;
      offset += static_cast<int64_t>(data->size());
      v1::DownloadArtifactResponse response;
      response.set_data(*std::move(data));
      if (!writer->Write(response)) return grpc::Status::OK;
    }
    return grpc::Status::OK;
  }

 private:
  ArtifactStore* const artifacts_;
};

}  // namespace

std::unique_ptr<grpc::Service> CreateArtifactService(App* app) { return std::make_unique<ArtifactServiceImpl>(app); }

}  // namespace hanas::coordinator
