// SPDX-License-Identifier: Apache-2.0
#include "tests/fault/small_disk.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/log/check.h"
#include "absl/strings/str_cat.h"

namespace hanas::fault {

absl::StatusOr<std::unique_ptr<SmallDisk>> SmallDisk::Mount(int megabytes) {
  // A user who may not mount may do so in a user namespace, where the system allows those.
  const int namespaces = CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER);
  if (unshare(namespaces) != 0) return absl::ErrnoToStatus(errno, "making a mount namespace");
  // EINVAL: the root directory is no mount point, as after chroot.
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 && errno != EINVAL)
    return absl::ErrnoToStatus(errno, "making mounts private");
  std::string directory = (std::filesystem::temp_directory_path() / "hanas-disk-XXXXXX").string();
  if (mkdtemp(directory.data()) == nullptr) return absl::ErrnoToStatus(errno, absl::StrCat("making ", directory));
  if (mount("tmpfs", directory.c_str(), "tmpfs", 0, absl::StrCat("size=", megabytes, "m").c_str()) != 0) {
    const int error = errno;
    rmdir(directory.c_str());
    return absl::ErrnoToStatus(error, absl::StrCat("mounting a tmpfs on ", directory));
  }
  return std::unique_ptr<SmallDisk>(new SmallDisk(std::move(directory)));
}

SmallDisk::~SmallDisk() {
  umount2(directory_.c_str(), MNT_DETACH);
  rmdir(directory_.c_str());
}

int64_t SmallDisk::Fill() {
  const int file = open(ballast().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  CHECK_GE(file, 0) << ballast();
  const absl::Cleanup close_file = [file] { close(file); };
  int64_t taken = 0;
  // In ever smaller pieces: a write that does not fit whole is not made, or made in part.
  for (size_t piece = size_t{1} << 20; piece > 0; piece /= 2) {
    const std::string bytes(piece, 'x');
    for (ssize_t written = 0; (written = write(file, bytes.data(), bytes.size())) > 0;) taken += written;
  }
  return taken;
}

void SmallDisk::SetReadOnly(bool read_only) {
  CHECK_EQ(mount(nullptr, directory_.c_str(), nullptr, MS_REMOUNT | (read_only ? MS_RDONLY : 0), nullptr), 0) << "errno " << errno;
}

void SmallDisk::Free() { CHECK_EQ(unlink(ballast().c_str()), 0); }

}  // namespace hanas::fault
