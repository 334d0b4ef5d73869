// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STORE_ARTIFACT_STORE_H_
#define HANAS_COORDINATOR_STORE_ARTIFACT_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "coordinator/store/disk_file.h"

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

struct ArtifactStoreOptions {
  int max_uploads = 64;                        // under way at a time
  int max_resting_parts = 64;                  // of uploads that were cut; those unused for longest go first
  int64_t max_part_bytes = int64_t{16} << 30;  // of everything that is not complete, under way or resting
  absl::Duration stall = absl::Seconds(5);     // an upload that brought nothing for so long may be continued by another stream
  std::function<absl::Duration()> now;         // a monotonic clock; empty: the system's
};

class ArtifactReader;
class ArtifactUpload;

/// Content-addressed files in a directory: `complete/<sha256>`, parts of uploads in `partial/<sha256>` and `partial/<sha256>.<n>`, and
/// `removed/` on the way out.
///
/// Invariant: a file gets below complete/ by one rename, after every byte of it passed through the digest that names it and was synced, and
/// nothing writes to it afterwards. A file that does not match its name all the same (bits rot, disks lose power, older versions stored
/// what others had changed) is taken out by whoever reads it whole, and the next upload puts the right bytes in its place.
///
/// A part belongs to the one stream that writes it. When that stream ends early, the part rests, and the next stream that begins where the
/// part ends continues it; streams that begin at 0 never share one. So no upload can change or hold up another. A crash leaves resting
/// parts.
///
/// Thread-safe.
class ArtifactStore {
 public:
  struct UploadState {
    bool complete = false;
    bool verified = false;       // of a complete one: this process has seen all of its bytes, and they match its name
    int64_t received_bytes = 0;  // of a complete one its size, else of the longest part that a new stream may continue
  };

  /// Returns UNAVAILABLE or PERMISSION_DENIED when the directories cannot be made or read.
  static absl::StatusOr<std::unique_ptr<ArtifactStore>> Open(std::string directory, ArtifactStoreOptions options = {});

  /// Returns INVALID_ARGUMENT for a bad digest.
  absl::StatusOr<UploadState> Stat(absl::string_view sha256) const ABSL_LOCKS_EXCLUDED(mutex_);
  bool Contains(absl::string_view sha256) const;

  /// Begins the upload of an artifact: anew from `offset` 0, else with the first `offset` bytes of a resting or stalled part. Returns
  /// INVALID_ARGUMENT for a bad reference, OUT_OF_RANGE (UPLOAD_OUT_OF_RANGE) when no part reaches to `offset`, UNAVAILABLE when too many
  /// uploads are under way, and the errno's status. The upload borrows this store.
  absl::StatusOr<std::unique_ptr<ArtifactUpload>> BeginUpload(const ArtifactRef& artifact, int64_t offset) ABSL_LOCKS_EXCLUDED(mutex_);

  /// How the last write or finish of an upload ended at the disk: what is wrong with the disk now, OK when nothing is.
  absl::Status written() const ABSL_LOCKS_EXCLUDED(mutex_);

  /// An upload of bytes at hand, whole.
  absl::StatusOr<ArtifactRef> Put(absl::string_view bytes);

  /// Begins to read a complete artifact at `offset`. Returns INVALID_ARGUMENT for a bad digest, NOT_FOUND, or OUT_OF_RANGE beyond the end.
  /// The reader borrows this store.
  absl::StatusOr<std::unique_ptr<ArtifactReader>> OpenReader(absl::string_view sha256, int64_t offset);
  /// At most `max_bytes` from `offset`; empty at the end. Returns as OpenReader and ArtifactReader::Next.
  absl::StatusOr<std::string> Read(absl::string_view sha256, int64_t offset, int64_t max_bytes);

  /// The digests of all artifacts, complete and in resting parts, ascending. Files of other names are left out. Returns UNAVAILABLE or
  /// PERMISSION_DENIED when the directory cannot be read.
  absl::StatusOr<std::vector<std::string>> List() const ABSL_LOCKS_EXCLUDED(mutex_);

  /// Takes an artifact, and resting parts of it, out of the store; fine when there is none. Uploads under way go on. Who references what
  /// is the caller's to know. Quick: the bytes go with the next Purge. Returns INVALID_ARGUMENT for a bad digest, and the errno's status.
  absl::Status Remove(absl::string_view sha256) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Frees the space of what was removed, which may take a while. Returns the errno's status; another call tries again.
  absl::Status Purge();

 private:
  friend class ArtifactReader;
  friend class ArtifactUpload;

  struct Part {
    std::string sha256;
    std::string path;
    int64_t bytes = 0;                       // of the artifact's beginning, in the file
    const ArtifactUpload* writer = nullptr;  // null: resting
    bool busy = false;                       // its writer is at the disk right now
    absl::Duration used_at;
  };
  /// What tells two files apart, or one file before and after a change.
  struct FileIdentity {
    uint64_t device = 0;
    uint64_t inode = 0;
    int64_t size_bytes = 0;
    int64_t changed_ns = 0;
    static FileIdentity Of(int file);
    friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
  };

