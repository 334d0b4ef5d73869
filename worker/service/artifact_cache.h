// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_SERVICE_ARTIFACT_CACHE_H_
#define HANAS_WORKER_SERVICE_ARTIFACT_CACHE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "rpc/artifact_client.h"

namespace hanas {

/// Artifacts with a directory of recent ones in front: files named by their digest, verified when read, the oldest removed beyond a size. A
/// checkpoint that this worker made is the one it continues next. A cache that cannot be read or written costs a transfer, never a task.
///
/// Confined to one thread at a time. Borrows `artifacts`. One process for a directory.
class ArtifactCache : public rpc::Artifacts {
 public:
  /// Creates `directory` when absent. Returns the errno's status naming it when it cannot.
  static absl::StatusOr<ArtifactCache> Create(rpc::Artifacts* artifacts, std::string directory, int64_t max_bytes);

  absl::StatusOr<v1::ArtifactRef> Upload(absl::string_view bytes) override;
  absl::StatusOr<std::string> Download(const v1::ArtifactRef& artifact) override;

 private:
  ArtifactCache(rpc::Artifacts* artifacts, std::string directory, int64_t max_bytes)
      : artifacts_(artifacts), directory_(std::move(directory)), max_bytes_(max_bytes) {}
  void Keep(const v1::ArtifactRef& artifact, absl::string_view bytes);
  void RemoveOldest();

  rpc::Artifacts* artifacts_;
  std::string directory_;
  int64_t max_bytes_;
};

}  // namespace hanas

#endif  // HANAS_WORKER_SERVICE_ARTIFACT_CACHE_H_
