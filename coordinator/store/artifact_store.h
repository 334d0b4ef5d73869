// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STORE_ARTIFACT_STORE_H_
#define HANAS_COORDINATOR_STORE_ARTIFACT_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace hanas::coordinator {

/// Names bytes by their SHA-256: 64 lower-case hexadecimal digits.
struct ArtifactRef {
  std::string sha256;
  int64_t size_bytes = 0;
  bool empty() const { return sha256.empty(); }
  friend auto operator<=>(const ArtifactRef&, const ArtifactRef&) = default;
};

/// Returns INVALID_ARGUMENT unless `sha256` is 64 lower-case hexadecimal digits, which also keeps it a plain file name.
absl::Status CheckSha256(absl::string_view sha256);

/// Content-addressed files in a directory: `complete/<sha256>` and `partial/<sha256>`, and `removed/` on the way out.
///
/// Invariant: a file under complete/ has the bytes its name says, synced; a crash leaves at most partial files, which a later upload of the
/// same artifact continues. Thread-safe: two uploads of one artifact write the same bytes.
class ArtifactStore {
 public:
  struct UploadState {
    bool complete = false;
    int64_t received_bytes = 0;
  };

  /// Returns UNAVAILABLE or PERMISSION_DENIED when the directories cannot be made.
  static absl::StatusOr<std::unique_ptr<ArtifactStore>> Open(std::string directory);

  /// Returns INVALID_ARGUMENT for a bad digest.
  absl::StatusOr<UploadState> Stat(absl::string_view sha256) const;
  bool Contains(absl::string_view sha256) const;

  /// Writes `data` at `offset` of the partial file. Returns INVALID_ARGUMENT for a bad reference, OUT_OF_RANGE (UPLOAD_OUT_OF_RANGE) when
  /// `offset` leaves a hole or the data go beyond the artifact's size, RESOURCE_EXHAUSTED when the disk is full. Of a complete artifact it
  /// does nothing.
  absl::Status WritePart(const ArtifactRef& artifact, int64_t offset, absl::string_view data);
  /// Verifies, syncs and publishes. Returns FAILED_PRECONDITION (UPLOAD_INCOMPLETE) when bytes are missing, DATA_LOSS (DIGEST_MISMATCH)
  /// when the digest is another (the partial file is then removed: upload it again), ABORTED when the partial file was removed meanwhile
  /// (upload it again).
  absl::Status Finish(const ArtifactRef& artifact);

  /// How the last WritePart or Finish ended at the disk: what is wrong with the disk now, OK when nothing is.
  absl::Status written() const ABSL_LOCKS_EXCLUDED(mutex_);

  /// WritePart and Finish of bytes at hand.
  absl::StatusOr<ArtifactRef> Put(absl::string_view bytes);

  /// At most `max_bytes` from `offset`; empty at the end. Returns NOT_FOUND, or OUT_OF_RANGE beyond the end.
  absl::StatusOr<std::string> Read(absl::string_view sha256, int64_t offset, int64_t max_bytes) const;

  /// The digests of all artifacts, complete and partial, ascending. Files of other names are left out. Returns UNAVAILABLE or
  /// PERMISSION_DENIED when the directories cannot be read.
  absl::StatusOr<std::vector<std::string>> List() const;

  /// Takes an artifact, and what was received of it, out of the store; fine when there is none. Who references what is the caller's to
  /// know. Quick: the bytes go with the next Purge. Returns INVALID_ARGUMENT for a bad digest, and the errno's status.
  absl::Status Remove(absl::string_view sha256);
  /// Frees the space of what was removed, which may take a while. Returns the errno's status; another call tries again.
  absl::Status Purge();

 private:
  explicit ArtifactStore(std::string directory) : directory_(std::move(directory)) {}
  std::string CompletePath(absl::string_view sha256) const;
  std::string PartialPath(absl::string_view sha256) const;

  absl::Status Note(absl::Status written) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string directory_;
  mutable absl::Mutex mutex_;
  absl::Status written_ ABSL_GUARDED_BY(mutex_);
};

/// SHA-256 as 64 lower-case hexadecimal digits.
std::string Sha256(absl::string_view bytes);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STORE_ARTIFACT_STORE_H_
