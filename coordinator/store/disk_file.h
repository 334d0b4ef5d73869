// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STORE_DISK_FILE_H_
#define HANAS_COORDINATOR_STORE_DISK_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas::coordinator {

// Files as the artifact store uses them: descriptors, whole reads and writes, digests, and errno as statuses.

/// "DOING PATH: what the system says": RESOURCE_EXHAUSTED (DISK_FULL) for a full disk, NOT_FOUND, PERMISSION_DENIED, else UNAVAILABLE.
absl::Status FromErrno(int error, absl::string_view doing, absl::string_view path);

/// Owns an open file; empty when moved from. Thread-compatible.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int file) : file_(file) {}
  ~FileDescriptor() { Close(); }
  FileDescriptor(FileDescriptor&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      Close();
      file_ = std::exchange(other.file_, -1);
    }
    return *this;
  }
  int get() const { return file_; }

 private:
  void Close();
  int file_ = -1;
};

/// Deletes files when it goes: made before a lock is taken, it frees large ones after the lock is released. Thread-compatible.
class FilesToDelete {
 public:
  FilesToDelete() = default;
  ~FilesToDelete();
  FilesToDelete(const FilesToDelete&) = delete;
  FilesToDelete& operator=(const FilesToDelete&) = delete;
  void Add(std::string path) { paths_.push_back(std::move(path)); }

 private:
  std::vector<std::string> paths_;
};

/// Returns FromErrno. A file that is made can be read and written by its owner alone.
absl::StatusOr<FileDescriptor> OpenFile(const std::string& path, int flags);
/// Both go on after interruptions. ReadAt returns fewer bytes only at the end of the file.
absl::Status WriteAt(int file, absl::string_view data, int64_t offset, const std::string& path);
absl::StatusOr<std::string> ReadAt(int file, int64_t max_bytes, int64_t offset, const std::string& path);
absl::Status SyncDirectory(const std::string& path);

/// Accumulates bytes into a SHA-256. Thread-compatible.
class Sha256Hasher {
 public:
  Sha256Hasher();
  ~Sha256Hasher();
  Sha256Hasher(const Sha256Hasher&) = delete;
  Sha256Hasher& operator=(const Sha256Hasher&) = delete;

  void Add(absl::string_view bytes);
  /// 64 lower-case hexadecimal digits. The object may not be used afterwards.
  std::string FinishHex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// SHA-256 as 64 lower-case hexadecimal digits.
std::string Sha256(absl::string_view bytes);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STORE_DISK_FILE_H_
