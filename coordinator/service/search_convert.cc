// SPDX-License-Identifier: Apache-2.0
#include "coordinator/service/search_convert.h"

#include <google/protobuf/util/time_util.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "rpc/convert/job.h"
#include "rpc/convert/space.h"

namespace hanas::coordinator {

using ::google::protobuf::util::TimeUtil;

absl::StatusOr<StoredJob> ParseSpec(absl::string_view bytes) {
  v1::SearchSpec spec;
  if (!spec.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError(absl::StrCat("expected a search specification, found ", bytes.size(), " bytes that are none"));
  }
  absl::Status refused;
  SearchJob job = rpc::SearchJobFromStoredProto(spec, refused);
  return StoredJob(std::move(job), std::move(refused));
}

v1::Phase ToProto(SearchPhase phase) { return static_cast<v1::Phase>(static_cast<int>(phase)); }

v1::PhaseProgress ToProto(const PhaseRecord& phase) {
  v1::PhaseProgress proto;
  proto.set_phase(ToProto(phase.phase));
  proto.set_done(phase.done);
  proto.set_total(phase.total);
  proto.set_unit(phase.unit);
  proto.set_seconds(phase.seconds);
  return proto;
}

v1::Blocker ToProto(const Blocker& blocker) {
  v1::Blocker proto;
  proto.set_code(std::string(Name(blocker.code)));
  proto.set_text(blocker.text);
  proto.set_resource(blocker.resource);
  return proto;
}

v1::Forecast ToProto(const ForecastRecord& forecast) {
  v1::Forecast proto;
  proto.set_operator_keys(forecast.operator_keys);
  proto.set_training_steps(forecast.training_steps);
  proto.set_evaluations(forecast.evaluations);
  proto.set_measuring_seconds(forecast.measuring_seconds);
  proto.set_training_seconds(forecast.training_seconds);
  if (forecast.measuring_seconds > 0 && forecast.training_seconds > 0)
    proto.set_total_seconds(forecast.measuring_seconds + forecast.training_seconds);
  proto.set_disk_bytes(forecast.disk_bytes);
  proto.set_basis(forecast.basis);
  return proto;
}

v1::TaskSummary ToProto(const TaskSnapshot& snapshot) {
  const TaskRecord& task = snapshot.task;
  v1::TaskSummary proto;
  proto.set_name(absl::StrCat("tasks/", task.id));
  proto.set_key(task.key);
  proto.set_state(static_cast<v1::TaskSummary::State>(static_cast<int>(task.state) + 1));
  if (task.party != 0) proto.set_holder(absl::StrCat(snapshot.agent ? "devices/" : "workers/", task.party));
  proto.set_attempt(task.attempt);
  proto.set_failures(task.failures);
  proto.set_error(task.error);
  proto.set_error_code(task.error_code);
  proto.set_done(snapshot.live.done);
  proto.set_total(snapshot.live.total);
  proto.set_note(snapshot.live.note);
  return proto;
}

v1::Candidate ToProto(const CandidateRow& candidate) {
  v1::Candidate proto;
  proto.set_sequence(candidate.sequence);
  *proto.mutable_architecture() = rpc::ToProto(candidate.architecture);
  proto.set_accuracy(candidate.score.fraction());
  proto.set_latency_us(candidate.latency_us);
  proto.set_latency_measured(candidate.latency_measured);
  proto.set_size_bytes(candidate.size_bytes);
  if (candidate.worker != 0) proto.set_worker(absl::StrCat("workers/", candidate.worker));
  return proto;
}

v1::ReplaySearchResponse ToProto(const ReplayResult& result) {
  v1::ReplaySearchResponse proto;
  proto.set_steps(result.steps);
  proto.set_tasks(result.tasks);
  proto.set_identical(result.identical);
  proto.set_difference(result.difference);
  return proto;
}

namespace {

/// Everything but the specification.
v1::Search WithoutSpec(const SearchSnapshot& snapshot) {
  const SearchRecord& record = snapshot.record;
  v1::Search proto;
  if (record.id != 0) proto.set_name(absl::StrCat("searches/", record.id));
  proto.set_phase(record.paused ? v1::PHASE_PAUSED : ToProto(record.phase));
  if (record.paused) proto.set_paused_phase(ToProto(record.phase));
  for (const PhaseRecord& phase : record.phases) *proto.add_progress() = ToProto(phase);
  if (proto.progress_size() > 0) proto.mutable_progress(proto.progress_size() - 1)->set_note(snapshot.note);
  proto.set_error(record.error);
  proto.set_error_code(record.error_code);
  proto.set_job_digest(record.job_digest.ToHex());
  proto.set_finishing(record.finishing);
  proto.set_last_sequence(record.num_events);
  for (const Blocker& blocker : snapshot.blockers) *proto.add_blockers() = ToProto(blocker);
  if (record.create_time_us > 0) *proto.mutable_create_time() = TimeUtil::MicrosecondsToTimestamp(record.create_time_us);
  if (record.update_time_us > 0) *proto.mutable_update_time() = TimeUtil::MicrosecondsToTimestamp(record.update_time_us);
  if (record.end_time_us > 0) *proto.mutable_end_time() = TimeUtil::MicrosecondsToTimestamp(record.end_time_us);
  *proto.mutable_forecast() = ToProto(snapshot.forecast);
  proto.mutable_spent()->set_wall_seconds(snapshot.spent.wall_seconds);
  proto.mutable_spent()->set_device_seconds(snapshot.spent.device_seconds);
  proto.mutable_spent()->set_evaluations(snapshot.spent.evaluations);
  return proto;
}

void Abridge(const SearchJob& job, v1::Search& search) {
  v1::SearchSpec& spec = *search.mutable_spec();
  spec.set_name(job.name);
  spec.set_seed(job.seed);
  *spec.mutable_dataset() = rpc::ToProto(job.dataset);
  if (job.targets.empty()) *spec.mutable_target() = rpc::ToProto(job.target);
  for (const TargetSpec& target : job.targets) *spec.add_targets() = rpc::ToProto(target);
  for (const ObjectiveSpec& objective : job.objectives) spec.add_objectives()->set_of(objective.of);
  for (const LimitSpec& limit : job.limits) *spec.add_limits() = rpc::ToProto(limit);
  *spec.mutable_budget() = rpc::ToProto(job.budget);
  search.set_spec_abridged(true);
}

}  // namespace

v1::Search ToProto(const SearchSnapshot& snapshot) {
  v1::Search proto = WithoutSpec(snapshot);
  if (snapshot.record.spec.size() > kMaxSpecBytes) {
    Abridge(*snapshot.job, proto);
  } else {
    proto.mutable_spec()->ParseFromString(std::string(snapshot.record.spec));
  }
  return proto;
}

v1::Search ToAbridgedProto(const SearchSnapshot& snapshot) {
  v1::Search proto = WithoutSpec(snapshot);
  Abridge(*snapshot.job, proto);
  return proto;
}

v1::SearchEvent ToProto(const EventRecord& event) {
  v1::SearchEvent proto;
  proto.set_sequence(event.sequence);
  proto.set_phase(ToProto(event.phase));
  proto.set_kind(event.kind);
  proto.set_text(event.text);
  return proto;
}

v1::SearchEvent ProgressEvent(const SearchSnapshot& snapshot) {
  v1::SearchEvent proto;
  proto.set_sequence(snapshot.record.num_events);
  proto.set_phase(snapshot.record.paused ? v1::PHASE_PAUSED : ToProto(snapshot.record.phase));
  proto.set_kind("progress");
  if (!snapshot.record.phases.empty()) *proto.mutable_progress() = ToProto(snapshot.record.phases.back());
  proto.mutable_progress()->set_note(snapshot.note);
  return proto;
}

}  // namespace hanas::coordinator
