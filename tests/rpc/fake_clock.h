// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_RPC_FAKE_CLOCK_H_
#define HANAS_TESTS_RPC_FAKE_CLOCK_H_

#include <atomic>
#include <map>
#include <set>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "rpc/clock.h"

namespace hanas::rpc {

/// Time that moves only when a test says so, and remembers what was waited for. Waiters wake when their condition holds or the time they
/// asked for is reached. A mutex may go as soon as its waiter has returned. Thread-safe.
class FakeClock : public Clock {
 public:
  absl::Duration Now() override { return absl::Nanoseconds(now_.load()); }

  bool AwaitWithTimeout(absl::Mutex& mutex, const absl::Condition& condition, absl::Duration timeout) override {
    const int64_t deadline = now_.load() + absl::ToInt64Nanoseconds(timeout);
    {
      absl::MutexLock lock(&registry_mutex_);
      waits_.push_back(timeout);
      waiters_.insert({deadline, &mutex});
    }
    const auto ready = [&] { return condition.Eval() || now_.load() >= deadline; };
    mutex.Await(absl::Condition(&ready));
    {
      absl::MutexLock lock(&registry_mutex_);
      waiters_.erase(waiters_.find({deadline, &mutex}));
      if (!waking_.contains(&mutex)) return condition.Eval();
    }
    // Advance is about to lock this mutex: it is let through, so that it does not touch what the caller may destroy.
    mutex.Unlock();
    {
      absl::MutexLock lock(&registry_mutex_);
      const auto let_go = [&] { return !waking_.contains(&mutex); };
      registry_mutex_.Await(absl::Condition(&let_go));
    }
    mutex.Lock();
    return condition.Eval();
  }

  /// Blocks until somebody waits for a time.
  void AwaitWaiter() {
    absl::MutexLock lock(&registry_mutex_);
    registry_mutex_.Await(
        absl::Condition(+[](std::multiset<std::pair<int64_t, absl::Mutex*>>* waiters) { return !waiters->empty(); }, &waiters_));
  }

  /// Returns when everybody whose time has come is awake.
  void Advance(absl::Duration duration) {
    std::vector<absl::Mutex*> mutexes;
    {
      absl::MutexLock lock(&registry_mutex_);
      now_ += absl::ToInt64Nanoseconds(duration);
      for (const auto& [deadline, mutex] : waiters_) {
        if (deadline <= now_.load()) mutexes.push_back(mutex);
      }
      waking_.insert(mutexes.begin(), mutexes.end());
    }
    for (absl::Mutex* mutex : mutexes) {
      {
        absl::MutexLock lock(mutex);
      }  // unlocking evaluates the conditions anew
      absl::MutexLock lock(&registry_mutex_);
      waking_.erase(waking_.find(mutex));
    }
    absl::MutexLock lock(&registry_mutex_);
    registry_mutex_.Await(absl::Condition(this, &FakeClock::NobodyIsLate));
  }

  /// Every time that was asked for, in order.
  std::vector<absl::Duration> waits() {
    absl::MutexLock lock(&registry_mutex_);
    return waits_;
  }

 private:
  bool NobodyIsLate() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(registry_mutex_) {
    return waiters_.empty() || waiters_.begin()->first > now_.load();
  }

  std::atomic<int64_t> now_ = 0;
  absl::Mutex registry_mutex_;
  std::multiset<std::pair<int64_t, absl::Mutex*>> waiters_ ABSL_GUARDED_BY(registry_mutex_);
  std::multiset<absl::Mutex*> waking_ ABSL_GUARDED_BY(registry_mutex_);  // that an Advance still has to lock
  std::vector<absl::Duration> waits_ ABSL_GUARDED_BY(registry_mutex_);
};

/// For code that sleeps on the thread that tests it: time jumps to the end of each wait.
class JumpingClock : public Clock {
 public:
  absl::Duration Now() override { return now_; }
  bool AwaitWithTimeout(absl::Mutex&, const absl::Condition& condition, absl::Duration timeout) override {
    now_ += timeout;
    waits.push_back(timeout);
    return condition.Eval();
  }

  std::vector<absl::Duration> waits;

 private:
  absl::Duration now_;
};

}  // namespace hanas::rpc

#endif  // HANAS_TESTS_RPC_FAKE_CLOCK_H_
