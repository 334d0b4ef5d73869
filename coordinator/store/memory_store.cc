// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/memory_store.h"

#include <utility>

namespace hanas::coordinator {
namespace {

absl::Status Closed() { return absl::FailedPreconditionError("the store is closed; open it again to use it"); }

}  // namespace

void MemoryDisk::FailNextWrite(absl::Status status, bool applied) {
  absl::MutexLock lock(&mutex_);
  next_failure_ = std::move(status);
  apply_failed_ = applied;
}

int64_t MemoryDisk::num_writes() const {
  absl::MutexLock lock(&mutex_);
  return num_writes_;
}

absl::StatusOr<std::unique_ptr<MemoryStore>> MemoryStore::Open(std::shared_ptr<MemoryDisk> disk) {
  absl::MutexLock lock(&disk->mutex_);
  if (disk->open_) return absl::AbortedError("expected a store that nothing else has open, found one in use; stop the other coordinator");
  disk->open_ = true;
  return std::unique_ptr<MemoryStore>(new MemoryStore(disk));
}

MemoryStore::~MemoryStore() { Close().IgnoreError(); }

absl::StatusOr<std::vector<StoreRecord>> MemoryStore::Load() {
  absl::MutexLock lock(&disk_->mutex_);
  if (closed_) return Closed();
  std::vector<StoreRecord> records;
  for (const auto& [key, value] : disk_->records_) records.push_back({key, value});
  return records;
}

absl::Status MemoryStore::Write(const std::vector<StoreChange>& batch) {
  absl::MutexLock lock(&disk_->mutex_);
  if (closed_) return Closed();
  const absl::Status failure = std::exchange(disk_->next_failure_, absl::OkStatus());
  if (!failure.ok() && !disk_->apply_failed_) return failure;
  for (const StoreChange& change : batch) {
    if (change.value.has_value()) {
      disk_->records_[change.key] = *change.value;
    } else {
      disk_->records_.erase(change.key);
    }
  }
  ++disk_->num_writes_;
  return failure;
}

absl::Status MemoryStore::Close() {
  absl::MutexLock lock(&disk_->mutex_);
  if (!closed_) disk_->open_ = false;
  closed_ = true;
  return absl::OkStatus();
}

}  // namespace hanas::coordinator
