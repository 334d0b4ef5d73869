// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/codec/work_codec.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "coordinator/store/codec/data_codec.h"
#include "rpc/convert/space.h"

namespace hanas::coordinator {
namespace {

namespace pb = store::v1;

/// The space of its own that the network of a work is of, if it is.
template <typename Message>
absl::StatusOr<std::optional<SpaceSpec>> OwnSpaceOf(const Message& in) {
  if (!in.has_space()) return std::nullopt;
  absl::StatusOr<SpaceSpec> space = SpaceFromStored(in.space());
  if (!space.ok()) return space.status();
  return std::optional(*std::move(space));
}

void Put(const TeacherRef& in, pb::Teacher& out) {
  *out.mutable_checkpoint() = ToProto(in.checkpoint);
  *out.mutable_space() = rpc::ToProto(in.space);
  out.set_architecture(GenesToStored(in.architecture));
}
/// Of what is trained in a work, if it has one.
template <typename Message>
absl::StatusOr<std::optional<TeacherRef>> TeacherOf(const Message& in) {
  if (!in.has_teacher()) return std::nullopt;
  absl::StatusOr<SpaceSpec> space = SpaceFromStored(in.teacher().space());
  if (!space.ok()) return space.status();
  return TeacherRef{FromProto(in.teacher().checkpoint()), *std::move(space), GenesFromStored(in.teacher().architecture())};
}

void Put(const TrainWork& in, pb::TrainWork& out) {
  out.set_kind(static_cast<int>(in.kind));
  out.set_slice(GenesToStored(in.slice));
  if (!in.initial.empty()) *out.mutable_initial() = ToProto(in.initial);
  out.set_from_step(in.from_step);
  out.set_to_step(in.to_step);
  out.set_total_steps(in.total_steps);
  if (in.space.has_value()) *out.mutable_space() = rpc::ToProto(*in.space);
  if (in.teacher.has_value()) Put(*in.teacher, *out.mutable_teacher());
}
absl::StatusOr<Work> Get(const pb::TrainWork& in) {
  const absl::StatusOr<TrainingKind> kind = TrainingKindFromStored(in.kind());
  if (!kind.ok()) return kind.status();
  absl::StatusOr<std::optional<SpaceSpec>> space = OwnSpaceOf(in);
  if (!space.ok()) return space.status();
  absl::StatusOr<std::optional<TeacherRef>> teacher = TeacherOf(in);
  if (!teacher.ok()) return teacher.status();
  return TrainWork{.kind = *kind,
                   .slice = GenesFromStored(in.slice()),
                   .initial = FromProto(in.initial()),
                   .from_step = in.from_step(),
                   .to_step = in.to_step(),
                   .total_steps = in.total_steps(),
                   .space = *std::move(space),
                   .teacher = *std::move(teacher)};
}

void Put(const EvaluateWork& in, pb::EvaluateWork& out) {
  *out.mutable_checkpoint() = ToProto(in.checkpoint);
  for (const Architecture& architecture : in.architectures) out.add_architectures(GenesToStored(architecture));
  for (const std::string& digest : in.graph_digests) out.add_graph_digests(digest);
  out.set_all_validation_images(in.all_validation_images);
  out.mutable_steps()->Assign(in.steps.begin(), in.steps.end());
  if (in.teacher.has_value()) Put(*in.teacher, *out.mutable_teacher());
}
absl::StatusOr<Work> Get(const pb::EvaluateWork& in) {
  absl::StatusOr<std::optional<TeacherRef>> teacher = TeacherOf(in);
  if (!teacher.ok()) return teacher.status();
  if (in.steps_size() != 0 && in.steps_size() != in.architectures_size()) {
    return absl::DataLossError(
        absl::StrCat("expected steps for each of ", in.architectures_size(), " networks or none, found ", in.steps_size()));
  }
  EvaluateWork out = {.checkpoint = FromProto(in.checkpoint())};
  for (const std::string& genes : in.architectures()) out.architectures.push_back(GenesFromStored(genes));
  out.graph_digests.assign(in.graph_digests().begin(), in.graph_digests().end());
  out.all_validation_images = in.all_validation_images();
  out.steps.assign(in.steps().begin(), in.steps().end());
  out.teacher = *std::move(teacher);
  return out;
}

void Put(const FitWork& in, pb::FitWork& out) { out.set_num_evaluations(in.num_evaluations); }
FitWork Get(const pb::FitWork& in) { return {.num_evaluations = in.num_evaluations()}; }

void Put(const BindWork& in, pb::BindWork& out) {
  *out.mutable_checkpoint() = ToProto(in.checkpoint);
  out.set_architecture(GenesToStored(in.architecture));
  out.set_graph_digest(in.graph_digest);
  if (in.space.has_value()) *out.mutable_space() = rpc::ToProto(*in.space);
}
absl::StatusOr<Work> Get(const pb::BindWork& in) {
  absl::StatusOr<std::optional<SpaceSpec>> space = OwnSpaceOf(in);
  if (!space.ok()) return space.status();
  return BindWork{.checkpoint = FromProto(in.checkpoint()),
                  .architecture = GenesFromStored(in.architecture()),
                  .graph_digest = in.graph_digest(),
                  .space = *std::move(space)};
}

void Put(const PackWork&, pb::PackWork&) {}
PackWork Get(const pb::PackWork&) { return {}; }

void Put(const MeasureOperatorsWork& in, pb::MeasureOperatorsWork& out) { out.mutable_keys()->Assign(in.keys.begin(), in.keys.end()); }
MeasureOperatorsWork Get(const pb::MeasureOperatorsWork& in) { return {.keys = {in.keys().begin(), in.keys().end()}}; }

void Put(const MeasureNetworksWork& in, pb::MeasureNetworksWork& out) {
  for (const Architecture& architecture : in.architectures) out.add_architectures(GenesToStored(architecture));
  for (const std::string& digest : in.plan_digests) out.add_plan_digests(digest);
  for (const SpaceSpec& space : in.spaces) *out.add_spaces() = rpc::ToProto(space);
}
absl::StatusOr<Work> Get(const pb::MeasureNetworksWork& in) {
  MeasureNetworksWork out;
  if (in.spaces_size() != 0 && in.spaces_size() != in.architectures_size()) {
    return absl::DataLossError(
        absl::StrCat("expected a space for each of ", in.architectures_size(), " networks or none, found ", in.spaces_size()));
  }
  for (const v1::SpaceSpec& stored : in.spaces()) {
    absl::StatusOr<SpaceSpec> space = SpaceFromStored(stored);
    if (!space.ok()) return space.status();
    out.spaces.push_back(*std::move(space));
  }
  for (const std::string& genes : in.architectures()) out.architectures.push_back(GenesFromStored(genes));
  out.plan_digests.assign(in.plan_digests().begin(), in.plan_digests().end());
  return out;
}

void Put(const VerifyWork& in, pb::VerifyWork& out) {
  *out.mutable_bound_model() = ToProto(in.bound_model);
  *out.mutable_onnx() = ToProto(in.onnx);
  *out.mutable_images() = ToProto(in.images);
}
VerifyWork Get(const pb::VerifyWork& in) {
  return {.bound_model = FromProto(in.bound_model()), .onnx = FromProto(in.onnx()), .images = FromProto(in.images())};
}

// An outcome is written as on the wire.
template <typename Plain, typename Message>
void Put(const Plain& in, Message& out)
  requires requires { out = ToProto(in); }
{
  out = ToProto(in);
}
template <typename Message>
auto Get(const Message& in)
  requires requires { FromProto(in); }
{
  return FromProto(in);
}

// ---- the alternatives of work and outcome ----

/// A variant as a message with one oneof: an alternative is the field that has its message's type. `Stored` are those types, in the order
/// of the variant; each pair has a Put and a Get above.
template <typename Variant, typename... Stored>
struct OneofCodec {
  using Plain = Variant;

