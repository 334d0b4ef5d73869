// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SUPPORT_SCRATCH_DIRECTORY_H_
#define HANAS_TESTS_SUPPORT_SCRATCH_DIRECTORY_H_

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace hanas {

/// A directory of a test's own, which goes with it.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hanas-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace hanas

#endif  // HANAS_TESTS_SUPPORT_SCRATCH_DIRECTORY_H_
