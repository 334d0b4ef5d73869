// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/shards.h"

#include <torch/torch.h>

#include <chrono>

namespace hanas {
namespace {

/// Waking a thread takes longer than shards of equal size usually wait for each other: so long they look instead of sleeping. It covers
/// what one thread does alone between two steps, too.
constexpr std::chrono::milliseconds kLooking(3);

/// Until `counter` is not `last` any more, or for so long.
void Look(const std::atomic<uint64_t>& counter, uint64_t last) {
  const auto begin = std::chrono::steady_clock::now();
  while (counter.load(std::memory_order_acquire) == last && std::chrono::steady_clock::now() - begin < kLooking) {
  }
}

}  // namespace

ShardGroup::ShardGroup(size_t size)
    : values_({std::vector<std::shared_ptr<const void>>(size), std::vector<std::shared_ptr<const void>>(size)}),
      exchanges_(size, 0),
      errors_(size),
      has_cores_(std::thread::hardware_concurrency() >= size) {
  try {
    for (size_t shard = 1; shard < size; ++shard) threads_.emplace_back([this, shard] { Serve(shard); });
  } catch (...) {
    Stop();
    throw;
  }
}

ShardGroup::~ShardGroup() { Stop(); }

void ShardGroup::Stop() {
  const absl::MutexLock lock(&mutex_);
  stopping_ = true;
  changed_.SignalAll();
}

void ShardGroup::Serve(size_t shard) {
  uint64_t served = 0;
  bool ready = false;
  while (true) {
    const std::function<void(size_t)>* body = nullptr;
    if (has_cores_) Look(runs_, served);
    {
      const absl::MutexLock lock(&mutex_);
      while (runs_.load(std::memory_order_relaxed) == served && !stopping_) changed_.Wait(&mutex_);
      if (stopping_) return;
      served = runs_.load(std::memory_order_relaxed);
      body = body_;
    }
    const auto initialised = [&](size_t which) {
      if (!ready) at::init_num_threads();  // as many as the engine was told; a new thread would take as many as there are cores
      ready = true;
      (*body)(which);
    };
    Attempt(initialised, shard);
    const absl::MutexLock lock(&mutex_);
    if (--running_ == 0) changed_.SignalAll();
  }
}

void ShardGroup::Attempt(const std::function<void(size_t shard)>& body, size_t shard) {
  try {
    body(shard);
  } catch (const ShardAborted&) {  // the one that failed has its own error
  } catch (...) {
    errors_[shard] = std::current_exception();
    const absl::MutexLock lock(&mutex_);
    aborted_ = true;
    changed_.SignalAll();
  }
}

void ShardGroup::Meet() {
  uint64_t meeting = 0;
  {
    const absl::MutexLock lock(&mutex_);
    if (aborted_) throw ShardAborted();
    meeting = meetings_.load(std::memory_order_relaxed);
    if (++waiting_ == size()) {
      waiting_ = 0;
      meetings_.store(meeting + 1, std::memory_order_release);
      changed_.SignalAll();
      return;
    }
  }
  if (has_cores_) Look(meetings_, meeting);
  if (meetings_.load(std::memory_order_acquire) != meeting) return;
  const absl::MutexLock lock(&mutex_);
  while (meetings_.load(std::memory_order_relaxed) == meeting && !aborted_) changed_.Wait(&mutex_);
  if (meetings_.load(std::memory_order_relaxed) == meeting) throw ShardAborted();
}

void ShardGroup::Run(const std::function<void(size_t shard)>& body) {
  {
    const absl::MutexLock lock(&mutex_);
    body_ = &body;
    running_ = threads_.size();
    runs_.store(runs_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    changed_.SignalAll();
  }
  Attempt(body, 0);
  {
    const absl::MutexLock lock(&mutex_);
    while (running_ > 0) changed_.Wait(&mutex_);
    body_ = nullptr;
  }
  for (const std::exception_ptr& error : errors_) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace hanas
