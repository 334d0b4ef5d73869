// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_APP_EXECUTOR_H_
#define HANAS_COORDINATOR_APP_EXECUTOR_H_

#include <deque>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace hanas::coordinator {

/// Where long computations run, so that the loop of the application goes on meanwhile.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Runs `work` exactly once, now or later, on any thread. Thread-safe.
  virtual void Run(absl::AnyInvocable<void() &&> work) = 0;
};

/// Threads of its own, first come first served. The destructor runs what is queued. Thread-safe.
class ThreadExecutor final : public Executor {
 public:
  explicit ThreadExecutor(int threads = 1);
  ~ThreadExecutor() override;
  ThreadExecutor(const ThreadExecutor&) = delete;
  ThreadExecutor& operator=(const ThreadExecutor&) = delete;

  void Run(absl::AnyInvocable<void() &&> work) override;

 private:
  void Loop();

  absl::Mutex mutex_;
  std::deque<absl::AnyInvocable<void() &&>> queue_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_APP_EXECUTOR_H_
