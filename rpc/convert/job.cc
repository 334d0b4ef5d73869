// SPDX-License-Identifier: Apache-2.0
#include "rpc/convert/job.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/log/absl_check.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/job/fields.h"
#include "core/job/goals.h"
#include "rpc/convert/space.h"
#include "rpc/convert/violations.h"

namespace hanas::rpc {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

/// Every row of the table is a field of the message: tests convert each of them.
const FieldDescriptor& FieldNamed(absl::string_view name, const Message& message) {
  const FieldDescriptor* const field = message.GetDescriptor()->FindFieldByName(std::string(name));
  ABSL_CHECK(field != nullptr) << message.GetDescriptor()->full_name() << " has no field " << name;
  return *field;
}

bool IsThere(const Message& message, const FieldDescriptor& field) {
  return field.is_repeated() ? message.GetReflection()->FieldSize(message, &field) > 0 : message.GetReflection()->HasField(message, &field);
}

// ---- reading ----

/// Reads one field of a message that has it.
struct FieldReader {
  const Message& message;
  const FieldDescriptor& field;
  std::string path;
  ConversionViolations& violations;

  const google::protobuf::Reflection& reflection() const { return *message.GetReflection(); }

  void operator()(std::string* place) const { *place = reflection().GetString(message, &field); }
  void operator()(bool* place) const { *place = reflection().GetBool(message, &field); }
  void operator()(int* place) const { *place = reflection().GetInt32(message, &field); }
  void operator()(int64_t* place) const { *place = reflection().GetInt64(message, &field); }
  void operator()(uint64_t* place) const { *place = reflection().GetUInt64(message, &field); }
  void operator()(double* place) const { *place = reflection().GetDouble(message, &field); }
  void operator()(const WordPlace& place) const {
    const int number = reflection().GetEnumValue(message, &field);
    if (number < 1 || static_cast<size_t>(number) > place.names.size())
      return violations.AddUnspecified(path, absl::AsciiStrToUpper(absl::StrJoin(place.names, ", ")));
    *place.index = static_cast<uint8_t>(number - 1);
  }
  template <typename Element>
  void operator()(std::vector<Element>* elements) const {
    elements->clear();
    for (int i = 0; i < reflection().FieldSize(message, &field); ++i) {
      const Message& proto = reflection().GetRepeatedMessage(message, &field, i);
      Element& element = elements->emplace_back();
      for (const ElementField<Element>& part : ElementFields<Element>()) {
        const FieldDescriptor& of_part = FieldNamed(part.path, proto);
        if (of_part.has_presence() && !IsThere(proto, of_part)) continue;  // keeps its default
        std::visit(FieldReader{proto, of_part, absl::StrCat(path, "[", i, "].", part.path), violations}, part.place(element));
      }
    }
  }
};

/// Reads the fields below `prefix`, which `root` is the message of, and gives those that are absent their defaults.
void ReadFields(const Message& root, absl::string_view prefix, SearchJob& job, ConversionViolations& violations) {
  std::vector<const JobField*> absent;
  for (const JobField& row : JobFields()) {
    absl::string_view rest = row.path;
    if (!absl::ConsumePrefix(&rest, prefix)) continue;
    const Message* message = &root;
    bool there = true;
    for (size_t dot = rest.find('.'); dot != absl::string_view::npos; dot = rest.find('.')) {
      const FieldDescriptor& part = FieldNamed(rest.substr(0, dot), *message);
      there = there && IsThere(*message, part);
      message = &message->GetReflection()->GetMessage(*message, &part);
      rest.remove_prefix(dot + 1);
    }
    const FieldDescriptor& field = FieldNamed(rest, *message);
    if (there && IsThere(*message, field)) {
      std::visit(FieldReader{*message, field, std::string(row.path), violations}, row.place(job));
    } else {
      absent.push_back(&row);
    }
  }
  for (const JobField* const row : absent) {
    if (row->when_absent != nullptr) row->when_absent(job);
  }
}

// ---- writing ----

template <typename Element>
void WriteElement(const Element& element, Message& proto);

/// Writes one field. What is 0 where the message cannot tell 0 from absent is absent.
struct FieldWriter {
  Message& message;
  const FieldDescriptor& field;

  const google::protobuf::Reflection& reflection() const { return *message.GetReflection(); }

  void operator()(absl::string_view text) const { reflection().SetString(&message, &field, std::string(text)); }
  void operator()(bool value) const { reflection().SetBool(&message, &field, value); }
  void operator()(int64_t value) const {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_INT32) {
      reflection().SetInt32(&message, &field, static_cast<int32_t>(value));
    } else {
      reflection().SetInt64(&message, &field, value);
    }
  }
  void operator()(uint64_t value) const { reflection().SetUInt64(&message, &field, value); }
  void operator()(double value) const { reflection().SetDouble(&message, &field, value); }
  void operator()(const ChosenWord& choice) const { reflection().SetEnumValue(&message, &field, choice.index + 1); }
  template <typename Element>
  void operator()(absl::Span<const Element> elements) const {
    for (const Element& element : elements) WriteElement(element, *reflection().AddMessage(&message, &field));
  }
};

