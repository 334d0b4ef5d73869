// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_FAULT_SMALL_DISK_H_
#define HANAS_TESTS_FAULT_SMALL_DISK_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace hanas::fault {

/// A file system of a few megabytes that really runs full: a tmpfs that only this process, and those it starts afterwards, can see. At most
/// one, made before other threads are. Confined to one thread.
class SmallDisk {
 public:
  /// Returns the errno's status where the system does not allow mounting, which is for the test to say.
  static absl::StatusOr<std::unique_ptr<SmallDisk>> Mount(int megabytes);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const std::string& directory() const { return directory_; }
  /// Takes all the room there is. The number of bytes taken.
  int64_t Fill();
  /// Gives it back.
  void Free();
  /// Nobody can write to it, the administrator neither. Requires that no file there is open for writing.
  void SetReadOnly(bool read_only);

 private:
  explicit SmallDisk(std::string directory) : directory_(std::move(directory)) {}
  std::string ballast() const { return directory_ + "/ballast"; }

  const std::string directory_;
};

}  // namespace hanas::fault

#endif  // HANAS_TESTS_FAULT_SMALL_DISK_H_
