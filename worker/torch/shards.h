// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_TORCH_SHARDS_H_
#define HANAS_WORKER_TORCH_SHARDS_H_

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace hanas {

/// Thrown in the shards of a step in which another one has failed.
class ShardAborted : public std::runtime_error {
 public:
  ShardAborted() : std::runtime_error("another shard of the step failed") {}
};

/// Where the shards of a training step meet: a batch is cut into parts of fixed size, each in a thread of its own, and what is a function
/// of the whole batch (the moments of a normalisation, the range of a value) is combined from all of them. Everybody combines the same
/// values in the order of the shards, so that the result is to the bit the same on one core and on many.
///
/// Thread-safe. Every shard must make the same calls in the same order. A group in which a shard failed is not to be used again.
class ShardGroup {
 public:
  explicit ShardGroup(size_t size) : values_(size) {}
  size_t size() const { return values_.size(); }

  /// Waits for all shards and returns what each has brought, in their order. Throws ShardAborted when one of them will not come.
  template <typename Value>
  std::vector<Value> Exchange(size_t shard, const Value& own) {
    values_[shard] = &own;
    Meet();
    std::vector<Value> all;
    for (const void* value : values_) all.push_back(*static_cast<const Value*>(value));
    Meet();  // before one of them is gone
    return all;
  }

  /// Calls `body(shard)` for each shard, the first in this thread and the others in threads of their own, and returns when all are done.
  /// Throws what the first of them, in their order, threw of its own accord, and std::system_error when a thread cannot be started.
  void Run(const std::function<void(size_t shard)>& body);

 private:
  void Meet();
  void Abort();

  std::mutex mutex_;
  std::condition_variable met_;
  std::vector<const void*> values_;  // written by their shards before a meeting, read by all after it
  size_t waiting_ = 0;               // guarded by mutex_, as what follows
  size_t meetings_ = 0;
  bool aborted_ = false;
};

}  // namespace hanas

#endif  // HANAS_WORKER_TORCH_SHARDS_H_
