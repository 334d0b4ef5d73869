// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_XNN_THREADS_H_
#define HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_XNN_THREADS_H_

#include <pthreadpool.h>

#include <memory>

#include "absl/status/statusor.h"

namespace hanas {

/// Threads that execute operators together with the one that calls them. Between two operators they wait awake, for some milliseconds, as a
/// sleeping thread takes longer to wake than a small operator to run.
///
/// Owns the threads, which end with it. Thread-safe: callers at the same time take turns.
class XnnThreads {
 public:
  /// `count` with the calling thread, 1 to bounds::kMaxDeviceThreads. Null for 1: XNNPACK without threads of its own is the calling thread.
  /// Returns RESOURCE_EXHAUSTED where the system has no room for so many threads.
  static absl::StatusOr<std::shared_ptr<XnnThreads>> Create(int count);

  pthreadpool_t pool() const { return pool_.get(); }

 private:
  struct DestroyPool {
    void operator()(pthreadpool_t pool) const { pthreadpool_destroy(pool); }
  };
  explicit XnnThreads(pthreadpool_t pool) : pool_(pool) {}

  std::unique_ptr<pthreadpool, DestroyPool> pool_;
};

/// What XNNPACK's functions take for `threads`; null for null.
inline pthreadpool_t PoolOf(const XnnThreads* threads) { return threads == nullptr ? nullptr : threads->pool(); }

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_XNN_THREADS_H_
