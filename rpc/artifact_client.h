// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_ARTIFACT_CLIENT_H_
#define HANAS_RPC_ARTIFACT_CLIENT_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hanas/v1/task.grpc.pb.h"
#include "rpc/clock.h"
#include "rpc/retry.h"
#include "telemetry/metrics.h"

namespace hanas::rpc {

/// One upload message carries at most this much.
inline constexpr size_t kArtifactChunkBytes = size_t{1} << 20;
/// Artifacts beyond this are refused before anything is allocated.
inline constexpr int64_t kMaxArtifactBytes = int64_t{4} << 30;

/// The coordinator's artifact store, as processes that do work see it.
class Artifacts {
 public:
  virtual ~Artifacts() = default;

  /// Stores `bytes`; when it returns they are synced there. Storing what is there already costs one small call.
  virtual absl::StatusOr<v1::ArtifactRef> Upload(absl::string_view bytes) = 0;

  /// The bytes, verified. Returns INVALID_ARGUMENT for a malformed or oversized reference, NOT_FOUND when there is no such artifact,
  /// DATA_LOSS when what arrives has another size or digest.
  virtual absl::StatusOr<std::string> Download(const v1::ArtifactRef& artifact) = 0;
};

/// Over gRPC. Transfers interrupted by UNAVAILABLE go on where they were, under the retry policy.
///
/// Thread-safe. Borrows stub, clock and metrics.
class ArtifactClient : public Artifacts {
 public:
  explicit ArtifactClient(v1::ArtifactService::StubInterface* stub, RetryPolicy policy = {}, Clock* clock = &SystemClock(),
                          std::function<bool()> cancelled = nullptr, telemetry::Metrics* metrics = &telemetry::NoMetrics());

  absl::StatusOr<v1::ArtifactRef> Upload(absl::string_view bytes) override;
  absl::StatusOr<std::string> Download(const v1::ArtifactRef& artifact) override;

  /// As Download, into `path`: complete or not at all. Holds one chunk in memory.
  absl::Status DownloadToFile(const v1::ArtifactRef& artifact, const std::string& path);

 private:
  /// What earlier attempts at an upload leave to the next.
  struct UploadProgress {
    bool from_start = false;  // what the store had of it was not ours
    int64_t sent_bytes = 0;   // by the last stream, which broke
    int waits = 0;            // for the store to notice that
  };
  absl::Status UploadOnce(const v1::ArtifactRef& artifact, absl::string_view bytes, UploadProgress& progress);
  absl::Status DownloadInto(const v1::ArtifactRef& artifact, absl::FunctionRef<absl::Status(absl::string_view)> sink);

  v1::ArtifactService::StubInterface* stub_;
  RetryPolicy policy_;
  Clock* clock_;
  std::function<bool()> cancelled_;
  telemetry::Metrics* metrics_;
};

/// Digest and size of `bytes`.
v1::ArtifactRef ArtifactRefOf(absl::string_view bytes);

/// Returns INVALID_ARGUMENT unless the reference has a well-formed digest and a size from 0 to kMaxArtifactBytes. `field` begins the
/// message.
absl::Status CheckArtifactRef(const v1::ArtifactRef& artifact, absl::string_view field = "artifact");

}  // namespace hanas::rpc

#endif  // HANAS_RPC_ARTIFACT_CLIENT_H_
