// SPDX-License-Identifier: Apache-2.0
#include "coordinator/service/search_convert.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "rpc/convert/job.h"

namespace hanas::coordinator {

absl::StatusOr<SearchJob> ParseSpec(absl::string_view bytes) {
  v1::SearchSpec spec;
  if (!spec.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError(absl::StrCat("expected a search specification, found ", bytes.size(), " bytes that are none"));
  }
  return rpc::SearchJobFromProto(spec);
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

v1::Search ToProto(const SearchSnapshot& snapshot) {
  const SearchRecord& record = snapshot.record;
  v1::Search proto;
  proto.set_name(absl::StrCat("searches/", record.id));
  proto.mutable_spec()->ParseFromString(record.spec);
  proto.set_phase(ToProto(record.phase));
  for (const PhaseRecord& phase : record.phases) *proto.add_progress() = ToProto(phase);
  if (proto.progress_size() > 0) proto.mutable_progress(proto.progress_size() - 1)->set_note(snapshot.blocked_on);
  proto.set_error(record.error);
  proto.set_error_code(record.error_code);
  proto.set_job_digest(record.job_digest.ToHex());
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
  proto.set_phase(ToProto(snapshot.record.phase));
  proto.set_kind("progress");
  if (!snapshot.record.phases.empty()) *proto.mutable_progress() = ToProto(snapshot.record.phases.back());
  proto.mutable_progress()->set_note(snapshot.blocked_on);
  return proto;
}

}  // namespace hanas::coordinator