  static void Write(const Variant& value, google::protobuf::Message& out) { WriteAt(value, out, std::index_sequence_for<Stored...>()); }

  /// Returns DATA_LOSS with `none` when the message has no alternative, or one that only a newer version knows.
  static absl::StatusOr<Variant> Read(const google::protobuf::Message& in, absl::string_view none) {
    absl::StatusOr<Variant> value = absl::DataLossError(none);
    const google::protobuf::Reflection& reflection = *in.GetReflection();
    const google::protobuf::FieldDescriptor* const field = reflection.GetOneofFieldDescriptor(in, in.GetDescriptor()->oneof_decl(0));
    if (field != nullptr) (ReadAs<Stored>(reflection.GetMessage(in, field), value), ...);
    return value;
  }

 private:
  template <size_t... index>
  static void WriteAt(const Variant& value, google::protobuf::Message& out, std::index_sequence<index...>) {
    (WriteAs<Stored>(std::get_if<index>(&value), out), ...);
  }

  /// Unless the variant holds another alternative.
  template <typename T>
  static void WriteAs(const auto* plain, google::protobuf::Message& out) {
    if (plain == nullptr) return;
    const google::protobuf::OneofDescriptor& oneof = *out.GetDescriptor()->oneof_decl(0);
    int i = 0;
    while (i < oneof.field_count() && oneof.field(i)->message_type() != T::descriptor()) ++i;
    CHECK_LT(i, oneof.field_count()) << T::descriptor()->full_name();  // store_work_kinds_test writes every kind
    Put(*plain, static_cast<T&>(*out.GetReflection()->MutableMessage(&out, oneof.field(i))));
  }

