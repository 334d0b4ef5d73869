// SPDX-License-Identifier: Apache-2.0
#include "rpc/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/error_reason.h"
#include "rpc/process.h"

namespace hanas::rpc {
namespace {

constexpr mode_t kOthers = S_IRWXG | S_IRWXO;

absl::Status WriteAll(int descriptor, absl::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, absl::StrCat("cannot write ", path));
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(descriptor) != 0) return ErrnoStatus(errno, absl::StrCat("cannot sync ", path));
  return absl::OkStatus();
}

/// A new file beside `path` with `text` in it. Returns its path.
absl::StatusOr<std::string> WriteTemporary(const std::string& path, absl::string_view text, mode_t mode) {
  std::string temporary = absl::StrCat(path, ".", ::getpid(), ".", MakeInstanceId().substr(0, 8), ".tmp");
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (descriptor < 0) return ErrnoStatus(errno, absl::StrCat("cannot create ", temporary));
  absl::Status status = WriteAll(descriptor, text, temporary);
  if (::close(descriptor) != 0 && status.ok()) status = ErrnoStatus(errno, absl::StrCat("cannot write ", temporary));
  if (status.ok()) return temporary;
  ::unlink(temporary.c_str());
  return status;
}

std::string DirectoryOfVariable(const char* name) {
  const char* value = std::getenv(name);
  // The XDG base directory specification has relative paths ignored.
  return value != nullptr && *value == '/' ? value : "";
}

}  // namespace

absl::Status WriteFileAtomically(const std::string& path, absl::string_view text, mode_t mode) {
  const absl::StatusOr<std::string> temporary = WriteTemporary(path, text, mode);
  if (!temporary.ok()) return temporary.status();
  if (std::rename(temporary->c_str(), path.c_str()) == 0) return absl::OkStatus();
  absl::Status status = ErrnoStatus(errno, absl::StrCat("cannot replace ", path));
  ::unlink(temporary->c_str());
  return status;
}

absl::Status CreatePrivateFile(const std::string& path, absl::string_view text) {
  const absl::StatusOr<std::string> temporary = WriteTemporary(path, text, 0600);
  if (!temporary.ok()) return temporary.status();
  const absl::Cleanup remove = [&] { ::unlink(temporary->c_str()); };
  // A link, unlike a rename, replaces nothing.
  if (::link(temporary->c_str(), path.c_str()) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("cannot create ", path));
}

absl::StatusOr<std::string> ReadPrivateFile(const std::string& path, size_t max_bytes) {
  // Not blocking: it might be a pipe.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return ErrnoStatus(errno, absl::StrCat("cannot read ", path));
  const absl::Cleanup close = [&] { ::close(descriptor); };
  struct stat info = {};
  if (::fstat(descriptor, &info) != 0) return ErrnoStatus(errno, absl::StrCat("cannot read ", path));
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat("expected a file, found something else: ", path));
  if ((info.st_mode & kOthers) != 0) {
    return absl::FailedPreconditionError(
        absl::StrFormat("expected a file that only its owner may use (mode 0600), found mode %04o: %s; chmod 600 it, and replace what is "
                        "in it if others may have read it",
                        info.st_mode & 07777, path));
  }
  std::string text(max_bytes + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(descriptor, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, absl::StrCat("cannot read ", path));
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > max_bytes)
    return absl::InvalidArgumentError(absl::StrCat("expected a file of at most ", max_bytes, " bytes, found more: ", path));
  text.resize(size);
  return text;
}

absl::StatusOr<bool> MakePrivateDirectory(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  std::error_code error;
  if (!parent.empty() && !std::filesystem::exists(parent, error)) {
    if (const absl::StatusOr<bool> made = MakePrivateDirectory(parent); !made.ok()) return made.status();
  }
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus(errno, absl::StrCat("cannot make ", path));
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    if (errno == ENOTDIR) return absl::FailedPreconditionError(absl::StrCat("expected a directory, found something else: ", path));
    return ErrnoStatus(errno, absl::StrCat("cannot open ", path));
  }
  const absl::Cleanup close = [&] { ::close(descriptor); };
  struct stat info = {};
  if (::fstat(descriptor, &info) != 0) return ErrnoStatus(errno, absl::StrCat("cannot open ", path));
  if (info.st_uid != ::geteuid()) {
    return absl::FailedPreconditionError(
        absl::StrCat("expected a directory of this user (uid ", ::geteuid(), "), found one of uid ", info.st_uid, ": ", path));
  }
  if ((info.st_mode & kOthers) == 0) return false;
  if (::fchmod(descriptor, info.st_mode & 0700) != 0) return ErrnoStatus(errno, absl::StrCat("cannot take others' rights from ", path));
  return true;
}

bool IsPrivateDirectory(const std::string& path) {
  struct stat info = {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == ::geteuid() && (info.st_mode & kOthers) == 0;
}

std::string UserStateDirectory() {
  if (const std::string state = DirectoryOfVariable("XDG_STATE_HOME"); !state.empty()) return absl::StrCat(state, "/hanas");
  if (const std::string home = DirectoryOfVariable("HOME"); !home.empty()) return absl::StrCat(home, "/.local/state/hanas");
  return "";
}

ScopedUmask::ScopedUmask(mode_t mask) : before_(::umask(mask)) {
  // Never looser than before.
  ::umask(before_ | mask);
}
ScopedUmask::~ScopedUmask() { ::umask(before_); }

}  // namespace hanas::rpc
