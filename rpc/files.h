// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_FILES_H_
#define HANAS_RPC_FILES_H_

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas::rpc {

// Files that are there completely or not at all, and files and directories that are nobody's business but their user's: tokens, keys,
// state, logs. "Private" means that neither the group nor others have any right to it, whatever the umask is. Thread-safe: free functions
// without state; processes may race for the same path.

/// Writes `text` to `path` through a temporary file beside it, synced and renamed: readers see all of it or the old file. A new file gets
/// `mode` less the umask. Returns the errno's status naming the path.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view text, mode_t mode = 0644);

/// Makes a private file, complete or not at all. Returns ALREADY_EXISTS when there is a file of that name (somebody else was faster), and
/// the errno's status.
absl::Status CreatePrivateFile(const std::string& path, absl::string_view text);

/// Reads a private file of at most `max_bytes`. Returns NOT_FOUND when there is none, FAILED_PRECONDITION naming its mode when it is not
/// private, INVALID_ARGUMENT when it is longer or no file, and the errno's status. No message holds what is in the file.
absl::StatusOr<std::string> ReadPrivateFile(const std::string& path, size_t max_bytes);

/// Makes `path` a private directory, and the directories above it that are missing likewise. An existing one of this user is tightened;
/// returns whether that was necessary, for the caller to say so. Returns FAILED_PRECONDITION when it is another user's or no directory,
/// and the errno's status.
absl::StatusOr<bool> MakePrivateDirectory(const std::string& path);

/// Whether `path` is a private directory of this user.
bool IsPrivateDirectory(const std::string& path);

/// Where programs of this user keep what must outlive them: $XDG_STATE_HOME/hanas, else ~/.local/state/hanas. Empty when neither
/// XDG_STATE_HOME nor HOME is an absolute path.
std::string UserStateDirectory();

/// While it lives, files and directories that this process makes have no bits of `mask`. The mask is the process's: other threads' files
/// are concerned too. One at a time.
class ScopedUmask {
 public:
  explicit ScopedUmask(mode_t mask);
  ~ScopedUmask();
  ScopedUmask(const ScopedUmask&) = delete;
  ScopedUmask& operator=(const ScopedUmask&) = delete;

 private:
  mode_t before_;
};

}  // namespace hanas::rpc

#endif  // HANAS_RPC_FILES_H_
