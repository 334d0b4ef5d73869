// SPDX-License-Identifier: Apache-2.0
#include "coordinator/scheduling/scheduler.h"

#include <algorithm>
#include <limits>

#include "absl/strings/string_view.h"
#include "coordinator/state/sharing.h"
#include "coordinator/state/task_key.h"

namespace hanas::coordinator {
namespace {

/// The directory below the worker's data root that the job's data set lives in.
absl::string_view TopDirectory(absl::string_view directory) { return directory.substr(0, directory.find('/')); }

/// Whether the search, which sees the task, still needs it.
bool IsNeeded(const SearchState& search, const TaskRecord& task) {
  return task.shared_under.empty() ? !IsTerminal(search.record.phase) : IsWanted(search, task.key);
}
/// … and now.
bool IsServed(const SearchState& search, const TaskRecord& task) { return !search.record.paused && IsNeeded(search, task); }

constexpr char kWithData[] = "data";

/// Cores that a worker computes the task on.
int CoresFor(const TaskRecord& task, const SearchJob& job, const PartyRecord& worker) {
  const auto* train = std::get_if<TrainWork>(&task.work);
  return std::max(worker.cores(), train != nullptr && TrainsInShards(train->kind) ? job.training.shards : 1);
}

/// Which queue of a lane a task waits in: empty for what every party there may do.
std::string BoundOf(const TaskRecord& task, const SearchState& search) {
  switch (KindOf(task.work).holder) {
    case WorkHolder::kWorker:
    case WorkHolder::kTwin:
      return "";
    case WorkHolder::kWorkerWithDataset:
      return kWithData;
    case WorkHolder::kTargetAgent:
      return TargetAt(search.record, TargetOfTask(task.key, *search.job)).agent;
  }
  return "";
}

}  // namespace

bool HoldsDataset(const PartyRecord& worker, const SearchState& search) {
  const absl::string_view top = TopDirectory(search.job->dataset.directory);
  if (top == ".") return true;
  const bool there = std::find(worker.datasets.begin(), worker.datasets.end(), top) != worker.datasets.end();
  return there && OtherDataset(worker, search).empty();
}

std::string OtherDataset(const PartyRecord& worker, const SearchState& search) {
  const std::string& wanted = search.record.dataset_files;
  const auto found = std::find(worker.datasets.begin(), worker.datasets.end(), search.job->dataset.directory);
  const auto index = static_cast<size_t>(found - worker.datasets.begin());
  if (wanted.empty() || found == worker.datasets.end() || index >= worker.dataset_digests.size()) return "";
  const std::string& digest = worker.dataset_digests[index];
  return digest == wanted ? "" : digest;
}

bool IsTwinOf(const PartyRecord& agent, const TargetRecord& target) {
  return agent.agent && ContextDigest(agent.device, agent.caps) == ContextOf(target);
}

bool IsAgentOf(const PartyRecord& agent, const TargetRecord& target) { return agent.name == target.agent && IsTwinOf(agent, target); }

// ---- following the state ----

void Scheduler::Rebuild(absl::Duration now) {
  leases_.clear();
  furthest_.clear();
  held_.clear();
  heard_.clear();
  hosts_.clear();
  agent_facts_.clear();
  worker_hosts_.clear();
  twins_.clear();
  search_facts_.clear();
  placements_.clear();
  computing_ = {};
  measuring_.clear();
  for (const auto& [id, party] : state_.parties) {
    FollowParty(id);
    heard_[id] = now;
  }
  for (const auto& [id, search] : state_.searches) FollowSearch(id);
  for (const auto& [id, task] : state_.tasks) FollowTask(id, now);
  for (auto& [id, lease] : leases_) lease.progressed = true;
}

void Scheduler::Follow(const Changes& changes, absl::Duration now) {
  for (const uint64_t id : changes.parties) {
    FollowParty(id);
    if (state_.parties.contains(id)) {
      heard_.try_emplace(id, now);
    } else {
      heard_.erase(id);
    }
  }
  for (const uint64_t id : changes.deleted_tasks) ForgetTask(id, now);
  for (const uint64_t id : changes.searches) FollowSearch(id);
  for (const uint64_t id : changes.tasks) FollowTask(id, now);
  for (const uint64_t id : changes.searches) {
    if (IsTerminal(state_.searches.at(id).record.phase)) Forget(id);
  }
  for (const uint64_t id : changes.deleted_searches) {
    Forget(id);
    search_facts_.erase(id);
  }
}

void Scheduler::ForgetTask(uint64_t id, absl::Duration now) {
  if (leases_.contains(id)) EndLease(id, now);
  furthest_.erase(id);
  Remove(id);
}

void Scheduler::Forget(uint64_t search) {
  const auto forget = [&](Lane& lane) {
    const auto queue = lane.queues.find(search);
    if (queue != lane.queues.end() && queue->second.leased == 0 && !queue->second.ready()) lane.queues.erase(queue);
  };
  forget(computing_);
  for (const Digest& device_class : search_facts_.at(search).device_classes) {
    if (const auto lane = measuring_.find(device_class); lane != measuring_.end()) forget(lane->second);
  }
}

void Scheduler::FollowParty(uint64_t id) {
  if (const auto known = agent_facts_.find(id); known != agent_facts_.end()) {
    hosts_[known->second.host].agents.erase(id);
    twins_[known->second.device_class].erase(id);
    agent_facts_.erase(known);
  }
  if (const auto known = worker_hosts_.find(id); known != worker_hosts_.end()) {
    hosts_[known->second].workers.erase(id);
    worker_hosts_.erase(known);
  }
  const PartyRecord* party = state_.FindParty(id);
  if (party == nullptr) return;
  if (!party->agent) {
    hosts_[party->host].workers.insert(id);
    worker_hosts_[id] = party->host;
    return;
  }
  const AgentFacts facts = {party->host, ContextDigest(party->device, party->caps)};
  hosts_[facts.host].agents.insert(id);
  twins_[facts.device_class].insert(id);
  agent_facts_[id] = facts;
}

const Digest& Scheduler::ClassFor(const TaskRecord& task, uint64_t search) const {
  return search_facts_.at(search).device_classes.at(TargetOfTask(task.key, *state_.searches.at(search).job));
}

void Scheduler::FollowSearch(uint64_t id) {
  const SearchState& search = state_.searches.at(id);
  const auto known = search_facts_.find(id);
  const SearchRecord& record = search.record;
  std::vector<std::string> agents;
  for (const TargetRecord& target : record.targets) agents.push_back(target.agent);
  if (known != search_facts_.end() && known->second.phase == record.phase && known->second.paused == record.paused &&
      known->second.finishing == record.finishing && known->second.agents == agents) {
    return;
  }
  std::vector<Digest> device_classes;
  for (const TargetRecord& target : record.targets) device_classes.push_back(ContextOf(target));
  search_facts_[id] = {record.phase, record.paused, record.finishing, std::move(agents), std::move(device_classes)};
  // All of them may change what is served: what waits is placed anew.
  for (const auto& [key, task] : search.tasks) {
    if (state_.tasks.at(task).state == TaskState::kReady) Place(state_.tasks.at(task));
  }
}

void Scheduler::FollowTask(uint64_t id, absl::Duration now) {
  const TaskRecord& task = state_.tasks.at(id);
  const auto lease = leases_.find(id);
  const bool leased = task.state == TaskState::kLeased;
  if (lease != leases_.end() && (!leased || lease->second.fencing_token != task.fencing_token)) EndLease(id, now);
  if (leased && !leases_.contains(id)) BeginLease(task, now);
  if (!leased && task.state != TaskState::kReady) furthest_.erase(id);
  Place(task);
}

// ---- queues ----

void Scheduler::SetServed(Lane& lane, uint64_t search, double served) {
  Queue& queue = lane.queues[search];
  if (lane.order.erase({queue.served, search}) > 0) lane.order.insert({served, search});
  queue.served = served;
}

Scheduler::Queue& Scheduler::Activate(Lane& lane, uint64_t search) {
  Queue& queue = lane.queues[search];
  if (queue.ready()) return queue;
  if (queue.leased == 0) queue.served = std::max(queue.served, lane.virtual_time);
  lane.order.insert({queue.served, search});
  return queue;
}

void Scheduler::Place(const TaskRecord& task) {
  Remove(task.id);
  if (task.state != TaskState::kReady) return;
  for (const uint64_t id : SearchesOf(state_, task)) {
    const SearchState& search = state_.searches.at(id);
    if (!IsServed(search, task)) continue;
    Placement placement = {.measuring = IsMeasuring(task.work), .bound = BoundOf(task, search), .search = id};
    if (placement.measuring) placement.device_class = ClassFor(task, id);
    Queue& queue = Activate(LaneOf(placement), id);
    (placement.bound.empty() ? queue.any : queue.bound[placement.bound]).insert(task.id);
    placements_[task.id].push_back(std::move(placement));
  }
}

uint64_t Scheduler::PayerOf(const TaskRecord& task) const {
  const auto placed = placements_.find(task.id);
  if (placed == placements_.end()) return task.search;
  std::pair<double, uint64_t> least = {std::numeric_limits<double>::infinity(), task.search};
  for (const Placement& placement : placed->second) {
    const Lane& lane = placement.measuring ? measuring_.at(placement.device_class) : computing_;
    least = std::min(least, {lane.queues.at(placement.search).served, placement.search});
  }
  return least.second;
}

void Scheduler::Remove(uint64_t task) {
  const auto placed = placements_.find(task);
  if (placed == placements_.end()) return;
  for (const Placement& placement : placed->second) {
    Lane& lane = LaneOf(placement);
    Queue& queue = lane.queues.at(placement.search);
    if (placement.bound.empty()) {
      queue.any.erase(task);
    } else if (const auto bound = queue.bound.find(placement.bound); bound->second.erase(task) > 0 && bound->second.empty()) {
      queue.bound.erase(bound);
    }
    if (!queue.ready()) lane.order.erase({queue.served, placement.search});
  }
  placements_.erase(placed);
}

// ---- leases ----

void Scheduler::BeginLease(const TaskRecord& task, absl::Duration now) {
  LiveLease& lease = leases_[task.id];
  const PartyRecord* party = state_.FindParty(task.party);
  lease = {.fencing_token = task.fencing_token,
           .party = task.party,
           .host = party == nullptr ? "" : party->host,
           .measuring = IsMeasuring(task.work),
           .granted_at = now,
           .deadline = now + lease_ttl_,
           .progressed_at = now,
           .charged_search = PayerOf(task)};
  if (lease.measuring) {
    lease.device_class = ClassFor(task, lease.charged_search);
  } else if (party != nullptr) {
    lease.cores = CoresFor(task, *state_.searches.at(lease.charged_search).job, *party);
  }
  held_[task.party].insert(task.id);
  Host& host = hosts_[lease.host];
  (lease.measuring ? host.measuring : host.computing).insert(task.id);
  host.cores_in_use += lease.cores;
  Lane& lane = LaneOf(lease.measuring, lease.device_class);
  Queue& queue = lane.queues[lease.charged_search];
  ++queue.leased;
  lane.virtual_time = std::max(lane.virtual_time, queue.served);
  Charge(lease, kAdvanceCharge);
}

void Scheduler::EndLease(uint64_t task, absl::Duration now) {
  const auto found = leases_.find(task);
  LiveLease& lease = found->second;
  Charge(lease, std::max(kLeastCharge, absl::ToDoubleSeconds(now - lease.granted_at)));
  Lane& lane = LaneOf(lease.measuring, lease.device_class);
  const auto payer = lane.queues.find(lease.charged_search);
  --payer->second.leased;
  // A search may be deleted while a lease that it pays for goes on, of a task that it shared.
  if (state_.FindSearch(lease.charged_search) == nullptr && payer->second.leased == 0 && !payer->second.ready()) lane.queues.erase(payer);
  Host& host = hosts_[lease.host];
  host.measuring.erase(task);
  host.computing.erase(task);
  host.cores_in_use -= lease.cores;
  const auto held = held_.find(lease.party);
  held->second.erase(task);
  if (held->second.empty()) held_.erase(held);
  int64_t& furthest = furthest_[task];
  furthest = std::max(furthest, lease.done);
  leases_.erase(found);
}

void Scheduler::Charge(LiveLease& lease, double seconds) {
  Lane& lane = LaneOf(lease.measuring, lease.device_class);
  SetServed(lane, lease.charged_search, lane.queues[lease.charged_search].served + seconds - lease.charged);
  lease.charged = seconds;
}

const LiveLease* Scheduler::FindLease(uint64_t task) const {
  const auto found = leases_.find(task);
  return found == leases_.end() ? nullptr : &found->second;
}

uint64_t Scheduler::HeldBy(uint64_t party) const {
  const auto held = held_.find(party);
  return held == held_.end() ? 0 : *held->second.begin();
}

void Scheduler::Extend(uint64_t task, absl::Duration now) { leases_.at(task).deadline = now + lease_ttl_; }

void Scheduler::Progressed(uint64_t task, absl::Duration now) {
  const auto found = leases_.find(task);
  if (found == leases_.end()) return;
  found->second.progressed = true;
  found->second.progressed_at = now;
}

Scheduler::Answer Scheduler::Renew(uint64_t id, const Report& report, absl::Duration now) {
  LiveLease& lease = leases_.at(id);
  const bool was_paused = lease.paused;
  lease.deadline = now + lease_ttl_;
  // What is done before the first step, or between two, shows in the note.
  if (report.done > lease.done || report.note != lease.note) lease.progressed_at = now;
  const auto before = furthest_.find(id);
  if (report.done > (before == furthest_.end() ? 0 : before->second)) lease.progressed = true;
  lease.done = report.done;
  lease.total = report.total;
  lease.note = report.note;
  const double held = absl::ToDoubleSeconds(now - lease.granted_at);
  if (held > lease.charged) Charge(lease, held);
  const LeaseInstruction instruction = InstructionFor(state_.tasks.at(id), lease, now);
  // Who is told to go on does so before it says so.
  lease.paused = report.paused && instruction == LeaseInstruction::kPause;
  if (instruction == LeaseInstruction::kPause) lease.progressed_at = now;
  if (instruction != LeaseInstruction::kHandBack && instruction != LeaseInstruction::kAbandon) {
    lease.told_to_stop_at.reset();
  } else if (!lease.told_to_stop_at.has_value()) {
    lease.told_to_stop_at = now;
  }
  if (!lease.measuring) {
    Host& host = hosts_[lease.host];
    if (lease.paused) host.computing.erase(id);
    if (!lease.paused) host.computing.insert(id);
  }
  return {instruction, lease.paused && !was_paused};
}

LeaseInstruction Scheduler::InstructionFor(const TaskRecord& task, const LiveLease& lease, absl::Duration now) const {
  const std::vector<uint64_t> searches = SearchesOf(state_, task);
  const auto any = [&](bool (*holds)(const SearchState&, const TaskRecord&)) {
    return std::any_of(searches.begin(), searches.end(), [&](uint64_t id) { return holds(state_.searches.at(id), task); });
  };
  if (!any(IsNeeded)) return LeaseInstruction::kAbandon;
  if (!any(IsServed)) return LeaseInstruction::kHandBack;  // paused by a user
  const PartyRecord* party = state_.FindParty(lease.party);
  if (party != nullptr && party->draining) return LeaseInstruction::kHandBack;
  if (lease.measuring) return LeaseInstruction::kContinue;
  return IsHostReserved(lease.host, now) ? LeaseInstruction::kPause : LeaseInstruction::kContinue;
}

std::vector<ExpireLeaseUpdate> Scheduler::Overdue(absl::Duration now) const {
  std::vector<ExpireLeaseUpdate> overdue;
  for (const auto& [id, lease] : leases_) {
    const absl::Duration bound = absl::Minutes(KindOf(state_.tasks.at(id).work).stuck_after_minutes);
    if (lease.deadline <= now) {
      overdue.push_back({.task = id, .reason = LeaseEnd::kSilent, .progressed = lease.progressed});
    } else if (lease.told_to_stop_at.has_value() && now - *lease.told_to_stop_at >= kIgnoredAfter) {
      overdue.push_back({.task = id, .reason = LeaseEnd::kIgnoredStop, .progressed = lease.progressed});
    } else if (now - lease.progressed_at >= bound) {
      overdue.push_back({.task = id, .reason = LeaseEnd::kStuck, .progressed = lease.progressed});
    }
  }
  return overdue;
}

// ---- parties ----

void Scheduler::EndWaiting(uint64_t party, absl::Duration now) {
  if (const auto found = waiting_.find(party); found != waiting_.end() && --found->second == 0) waiting_.erase(found);
  heard_[party] = now;
}

absl::Duration Scheduler::SilentFor(uint64_t party, absl::Duration now) const {
  if (waiting_.contains(party)) return absl::ZeroDuration();
  const auto heard = heard_.find(party);
  return heard == heard_.end() ? absl::InfiniteDuration() : now - heard->second;
}

bool Scheduler::IsMeasuringOn(const std::string& name) const {
  const auto host = hosts_.find(name);
  return host != hosts_.end() && !host->second.measuring.empty();
}

bool Scheduler::IsComputingOn(const std::string& name) const {
  const auto host = hosts_.find(name);
  return host != hosts_.end() && !host->second.computing.empty();
}

bool Scheduler::HasCoresFor(const TaskRecord& task, const PartyRecord& worker, absl::Duration now) const {
  const Host& host = hosts_.at(worker.host);
  if (host.cores_in_use == 0) return true;
  // Searches that share a task have equal shards.
  const SearchJob& job = *state_.searches.at(SearchesOf(state_, task).front()).job;
  int cores = 0;
  for (const uint64_t id : host.workers) {
    if (SilentFor(id, now) <= kAbsentAfter) cores += state_.parties.at(id).cores();
  }
  return host.cores_in_use + CoresFor(task, job, worker) <= cores;
}

bool Scheduler::IsHostReserved(const std::string& name, absl::Duration now) const {
  const auto host = hosts_.find(name);
  if (host == hosts_.end()) return false;
  if (!host->second.measuring.empty()) return true;
  return std::any_of(host->second.agents.begin(), host->second.agents.end(), [&](uint64_t agent) {
    return SilentFor(agent, now) <= kAbsentAfter && Candidate(state_.parties.at(agent), now) != 0;
  });
}

bool Scheduler::HasHealthierTwin(const PartyRecord& party, absl::Duration now) const {
  const std::set<uint64_t>& twins = twins_.at(agent_facts_.at(party.id).device_class);
  return std::any_of(twins.begin(), twins.end(), [&](uint64_t id) {
    const PartyRecord& twin = state_.parties.at(id);
    return !twin.draining && twin.health != DeviceHealth::kQuarantined && SilentFor(id, now) <= kAbsentAfter;
  });
}

uint64_t Scheduler::Candidate(const PartyRecord& party, absl::Duration now) const {
  if (party.draining) return 0;
  const Lane* lane = &computing_;
  if (party.agent) {
    const auto found = measuring_.find(agent_facts_.at(party.id).device_class);
    if (found == measuring_.end()) return 0;
    lane = &found->second;
  }
  const bool any = !party.agent || party.health != DeviceHealth::kQuarantined || !HasHealthierTwin(party, now);
  for (const auto& [served, id] : lane->order) {
    const Queue& queue = lane->queues.at(id);
    uint64_t oldest = any && !queue.any.empty() ? *queue.any.begin() : 0;
    const auto bound = queue.bound.find(party.agent ? party.name : kWithData);
    if (bound != queue.bound.end() && (party.agent || HoldsDataset(party, state_.searches.at(id)))) {
      const uint64_t first = *bound->second.begin();
      oldest = oldest == 0 ? first : std::min(oldest, first);
    }
    if (oldest != 0) return oldest;
  }
  return 0;
}

uint64_t Scheduler::Choose(uint64_t id, absl::Duration now) const {
  const PartyRecord& party = state_.parties.at(id);
  if (IsMeasuringOn(party.host)) return 0;
  if (party.agent ? IsComputingOn(party.host) : IsHostReserved(party.host, now)) return 0;
  const uint64_t task = Candidate(party, now);
  return task == 0 || party.agent || HasCoresFor(state_.tasks.at(task), party, now) ? task : 0;
}

double Scheduler::Served(uint64_t search, bool measuring) const {
  const auto served_in = [&](const Lane& lane) {
    const auto queue = lane.queues.find(search);
    return queue == lane.queues.end() ? 0 : queue->second.served;
  };
  if (!measuring) return served_in(computing_);
  const auto facts = search_facts_.find(search);
  if (facts == search_facts_.end()) return 0;
  double served = 0;
  const std::vector<Digest>& all = facts->second.device_classes;
  for (const Digest& device_class : std::set<Digest>(all.begin(), all.end())) {
    if (const auto lane = measuring_.find(device_class); lane != measuring_.end()) served += served_in(lane->second);
  }
  return served;
}

}  // namespace hanas::coordinator
