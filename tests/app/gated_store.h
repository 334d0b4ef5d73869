// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_APP_GATED_STORE_H_
#define HANAS_TESTS_APP_GATED_STORE_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/store/store.h"

namespace hanas::coordinator {

/// A store whose writes wait at a gate: a disk as slow as the test wants it. Thread-safe; `store` is borrowed.
class GatedStore : public Store {
 public:
  explicit GatedStore(Store* store) : store_(store) {}

  absl::StatusOr<std::vector<StoreRecord>> Load() override { return store_->Load(); }
  absl::Status Close() override { return store_->Close(); }
  absl::Status Write(const std::vector<StoreChange>& batch) override {
    {
      absl::MutexLock lock(&mutex_);
      sizes_.push_back(batch.size());
      ++waiting_;
      mutex_.Await(absl::Condition(&open_));
      --waiting_;
      if (absl::Status failure = std::exchange(failure_, absl::OkStatus()); !failure.ok()) return failure;
    }
    return store_->Write(batch);
  }

  void Shut() {
    absl::MutexLock lock(&mutex_);
    open_ = false;
  }
  void Open() {
    absl::MutexLock lock(&mutex_);
    open_ = true;
  }
  /// The write that passes the gate next fails, and nothing of it is there.
  void FailNext(absl::Status status) {
    absl::MutexLock lock(&mutex_);
    failure_ = std::move(status);
  }
  void AwaitWriteAtTheGate() {
    absl::MutexLock lock(&mutex_);
    const auto waiting = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return waiting_ > 0; };
    mutex_.Await(absl::Condition(&waiting));
  }
  /// Changes in each write so far.
  std::vector<size_t> sizes() {
    absl::MutexLock lock(&mutex_);
    return sizes_;
  }

 private:
  Store* const store_;
  absl::Mutex mutex_;
  bool open_ ABSL_GUARDED_BY(mutex_) = true;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::vector<size_t> sizes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hanas::coordinator

#endif  // HANAS_TESTS_APP_GATED_STORE_H_
