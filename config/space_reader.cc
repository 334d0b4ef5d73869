// SPDX-License-Identifier: Apache-2.0
#include "config/space_reader.h"

#include <algorithm>
#include <optional>

#include "config/presets.h"
#include "core/base/bounds.h"
#include "core/family/convnet/stand_in.h"

namespace hanas::config {
namespace {

/// Choices and the path in the file that they were written at; empty when they are a default.
template <typename T>
struct Choices {
  std::vector<T> values;
  std::string origin;
};
using PrecisionChoices = Choices<Precision>;

struct BlockChoices {
  Choices<int> kernels;
  Choices<double> expansions;
  Choices<bool> squeeze_excite;
  Choices<Activation> activations;
  PrecisionChoices expand;
  PrecisionChoices depthwise;
  PrecisionChoices project;
};

BlockChoices DefaultBlock(const PrecisionChoices& precisions) {
  const BlockSpec spec;
  return {.kernels = {spec.kernels, ""},
          .expansions = {spec.expansions, ""},
          .squeeze_excite = {spec.squeeze_excite, ""},
          .activations = {spec.activations, ""},
          .expand = precisions,
          .depthwise = precisions,
          .project = precisions};
}

template <typename T>
void ReadChoices(MapReader& reader, absl::string_view key, Choices<T>& choices) {
  if (reader.ReadList(key, choices.values)) choices.origin = reader.PathOf(key);
}

/// What a stage or one entry of its `blocks` says about a block.
void ReadBlock(MapReader& reader, BlockChoices& block) {
  ReadChoices(reader, "kernels", block.kernels);
  ReadChoices(reader, "expansions", block.expansions);
  ReadChoices(reader, "squeeze_excite", block.squeeze_excite);
  ReadChoices(reader, "activations", block.activations);
  PrecisionChoices all;
  ReadChoices(reader, "precisions", all);
  if (!all.origin.empty()) block.expand = block.depthwise = block.project = all;
  ReadChoices(reader, "expand_precisions", block.expand);
  ReadChoices(reader, "depthwise_precisions", block.depthwise);
  ReadChoices(reader, "project_precisions", block.project);
}

template <typename T>
std::vector<T> Place(const Choices<T>& choices, const std::string& block_path, absl::string_view field, SourceMap& source) {
  if (!choices.origin.empty()) source.SetOrigin(absl::StrCat(block_path, ".", field), choices.origin);
  return choices.values;
}

BlockSpec ToSpec(const BlockChoices& block, const std::string& path, SourceMap& source) {
  BlockSpec spec;
  spec.kernels = Place(block.kernels, path, "kernels", source);
  spec.expansions = Place(block.expansions, path, "expansions", source);
  spec.squeeze_excite = Place(block.squeeze_excite, path, "squeeze_excite", source);
  spec.activations = Place(block.activations, path, "activations", source);
  spec.expand_precisions = Place(block.expand, path, "expand_precisions", source);
  spec.depthwise_precisions = Place(block.depthwise, path, "depthwise_precisions", source);
  spec.project_precisions = Place(block.project, path, "project_precisions", source);
  return spec;
}

StageSpec ReadStage(const YAML::Node& node, const std::string& path, const PrecisionChoices& precisions, SourceMap& source) {
  MapReader reader(node, path, source);
  StageSpec stage;
  reader.ReadList("widths", stage.widths, Need::kRequired);
  reader.ReadList("depths", stage.depths, Need::kRequired);
  reader.Read("stride", stage.stride);
  reader.ReadList("kinds", stage.kinds);
  reader.ReadList("downsamples", stage.downsamples);
  reader.Read("bottleneck", stage.bottleneck);
  reader.Read("groups", stage.groups);
  reader.Read("squeeze_style", stage.squeeze_style);
  BlockChoices common = DefaultBlock(precisions);
  ReadBlock(reader, common);
  const auto overrides = reader.ReadMaps("blocks");
  reader.Finish();

  const int deepest = stage.depths.empty() ? 0 : std::clamp(stage.depths.back(), 0, bounds::kMaxDepth);
  if (overrides.size() > static_cast<size_t>(deepest) && !stage.depths.empty() && stage.depths.back() <= bounds::kMaxDepth) {
    source.Fail(path + ".blocks",
                absl::StrCat("expected at most ", deepest, " entries, one for each block of the deepest choice, found ", overrides.size()));
  }
  for (size_t i = 0; i < static_cast<size_t>(deepest); ++i) {
    BlockChoices block = common;
    const std::string block_path = absl::StrCat(path, ".blocks[", i, "]");
    if (i < overrides.size() && !overrides[i].second.IsNull()) {
      MapReader block_reader(overrides[i].second, block_path, source);
      ReadBlock(block_reader, block);
      block_reader.Finish();
    }
    stage.blocks.push_back(ToSpec(block, block_path, source));
  }
  return stage;
}

/// The first and the last layer have 8 weight bits or more; the space's common choices are narrowed to those for them.
std::vector<Precision> AtLeastEightBits(const std::vector<Precision>& precisions) {
  std::vector<Precision> kept;
  for (const Precision precision : precisions) {
    if (precision.weight_bits >= 8) kept.push_back(precision);
  }
  return kept.empty() ? std::vector<Precision>{{8, 8}} : kept;
}

void ReadPrecisions(MapReader& reader, absl::string_view key, const PrecisionChoices& inherited, std::vector<Precision>& out,
                    SourceMap& source) {
  if (!inherited.origin.empty()) out = inherited.values;
  if (!reader.ReadList(key, out) && !inherited.origin.empty()) source.SetOrigin(reader.PathOf(key), inherited.origin);
}

StemSpec ReadStem(const YAML::Node& node, const std::string& path, const PrecisionChoices& edge, const SpaceSpec& space,
                  SourceMap& source) {
  MapReader reader(node, path, source);
  StemSpec stem;
  reader.Read("whitening", stem.whitening);
  if (stem.whitening) stem.kernel = kWhiteningKernel;
  reader.Read("kernel", stem.kernel);
  if (stem.whitening) stem = WhiteningStem(space.input_channels, stem.kernel);
  reader.Read("stride", stem.stride);
  reader.Read("max_pool", stem.max_pool);
  reader.Read("activation", stem.activation);
  reader.ReadList("widths", stem.widths);
  ReadPrecisions(reader, "precisions", edge, stem.precisions, source);
  reader.Finish();
  return stem;
}

HeadSpec ReadHead(const YAML::Node& node, const std::string& path, const PrecisionChoices& common, const PrecisionChoices& edge,
                  SourceMap& source) {
  MapReader reader(node, path, source);
  HeadSpec head;
  reader.ReadList("widths", head.widths);
  reader.Read("activation", head.activation);
  reader.ReadList("pools", head.pools);
  ReadPrecisions(reader, "precisions", common, head.precisions, source);
  reader.Read("hidden", head.hidden);
  reader.Read("hidden_bias", head.hidden_bias);
  ReadPrecisions(reader, "hidden_precisions", common, head.hidden_precisions, source);
  ReadPrecisions(reader, "classifier_precisions", edge, head.classifier_precisions, source);
  reader.Finish();
  return head;
}

/// A copy that was written nowhere: mistakes in it are told at the place of what encloses it.
YAML::Node WithoutMarks(const YAML::Node& node) {
  if (node.IsScalar()) return YAML::Node(node.Scalar());
  YAML::Node copy(node.Type());
  if (node.IsSequence()) {
    for (const YAML::Node& item : node) copy.push_back(WithoutMarks(item));
  }
  if (node.IsMap()) {
    for (const auto& pair : node) copy.force_insert(pair.first.Scalar(), WithoutMarks(pair.second));
  }
  return copy;
}

/// The keys of `base` that `over` does not have, before those of `over`; maps that both have are joined likewise.
YAML::Node Joined(const YAML::Node& base, const YAML::Node& over, int depth) {
  YAML::Node joined(YAML::NodeType::Map);
  for (const auto& pair : base) {
    const YAML::Node own = over[pair.first.Scalar()];
    if (!own.IsDefined()) joined.force_insert(pair.first, pair.second);
  }
  for (const auto& pair : over) {
    const YAML::Node inherited = pair.first.IsScalar() ? base[pair.first.Scalar()] : YAML::Node(YAML::NodeType::Undefined);
    const bool both = depth > 0 && inherited.IsDefined() && inherited.IsMap() && pair.second.IsMap();
    joined.force_insert(pair.first, both ? Joined(inherited, pair.second, depth - 1) : pair.second);
  }
  return joined;
}

/// `node` with what the preset that it names says and it does not; nothing when there is no such preset.
std::optional<YAML::Node> WithPreset(const YAML::Node& node, const std::string& path, SourceMap& source) {
  if (!node.IsMap() || !node["preset"].IsDefined()) return node;
  const YAML::Node name = node["preset"];
  const std::string at = path + ".preset";
  source.SetLocation(at, name.Mark());
  if (!name.IsScalar()) {
    source.Fail(at, absl::StrCat("expected the name of a preset, found a ", name.IsSequence() ? "list"
                                                                            : name.IsMap()    ? "map"
                                                                                              : "missing value"));
    return std::nullopt;
  }
  const absl::StatusOr<Preset> preset = FindPreset(name.Scalar());
  if (!preset.ok()) {
    source.Fail(at, preset.status().message());
    return std::nullopt;
  }
  return Joined(WithoutMarks(YAML::Load(std::string(preset->text))), node, /*depth=*/1);
}

SpaceSpec ReadResolvedSpace(const YAML::Node& node, const std::string& path, const std::string& default_name, SourceMap& source) {
  MapReader reader(node, path, source);
  SpaceSpec space;
  reader.Take("preset");  // what it says is in the map already
  space.name = default_name;
  reader.Read("name", space.name);
  reader.ReadList("resolutions", space.resolutions, Need::kRequired);
  reader.Read("input_channels", space.input_channels, Need::kRequired);
  reader.Read("num_classes", space.num_classes, Need::kRequired);
  PrecisionChoices common = {BlockSpec{}.expand_precisions, ""};
  ReadChoices(reader, "precisions", common);
  const PrecisionChoices edge = {AtLeastEightBits(common.values), common.origin};

  if (const auto stem = reader.Take("stem")) {
    space.stem = ReadStem(*stem, reader.PathOf("stem"), edge, space, source);
  } else if (!edge.origin.empty()) {
    space.stem.precisions = edge.values;
  }
  const auto stages = reader.ReadMaps("stages", Need::kRequired);
  if (stages.size() > bounds::kMaxStages) {
    source.Fail(reader.PathOf("stages"), absl::StrCat("expected at most ", bounds::kMaxStages, " stages, found ", stages.size()));
  }
  for (const auto& [stage_path, stage] : stages) {
    if (stages.size() > bounds::kMaxStages) break;
    space.stages.push_back(ReadStage(stage, stage_path, common, source));
  }
  if (const auto head = reader.Take("head", Need::kRequired)) space.head = ReadHead(*head, reader.PathOf("head"), common, edge, source);
  reader.Finish();
  return space;
}

}  // namespace

SpaceSpec ReadSpace(const YAML::Node& node, const std::string& path, const std::string& default_name, SourceMap& source) {
  const std::optional<YAML::Node> resolved = WithPreset(node, path, source);
  // Without the preset that was meant, nothing can be said of the rest.
  return resolved.has_value() ? ReadResolvedSpace(*resolved, path, default_name, source) : StandInSpace();
}

}  // namespace hanas::config
