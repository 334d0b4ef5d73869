// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STORE_MEMORY_STORE_H_
#define HANAS_COORDINATOR_STORE_MEMORY_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/store/store.h"

namespace hanas::coordinator {

/// What survives a crash of a coordinator in tests: the bytes, apart from the process that wrote them. Thread-safe.
class MemoryDisk {
 public:
  /// The next Write returns `status`; with `applied`, its batch is there all the same (the reply was lost).
  void FailNextWrite(absl::Status status, bool applied = false);
  int64_t num_writes() const;

 private:
  friend class MemoryStore;
  mutable absl::Mutex mutex_;
  std::map<std::string, std::string> records_ ABSL_GUARDED_BY(mutex_);
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t num_writes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status next_failure_ ABSL_GUARDED_BY(mutex_);
  bool apply_failed_ ABSL_GUARDED_BY(mutex_) = false;
};

/// The store of tests and of searches that need no durability. Its destructor is a crash: nothing is flushed, because nothing is pending.
class MemoryStore : public Store {
 public:
  /// Returns ABORTED when `disk` is open already.
  static absl::StatusOr<std::unique_ptr<MemoryStore>> Open(std::shared_ptr<MemoryDisk> disk);
  ~MemoryStore() override;

  absl::StatusOr<std::vector<StoreRecord>> Load() override;
  absl::Status Write(const std::vector<StoreChange>& batch) override;
  absl::Status Close() override;

 private:
  explicit MemoryStore(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {}
  std::shared_ptr<MemoryDisk> disk_;
  bool closed_ = false;
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STORE_MEMORY_STORE_H_
