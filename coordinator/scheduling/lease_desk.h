// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SCHEDULING_LEASE_DESK_H_
#define HANAS_COORDINATOR_SCHEDULING_LEASE_DESK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/ledger/ledger.h"
#include "coordinator/scheduling/scheduler.h"
#include "coordinator/store/records.h"
#include "core/job/search_job.h"
#include "telemetry/metrics.h"

namespace hanas::coordinator {

/// A task with all that its holder needs to know.
struct GrantedTask {
  TaskRecord task;
  absl::Duration ttl;
  std::shared_ptr<const SearchJob> job;
  std::string dataset_digest;                               // that the search began with; empty: none yet
  std::vector<std::pair<std::vector<float>, double>> rows;  // of FitWork: features, accuracy. The desk leaves them out
};

/// Where parties ask for work: it grants what the scheduler chooses, and keeps those for whom there is nothing waiting until there is.
///
/// Invariants. (1) Every request is answered exactly once. (2) A task is handed out when its grant is synced, and everything that was
/// decided before the grant with it. (3) A party that holds a live lease gets that one again: the reply to its last request was lost. (4)
/// Of one party at most one request waits: the next one ends it without a task. (5) Those who wait are looked at in the order in which they
/// came.
///
/// `ledger`, `scheduler` and `metrics` are borrowed. The scheduler follows the ledger's decided state. Whoever follows the ledger calls
/// GrantWaiting after each change; a grant is a change too, and the call that this causes returns at once.
///
/// Confined to the holder of the ledger's lock. Answers are never given under it: what may be answered at once is returned, the rest is
/// answered by the ledger's writing thread. `now` is of the monotonic clock.
class LeaseDesk {
 public:
  /// Gets a task, none, or why there is none: NOT_FOUND with UNKNOWN_PARTY for a party that is not registered, FAILED_PRECONDITION with
  /// SUPERSEDED for an instance that was replaced, and the statuses of the ledger.
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::optional<GrantedTask>>)>;
  /// To be called once each, in order, when the lock is given back.
  using Answers = std::vector<absl::AnyInvocable<void()>>;

  LeaseDesk(Ledger* ledger, Scheduler* scheduler, absl::Duration lease_ttl, telemetry::Metrics* metrics)
      : ledger_(*ledger), scheduler_(*scheduler), lease_ttl_(lease_ttl), metrics_(*metrics) {}

  /// The name of a wait that has not begun.
  uint64_t NewWait() { return ++last_wait_; }
  /// With a `wait` (NewWait) the request waits for a task until EndWait; with 0 it does not wait.
  Answers Request(uint64_t party, const std::string& instance, uint64_t wait, Done done, absl::Duration now);
  /// Ends a wait without a task. Fine when it is over already, and when it has not begun.
  Answers EndWait(uint64_t wait, absl::Duration now);
  /// To be called when anything changed that a grant depends on.
  void GrantWaiting(absl::Duration now);
  /// Ends all waits without a task; later requests do not wait.
  Answers Stop();

 private:
  struct Waiting {
    uint64_t party = 0;
    std::string instance;
    Done done;
  };

  /// Takes `done` when there is a task for the party, and returns whether there is.
  absl::StatusOr<bool> TryGrant(uint64_t party, const std::string& instance, Done& done, absl::Duration now);
  void AnswerWhenWritten(uint64_t task, Done done, absl::Duration now);

  Ledger& ledger_;
  Scheduler& scheduler_;
  const absl::Duration lease_ttl_;
  telemetry::Metrics& metrics_;
  std::map<uint64_t, Waiting> waiting_;  // by wait: the first come first
  uint64_t last_wait_ = 0;
  bool granting_ = false;  // GrantWaiting goes through those who wait
  bool stopped_ = false;
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_SCHEDULING_LEASE_DESK_H_
