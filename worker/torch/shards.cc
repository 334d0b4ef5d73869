// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/shards.h"

#include <torch/torch.h>

#include <exception>
#include <thread>

namespace hanas {

void ShardGroup::Meet() {
  std::unique_lock lock(mutex_);
  if (aborted_) throw ShardAborted();
  if (++waiting_ == size()) {
    waiting_ = 0;
    ++meetings_;
    met_.notify_all();
    return;
  }
  const size_t meeting = meetings_;
  met_.wait(lock, [&] { return meetings_ != meeting || aborted_; });
  if (meetings_ == meeting) throw ShardAborted();
}

void ShardGroup::Abort() {
  const std::lock_guard lock(mutex_);
  aborted_ = true;
  met_.notify_all();
}

void ShardGroup::Run(const std::function<void(size_t shard)>& body) {
  std::vector<std::exception_ptr> errors(size());
  const auto attempt = [&](size_t shard) {
    try {
      body(shard);
    } catch (const ShardAborted&) {  // the one that failed has its own error
    } catch (...) {
      errors[shard] = std::current_exception();
      Abort();
    }
  };
  {
    std::vector<std::jthread> threads;  // joined at the end of the block
    try {
      for (size_t shard = 1; shard < size(); ++shard) {
        threads.emplace_back([&attempt, shard] {
          at::init_num_threads();  // a new thread would take as many as there are cores
          attempt(shard);
        });
      }
    } catch (...) {
      Abort();  // or those that were started would wait for one that was not
      throw;
    }
    attempt(0);
  }
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace hanas