template <typename Element>
void WriteElement(const Element& element, Message& proto) {
  for (const ElementField<Element>& part : ElementFields<Element>())
    std::visit(FieldWriter{proto, FieldNamed(part.path, proto)}, ValueOf(part, element));
}

void WriteFields(const SearchJob& job, absl::string_view prefix, Message& root) {
  for (const JobField& row : JobFields()) {
    absl::string_view rest = row.path;
    if (!absl::ConsumePrefix(&rest, prefix)) continue;
    Message* message = &root;
    for (size_t dot = rest.find('.'); dot != absl::string_view::npos; dot = rest.find('.')) {
      message = message->GetReflection()->MutableMessage(message, &FieldNamed(rest.substr(0, dot), *message));
      rest.remove_prefix(dot + 1);
    }
    std::visit(FieldWriter{*message, FieldNamed(rest, *message)}, ValueOf(row, job));
  }
}

/// The message of one element of a list.
template <typename Proto, typename Element>
Proto ElementToProto(const Element& element) {
  Proto proto;
  WriteElement(element, proto);
  return proto;
}

/// The message of one part of a job.
template <typename Proto, typename Part>
Proto PartToProto(const Part& part, Part SearchJob::* member, absl::string_view prefix) {
  SearchJob job;
  job.*member = part;
  Proto proto;
  WriteFields(job, prefix, proto);
  return proto;
}

template <typename Part>
absl::StatusOr<Part> PartFromProto(const Message& proto, Part SearchJob::* member, absl::string_view prefix,
                                   void (*validate)(const Part&, FieldViolations&)) {
  ConversionViolations violations;
  SearchJob job;
  ReadFields(proto, prefix, job, violations);
  validate(job.*member, violations.validated());
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  return std::move(job.*member);
}

SearchJob ReadJob(const v1::SearchSpec& proto, PresetFinder find_preset, absl::Status& refused) {
  ConversionViolations violations;
  SearchJob job;
  ReadFields(proto, "", job, violations);
  job.space = ReadSpaceSpec(proto.space(), "space", find_preset, violations);
  if (proto.space().name().empty()) job.space.name = job.name;
  ValidateSearchJob(job, violations.validated());
  if (proto.has_target() && !proto.targets().empty()) violations.validated().Add("targets", kTargetBesideTargets);
  refused = violations.ToStatus();
  return job;
}

}  // namespace

v1::DatasetSpec ToProto(const DatasetSpec& dataset) { return PartToProto<v1::DatasetSpec>(dataset, &SearchJob::dataset, "dataset."); }
v1::TrainingSpec ToProto(const TrainingSpec& training) {
  return PartToProto<v1::TrainingSpec>(training, &SearchJob::training, "training.");
}
v1::TargetSpec ToProto(const TargetSpec& target) { return ElementToProto<v1::TargetSpec>(target); }
v1::Limit ToProto(const LimitSpec& limit) { return ElementToProto<v1::Limit>(limit); }
v1::BudgetSpec ToProto(const BudgetSpec& budget) { return PartToProto<v1::BudgetSpec>(budget, &SearchJob::budget, "budget."); }

v1::LatencyStatistic ToProto(LatencyStatistic statistic) { return ToProto(TargetSpec{.statistic = statistic}).statistic(); }

absl::StatusOr<DatasetSpec> DatasetSpecFromProto(const v1::DatasetSpec& proto) {
  return PartFromProto(proto, &SearchJob::dataset, "dataset.", &ValidateDatasetSpec);
}

absl::StatusOr<TrainingSpec> TrainingSpecFromProto(const v1::TrainingSpec& proto) {
  return PartFromProto(proto, &SearchJob::training, "training.", &ValidateTrainingSpec);
}

v1::SearchSpec ToProto(const SearchJob& job) {
  v1::SearchSpec proto;
  WriteFields(job, "", proto);
  if (!job.targets.empty()) proto.clear_target();
  *proto.mutable_space() = ToProto(job.space);
  return proto;
}

SearchJob SearchJobFromStoredProto(const v1::SearchSpec& proto, absl::Status& refused) {
  return ReadJob(proto, /*find_preset=*/nullptr, refused);
}

absl::StatusOr<SearchJob> SearchJobFromProto(const v1::SearchSpec& proto, PresetFinder find_preset) {
  absl::Status refused;
  SearchJob job = ReadJob(proto, find_preset, refused);
  if (!refused.ok()) return refused;
  return job;
}

}  // namespace hanas::rpc
