// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/state.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "coordinator/state/sharing.h"
#include "coordinator/state/task_key.h"
#include "coordinator/store/codec/record_codec.h"
#include "coordinator/store/record_key.h"
#include "core/base/error_reason.h"

namespace hanas::coordinator {
namespace {

template <typename Map>
auto FindIn(const Map& map, uint64_t id) -> const typename Map::mapped_type* {
  const auto found = map.find(id);
  return found == map.end() ? nullptr : &found->second;
}

absl::Status Broken(absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("the stored state is inconsistent: ", what, "; restore the data directory from a backup, or use a new one"));
}

void Append(std::vector<StoreChange>& batch, const RecordKey& key, const AnyRecord& record) {
  batch.push_back({EncodeKey(key), SerialiseRecord(record)});
}

/// Puts records of all kinds where they belong.
class Loader {
 public:
  Loader(State& state, const SpecParser& parse_spec) : state_(state), parse_spec_(parse_spec) {}

  absl::Status Add(const StoreRecord& stored) {
    const absl::StatusOr<RecordKey> key = DecodeKey(stored.key);
    if (!key.ok()) return key.status();
    absl::StatusOr<AnyRecord> record = ParseRecord(stored.value);
    if (!record.ok()) return record.status();
    return std::visit([&](auto&& r) { return Take(*key, std::move(r)); }, *std::move(record));
  }

  /// Tasks and events come before or after their searches; joined when all are there.
  absl::Status Finish() {
    for (auto& [id, search] : state_.searches) JoinShared(state_, search);
    for (const auto& [id, task] : state_.tasks) {
      const auto search = state_.searches.find(task.search);
      if (search == state_.searches.end()) return Broken(absl::StrCat("task ", id, " is of search ", task.search, ", which is not there"));
      if (search->second.tasks.contains(task.key))
        return Broken(absl::StrCat("two tasks of search ", task.search, " are named ", task.key));
      if (!task.shared_under.empty() && task.shared_under != SharedUnder(search->second.record, task.key))
        return Broken(absl::StrCat("task ", id, " is shared under something else than its search ", task.search));
      AttachTask(state_, task);
    }
    CancelTasksOfRefused();
    for (EventRecord& event : events_) {
      const auto search = state_.searches.find(event.search);
      if (search == state_.searches.end()) return Broken(absl::StrCat("an event is of search ", event.search, ", which is not there"));
      search->second.events.push_back(std::move(event));
    }
    return CheckInvariants(state_);
  }

 private:
  absl::Status Take(const RecordKey&, CounterRecord&& record) {
    state_.counter = record.last;
    return absl::OkStatus();
  }
  absl::Status Take(const RecordKey&, SearchRecord&& record) {
    absl::StatusOr<StoredJob> stored = parse_spec_(std::string(record.spec));
    if (!stored.ok()) return Broken(absl::StrCat("the specification of search ", record.id, " is not valid: ", stored.status().message()));
    SearchState& search = state_.searches[record.id];
    search.job = std::make_shared<const SearchJob>(std::move(stored->job));
    if (!stored->refused.ok()) Refuse(stored->refused, search, record);
    if (!record.request_id.empty()) state_.requests[record.request_id] = record.id;
    search.record = std::move(record);
    return absl::OkStatus();
  }
  absl::Status Take(const RecordKey&, TaskRecord&& record) {
    const uint64_t id = record.id;
    state_.tasks[id] = std::move(record);
    return absl::OkStatus();
  }
  absl::Status Take(const RecordKey&, EventRecord&& record) {
    events_.push_back(std::move(record));
    return absl::OkStatus();
  }
  absl::Status Take(const RecordKey&, PartyRecord&& record) {
    const uint64_t id = record.id;
    state_.parties[id] = std::move(record);
    return absl::OkStatus();
  }
  absl::Status Take(const RecordKey& key, LatencyRecord&& record) {
    const absl::StatusOr<OpKey> op = OpKeyFromString(record.key);
    if (!op.ok()) return Broken(op.status().message());
    const absl::Status status = state_.tables[Digest{key.parent, key.sequence}].Insert(*op, record.row);
    return status.ok() ? status : Broken(absl::StrCat("the latency of \"", record.key, "\" is damaged: ", status.message()));
  }

