// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SCHEDULING_SCHEDULER_H_
#define HANAS_COORDINATOR_SCHEDULING_SCHEDULER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/state/state.h"
#include "coordinator/state/updates.h"
#include "core/base/digest.h"

namespace hanas::coordinator {

// Who works on what, and when.
//
//   Who may   A worker computes, when it holds the search's data set, the same files that the search began with as far as both are known
//             (fitting a predictor needs none). Operators are measured by any agent
//             of the target's device class, so twins share a latency table's work; whole networks only by the device that the target is
//             bound to, whose calibration they are. A party that drains gets nothing. A quarantined device gets no operators while a twin
//             in better health is there.
//   When      Measuring is exclusive per host: it is granted when nothing measures there and every compute lease is paused or over. While
//             it runs or waits, computing on that host pauses at its next step boundary and none is granted.
//   Cores     A batch in shards takes a core for each. A host has as many for computing as its workers have threads; a task that needs more
//             than are free waits for them and holds back what comes after it. Where nothing computes, any task is granted.
//   Which     Of the searches with work that the party may do, the least served one; of its tasks the oldest. A search is served by lease
//             time: the seconds that its leases were held, never less than kLeastCharge each, and kAdvanceCharge from the moment of the
//             grant, so that searches with leases at work stand behind those without. Equals go by number. A search that comes, or comes
//             back from having nothing to do, starts where the search stood that was granted last: waiting earns no credit (start-time
//             fair queueing, Goyal et al. 1996). Computing and each device class are accounted for apart.
//             Nothing is granted for a search that a user has paused, and what is leased is handed back.
//
// Two searches that always have work thus differ in served seconds by no more than one task each worker holds.

/// A party that was silent for so long holds up nobody: its host is not kept free for it.
inline constexpr absl::Duration kAbsentAfter = absl::Seconds(60);
/// A holder that was told to stop and goes on renewing loses its lease.
inline constexpr absl::Duration kIgnoredAfter = absl::Seconds(60);
inline constexpr double kLeastCharge = 1;     // seconds
inline constexpr double kAdvanceCharge = 10;  // seconds

/// Whether an agent is of the device class that a search's target is bound to.
bool IsTwinOf(const PartyRecord& agent, const TargetRecord& target);
/// Whether it is the very device: only this one measures whole networks for the target.
bool IsAgentOf(const PartyRecord& agent, const TargetRecord& target);

/// Whether the search's data set lies on the worker: the directory that it is in is there, and is not known to hold other files than the
/// search began with.
bool HoldsDataset(const PartyRecord& worker, const SearchState& search);
/// The digest of the other files that the worker has under the name of the search's data set; empty when there are none.
std::string OtherDataset(const PartyRecord& worker, const SearchState& search);

/// What is known of a live lease and not worth a write: lost with the process, when every live lease gets one fresh ttl.
struct LiveLease {
  uint64_t fencing_token = 0;
  uint64_t party = 0;
  std::string host;
  bool measuring = false;
  int cores = 0;              // that it computes on; none while it measures
  absl::Duration granted_at;  // of the monotonic clock, as all times here
  absl::Duration deadline;
  absl::Duration progressed_at;  // or was told to pause
  std::optional<absl::Duration> told_to_stop_at;
  // It got further than every lease of the task before it: what an attempt repeats is no progress, else a task that kills its holder at one
  // place would go on doing so for ever. Also when it was granted before the state was read from the store, so that nobody knows.
  bool progressed = false;
  bool paused = false;  // the holder stopped at a step boundary, as told
  int64_t done = 0;
  int64_t total = 0;
  std::string note;
  // Who pays for it.
  uint64_t charged_search = 0;
  Digest device_class;  // of a measuring one
  double charged = 0;   // seconds so far
};

enum class LeaseInstruction : uint8_t { kContinue = 0, kPause = 1, kHandBack = 2, kAbandon = 3 };

/// Follows the state and answers who gets which work; remembers what is live and not stored. Nothing here scans tasks that are over: a
/// choice costs O(log n) in ready tasks, and a step for each search that comes first and has nothing for this party.
///
/// `state` is borrowed and must stay where it is. Deterministic. Confined to the holder of the application's lock.
class Scheduler {
 public:
  Scheduler(const State* state, absl::Duration lease_ttl) : state_(*state), lease_ttl_(lease_ttl) {}

  /// Everything anew, after the state was read: live leases get one fresh ttl, and all parties count as just heard of.
  void Rebuild(absl::Duration now);
  /// After an update was applied.
  void Follow(const Changes& changes, absl::Duration now);

  // ---- parties ----
  void Heard(uint64_t party, absl::Duration now) { heard_[party] = now; }
  /// Between these a party is heard of all the time: it waits for work.
  void BeginWaiting(uint64_t party) { ++waiting_[party]; }
  void EndWaiting(uint64_t party, absl::Duration now);
  /// How long ago it was heard of.
  absl::Duration SilentFor(uint64_t party, absl::Duration now) const;

