// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_SUPERVISE_RUNTIME_DIRECTORY_H_
#define HANAS_CLI_SUPERVISE_RUNTIME_DIRECTORY_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas::cli {

/// Where the processes of one run meet: a directory that only this user enters, with the coordinator's Unix socket in it. Removed, socket
/// and all, when this is destroyed.
///
/// Movable. Thread-compatible.
class RuntimeDirectory {
 public:
  /// Makes one below $XDG_RUNTIME_DIR, if that is a private directory of this user, else below $TMPDIR, else below /tmp. Returns
  /// FAILED_PRECONDITION, saying why, where no socket can be: its path would be too long, the file system has none, or nothing can be
  /// written there.
  static absl::StatusOr<RuntimeDirectory> Make();

  /// Removes what a run that was killed left behind at `address`, when that is the socket of a directory that Make made; else nothing.
  static void RemoveLeftover(absl::string_view address);

  RuntimeDirectory(RuntimeDirectory&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  RuntimeDirectory& operator=(RuntimeDirectory&&) = delete;
  ~RuntimeDirectory();

  const std::string& path() const { return path_; }
  /// "unix:/run/user/1000/hanas-run-a1b2c3/socket".
  std::string address() const;

 private:
  explicit RuntimeDirectory(std::string path) : path_(std::move(path)) {}
  static absl::StatusOr<RuntimeDirectory> MakeBelow(const std::string& base);

  std::string path_;
};

}  // namespace hanas::cli

#endif  // HANAS_CLI_SUPERVISE_RUNTIME_DIRECTORY_H_
