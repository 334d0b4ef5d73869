// SPDX-License-Identifier: Apache-2.0
#include "rpc/convert/space.h"

#include "absl/strings/str_cat.h"
#include "core/base/field_violation.h"

namespace hanas::rpc {
namespace {

constexpr absl::string_view kActivations = "RELU, HARD_SWISH";

template <typename Repeated, typename T>
void Fill(const std::vector<T>& items, Repeated* repeated) {
  repeated->Reserve(static_cast<int>(items.size()));
  for (const auto& item : items) repeated->Add(item);
}

void Fill(const std::vector<Precision>& items, google::protobuf::RepeatedPtrField<v1::Precision>* repeated) {
  for (const Precision item : items) *repeated->Add() = ToProto(item);
}

template <typename T, typename Repeated>
std::vector<T> List(const Repeated& repeated) {
  return std::vector<T>(repeated.begin(), repeated.end());
}

Activation ReadActivation(v1::Activation proto, const std::string& path, ConversionViolations& violations) {
  switch (proto) {
    case v1::RELU:
      return Activation::kRelu;
    case v1::HARD_SWISH:
      return Activation::kHardSwish;
    default:
      violations.AddUnspecified(path, kActivations);
      return Activation::kRelu;
  }
}

std::vector<Activation> ReadActivations(const google::protobuf::RepeatedField<int>& protos, const std::string& path,
                                        ConversionViolations& violations) {
  std::vector<Activation> list;
  for (int i = 0; i < protos.size(); ++i) {
    list.push_back(ReadActivation(static_cast<v1::Activation>(protos[i]), absl::StrCat(path, "[", i, "]"), violations));
  }
  return list;
}

Precision ReadPrecision(const v1::Precision& proto, const std::string& path, ConversionViolations& violations) {
  return {violations.Byte(proto.weight_bits(), path + ".weight_bits"), violations.Byte(proto.activation_bits(), path + ".activation_bits")};
}

std::vector<Precision> ReadPrecisions(const google::protobuf::RepeatedPtrField<v1::Precision>& protos, const std::string& path,
                                      ConversionViolations& violations) {
  std::vector<Precision> list;
  for (int i = 0; i < protos.size(); ++i) list.push_back(ReadPrecision(protos[i], absl::StrCat(path, "[", i, "]"), violations));
  return list;
}

BlockSpec ReadBlock(const v1::BlockSpec& proto, const std::string& path, ConversionViolations& violations) {
  BlockSpec block;
  block.kernels = List<int>(proto.kernels());
  block.expansions = List<double>(proto.expansions());
  block.squeeze_excite = List<bool>(proto.squeeze_excite());
  block.activations = ReadActivations(proto.activations(), path + ".activations", violations);
  block.expand_precisions = ReadPrecisions(proto.expand_precisions(), path + ".expand_precisions", violations);
  block.depthwise_precisions = ReadPrecisions(proto.depthwise_precisions(), path + ".depthwise_precisions", violations);
  block.project_precisions = ReadPrecisions(proto.project_precisions(), path + ".project_precisions", violations);
  return block;
}

StageSpec ReadStage(const v1::StageSpec& proto, const std::string& path, ConversionViolations& violations) {
  StageSpec stage;
  stage.widths = List<int>(proto.widths());
  stage.depths = List<int>(proto.depths());
  stage.stride = proto.stride();
  for (int i = 0; i < proto.blocks_size(); ++i)
    stage.blocks.push_back(ReadBlock(proto.blocks(i), absl::StrCat(path, ".blocks[", i, "]"), violations));
  return stage;
}

v1::BlockSpec ToProto(const BlockSpec& block) {
  v1::BlockSpec proto;
  Fill(block.kernels, proto.mutable_kernels());
  Fill(block.expansions, proto.mutable_expansions());
  Fill(block.squeeze_excite, proto.mutable_squeeze_excite());
  for (const Activation activation : block.activations) proto.add_activations(rpc::ToProto(activation));
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
  for (const BlockSpec& block : stage.blocks) *proto.add_blocks() = ToProto(block);
  return proto;
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
  const Precision precision = ReadPrecision(proto, std::string(path), violations);
  if (!IsLegal(precision)) {
    violations.validated().Add(std::string(path),
                               absl::StrCat("expected one of w16a16, w8a16, w4a16, w2a16, w8a8, w4a8, w2a8, found ", ToString(precision)));
  }
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  return precision;
}

v1::Activation ToProto(Activation activation) { return activation == Activation::kRelu ? v1::RELU : v1::HARD_SWISH; }

absl::StatusOr<Activation> ActivationFromProto(v1::Activation proto, absl::string_view path) {
  ConversionViolations violations;
  const Activation activation = ReadActivation(proto, std::string(path), violations);
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  return activation;
}

v1::SpaceSpec ToProto(const SpaceSpec& spec) {
  v1::SpaceSpec proto;
  proto.set_name(spec.name);
  Fill(spec.resolutions, proto.mutable_resolutions());
  proto.set_input_channels(spec.input_channels);
  proto.set_num_classes(spec.num_classes);
  v1::StemSpec& stem = *proto.mutable_stem();
  Fill(spec.stem.widths, stem.mutable_widths());
  stem.set_kernel(spec.stem.kernel);
  stem.set_stride(spec.stem.stride);
  stem.set_activation(ToProto(spec.stem.activation));
  Fill(spec.stem.precisions, stem.mutable_precisions());
  for (const StageSpec& stage : spec.stages) *proto.add_stages() = ToProto(stage);
  v1::HeadSpec& head = *proto.mutable_head();
  Fill(spec.head.widths, head.mutable_widths());
  head.set_activation(ToProto(spec.head.activation));
  Fill(spec.head.precisions, head.mutable_precisions());
  head.set_hidden(spec.head.hidden);
  Fill(spec.head.hidden_precisions, head.mutable_hidden_precisions());
  Fill(spec.head.classifier_precisions, head.mutable_classifier_precisions());
  return proto;
}

SpaceSpec ReadSpaceSpec(const v1::SpaceSpec& proto, absl::string_view path, ConversionViolations& violations) {
  const std::string at(path);
  SpaceSpec spec;
  spec.name = proto.name();
  spec.resolutions = List<int>(proto.resolutions());
  spec.input_channels = proto.input_channels();
  spec.num_classes = proto.num_classes();
  spec.stem.widths = List<int>(proto.stem().widths());
  spec.stem.kernel = proto.stem().kernel();
  spec.stem.stride = proto.stem().stride();
  spec.stem.activation = ReadActivation(proto.stem().activation(), at + ".stem.activation", violations);
  spec.stem.precisions = ReadPrecisions(proto.stem().precisions(), at + ".stem.precisions", violations);
  for (int i = 0; i < proto.stages_size(); ++i)
    spec.stages.push_back(ReadStage(proto.stages(i), absl::StrCat(at, ".stages[", i, "]"), violations));
  spec.head.widths = List<int>(proto.head().widths());
  spec.head.activation = ReadActivation(proto.head().activation(), at + ".head.activation", violations);
  spec.head.precisions = ReadPrecisions(proto.head().precisions(), at + ".head.precisions", violations);
  spec.head.hidden = proto.head().hidden();
  spec.head.hidden_precisions = ReadPrecisions(proto.head().hidden_precisions(), at + ".head.hidden_precisions", violations);
  spec.head.classifier_precisions = ReadPrecisions(proto.head().classifier_precisions(), at + ".head.classifier_precisions", violations);
  return spec;
}

absl::StatusOr<SpaceSpec> SpaceSpecFromProto(const v1::SpaceSpec& proto, absl::string_view path) {
  ConversionViolations violations;
  SpaceSpec spec = ReadSpaceSpec(proto, path, violations);
  ValidateSpaceSpec(spec, path, violations.validated());
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
