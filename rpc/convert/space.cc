// SPDX-License-Identifier: Apache-2.0
#include "rpc/convert/space.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/field_violation.h"
#include "core/family/convnet/stand_in.h"

namespace hanas::rpc {
namespace {

template <typename Repeated, typename T>
void Fill(const std::vector<T>& items, Repeated* repeated) {
  repeated->Reserve(static_cast<int>(items.size()));
  for (const auto& item : items) repeated->Add(item);
}

void Fill(const std::vector<Precision>& items, google::protobuf::RepeatedPtrField<v1::Precision>* repeated) {
  for (const Precision item : items) *repeated->Add() = ToProto(item);
}

/// The wire's number of a word is its index plus one; 0 is "unspecified".
template <SpaceWord T>
int ToWire(T word) {
  return static_cast<int>(word) + 1;
}

template <SpaceWord T>
void FillWords(const std::vector<T>& items, google::protobuf::RepeatedField<int>* repeated) {
  for (const T item : items) repeated->Add(ToWire(item));
}

/// Reads fields of one message; those that are absent keep their defaults.
class Reader {
 public:
  Reader(std::string path, ConversionViolations& violations) : path_(std::move(path)), violations_(violations) {}

  template <typename T, typename Repeated>
  void List(const Repeated& repeated, std::vector<T>& out) const {
    if (!repeated.empty()) out.assign(repeated.begin(), repeated.end());
  }

  template <SpaceWord T>
  void Word(int wire, const std::string& field, T& out) const {
    if (wire >= 1 && wire <= static_cast<int>(Words<T>().size())) {
      out = static_cast<T>(wire - 1);
    } else {
      violations_.AddUnspecified(path_ + "." + field, absl::AsciiStrToUpper(absl::StrJoin(Words<T>(), ", ")));
    }
  }

  template <SpaceWord T>
  void WordList(const google::protobuf::RepeatedField<int>& repeated, const std::string& field, std::vector<T>& out) const {
    if (!repeated.empty()) out.clear();
    for (int i = 0; i < repeated.size(); ++i) Word(repeated[i], absl::StrCat(field, "[", i, "]"), out.emplace_back());
  }

  Precision One(const v1::Precision& proto, const std::string& path) const {
    return {violations_.Byte(proto.weight_bits(), path + ".weight_bits"),
            violations_.Byte(proto.activation_bits(), path + ".activation_bits")};
  }

  void Precisions(const google::protobuf::RepeatedPtrField<v1::Precision>& protos, const std::string& field,
                  std::vector<Precision>& out) const {
    if (!protos.empty()) out.clear();
    for (int i = 0; i < protos.size(); ++i) out.push_back(One(protos[i], absl::StrCat(path_, ".", field, "[", i, "]")));
  }

