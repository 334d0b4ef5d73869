// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_LEDGER_GROUP_COMMIT_H_
#define HANAS_COORDINATOR_LEDGER_GROUP_COMMIT_H_

#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/state/any_update.h"
#include "coordinator/store/store.h"

namespace hanas::coordinator {

/// One change on its way to the disk. An empty batch is a barrier: it is written when everything before it is.
struct PendingChange {
  std::vector<StoreChange> batch;
  AnyUpdate update;  // that made the batch; empty for a barrier
  /// Told how it ended, by the writing thread and without locks. May be empty.
  absl::AnyInvocable<void(const absl::Status&)> done;
};

/// Writes changes in the order in which they were queued: one thread takes all that is queued and writes it as one batch with one sync, so
/// callers that arrive during a sync share the next one.
///
/// Invariants: groups are written one after another, in order; `publish` has returned for a group before the next one is taken. After a
/// write that failed nothing is written until `publish` has returned: it takes what is queued (TakeQueued) and fails it too, since those
/// changes were made on top of the ones that did not happen.
///
/// `store` is borrowed. Thread-safe.
class GroupCommit {
 public:
  /// Gets every group with the status of its write, on the writing thread.
  using Publish = std::function<void(std::vector<PendingChange>& group, const absl::Status& written)>;

  GroupCommit(Store* store, Publish publish);
  /// Closes.
  ~GroupCommit() { Close(); }

  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  /// Writes what is queued, then ends the thread: what is queued afterwards is never written. Idempotent; for the owner.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  void Enqueue(PendingChange change) ABSL_LOCKS_EXCLUDED(mutex_);
  /// What is queued and not yet being written.
  std::vector<PendingChange> TakeQueued() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !queue_.empty(); }

  Store* const store_;
  const Publish publish_;
  absl::Mutex mutex_;
  std::vector<PendingChange> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_LEDGER_GROUP_COMMIT_H_