  ArtifactStore(std::string directory, ArtifactStoreOptions options) : directory_(std::move(directory)), options_(std::move(options)) {}
  std::string CompletePath(absl::string_view sha256) const;
  std::string RemovedPath(absl::string_view path) const;
  absl::Status FindParts() ABSL_LOCKS_EXCLUDED(mutex_);

  bool IsVerified(absl::string_view sha256) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MayContinue(const Part& part, absl::Duration now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<uint64_t> NewPart(const ArtifactRef& artifact, const ArtifactUpload* writer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<uint64_t> ContinuePart(const ArtifactRef& artifact, int64_t offset, const ArtifactUpload* writer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// The part if `writer` still writes it. Returns ABORTED (UPLOAD_CONTINUED) otherwise.
  absl::StatusOr<Part*> Owned(uint64_t part, const ArtifactUpload* writer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Whether `bytes` more fit, after resting parts have made room. Returns UNAVAILABLE.
  absl::Status MakeRoom(int64_t bytes, FilesToDelete& dropped) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropPart(uint64_t part, FilesToDelete& dropped) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropOldestRestingPart(FilesToDelete& dropped) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int64_t PartBytes() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void NoteVerified(absl::string_view sha256, const FileIdentity& file) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Takes a complete file that does not match its name out of the store, unless another took its place meanwhile.
  void RemoveDamaged(absl::string_view sha256, const FileIdentity& file) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Note(absl::Status written) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Keep(absl::Status written) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string directory_;
  const ArtifactStoreOptions options_;
  mutable absl::Mutex mutex_;
  absl::Status written_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, Part> parts_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_part_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<std::string, FileIdentity, std::less<>> verified_ ABSL_GUARDED_BY(mutex_);
};

/// One stream of bytes into the store. When it is destroyed before Finish succeeded, what it brought rests in the store.
///
/// Thread-compatible. Everything but the destructor may wait for the disk.
class ArtifactUpload {
 public:
  ~ArtifactUpload();
  ArtifactUpload(const ArtifactUpload&) = delete;
  ArtifactUpload& operator=(const ArtifactUpload&) = delete;

  /// Takes at most `max_bytes` of what an earlier stream brought into the digest; false while there is more. Write and Finish do the rest.
  absl::StatusOr<bool> HashKept(int64_t max_bytes);

  /// Appends. Of an artifact that is stored and verified it does nothing. Returns OUT_OF_RANGE (UPLOAD_OUT_OF_RANGE) when `offset` is not
  /// where the last write ended or the data go beyond the artifact's size, ABORTED (UPLOAD_CONTINUED) when another stream took the part
  /// over, UNAVAILABLE when parts take too much room, RESOURCE_EXHAUSTED (DISK_FULL), and the errno's status.
  absl::Status Write(int64_t offset, absl::string_view data);

  /// Syncs and publishes. Returns FAILED_PRECONDITION (UPLOAD_INCOMPLETE) when bytes are missing, DATA_LOSS (DIGEST_MISMATCH) when the
  /// digest is another (the part is then dropped: send it again from 0), and as Write. To be called once; after DATA_LOSS nothing more.
  absl::Status Finish();

 private:
  friend class ArtifactStore;
  ArtifactUpload(ArtifactStore* store, ArtifactRef artifact);

  absl::Status Publish(const std::string& path);

  ArtifactStore* const store_;
  const ArtifactRef artifact_;
  bool stored_ = false;  // already, and verified: there is nothing to write
  uint64_t part_ = 0;
  FileDescriptor file_;
  int64_t kept_bytes_ = 0;  // by an earlier stream
  int64_t hashed_bytes_ = 0;
  Sha256Hasher hasher_;
};

/// Reads a complete artifact in order. One that was read from 0 to its end is thereby verified.
///
/// Thread-compatible. Waits for the disk.
class ArtifactReader {
 public:
  /// The next bytes, at most `max_bytes`; empty at the end. Returns DATA_LOSS (ARTIFACT_DAMAGED) at the end when the file does not match
  /// its name, which is then taken out of the store and waits for an upload; the errno's status when the disk cannot read on.
  absl::StatusOr<std::string> Next(int64_t max_bytes);

 private:
  friend class ArtifactStore;
  ArtifactReader(ArtifactStore* store, std::string sha256, FileDescriptor file, int64_t offset)
      : store_(store),
        sha256_(std::move(sha256)),
        file_(std::move(file)),
        identity_(ArtifactStore::FileIdentity::Of(file_.get())),
        offset_(offset),
        hashing_(offset == 0) {}
  absl::Status Damaged(const std::string& why);

  ArtifactStore* const store_;
  const std::string sha256_;
  const FileDescriptor file_;
  const ArtifactStore::FileIdentity identity_;
  int64_t offset_;
  bool hashing_;  // from the first byte on, until the end was checked
  Sha256Hasher hasher_;
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STORE_ARTIFACT_STORE_H_