 private:
  std::string path_;
  ConversionViolations& violations_;
};

BlockSpec ReadBlock(const v1::BlockSpec& proto, const std::string& path, ConversionViolations& violations) {
  const Reader reader(path, violations);
  BlockSpec block;
  reader.List(proto.kernels(), block.kernels);
  reader.List(proto.expansions(), block.expansions);
  reader.List(proto.squeeze_excite(), block.squeeze_excite);
  reader.WordList(proto.activations(), "activations", block.activations);
  reader.Precisions(proto.expand_precisions(), "expand_precisions", block.expand_precisions);
  reader.Precisions(proto.depthwise_precisions(), "depthwise_precisions", block.depthwise_precisions);
  reader.Precisions(proto.project_precisions(), "project_precisions", block.project_precisions);
  return block;
}

StageSpec ReadStage(const v1::StageSpec& proto, const std::string& path, ConversionViolations& violations) {
  const Reader reader(path, violations);
  StageSpec stage;
  reader.List(proto.widths(), stage.widths);
  reader.List(proto.depths(), stage.depths);
  if (proto.has_stride()) stage.stride = proto.stride();
  reader.WordList(proto.kinds(), "kinds", stage.kinds);
  reader.WordList(proto.downsamples(), "downsamples", stage.downsamples);
  if (proto.has_bottleneck()) stage.bottleneck = proto.bottleneck();
  if (proto.has_groups()) stage.groups = proto.groups();
  if (proto.has_squeeze_style()) reader.Word(proto.squeeze_style(), "squeeze_style", stage.squeeze_style);
  for (int i = 0; i < proto.blocks_size(); ++i)
    stage.blocks.push_back(ReadBlock(proto.blocks(i), absl::StrCat(path, ".blocks[", i, "]"), violations));
  return stage;
}

StemSpec ReadStem(const v1::StemSpec& proto, int input_channels, const std::string& path, ConversionViolations& violations) {
  const Reader reader(path, violations);
  StemSpec stem;
  if (proto.whitening()) stem = WhiteningStem(input_channels, proto.has_kernel() ? proto.kernel() : kWhiteningKernel);
  if (proto.has_kernel()) stem.kernel = proto.kernel();
  reader.List(proto.widths(), stem.widths);
  if (proto.has_stride()) stem.stride = proto.stride();
  if (proto.has_activation()) reader.Word(proto.activation(), "activation", stem.activation);
  reader.Precisions(proto.precisions(), "precisions", stem.precisions);
  stem.max_pool = proto.max_pool();
  return stem;
}

HeadSpec ReadHead(const v1::HeadSpec& proto, const std::string& path, ConversionViolations& violations) {
  const Reader reader(path, violations);
  HeadSpec head;
  reader.List(proto.widths(), head.widths);
  if (proto.has_activation()) reader.Word(proto.activation(), "activation", head.activation);
  reader.Precisions(proto.precisions(), "precisions", head.precisions);
  reader.WordList(proto.pools(), "pools", head.pools);
  head.hidden = proto.hidden();
  if (proto.has_hidden_bias()) head.hidden_bias = proto.hidden_bias();
  reader.Precisions(proto.hidden_precisions(), "hidden_precisions", head.hidden_precisions);
  reader.Precisions(proto.classifier_precisions(), "classifier_precisions", head.classifier_precisions);
  return head;
}

v1::BlockSpec ToProto(const BlockSpec& block) {
  v1::BlockSpec proto;
  Fill(block.kernels, proto.mutable_kernels());
  Fill(block.expansions, proto.mutable_expansions());
  Fill(block.squeeze_excite, proto.mutable_squeeze_excite());
  FillWords(block.activations, proto.mutable_activations());
  Fill(block.expand_precisions, proto.mutable_expand_precisions());
  Fill(block.depthwise_precisions, proto.mutable_depthwise_precisions());
  Fill(block.project_precisions, proto.mutable_project_precisions());
  return proto;
}

v1::StageSpec ToProto(const StageSpec& stage) {
  v1::StageSpec proto;
  Fill(stage.widths, proto.mutable_widths());
  Fill(stage.depths, proto.mutable_depths());
  proto.set_stride(stage.stride);
  FillWords(stage.kinds, proto.mutable_kinds());
  FillWords(stage.downsamples, proto.mutable_downsamples());
  proto.set_bottleneck(stage.bottleneck);
  proto.set_groups(stage.groups);
  proto.set_squeeze_style(static_cast<v1::SqueezeStyle>(ToWire(stage.squeeze_style)));
  for (const BlockSpec& block : stage.blocks) *proto.add_blocks() = ToProto(block);
  return proto;
}

v1::StemSpec ToProto(const StemSpec& stem) {
  v1::StemSpec proto;
  Fill(stem.widths, proto.mutable_widths());
  proto.set_kernel(stem.kernel);
  proto.set_stride(stem.stride);
  proto.set_activation(static_cast<v1::Activation>(ToWire(stem.activation)));
  Fill(stem.precisions, proto.mutable_precisions());
  proto.set_whitening(stem.whitening);
  proto.set_max_pool(stem.max_pool);
  return proto;
}

v1::HeadSpec ToProto(const HeadSpec& head) {
  v1::HeadSpec proto;
  Fill(head.widths, proto.mutable_widths());
  proto.set_activation(static_cast<v1::Activation>(ToWire(head.activation)));
  Fill(head.precisions, proto.mutable_precisions());
  FillWords(head.pools, proto.mutable_pools());
  proto.set_hidden(head.hidden);
  proto.set_hidden_bias(head.hidden_bias);
  Fill(head.hidden_precisions, proto.mutable_hidden_precisions());
  Fill(head.classifier_precisions, proto.mutable_classifier_precisions());
  return proto;
}

SpaceSpec ReadWholeSpace(const v1::SpaceSpec& proto, absl::string_view path, ConversionViolations& violations) {
  const std::string at(path);
  SpaceSpec spec;
  spec.name = proto.name();
  spec.resolutions.assign(proto.resolutions().begin(), proto.resolutions().end());
  spec.input_channels = proto.input_channels();
  spec.num_classes = proto.num_classes();
  spec.stem = ReadStem(proto.stem(), spec.input_channels, at + ".stem", violations);
  for (int i = 0; i < proto.stages_size(); ++i)
    spec.stages.push_back(ReadStage(proto.stages(i), absl::StrCat(at, ".stages[", i, "]"), violations));
  spec.head = ReadHead(proto.head(), at + ".head", violations);
  return spec;
}

/// Takes out of a preset's whitening stem what it has for being one, so that it follows what the message says of kernel, input channels and
/// whitening.
void ClearDerived(const SpaceSpec& preset, v1::StemSpec& stem) {
  if (!preset.stem.whitening) return;
  const StemSpec derived = WhiteningStem(preset.input_channels);
  if (preset.stem.kernel == derived.kernel) stem.clear_kernel();
  if (preset.stem.widths == derived.widths) stem.clear_widths();
  if (preset.stem.stride == derived.stride) stem.clear_stride();
  if (preset.stem.activation == derived.activation) stem.clear_activation();
}

/// Takes out of `base` the lists that `over` has, so that merging replaces them and does not append.
void ClearLists(const google::protobuf::Message& over, google::protobuf::Message& base) {
  const google::protobuf::Reflection& reflection = *over.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(over, &fields);
  for (const google::protobuf::FieldDescriptor* const field : fields) {
    if (field->is_repeated()) {
      reflection.ClearField(&base, field);
    } else if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) {
      ClearLists(reflection.GetMessage(over, field), *reflection.MutableMessage(&base, field));
    }
  }
}

SpaceSpec ReadSpaceWithPreset(const v1::SpaceSpec& proto, absl::string_view path, PresetFinder find_preset,
                              ConversionViolations& violations) {
  const absl::StatusOr<SpaceSpec> preset =
      find_preset != nullptr ? find_preset(proto.preset())
                             : absl::InvalidArgumentError(absl::StrCat("expected a space in full, found the name of a preset, \"",
                                                                       absl::CHexEscape(proto.preset()), "\""));
  if (!preset.ok()) {
    violations.Add(absl::StrCat(path, ".preset"), std::string(preset.status().message()));
    return StandInSpace();  // without the preset that was meant, nothing can be said of the rest
  }
  v1::SpaceSpec whole = rpc::ToProto(*preset);
  ClearDerived(*preset, *whole.mutable_stem());
  ClearLists(proto, whole);
  whole.MergeFrom(proto);
  return ReadWholeSpace(whole, path, violations);
}

}  // namespace