  // ---- leases ----
  /// The task that the party holds a live lease on, 0: none.
  uint64_t HeldBy(uint64_t party) const;
  /// The task to grant to a registered party now, 0: none.
  uint64_t Choose(uint64_t party, absl::Duration now) const;
  /// Null when there is no live lease.
  const LiveLease* FindLease(uint64_t task) const;
  const std::map<uint64_t, LiveLease>& leases() const { return leases_; }
  /// A fresh ttl, when the holder was heard of.
  void Extend(uint64_t task, absl::Duration now);

  struct Report {
    int64_t done = 0;
    int64_t total = 0;
    std::string note;
    bool paused = false;
  };
  struct Answer {
    LeaseInstruction instruction = LeaseInstruction::kContinue;
    bool unblocked = false;  // somebody else may get work now
  };
  /// A renewal of a live lease, and what its holder is told.
  Answer Renew(uint64_t task, const Report& report, absl::Duration now);
  /// Progress that came another way, and is stored.
  void Progressed(uint64_t task, absl::Duration now);
  /// Leases to be taken away: silent, stuck or deaf holders. By task.
  std::vector<ExpireLeaseUpdate> Overdue(absl::Duration now) const;

  // ---- hosts ----
  /// Whether something measures on the host now.
  bool IsMeasuringOn(const std::string& host) const;
  /// Whether something computes there and has not paused.
  bool IsComputingOn(const std::string& host) const;
  /// Whether something measures there or waits to: nothing new is computed.
  bool IsHostReserved(const std::string& host, absl::Duration now) const;
  /// Seconds that the search was served, of computing or of measuring.
  double Served(uint64_t search, bool measuring) const;

 private:
  /// A search's ready tasks in one lane: those for everybody there, and those for a device or for holders of the data.
  struct Queue {
    std::set<uint64_t> any;
    std::map<std::string, std::set<uint64_t>> bound;
    double served = 0;
    int leased = 0;
    bool ready() const { return !any.empty() || !bound.empty(); }
  };
  struct Lane {
    std::map<uint64_t, Queue> queues;             // by search
    std::set<std::pair<double, uint64_t>> order;  // (served, search) of those that are ready
    double virtual_time = 0;                      // what the search that was granted last had been served; only grows
  };
  struct Host {
    std::set<uint64_t> measuring;  // leased tasks
    std::set<uint64_t> computing;  // leased tasks, those that are not paused
    std::set<uint64_t> agents;     // parties
    std::set<uint64_t> workers;    // parties
    int cores_in_use = 0;          // that leases compute on, those that are paused too
  };
  struct Placement {
    bool measuring = false;
    Digest device_class;
    std::string bound;  // empty: for everybody in the lane
    uint64_t search = 0;
  };
  struct SearchFacts {
    SearchPhase phase = SearchPhase::kPending;
    bool paused = false;
    bool finishing = false;
    std::vector<std::string> agents;     // by target
    std::vector<Digest> device_classes;  // by target
  };
  struct AgentFacts {
    std::string host;
    Digest device_class;
  };

  Lane& LaneOf(bool measuring, const Digest& device_class) { return measuring ? measuring_[device_class] : computing_; }
  Lane& LaneOf(const Placement& placement) { return LaneOf(placement.measuring, placement.device_class); }
  void SetServed(Lane& lane, uint64_t search, double served);
  Queue& Activate(Lane& lane, uint64_t search);
  /// Of the target, of `search`, that a measuring task is for.
  const Digest& ClassFor(const TaskRecord& task, uint64_t search) const;
  void FollowSearch(uint64_t id);
  void FollowParty(uint64_t id);
  void FollowTask(uint64_t id, absl::Duration now);
  void Place(const TaskRecord& task);
  void Remove(uint64_t task);
  uint64_t PayerOf(const TaskRecord& task) const;
  void Forget(uint64_t search);
  void ForgetTask(uint64_t id, absl::Duration now);
  void BeginLease(const TaskRecord& task, absl::Duration now);
  void EndLease(uint64_t task, absl::Duration now);
  void Charge(LiveLease& lease, double seconds);
  uint64_t Candidate(const PartyRecord& party, absl::Duration now) const;
  /// Whether the worker's host has as many cores free as the task takes.
  bool HasCoresFor(const TaskRecord& task, const PartyRecord& worker, absl::Duration now) const;
  bool HasHealthierTwin(const PartyRecord& party, absl::Duration now) const;
  LeaseInstruction InstructionFor(const TaskRecord& task, const LiveLease& lease, absl::Duration now) const;

  const State& state_;
  const absl::Duration lease_ttl_;

  std::map<uint64_t, LiveLease> leases_;         // by task
  std::map<uint64_t, int64_t> furthest_;         // what leases that ended had done, by task that is not over
  std::map<uint64_t, std::set<uint64_t>> held_;  // tasks by party
  std::map<uint64_t, absl::Duration> heard_;     // by party
  std::map<uint64_t, int> waiting_;              // requests by party
  std::map<std::string, Host> hosts_;
  std::map<uint64_t, AgentFacts> agent_facts_;
  std::map<uint64_t, std::string> worker_hosts_;
  std::map<Digest, std::set<uint64_t>> twins_;  // agents by class
  std::map<uint64_t, SearchFacts> search_facts_;
  std::map<uint64_t, std::vector<Placement>> placements_;  // of ready tasks
  Lane computing_;
  std::map<Digest, Lane> measuring_;  // by device class
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_SCHEDULING_SCHEDULER_H_
