// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SUPPORT_PROGRAM_H_
#define HANAS_TESTS_SUPPORT_PROGRAM_H_

#include <sys/types.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace hanas {

/// One of our programs as a process, with everything it prints kept. Killed when it is still there at the end. Thread-safe, except that one
/// thread waits for it.
class Program {
 public:
  /// `path` as for execve; the program's name in a message is its last part.
  Program(const std::string& path, std::vector<std::string> arguments);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void Signal(int number) const;
  /// Blocks until a signal has stopped it, all threads of it; false when it ended instead.
  bool AwaitStopped() const;
  /// The exit status, or minus the signal. Everything it printed is in output() then. At most once.
  int Wait();
  /// Blocks until it has printed `text` at or after `from`; false when it ended without.
  bool AwaitOutput(absl::string_view text, size_t from = 0);
  std::string output();
  pid_t pid() const { return pid_; }

 private:
  void Read(int descriptor);

  pid_t pid_ = -1;
  absl::Mutex mutex_;
  std::string output_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread reader_;
};

/// A built program, from HANAS_BIN_DIR.
std::string ProgramPath(absl::string_view name);

}  // namespace hanas

#endif  // HANAS_TESTS_SUPPORT_PROGRAM_H_