v1::Precision ToProto(Precision precision) {
  v1::Precision proto;
  proto.set_weight_bits(precision.weight_bits);
  proto.set_activation_bits(precision.activation_bits);
  return proto;
}

absl::StatusOr<Precision> PrecisionFromProto(const v1::Precision& proto, absl::string_view path) {
  ConversionViolations violations;
  const Precision precision = Reader("", violations).One(proto, std::string(path));
  if (!IsLegal(precision)) {
    violations.validated().Add(std::string(path),
                               absl::StrCat("expected one of w16a16, w8a16, w4a16, w2a16, w8a8, w4a8, w2a8, found ", ToString(precision)));
  }
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  return precision;
}

v1::SpaceSpec ToProto(const SpaceSpec& spec) {
  v1::SpaceSpec proto;
  proto.set_name(spec.name);
  Fill(spec.resolutions, proto.mutable_resolutions());
  proto.set_input_channels(spec.input_channels);
  proto.set_num_classes(spec.num_classes);
  *proto.mutable_stem() = ToProto(spec.stem);
  for (const StageSpec& stage : spec.stages) *proto.add_stages() = ToProto(stage);
  *proto.mutable_head() = ToProto(spec.head);
  return proto;
}

SpaceSpec ReadSpaceSpec(const v1::SpaceSpec& proto, absl::string_view path, PresetFinder find_preset, ConversionViolations& violations) {
  if (proto.preset().empty()) return ReadWholeSpace(proto, path, violations);
  return ReadSpaceWithPreset(proto, path, find_preset, violations);
}

absl::StatusOr<SpaceSpec> SpaceSpecFromProto(const v1::SpaceSpec& proto, absl::string_view path) {
  ConversionViolations violations;
  SpaceSpec spec = ReadSpaceSpec(proto, path, /*find_preset=*/nullptr, violations);
  ValidateSpaceSpec(spec, path, violations.validated());
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  return spec;
}

absl::StatusOr<SpaceSpec> SpaceSpecFromStoredProto(const v1::SpaceSpec& proto) {
  ConversionViolations violations;
  SpaceSpec spec = ReadSpaceSpec(proto, "space", /*find_preset=*/nullptr, violations);
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  return spec;
}

v1::Architecture ToProto(const Architecture& architecture) {
  v1::Architecture proto;
  proto.mutable_genes()->assign(architecture.genes.begin(), architecture.genes.end());
  return proto;
}

absl::StatusOr<Architecture> ArchitectureFromProto(const v1::Architecture& proto, const SearchSpace& space, absl::string_view path) {
  Architecture architecture;
  architecture.genes.assign(proto.genes().begin(), proto.genes().end());
  if (const absl::Status status = space.CheckArchitecture(architecture); !status.ok()) {
    FieldViolations violations;
    violations.Add(absl::StrCat(path, ".genes"), std::string(status.message()));
    return violations.ToStatus();
  }
  space.Canonicalise(architecture);
  return architecture;
}

}  // namespace hanas::rpc