  /// One search that this version would not accept does not keep it from serving the others.
  static void Refuse(const absl::Status& why, SearchState& search, SearchRecord& record) {
    const std::string message = absl::StrCat("this version does not accept the job any more: ", why.message());
    search.refused = WithReason(absl::FailedPreconditionError(absl::StrCat(message, ": searches/", record.id)), kJobRefused,
                                absl::StrCat("searches/", record.id));
    if (IsTerminal(record.phase)) return;
    record.phase = SearchPhase::kFailed;
    record.error_code = std::string(kJobRefused);
    record.error = message;
    record.paused = false;
  }
  void CancelTasksOfRefused() {
    for (const auto& [id, search] : state_.searches) {
      if (search.refused.ok()) continue;
      for (const auto& [key, task_id] : search.tasks) {
        TaskRecord& task = state_.tasks.at(task_id);
        const bool open = task.state == TaskState::kReady || task.state == TaskState::kLeased;
        if (open && (task.shared_under.empty() || !IsWantedByOthers(state_, task, id))) task.state = TaskState::kCancelled;
      }
    }
  }

  State& state_;
  const SpecParser& parse_spec_;
  std::vector<EventRecord> events_;
};

absl::Status CheckTask(const TaskRecord& task, uint64_t counter) {
  const std::string name = absl::StrCat("task ", task.id, " (", task.key, ")");
  if (task.id > counter || task.fencing_token > counter)
    return Broken(absl::StrCat(name, " has an id or token above the counter ", counter));
  if ((task.state == TaskState::kDone) != task.outcome.has_value())
    return Broken(absl::StrCat(name, " is done without an outcome, or has one before"));
  if (task.outcome.has_value() && task.outcome->index() != task.work.index())
    return Broken(absl::StrCat(name, " has the outcome of other work"));
  if (task.state == TaskState::kLeased && (task.fencing_token == 0 || task.party == 0))
    return Broken(absl::StrCat(name, " is leased to nobody"));
  return absl::OkStatus();
}

}  // namespace

absl::string_view Name(SearchPhase phase) {
  switch (phase) {
    case SearchPhase::kPending:
      return "PENDING";
    case SearchPhase::kProfiling:
      return "PROFILING";
    case SearchPhase::kTraining:
      return "TRAINING";
    case SearchPhase::kSampling:
      return "SAMPLING";
    case SearchPhase::kSearching:
      return "SEARCHING";
    case SearchPhase::kVerifying:
      return "VERIFYING";
    case SearchPhase::kSucceeded:
      return "SUCCEEDED";
    case SearchPhase::kFailed:
      return "FAILED";
    case SearchPhase::kCancelled:
      return "CANCELLED";
  }
  return "UNKNOWN";
}

Digest ContextDigest(const DeviceDescription& device, const BackendCaps& caps) {
  return DigestBuilder().Add(CapsDigest(caps)).Add(device.cpu).Add(device.isa).Add(device.threads).Add(device.governor).Build();
}

void SearchState::AddResult(const TaskRecord& task) {
  if (const auto* operators = std::get_if<MeasureOperatorsOutcome>(&*task.outcome)) totals.device_seconds += operators->seconds;
  if (const auto* verified = std::get_if<VerifyOutcome>(&*task.outcome)) totals.device_seconds += verified->seconds;
  if (const auto* networks = std::get_if<MeasureNetworksOutcome>(&*task.outcome)) {
    totals.device_seconds += networks->seconds;
    results.push_back(task.id);
  }
  if (const auto* evaluated = std::get_if<EvaluateOutcome>(&*task.outcome)) {
    if (PhaseOfTask(task.key) == SearchPhase::kVerifying) return;  // of members with weights of their own
    const auto count = static_cast<int64_t>(evaluated->scores.size());
    totals.evaluations += count;
    if (PhaseOfTask(task.key) == SearchPhase::kSearching) totals.round_evaluations += count;
    results.push_back(task.id);
  }
}

const TargetRecord& TargetAt(const SearchRecord& search, size_t index) {
  static const TargetRecord* const kUnbound = new TargetRecord;
  return search.targets.empty() ? *kUnbound : search.targets.at(index);
}

std::string DeviceClassName(const Digest& context) { return absl::StrCat("class-", context.ToHex().substr(0, 12)); }

