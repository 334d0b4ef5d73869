// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/disk_file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/log/check.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"

namespace hanas::coordinator {

absl::Status FromErrno(int error, absl::string_view doing, absl::string_view path) {
  const std::string text = absl::StrCat(doing, " ", path, ": ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT)
    return WithReason(absl::ResourceExhaustedError(absl::StrCat(text, "; free space there, and uploads go on where they were")), kDiskFull);
  if (error == ENOENT) return WithReason(absl::NotFoundError(text), kArtifactNotFound);
  if (error == EACCES || error == EPERM || error == EROFS) return absl::PermissionDeniedError(text);
  return absl::UnavailableError(text);
}

void FileDescriptor::Close() {
  if (file_ >= 0) close(file_);
}

FilesToDelete::~FilesToDelete() {
  for (const std::string& path : paths_) unlink(path.c_str());
}

absl::StatusOr<FileDescriptor> OpenFile(const std::string& path, int flags) {
  const int file = open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (file < 0) return FromErrno(errno, "opening", path);
  return FileDescriptor(file);
}

absl::Status WriteAt(int file, absl::string_view data, int64_t offset, const std::string& path) {
  while (!data.empty()) {
    const ssize_t count = pwrite(file, data.data(), data.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FromErrno(errno, "writing", path);
    data.remove_prefix(static_cast<size_t>(count));
    offset += count;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadAt(int file, int64_t max_bytes, int64_t offset, const std::string& path) {
  std::string data(static_cast<size_t>(max_bytes), '\0');
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t count = pread(file, data.data() + done, data.size() - done, offset + static_cast<int64_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FromErrno(errno, "reading", path);
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  data.resize(done);
  return data;
}

absl::Status SyncDirectory(const std::string& path) {
  const absl::StatusOr<FileDescriptor> directory = OpenFile(path, O_RDONLY | O_DIRECTORY);
  if (!directory.ok()) return directory.status();
  return fsync(directory->get()) == 0 ? absl::OkStatus() : FromErrno(errno, "syncing", path);
}

struct Sha256Hasher::Context {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> evp{EVP_MD_CTX_new()};
};

Sha256Hasher::Sha256Hasher() : context_(std::make_unique<Context>()) {
  CHECK(context_->evp != nullptr && EVP_DigestInit_ex(context_->evp.get(), EVP_sha256(), nullptr) == 1) << "libcrypto has no SHA-256";
}
Sha256Hasher::~Sha256Hasher() = default;

void Sha256Hasher::Add(absl::string_view bytes) { CHECK_EQ(EVP_DigestUpdate(context_->evp.get(), bytes.data(), bytes.size()), 1); }

std::string Sha256Hasher::FinishHex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  CHECK_EQ(EVP_DigestFinal_ex(context_->evp.get(), digest.data(), &length), 1);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest.data()), length));
}

std::string Sha256(absl::string_view bytes) {
  Sha256Hasher hasher;
  hasher.Add(bytes);
  return hasher.FinishHex();
}

}  // namespace hanas::coordinator
