// SPDX-License-Identifier: Apache-2.0
#include "coordinator/ledger/ledger.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"
#include "telemetry/event_log.h"

namespace hanas::coordinator {

Ledger::Ledger(Store* store, Clock* clock, SpecParser parse_spec, absl::Mutex* lock, LedgerFollower* follower)
    : store_(store),
      clock_(clock),
      parse_spec_(std::move(parse_spec)),
      lock_(lock),
      follower_(follower),
      log_(store, [this](std::vector<PendingChange>& group, const absl::Status& written) { Publish(group, written); }) {}

void Ledger::Close() { log_.Close(); }

absl::Status Ledger::Reload() {
  lock_->AssertHeld();
  const absl::StatusOr<std::vector<StoreRecord>> records = store_->Load();
  if (!records.ok()) return broken_ = records.status();
  absl::StatusOr<State> state = LoadState(*records, parse_spec_);
  if (!state.ok()) return broken_ = state.status();
  broken_ = absl::OkStatus();
  synced_ = *std::move(state);
  decided_ = synced_;
  ++generation_;
  lag_.clear();
  follower_->ReadBack();
  return absl::OkStatus();
}

absl::Status Ledger::CheckUsable() {
  lock_->AssertHeld();
  if (broken_.ok()) return absl::OkStatus();
  if (absl::Status status = Reload(); status.ok()) return status;
  return WithReason(absl::UnavailableError(absl::StrCat("the stored state could not be read back: ", broken_.message())), kStateUnreadable);
}

absl::Status Ledger::Begin(AnyUpdate update, Written written, Changes* made) {
  // Whoever looked at the state before may have done so before a write failed: nothing is decided on what was lost with it.
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  if (absl::Status status = update.Check(decided_); !status.ok()) return status;
  Changes changes;
  update.SetTime(absl::ToUnixMicros(clock_->Wall()));
  update.Apply(decided_, changes);
  log_.Enqueue({.batch = BatchOf(decided_, changes), .update = std::move(update), .done = std::move(written)});
  follower_->Decided(changes);
  if (made != nullptr) *made = std::move(changes);
  return absl::OkStatus();
}

PendingWrite Ledger::Commit(AnyUpdate update, Changes* made) {
  const PendingWrite write = PendingWrite::Open();
  const absl::Status begun = Begin(std::move(update), [write](const absl::Status& written) { write.End(written); }, made);
  return begun.ok() ? write : PendingWrite(begun);
}

void Ledger::WhenWritten(Written written) {
  lock_->AssertHeld();
  log_.Enqueue({.batch = {}, .update = {}, .done = std::move(written)});
}

PendingWrite Ledger::AllWritten() {
  const PendingWrite write = PendingWrite::Open();
  WhenWritten([write](const absl::Status& written) { write.End(written); });
  return write;
}

absl::Status Ledger::last_write() const {
  lock_->AssertHeld();
  return last_write_;
}

int64_t Ledger::generation() const {
  lock_->AssertHeld();
  return generation_;
}

Lag Ledger::TakeLag(int64_t generation) {
  lock_->AssertHeld();
  Lag lag = {.generation = generation_, .updates = std::exchange(lag_, {})};
  if (generation == generation_) return lag;
  lag.updates.clear();  // the synced copy has them
  lag.anew = synced_;
  return lag;
}

void Ledger::Publish(std::vector<PendingChange>& group, const absl::Status& written) {
  std::vector<PendingChange> behind;  // decided on top of what was not written
  {
    absl::MutexLock lock(lock_);
    const bool wrote = std::any_of(group.begin(), group.end(), [](const PendingChange& change) { return !change.update.empty(); });
    if (wrote) last_write_ = written;
    if (written.ok()) {
      for (PendingChange& change : group) {
        if (change.update.empty()) continue;
        Changes changes;
        change.update.Apply(synced_, changes);
        lag_.push_back(std::move(change.update));
        follower_->Synced(changes);
      }
    } else {
      telemetry::LogEvent(telemetry::Severity::kError, "store_write_failed", {{"status", written.ToString()}});
      behind = log_.TakeQueued();
      if (const absl::Status status = Reload(); !status.ok())  // CheckUsable tries again, and says so to everybody who asks
        telemetry::LogEvent(telemetry::Severity::kError, "state_unreadable", {{"status", status.ToString()}});
    }
  }
  for (std::vector<PendingChange>* changes : {&group, &behind}) {
    for (PendingChange& change : *changes) {
      if (change.done) change.done(written);
    }
  }
  follower_->Told();
}

}  // namespace hanas::coordinator