const SearchState* State::FindSearch(uint64_t id) const { return FindIn(searches, id); }
const TaskRecord* State::FindTask(uint64_t id) const { return FindIn(tasks, id); }
const PartyRecord* State::FindParty(uint64_t id) const { return FindIn(parties, id); }
const TaskRecord* State::FindTask(const SearchState& search, const std::string& key) const {
  const auto found = search.tasks.find(key);
  return found == search.tasks.end() ? nullptr : FindTask(found->second);
}

State Extract(const State& state, const SearchState& search) {
  State extract = {.counter = state.counter, .parties = state.parties};
  extract.searches.emplace(search.record.id, search);
  for (const auto& [key, id] : search.tasks) extract.tasks.emplace(id, state.tasks.at(id));
  for (const TargetRecord& target : search.record.targets) {
    if (const auto table = state.tables.find(ContextOf(target)); table != state.tables.end()) extract.tables.insert(*table);
  }
  return extract;
}

std::vector<StoreChange> BatchOf(const State& state, const Changes& changes) {
  std::vector<StoreChange> batch;
  for (const RecordKey& key : changes.erased) batch.push_back({EncodeKey(key), std::nullopt});
  if (changes.counter) Append(batch, {RecordKind::kCounter}, CounterRecord{state.counter});
  for (const uint64_t id : changes.searches) Append(batch, {RecordKind::kSearch, 0, id}, state.searches.at(id).record);
  for (const uint64_t id : changes.tasks) {
    const TaskRecord& task = state.tasks.at(id);
    Append(batch, {RecordKind::kTask, task.search, id}, task);
  }
  for (const uint64_t id : changes.parties) {
    if (const PartyRecord* party = state.FindParty(id); party != nullptr) {
      Append(batch, {RecordKind::kParty, 0, id}, *party);
    } else {
      batch.push_back({EncodeKey({RecordKind::kParty, 0, id}), std::nullopt});
    }
  }
  for (const auto& [search, sequence] : changes.events) {
    Append(batch, {RecordKind::kEvent, search, static_cast<uint64_t>(sequence)},
           state.searches.at(search).events.at(static_cast<size_t>(sequence - 1)));
  }
  for (const auto& [context, op] : changes.rows) {
    const std::string text = ToString(op);
    Append(batch, {RecordKind::kLatency, context.high, context.low, text}, LatencyRecord{text, *state.tables.at(context).Find(op)});
  }
  return batch;
}

absl::StatusOr<State> LoadState(const std::vector<StoreRecord>& records, const SpecParser& parse_spec) {
  State state;
  Loader loader(state, parse_spec);
  for (const StoreRecord& record : records) {
    if (absl::Status status = loader.Add(record); !status.ok()) return status;
  }
  if (absl::Status status = loader.Finish(); !status.ok()) return status;
  return state;
}

absl::Status CheckInvariants(const State& state) {
  for (const auto& [id, task] : state.tasks) {
    if (absl::Status status = CheckTask(task, state.counter); !status.ok()) return status;
  }
  for (const auto& [id, search] : state.searches) {
    if (id > state.counter) return Broken(absl::StrCat("search ", id, " is above the counter ", state.counter));
    const size_t targets = search.job == nullptr ? 1 : TargetsOf(*search.job).size();
    const bool wants_devices = search.record.phase > SearchPhase::kPending && !IsTerminal(search.record.phase);
    if (wants_devices && search.record.targets.empty())
      return Broken(absl::StrCat("search ", id, " is in ", Name(search.record.phase), " and bound to no device"));
    if (!search.record.targets.empty() && search.record.targets.size() != targets)
      return Broken(
          absl::StrCat("search ", id, " is bound to ", search.record.targets.size(), " devices, its job has ", targets, " targets"));
    if (search.record.num_events != static_cast<int64_t>(search.events.size())) {
      return Broken(absl::StrCat("search ", id, " counts ", search.record.num_events, " events, ", search.events.size(), " are there"));
    }
    for (size_t i = 0; i < search.events.size(); ++i) {
      if (search.events[i].sequence != static_cast<int64_t>(i) + 1) return Broken(absl::StrCat("search ", id, " misses event ", i + 1));
    }
  }
  for (const auto& [id, party] : state.parties) {
    if (id > state.counter) return Broken(absl::StrCat("party ", id, " is above the counter ", state.counter));
  }
  return absl::OkStatus();
}

}  // namespace hanas::coordinator
