// SPDX-License-Identifier: Apache-2.0
#include "worker/service/artifact_cache.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"
#include "rpc/files.h"
#include "rpc/sha256.h"
#include "telemetry/event_log.h"

namespace hanas {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<std::string> ReadFile(const fs::path& path, int64_t size) {
  std::error_code error;
  if (static_cast<int64_t>(fs::file_size(path, error)) != size || error) return absl::NotFoundError("not there");
  std::string bytes(static_cast<size_t>(size), '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), size);
  if (file.gcount() != size) return absl::DataLossError("cut short");
  return bytes;
}

}  // namespace

absl::StatusOr<ArtifactCache> ArtifactCache::Create(rpc::Artifacts* artifacts, std::string directory, int64_t max_bytes) {
  const absl::StatusOr<bool> tightened = rpc::MakePrivateDirectory(directory);
  if (!tightened.ok()) return tightened.status();
  if (*tightened) telemetry::LogEvent(telemetry::Severity::kWarning, "directory_tightened", {{"directory", directory}});
  return ArtifactCache(artifacts, std::move(directory), max_bytes);
}

absl::StatusOr<v1::ArtifactRef> ArtifactCache::Upload(absl::string_view bytes) {
  absl::StatusOr<v1::ArtifactRef> artifact = artifacts_->Upload(bytes);
  if (artifact.ok()) Keep(*artifact, bytes);
  return artifact;
}

absl::StatusOr<std::string> ArtifactCache::Download(const v1::ArtifactRef& artifact) {
  if (absl::Status status = rpc::CheckArtifactRef(artifact); !status.ok()) return status;
  const fs::path path = fs::path(directory_) / artifact.sha256();
  if (absl::StatusOr<std::string> cached = ReadFile(path, artifact.size_bytes());
      cached.ok() && rpc::Sha256Hex(*cached) == artifact.sha256()) {
    std::error_code ignored;
    fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);  // most recently used
    return cached;
  }
  absl::StatusOr<std::string> bytes = artifacts_->Download(artifact);
  if (bytes.ok()) Keep(artifact, *bytes);
  return bytes;
}

void ArtifactCache::Keep(const v1::ArtifactRef& artifact, absl::string_view bytes) {
  const absl::Status status = rpc::WriteFileAtomically((fs::path(directory_) / artifact.sha256()).string(), bytes);
  if (!status.ok()) LOG_EVERY_N_SEC(WARNING, 60) << "artifact cache: " << status.message();
  RemoveOldest();
}

void ArtifactCache::RemoveOldest() {
  struct File {
    fs::file_time_type used;
    int64_t size;
    fs::path path;
  };
  std::vector<File> files;
  int64_t total = 0;
  std::error_code error;
  for (fs::directory_iterator it(directory_, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    const File file{it->last_write_time(ignored), static_cast<int64_t>(it->file_size(ignored)), it->path()};
    if (!it->is_regular_file(ignored) || !rpc::CheckSha256Hex(file.path.filename().string()).ok()) continue;
    total += file.size;
    files.push_back(file);
  }
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.used < b.used; });
  for (size_t i = 0; i + 1 < files.size() && total > max_bytes_; ++i) {
    if (fs::remove(files[i].path, error)) total -= files[i].size;
  }
}

}  // namespace hanas
