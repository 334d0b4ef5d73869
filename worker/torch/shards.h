// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_TORCH_SHARDS_H_
#define HANAS_WORKER_TORCH_SHARDS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace hanas {

/// Thrown in the shards of a step in which another one has failed.
class ShardAborted : public std::runtime_error {
 public:
  ShardAborted() : std::runtime_error("another shard of the step failed") {}
};

/// Where the shards of a training step meet: a batch is cut into parts of fixed size, each in a thread of its own, and what is a function
/// of the whole batch (the moments of a normalisation, the range of a value) is combined from all of them. Everybody combines the same
/// values in the order of the shards, so that the result is to the bit the same on one core and on many. The threads live as long as the
/// group: what the tensor library and the allocator keep for a thread is made once.
///
/// Run is for one caller; Exchange is for the shards of a run, which must make the same calls in the same order. A group in which a shard
/// failed is not to be used again.
class ShardGroup {
 public:
  /// Starts a thread for each shard but the first. Throws std::system_error when one cannot be started.
  explicit ShardGroup(size_t size);
  ~ShardGroup();
  ShardGroup(const ShardGroup&) = delete;
  ShardGroup& operator=(const ShardGroup&) = delete;

  size_t size() const { return errors_.size(); }

  /// Waits for all shards and returns what each has brought, in their order. Throws ShardAborted when one of them will not come.
  template <typename Value>
  std::vector<Value> Exchange(size_t shard, Value own) {
    // Who has left this meeting may write for the next one while others still read, but not for the one after it, where these have to come
    // first: two places are enough.
    std::vector<std::shared_ptr<const void>>& values = values_[exchanges_[shard]++ % 2];
    values[shard] = std::make_shared<const Value>(std::move(own));
    Meet();
    std::vector<Value> all;
    all.reserve(values.size());
    for (const std::shared_ptr<const void>& value : values) all.push_back(*static_cast<const Value*>(value.get()));
    return all;
  }

  /// Calls `body(shard)` for each shard, the first in this thread and the others in theirs, and returns when all are done. Throws what the
  /// first of them, in their order, threw of its own accord.
  void Run(const std::function<void(size_t shard)>& body) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Serve(size_t shard) ABSL_LOCKS_EXCLUDED(mutex_);
  void Attempt(const std::function<void(size_t shard)>& body, size_t shard) ABSL_LOCKS_EXCLUDED(mutex_);
  void Meet() ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  std::array<std::vector<std::shared_ptr<const void>>, 2> values_;  // each written by its shard, read by the others behind a meeting
  std::vector<uint64_t> exchanges_;                                 // each of its shard alone
  std::vector<std::exception_ptr> errors_;                          // each written by its shard, read when all have ended a run
  const bool has_cores_;                                            // for all threads at once

  absl::Mutex mutex_;
  absl::CondVar changed_;
  std::atomic<uint64_t> meetings_ = 0;  // written with the mutex held
  size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  bool aborted_ ABSL_GUARDED_BY(mutex_) = false;
  const std::function<void(size_t shard)>* body_ ABSL_GUARDED_BY(mutex_) = nullptr;  // of the run under way
  std::atomic<uint64_t> runs_ = 0;                                                   // written with the mutex held
  size_t running_ ABSL_GUARDED_BY(mutex_) = 0;                                       // threads that have not ended the run
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::jthread> threads_;  // last: they end before what they use
};

/// Which part of a batch something is about; without a group it is the whole batch.
struct ShardPlace {
  ShardGroup* group = nullptr;
  size_t shard = 0;
};

}  // namespace hanas

#endif  // HANAS_WORKER_TORCH_SHARDS_H_
