// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/artifact_store.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"

namespace hanas::coordinator {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;

absl::Status FromErrno(int error, absl::string_view doing, absl::string_view path) {
  const std::string text = absl::StrCat(doing, " ", path, ": ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT)
    return WithReason(absl::ResourceExhaustedError(absl::StrCat(text, "; free space there, and uploads go on where they were")), kDiskFull);
  if (error == ENOENT) return absl::NotFoundError(text);
  if (error == EACCES || error == EPERM || error == EROFS) return absl::PermissionDeniedError(text);
  return absl::UnavailableError(text);
}

class Sha256Hasher {
 public:
  Sha256Hasher() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }
  ~Sha256Hasher() { EVP_MD_CTX_free(context_); }
  Sha256Hasher(const Sha256Hasher&) = delete;
  Sha256Hasher& operator=(const Sha256Hasher&) = delete;
  void Add(absl::string_view bytes) { EVP_DigestUpdate(context_, bytes.data(), bytes.size()); }
  std::string Hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    EVP_DigestFinal_ex(context_, digest, &length);
    return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), length));
  }

 private:
  EVP_MD_CTX* context_;
};

absl::StatusOr<std::string> HashFile(int file, const std::string& path) {
  Sha256Hasher hasher;
  std::string block(kBlockBytes, '\0');
  int64_t offset = 0;
  while (true) {
    const ssize_t count = pread(file, block.data(), block.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FromErrno(errno, "reading", path);
    if (count == 0) return hasher.Hex();
    hasher.Add(absl::string_view(block.data(), static_cast<size_t>(count)));
    offset += count;
  }
}

absl::Status WriteAll(int file, absl::string_view data, int64_t offset, const std::string& path) {
  while (!data.empty()) {
    const ssize_t count = pwrite(file, data.data(), data.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FromErrno(errno, "writing", path);
    data.remove_prefix(static_cast<size_t>(count));
    offset += count;
  }
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) {
  const int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return FromErrno(errno, "opening", path);
  const absl::Cleanup close_directory = [directory] { close(directory); };
  return fsync(directory) == 0 ? absl::OkStatus() : FromErrno(errno, "syncing", path);
}

int64_t FileSize(int file) {
  struct stat info = {};
  return fstat(file, &info) == 0 ? static_cast<int64_t>(info.st_size) : -1;
}

absl::Status CheckRef(const ArtifactRef& artifact) {
  if (absl::Status status = CheckSha256(artifact.sha256); !status.ok()) return status;
  if (artifact.size_bytes >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("expected an artifact size of 0 or more bytes, found ", artifact.size_bytes, " for ", artifact.sha256));
}

}  // namespace

std::string Sha256(absl::string_view bytes) {
  Sha256Hasher hasher;
  hasher.Add(bytes);
  return hasher.Hex();
}

absl::Status CheckSha256(absl::string_view sha256) {
  const bool hex = std::all_of(sha256.begin(), sha256.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (sha256.size() == 64 && hex) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("expected a SHA-256 of 64 lower-case hexadecimal digits, found \"", absl::CHexEscape(sha256.substr(0, 80)), "\""));
}

absl::StatusOr<std::unique_ptr<ArtifactStore>> ArtifactStore::Open(std::string directory) {
  for (const char* name : {"complete", "partial", "removed"}) {
    std::error_code error;
    std::filesystem::create_directories(directory + "/" + name, error);
    if (error) return FromErrno(error.value(), "making", absl::StrCat(directory, "/", name));
  }
  return std::unique_ptr<ArtifactStore>(new ArtifactStore(std::move(directory)));
}

std::string ArtifactStore::CompletePath(absl::string_view sha256) const { return absl::StrCat(directory_, "/complete/", sha256); }
std::string ArtifactStore::PartialPath(absl::string_view sha256) const { return absl::StrCat(directory_, "/partial/", sha256); }

bool ArtifactStore::Contains(absl::string_view sha256) const {
  return CheckSha256(sha256).ok() && access(CompletePath(sha256).c_str(), R_OK) == 0;
}

absl::StatusOr<ArtifactStore::UploadState> ArtifactStore::Stat(absl::string_view sha256) const {
  if (absl::Status status = CheckSha256(sha256); !status.ok()) return status;
  struct stat info = {};
  if (stat(CompletePath(sha256).c_str(), &info) == 0)
    return UploadState{.complete = true, .received_bytes = static_cast<int64_t>(info.st_size)};
  if (stat(PartialPath(sha256).c_str(), &info) == 0)
    return UploadState{.complete = false, .received_bytes = static_cast<int64_t>(info.st_size)};
  return UploadState{};
}

absl::Status ArtifactStore::WritePart(const ArtifactRef& artifact, int64_t offset, absl::string_view data) {
  if (absl::Status status = CheckRef(artifact); !status.ok()) return status;
  if (Contains(artifact.sha256)) return absl::OkStatus();
  const std::string path = PartialPath(artifact.sha256);
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return FromErrno(errno, "opening", path);
  const absl::Cleanup close_file = [file] { close(file); };
  const int64_t size = FileSize(file);
  const auto length = static_cast<int64_t>(data.size());
  if (offset < 0 || offset > size || length > artifact.size_bytes - offset) {
    return WithReason(
        absl::OutOfRangeError(absl::StrCat("expected data from an offset of at most ", size, " that end within ", artifact.size_bytes,
                                           " bytes, found ", length, " bytes at ", offset, " for ", artifact.sha256)),
        "UPLOAD_OUT_OF_RANGE");
  }
  return Note(WriteAll(file, data, offset, path));
}

absl::Status ArtifactStore::Note(absl::Status written) {
  absl::MutexLock lock(&mutex_);
  return written_ = std::move(written);
}

absl::Status ArtifactStore::written() const {
  absl::MutexLock lock(&mutex_);
  return written_;
}

absl::Status ArtifactStore::Finish(const ArtifactRef& artifact) {
  if (absl::Status status = CheckRef(artifact); !status.ok()) return status;
  if (Contains(artifact.sha256)) return absl::OkStatus();
  const std::string path = PartialPath(artifact.sha256);
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return FromErrno(errno, "opening", path);
  const absl::Cleanup close_file = [file] { close(file); };
  const int64_t size = FileSize(file);
  if (size < artifact.size_bytes) {
    return WithReason(absl::FailedPreconditionError(absl::StrCat("expected ", artifact.size_bytes, " bytes, received ", size,
                                                                 "; continue the upload of ", artifact.sha256, " from there")),
                      "UPLOAD_INCOMPLETE");
  }
  const absl::StatusOr<std::string> digest = HashFile(file, path);
  if (!digest.ok()) return digest.status();
  if (*digest != artifact.sha256 || size != artifact.size_bytes) {
    unlink(path.c_str());
    return WithReason(absl::DataLossError(absl::StrCat("expected ", artifact.size_bytes, " bytes with SHA-256 ", artifact.sha256,
                                                       ", found ", size, " with ", *digest, "; the upload was dropped, send it again")),
                      "DIGEST_MISMATCH");
  }
  if (fsync(file) != 0) return Note(FromErrno(errno, "syncing", path));
  const int error = rename(path.c_str(), CompletePath(artifact.sha256).c_str()) == 0 ? 0 : errno;
  if (error != 0 && !Contains(artifact.sha256)) {
    if (error != ENOENT) return Note(FromErrno(error, "renaming", path));
    return absl::AbortedError(absl::StrCat("the partial file of ", artifact.sha256, " was removed while it was verified; send it again"));
  }
  return SyncDirectory(absl::StrCat(directory_, "/complete"));
}

absl::StatusOr<ArtifactRef> ArtifactStore::Put(absl::string_view bytes) {
  ArtifactRef artifact = {.sha256 = Sha256(bytes), .size_bytes = static_cast<int64_t>(bytes.size())};
  if (absl::Status status = WritePart(artifact, 0, bytes); !status.ok()) return status;
  if (absl::Status status = Finish(artifact); !status.ok()) return status;
  return artifact;
}

absl::StatusOr<std::string> ArtifactStore::Read(absl::string_view sha256, int64_t offset, int64_t max_bytes) const {
  if (absl::Status status = CheckSha256(sha256); !status.ok()) return status;
  const std::string path = CompletePath(sha256);
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return FromErrno(errno, "opening", path);
  const absl::Cleanup close_file = [file] { close(file); };
  const int64_t size = FileSize(file);
  if (offset < 0 || offset > size) {
    return absl::OutOfRangeError(absl::StrCat("expected an offset from 0 to ", size, ", found ", offset, " for ", sha256));
  }
  std::string data(static_cast<size_t>(std::min(size - offset, std::max<int64_t>(max_bytes, 0))), '\0');
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t count = pread(file, data.data() + done, data.size() - done, offset + static_cast<int64_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FromErrno(errno, "reading", path);
    if (count == 0)
      return absl::DataLossError(absl::StrCat("expected ", size, " bytes in ", path, ", found ", offset + static_cast<int64_t>(done)));
    done += static_cast<size_t>(count);
  }
  return data;
}

absl::StatusOr<std::vector<std::string>> ArtifactStore::List() const {
  std::set<std::string> digests;
  for (const char* name : {"complete", "partial"}) {
    const std::string path = absl::StrCat(directory_, "/", name);
    std::error_code error;
    for (std::filesystem::directory_iterator file(path, error), end; !error && file != end; file.increment(error)) {
      if (std::string digest = file->path().filename().string(); CheckSha256(digest).ok()) digests.insert(std::move(digest));
    }
    if (error) return FromErrno(error.value(), "listing", path);
  }
  return std::vector<std::string>(digests.begin(), digests.end());
}

absl::Status ArtifactStore::Remove(absl::string_view sha256) {
  if (absl::Status status = CheckSha256(sha256); !status.ok()) return status;
  for (const std::string& path : {CompletePath(sha256), PartialPath(sha256)}) {
    if (rename(path.c_str(), absl::StrCat(directory_, "/removed/", sha256).c_str()) != 0 && errno != ENOENT)
      return FromErrno(errno, "removing", path);
  }
  return absl::OkStatus();
}

absl::Status ArtifactStore::Purge() {
  const std::string path = absl::StrCat(directory_, "/removed");
  std::error_code error;
  for (std::filesystem::directory_iterator file(path, error), end; !error && file != end; file.increment(error)) {
    if (unlink(file->path().c_str()) != 0 && errno != ENOENT) return FromErrno(errno, "removing", file->path().string());
  }
  return error ? FromErrno(error.value(), "listing", path) : absl::OkStatus();
}

}  // namespace hanas::coordinator
