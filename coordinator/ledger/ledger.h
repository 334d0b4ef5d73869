// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_LEDGER_LEDGER_H_
#define HANAS_COORDINATOR_LEDGER_LEDGER_H_

#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/clock/clock.h"
#include "coordinator/ledger/driven_state.h"
#include "coordinator/ledger/group_commit.h"
#include "coordinator/ledger/pending_write.h"
#include "coordinator/state/any_update.h"
#include "coordinator/state/state.h"
#include "coordinator/store/store.h"

namespace hanas::coordinator {

/// Keeps in step with a ledger.
class LedgerFollower {
 public:
  virtual ~LedgerFollower() = default;
  /// Under the lock: decided() has the change, and it is queued for the disk. May decide more.
  virtual void Decided(const Changes& changes) = 0;
  /// Under the lock: synced() has the change, and none that comes after it. Decides nothing.
  virtual void Synced(const Changes& changes) = 0;
  /// Under the lock: decided() and synced() were replaced by what the store holds.
  virtual void ReadBack() = 0;
  /// Without locks: everybody who waited for some changes, the last ones of which Synced told, has been told how they ended.
  virtual void Told() = 0;
};

/// The durable state machine of the coordinator: updates (coordinator/state/updates.h) go in; their callers are told when they are synced.
///
/// Three copies of one state, each following the one before it:
///   decided()      everything decided: what changes are checked against and applied to first; ahead of the disk by what is being written
///   synced()       the same changes once they are synced: what readers see
///   a DrivenState  the same as synced(), up to the last TakeLag: what steps of searches are computed on, without the lock
///
/// Invariants. (1) A change is checked against decided(), applied to it and queued for the disk under one hold of the lock, so the order on
/// disk is the order of decisions. (2) synced() and the driven copy hold only changes whose write returned OK: nobody reads what a crash
/// may take back, and no reader waits for a sync. (3) Whoever gets OK has everything that the answer rests on synced; concurrent callers
/// share one sync (group_commit.h). A refusal may rest on a change that is still on its way. (4) When a write fails, the copies are read
/// back from the store, and every change queued with it or behind it fails with its status: memory never knows more than the disk.
///
/// `store`, `clock`, `lock` and `follower` are borrowed; the store belongs to the ledger alone, and the clock tells when a change was
/// decided, as data. `lock` is the application's: whatever must be
/// decided together with a change is guarded by it too. The ledger never waits while the lock is held, but for the store in Reload.
///
/// Confined to the holder of `lock`, but for the constructor, Close and the destructor, which are called without it. A thread of its own
/// writes, and takes the lock to publish what it wrote.
class Ledger {
 public:
  /// Gets how a write ended, on the writing thread and without locks.
  using Written = absl::AnyInvocable<void(const absl::Status&)>;

  /// Is empty until Reload.
  Ledger(Store* store, Clock* clock, SpecParser parse_spec, absl::Mutex* lock, LedgerFollower* follower);
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  /// Writes what is queued and ends the writing thread; the follower is not called afterwards. Nothing may be decided from then on.
  /// Idempotent. The destructor does the same.
  void Close() ABSL_LOCKS_EXCLUDED(*lock_);

  /// Reads the state from the store. Returns the store's and LoadState's statuses; then the copies are as they were.
  absl::Status Reload();
  /// OK when the state could be read the last time. Otherwise reads it: returns UNAVAILABLE with STATE_UNREADABLE when that fails again.
  absl::Status CheckUsable();

  // What these refer to stays where it is as long as the ledger lives.
  const State& decided() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return decided_; }
  const State& synced() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return synced_; }

  /// Checks `update` against decided(), applies it there and queues it. `written`, unless it is null, is then called once, else never.
  /// `made`, when given, gets what the update touched. Returns the status of the check.
  absl::Status Begin(AnyUpdate update, Written written, Changes* made = nullptr);
  /// The same for a caller that waits. It gives the lock back first: nothing that refers into the state survives that.
  PendingWrite Commit(AnyUpdate update, Changes* made = nullptr);

  /// `written` is called once, when everything decided so far is written.
  void WhenWritten(Written written);
  /// The same for a caller that waits, when it has given the lock back.
  PendingWrite AllWritten();

  /// How the last write of a change ended.
  absl::Status last_write() const;
  /// How often the state was read from the store.
  int64_t generation() const;
  /// What a copy that followed up to `generation` lacks. There is one such copy: what was told is forgotten.
  Lag TakeLag(int64_t generation);

 private:
  void Publish(std::vector<PendingChange>& group, const absl::Status& written) ABSL_LOCKS_EXCLUDED(*lock_);

  Store* const store_;
  Clock* const clock_;
  const SpecParser parse_spec_;
  absl::Mutex* const lock_;
  LedgerFollower* const follower_;

  State decided_ ABSL_GUARDED_BY(*lock_);
  State synced_ ABSL_GUARDED_BY(*lock_);
  absl::Status broken_ ABSL_GUARDED_BY(*lock_);  // why the state could not be read
  absl::Status last_write_ ABSL_GUARDED_BY(*lock_);
  int64_t generation_ ABSL_GUARDED_BY(*lock_) = 0;
  std::vector<AnyUpdate> lag_ ABSL_GUARDED_BY(*lock_);  // synced since the last TakeLag

  GroupCommit log_;  // the last member: its thread uses the others until it ends
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_LEDGER_LEDGER_H_
