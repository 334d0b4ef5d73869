// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/codec/record_codec.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "coordinator/store/codec/data_codec.h"
#include "coordinator/store/codec/work_codec.h"
#include "hanas/store/v1/records.pb.h"
#include "rpc/convert/device.h"
#include "rpc/convert/space.h"

namespace hanas::coordinator {
namespace {

namespace pb = store::v1;

absl::Status OutOfEnum(absl::string_view what, int value) {
  return absl::DataLossError(absl::StrCat("expected a known ", what, " in a stored record, found ", value));
}

BackendCaps Get(const v1::BackendCaps& in) {
  BackendCaps caps = {.name = in.name(), .version = in.version(), .isa = in.isa(), .native = {}};
  for (const std::string& text : in.native()) {
    const absl::StatusOr<OperatorPattern> pattern = OperatorPatternFromString(text);
    if (pattern.ok()) caps.native.push_back(*pattern);  // of another version, which this one does not plan with
  }
  return caps;
}

void Put(const TaskRecord& in, pb::Task& out) {
  out.set_id(in.id);
  out.set_search(in.search);
  out.set_key(in.key);
  out.set_shared_under(in.shared_under);
  WorkToStored(in.work, *out.mutable_work());
  out.set_state(static_cast<int>(in.state));
  out.set_attempt(in.attempt);
  out.set_fencing_token(in.fencing_token);
  out.set_party(in.party);
  out.set_instance(in.instance);
  out.set_failures(in.failures);
  out.set_error(in.error);
  out.set_error_code(in.error_code);
  for (const RecordedRound& round : in.rounds) *out.add_rounds() = ToProto(round);
  if (in.outcome.has_value()) OutcomeToStored(*in.outcome, *out.mutable_outcome());
  out.set_partial_seconds(in.partial_seconds);
}

absl::StatusOr<TaskRecord> Get(const pb::Task& in) {
  if (in.state() < 0 || in.state() > static_cast<int>(TaskState::kCancelled)) return OutOfEnum("task state", in.state());
  absl::StatusOr<Work> work = WorkFromStored(in.work());
  if (!work.ok()) return work.status();
  TaskRecord out = {.id = in.id(), .search = in.search(), .key = in.key(), .shared_under = in.shared_under(), .work = *std::move(work)};
  out.state = static_cast<TaskState>(in.state());
  out.attempt = in.attempt();
  out.fencing_token = in.fencing_token();
  out.party = in.party();
  out.instance = in.instance();
  out.failures = in.failures();
  out.error = in.error();
  out.error_code = in.error_code();
  for (const v1::RecordedRound& round : in.rounds()) out.rounds.push_back(FromProto(round));
  if (in.has_outcome()) {
    absl::StatusOr<Outcome> outcome = OutcomeFromOneof(in.outcome());
    if (!outcome.ok()) return outcome.status();
    out.outcome = *std::move(outcome);
  }
  out.partial_seconds = in.partial_seconds();
  return out;
}

void Put(const ProfileRecord& in, pb::Profile& out) {
  out.set_operator_keys(in.operator_keys);
  out.set_operator_cv_median(in.operator_cv_median);
  for (const RangeRecord& range : in.ranges) {
    pb::RangeEntry& stored = *out.add_ranges();
    stored.set_metric(range.metric);
    stored.set_low(range.low);
    stored.set_high(range.high);
  }
  out.set_share_within_limits(in.share_within_limits);
  out.set_share_samples(in.share_samples);
}
ProfileRecord Get(const pb::Profile& in) {
  ProfileRecord out = {.operator_keys = in.operator_keys(), .operator_cv_median = in.operator_cv_median()};
  for (const pb::RangeEntry& range : in.ranges()) out.ranges.push_back({range.metric(), range.low(), range.high()});
  out.share_within_limits = in.share_within_limits();
  out.share_samples = in.share_samples();
  return out;
}

void Put(const ForecastRecord& in, pb::Forecast& out) {
  out.set_operator_keys(in.operator_keys);
  out.set_training_steps(in.training_steps);
  out.set_evaluations(in.evaluations);
  out.set_measuring_seconds(in.measuring_seconds);
  out.set_training_seconds(in.training_seconds);
  out.set_disk_bytes(in.disk_bytes);
  out.set_basis(in.basis);
}
ForecastRecord Get(const pb::Forecast& in) {
  return {.operator_keys = in.operator_keys(),
          .training_steps = in.training_steps(),
          .evaluations = in.evaluations(),
          .measuring_seconds = in.measuring_seconds(),
          .training_seconds = in.training_seconds(),
          .disk_bytes = in.disk_bytes(),
          .basis = in.basis()};
}

void PutPhases(const SearchRecord& in, pb::Search& out) {
  for (const PhaseRecord& phase : in.phases) {
    pb::PhaseEntry& stored = *out.add_phases();
    stored.set_phase(static_cast<int>(phase.phase));
    stored.set_seconds(phase.seconds);
    stored.set_done(phase.done);
    stored.set_total(phase.total);
    stored.set_unit(phase.unit);
  }
}

void Put(const TargetRecord& in, pb::Target& out) {
  out.set_agent(in.agent);
  *out.mutable_device() = ToProto(in.device);
  *out.mutable_caps() = rpc::ToProto(in.caps);
  if (in.profile.has_value()) Put(*in.profile, *out.mutable_profile());
  for (const RoundRecord& round : in.rounds) {
    pb::Round& stored = *out.add_rounds();
    stored.set_round(round.round);
    stored.set_evaluations(round.evaluations);
    stored.set_held_out_tau(round.held_out_tau);
    stored.set_hypervolume(round.hypervolume);
    if (round.latency_mape.has_value()) stored.set_latency_mape(*round.latency_mape);
    stored.set_front_size(round.front_size);
  }
}
TargetRecord Get(const pb::Target& in) {
  TargetRecord out = {.agent = in.agent(), .device = FromProto(in.device()), .caps = Get(in.caps())};
  if (in.has_profile()) out.profile = Get(in.profile());
  for (const pb::Round& round : in.rounds()) {
    out.rounds.push_back({round.round(), round.evaluations(), round.held_out_tau(), round.hypervolume(),
                          round.has_latency_mape() ? std::optional(round.latency_mape()) : std::nullopt, round.front_size()});
  }
  return out;
}

void PutResults(const SearchRecord& in, pb::Search& out) {
  for (const TargetRecord& target : in.targets) Put(target, *out.add_targets());
  for (const MemberRecord& member : in.members) {
    pb::Member& stored = *out.add_members();
    stored.set_id(member.id);
    stored.set_reference(member.reference);
    stored.set_training(static_cast<int>(member.training));
    stored.set_steps(member.steps);
    stored.set_architecture(GenesToStored(member.architecture));
    *stored.mutable_shared() = ToProto(member.shared);
    stored.set_predicted_us(member.predicted_us);
    stored.set_target(static_cast<int32_t>(member.target));
    stored.set_trained_as(member.trained_as + 1);
    *stored.mutable_fine_tuned() = ToProto(member.fine_tuned);
    stored.set_final_steps(member.final_steps);
    stored.set_set_aside(member.set_aside);
    stored.set_asked(member.asked);
    if (!member.opponent.has_value()) continue;
    pb::Opponent& opponent = *stored.mutable_opponent();
    opponent.set_family(member.opponent->family);
    opponent.set_preset(member.opponent->preset);
    opponent.set_factor(member.opponent->factor);
    *opponent.mutable_space() = rpc::ToProto(member.opponent->space);
  }
  for (const LeftOutRecord& left_out : in.left_out) {
    pb::LeftOut& stored = *out.add_left_out();
    stored.set_target(static_cast<int32_t>(left_out.target));
    stored.set_id(left_out.id);
    stored.set_error_code(left_out.error_code);
    stored.set_error(left_out.error);
  }
  if (in.forecast.has_value()) Put(*in.forecast, *out.mutable_forecast());
  if (in.compute_seconds.has_value()) out.set_compute_seconds(*in.compute_seconds);
}

void Put(const SearchRecord& in, pb::Search& out) {
  out.set_id(in.id);
  out.set_request_id(in.request_id);
  out.set_spec(std::string(in.spec));
  out.set_job_digest(in.job_digest.ToHex());
  out.set_phase(static_cast<int>(in.phase));
  PutPhases(in, out);
  out.set_error(in.error);
  out.set_error_code(in.error_code);
  out.set_num_events(in.num_events);
  out.set_dataset_digest(in.dataset_digest);
  out.set_dataset_files(in.dataset_files);
  out.set_teacher(in.teacher);
  out.set_supernet(in.supernet);
  out.set_sample_set(in.sample_set);
  PutResults(in, out);
  out.set_candidates_scored(in.candidates_scored);
  out.set_scoring_seconds(in.scoring_seconds);
  out.set_paused(in.paused);
  out.set_finishing(in.finishing);
  out.set_finish_reason(in.finish_reason);
  out.set_create_time_us(in.create_time_us);
  out.set_end_time_us(in.end_time_us);
  out.set_update_time_us(in.update_time_us);
}

bool IsPhase(int value) { return value >= static_cast<int>(SearchPhase::kPending) && value <= static_cast<int>(SearchPhase::kCancelled); }

bool IsTarget(int index, const pb::Search& search) { return index >= 0 && index < search.targets_size(); }

absl::Status GetResults(const pb::Search& in, SearchRecord& out) {
  for (const pb::Target& target : in.targets()) out.targets.push_back(Get(target));
  for (const pb::Member& member : in.members()) {
    const absl::StatusOr<TrainingKind> training = TrainingKindFromStored(member.training());
    if (!training.ok()) return training.status();
    const bool refers = member.trained_as() > 0 && member.trained_as() <= static_cast<int32_t>(out.members.size());
    if (member.trained_as() != 0 && !refers) return OutOfEnum("member that another is trained as", member.trained_as());
    if (!IsTarget(member.target(), in)) return OutOfEnum("target", member.target());
    out.members.push_back({.target = static_cast<uint32_t>(member.target()),
                           .id = member.id(),
                           .reference = member.reference(),
                           .training = *training,
                           .steps = member.steps(),
                           .architecture = GenesFromStored(member.architecture()),
                           .shared = FromProto(member.shared()),
                           .predicted_us = member.predicted_us(),
                           .trained_as = member.trained_as() - 1,
                           .fine_tuned = FromProto(member.fine_tuned()),
                           .final_steps = member.final_steps(),
                           .set_aside = member.set_aside(),
                           .asked = member.asked()});
    if (!member.has_opponent()) continue;
    const pb::Opponent& opponent = member.opponent();
    absl::StatusOr<SpaceSpec> space = SpaceFromStored(opponent.space());
    if (!space.ok()) return space.status();
    out.members.back().opponent = {opponent.family(), opponent.preset(), opponent.factor(), *std::move(space)};
  }
  for (const pb::LeftOut& left_out : in.left_out()) {
    if (!IsTarget(left_out.target(), in)) return OutOfEnum("target", left_out.target());
    out.left_out.push_back({static_cast<uint32_t>(left_out.target()), left_out.id(), left_out.error_code(), left_out.error()});
  }
  if (in.has_forecast()) out.forecast = Get(in.forecast());
  if (in.has_compute_seconds()) out.compute_seconds = in.compute_seconds();
  return absl::OkStatus();
}

absl::StatusOr<SearchRecord> Get(const pb::Search& in) {
  const absl::StatusOr<Digest> digest = Digest::FromHex(in.job_digest());
  if (!digest.ok()) return absl::DataLossError(absl::StrCat("a stored search: ", digest.status().message()));
  if (!IsPhase(in.phase())) return OutOfEnum("phase", in.phase());
  SearchRecord out = {.id = in.id(), .request_id = in.request_id(), .spec = absl::Cord(in.spec()), .job_digest = *digest};
  out.phase = static_cast<SearchPhase>(in.phase());
  for (const pb::PhaseEntry& phase : in.phases()) {
    if (!IsPhase(phase.phase())) return OutOfEnum("phase", phase.phase());
    out.phases.push_back({static_cast<SearchPhase>(phase.phase()), phase.seconds(), phase.done(), phase.total(), phase.unit()});
  }
  out.error = in.error();
  out.error_code = in.error_code();
  out.num_events = in.num_events();
  out.dataset_digest = in.dataset_digest();
  out.dataset_files = in.dataset_files();
  out.teacher = in.teacher();
  out.supernet = in.supernet();
  out.sample_set = in.sample_set();
  if (absl::Status status = GetResults(in, out); !status.ok()) return status;
  out.candidates_scored = in.candidates_scored();
  out.scoring_seconds = in.scoring_seconds();
  out.paused = in.paused();
  out.finishing = in.finishing();
  out.finish_reason = in.finish_reason();
  out.create_time_us = in.create_time_us();
  out.end_time_us = in.end_time_us();
  out.update_time_us = in.update_time_us();
  return out;
}

void Put(const EventRecord& in, pb::Event& out) {
  out.set_search(in.search);
  out.set_sequence(in.sequence);
  out.set_phase(static_cast<int>(in.phase));
  out.set_kind(in.kind);
  out.set_text(in.text);
}
absl::StatusOr<EventRecord> Get(const pb::Event& in) {
  if (!IsPhase(in.phase())) return OutOfEnum("phase", in.phase());
  return EventRecord{in.search(), in.sequence(), static_cast<SearchPhase>(in.phase()), in.kind(), in.text()};
}

void Put(const PartyRecord& in, pb::Party& out) {
  out.set_id(in.id);
  out.set_agent(in.agent);
  out.set_name(in.name);
  out.set_instance(in.instance);
  out.set_host(in.host);
  out.set_version(in.version);
  out.set_threads(in.threads);
  out.set_multiplies_bf16(in.multiplies_bf16);
  for (const std::string& dataset : in.datasets) out.add_datasets(dataset);
  for (const std::string& digest : in.dataset_digests) out.add_dataset_digests(digest);
  *out.mutable_device() = ToProto(in.device);
  *out.mutable_caps() = rpc::ToProto(in.caps);
  out.set_draining(in.draining);
  out.set_completed_tasks(in.completed_tasks);
  out.set_failed_tasks(in.failed_tasks);
  out.set_health(static_cast<int>(in.health));
  out.set_slow_canaries(in.slow_canaries);
  if (in.last_host.has_value()) *out.mutable_last_host() = ToProto(*in.last_host);
  out.set_key(in.key);
  out.set_create_time_us(in.create_time_us);
  out.set_update_time_us(in.update_time_us);
}
bool IsHealth(int value) { return value >= 0 && value <= static_cast<int>(DeviceHealth::kQuarantined); }

PartyRecord Get(const pb::Party& in) {
  PartyRecord out = {.id = in.id(),
                     .agent = in.agent(),
                     .name = in.name(),
                     .instance = in.instance(),
                     .host = in.host(),
                     .version = in.version(),
                     .key = in.key(),
                     .threads = in.threads(),
                     .multiplies_bf16 = in.multiplies_bf16(),
                     .datasets = {in.datasets().begin(), in.datasets().end()},
                     .dataset_digests = {in.dataset_digests().begin(), in.dataset_digests().end()},
                     .device = FromProto(in.device()),
                     .caps = Get(in.caps())};
  out.draining = in.draining();
  out.completed_tasks = in.completed_tasks();
  out.failed_tasks = in.failed_tasks();
  if (in.health() != 0) out.health = static_cast<DeviceHealth>(in.health());
  out.slow_canaries = in.slow_canaries();
  if (in.has_last_host()) out.last_host = FromProto(in.last_host());
  out.create_time_us = in.create_time_us();
  out.update_time_us = in.update_time_us();
  return out;
}

v1::OperatorRow LatencyToProto(const LatencyRecord& in) {
  return ToProto(OperatorMeasurement{in.key, in.row.flushed_us, in.row.hot_us, in.row.cv, in.row.num_rounds, in.row.noisy});
}
LatencyRecord LatencyFromProto(const v1::OperatorRow& in) {
  return {in.key(), {in.flushed_us(), in.hot_us(), in.cv(), in.rounds(), in.noisy()}};
}

struct Writer {
  pb::Record& out;
  void operator()(const CounterRecord& r) const { out.set_counter(r.last); }
  void operator()(const SearchRecord& r) const { Put(r, *out.mutable_search()); }
  void operator()(const TaskRecord& r) const { Put(r, *out.mutable_task()); }
  void operator()(const EventRecord& r) const { Put(r, *out.mutable_event()); }
  void operator()(const PartyRecord& r) const { Put(r, *out.mutable_party()); }
  void operator()(const LatencyRecord& r) const { *out.mutable_latency() = LatencyToProto(r); }
};

template <typename T>
absl::StatusOr<AnyRecord> Widen(absl::StatusOr<T> record) {
  if (!record.ok()) return record.status();
  return AnyRecord(*std::move(record));
}

}  // namespace

std::string SerialiseRecord(const AnyRecord& record) {
  pb::Record stored;
  stored.set_version(kRecordVersion);
  std::visit(Writer{stored}, record);
  return stored.SerializeAsString();
}

absl::StatusOr<AnyRecord> ParseRecord(absl::string_view bytes) {
  pb::Record stored;
  if (!stored.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError(absl::StrCat("expected a stored record, found ", bytes.size(), " bytes that are none"));
  }
  if (stored.version() > kRecordVersion) {
    return absl::FailedPreconditionError(absl::StrCat("expected records of version ", kRecordVersion, " or older, found ", stored.version(),
                                                      ": install the newer HA-NAS that wrote them, or use a new directory"));
  }
  switch (stored.record_case()) {
    case pb::Record::kCounter:
      return AnyRecord(CounterRecord{stored.counter()});
    case pb::Record::kSearch:
      return Widen(Get(stored.search()));
    case pb::Record::kTask:
      return Widen(Get(stored.task()));
    case pb::Record::kEvent:
      return Widen(Get(stored.event()));
    case pb::Record::kParty:
      if (!IsHealth(stored.party().health())) return OutOfEnum("device health", stored.party().health());
      return AnyRecord(Get(stored.party()));
    case pb::Record::kLatency:
      return AnyRecord(LatencyFromProto(stored.latency()));
    case pb::Record::RECORD_NOT_SET:
      break;
  }
  return absl::DataLossError("expected a stored record to say what it is, found nothing");
}

}  // namespace hanas::coordinator