  /// Unless the message is of another type.
  template <typename T>
  static void ReadAs(const google::protobuf::Message& alternative, absl::StatusOr<Variant>& value) {
    if (alternative.GetDescriptor() == T::descriptor()) value = Get(static_cast<const T&>(alternative));
  }
};

/// How a kind is kept: what it asks for and what comes of it, each as records have it and as it is stored.
template <typename PlainWork, typename StoredWork, typename PlainOutcome, typename StoredOutcome>
struct KindCodec {};

template <typename... Kind>
struct KindCodecs;
template <typename... PlainWork, typename... StoredWork, typename... PlainOutcome, typename... StoredOutcome>
struct KindCodecs<KindCodec<PlainWork, StoredWork, PlainOutcome, StoredOutcome>...> {
  using OfWork = OneofCodec<std::variant<PlainWork...>, StoredWork...>;
  using OfOutcome = OneofCodec<std::variant<PlainOutcome...>, StoredOutcome...>;
};

// clang-format off: a row for each kind.
using Kinds = KindCodecs<
    KindCodec<TrainWork, pb::TrainWork, TrainOutcome, v1::TrainResult>,
    KindCodec<EvaluateWork, pb::EvaluateWork, EvaluateOutcome, v1::EvaluateResult>,
    KindCodec<FitWork, pb::FitWork, FitOutcome, v1::FitPredictorResult>,
    KindCodec<BindWork, pb::BindWork, BindOutcome, v1::BindResult>,
    KindCodec<PackWork, pb::PackWork, PackOutcome, v1::PackImagesResult>,
    KindCodec<MeasureOperatorsWork, pb::MeasureOperatorsWork, MeasureOperatorsOutcome, v1::MeasureOperatorsResult>,
    KindCodec<MeasureNetworksWork, pb::MeasureNetworksWork, MeasureNetworksOutcome, v1::MeasureNetworksResult>,
    KindCodec<VerifyWork, pb::VerifyWork, VerifyOutcome, v1::VerifyModelResult>>;
// clang-format on
static_assert(std::is_same_v<Kinds::OfWork::Plain, Work>, "a row for each alternative, in their order");
static_assert(std::is_same_v<Kinds::OfOutcome::Plain, Outcome>, "a row for each alternative, in their order");

}  // namespace

std::string GenesToStored(const Architecture& architecture) { return std::string(architecture.genes.begin(), architecture.genes.end()); }
Architecture GenesFromStored(const std::string& genes) { return {.genes = std::vector<uint8_t>(genes.begin(), genes.end())}; }

absl::StatusOr<TrainingKind> TrainingKindFromStored(int stored) {
  if (stored >= 0 && stored <= static_cast<int>(TrainingKind::kFinal)) return static_cast<TrainingKind>(stored);
  return absl::DataLossError(absl::StrCat("expected a known kind of training in a stored record, found ", stored));
}

absl::StatusOr<SpaceSpec> SpaceFromStored(const v1::SpaceSpec& stored) {
  absl::StatusOr<SpaceSpec> space = rpc::SpaceSpecFromStoredProto(stored);
  if (!space.ok()) return absl::DataLossError(absl::StrCat("expected a search space in a stored record: ", space.status().message()));
  return space;
}

void WorkToStored(const Work& work, pb::Work& out) { Kinds::OfWork::Write(work, out); }
absl::StatusOr<Work> WorkFromStored(const pb::Work& stored) {
  return Kinds::OfWork::Read(stored, "expected a stored task to say its work, found none");
}

void OutcomeToStored(const Outcome& outcome, pb::Outcome& out) { Kinds::OfOutcome::Write(outcome, out); }
absl::StatusOr<Outcome> OutcomeFromOneof(const google::protobuf::Message& message) {
  return Kinds::OfOutcome::Read(message, "expected an outcome to say what it is of, found nothing");
}

}  // namespace hanas::coordinator
