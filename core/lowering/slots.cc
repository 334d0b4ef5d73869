// SPDX-License-Identifier: Apache-2.0
#include "core/lowering/slots.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace hanas {
namespace {

int64_t Granularity(const std::vector<int>& widths) {
  int64_t divisor = 0;
  for (const int width : widths) divisor = std::gcd(divisor, int64_t{width});
  return divisor;
}

}  // namespace

int64_t MiddleChannels(int64_t input_channels, double expansion) {
  return expansion == 1.0 ? input_channels : MakeDivisible(static_cast<double>(input_channels) * expansion, 8);
}

int64_t SqueezeChannels(int64_t middle_channels) {
  const int64_t quarter = middle_channels / 4;  // rounded down, as the MobileNetV3 implementations do
  return MakeDivisible(static_cast<double>(quarter), 8);
}

int SlotTable::AddGroup(std::string name, int64_t size, int64_t granularity) {
  groups_.push_back({std::move(name), size, granularity});
  return static_cast<int>(groups_.size()) - 1;
}

SlotId SlotTable::AddSlot(std::string name, SlotKind kind, std::initializer_list<Axis> axes) {
  Slot slot = {.name = std::move(name), .kind = kind, .shape = {}, .axis_groups = {}};
  for (const Axis& axis : axes) {
    slot.shape.push_back(axis.size);
    slot.axis_groups.push_back(axis.group);
  }
  slots_.push_back(std::move(slot));
  return static_cast<SlotId>(slots_.size()) - 1;
}

LayerSlots SlotTable::AddConv(const std::string& name, int out_group, Axis in, int kernel) {
  LayerSlots layer;
  const Axis out = GroupAxis(out_group);
  layer.weight = AddSlot(name + ".weight", SlotKind::kConvWeight, {out, in, {kernel, -1}, {kernel, -1}});
  layer.gamma = AddSlot(name + ".norm.gamma", SlotKind::kNormGamma, {out});
  layer.beta = AddSlot(name + ".norm.beta", SlotKind::kNormBeta, {out});
  return layer;
}

LayerSlots SlotTable::AddLinear(const std::string& name, Axis out, Axis in) {
  LayerSlots layer;
  layer.weight = AddSlot(name + ".weight", SlotKind::kLinearWeight, {out, in});
  layer.bias = AddSlot(name + ".bias", SlotKind::kBias, {out});
  return layer;
}

BlockSlots SlotTable::AddBlock(const BlockSpec& spec, const std::string& name, int in_group, int out_group) {
  BlockSlots block;
  const double largest_expansion = spec.expansions.back();
  const bool expands = largest_expansion != 1.0;
  const int64_t middle = MiddleChannels(groups_[static_cast<size_t>(in_group)].size, largest_expansion);
  // Without any expansion the middle is the residual stream itself.
  const int middle_group = expands ? AddGroup(name + ".mid", middle, 8) : in_group;
  if (expands) block.expand = AddConv(name + ".expand", middle_group, GroupAxis(in_group), 1);
  block.depthwise = AddConv(name + ".depthwise", middle_group, {1, -1}, spec.kernels.back());
  for (size_t i = spec.kernels.size(); i > 1; --i) {
    const int to = spec.kernels[i - 2];
    const SlotId matrix =
        AddSlot(absl::StrCat(name, ".depthwise.transform.", to), SlotKind::kKernelTransform, {{to * to, -1}, {to * to, -1}});
    block.transforms.push_back({.from = spec.kernels[i - 1], .to = to, .matrix = matrix});
  }
  if (spec.squeeze_excite.back()) {
    const int squeeze_group = AddGroup(name + ".se", SqueezeChannels(middle), 8);
    block.squeeze_reduce = AddLinear(name + ".se.reduce", GroupAxis(squeeze_group), GroupAxis(middle_group));
    block.squeeze_expand = AddLinear(name + ".se.expand", GroupAxis(middle_group), GroupAxis(squeeze_group));
  }
  block.project = AddConv(name + ".project", out_group, GroupAxis(middle_group), 1);
  return block;
}

SlotTable::SlotTable(const ConvnetSpace& space) {
  const SpaceSpec& spec = space.spec();
  int stream = AddGroup("stem", spec.stem.widths.back(), Granularity(spec.stem.widths));
  stem_ = AddConv("stem", stream, {spec.input_channels, -1}, spec.stem.kernel);
  for (int s = 0; s < space.num_stages(); ++s) {
    const StageSpec& stage = spec.stages[static_cast<size_t>(s)];
    const int stage_stream = AddGroup(absl::StrCat("stages.", s), stage.widths.back(), Granularity(stage.widths));
    blocks_.emplace_back();
    for (int b = 0; b < space.max_depth(s); ++b) {
      const std::string name = absl::StrCat("stages.", s, ".blocks.", b);
      blocks_.back().push_back(AddBlock(stage.blocks[static_cast<size_t>(b)], name, b == 0 ? stream : stage_stream, stage_stream));
    }
    stream = stage_stream;
  }
  int features = AddGroup("head", spec.head.widths.back(), Granularity(spec.head.widths));
  head_conv_ = AddConv("head.conv", features, GroupAxis(stream), 1);
  if (spec.head.hidden > 0) {
    const int hidden_group = AddGroup("hidden", spec.head.hidden, 1);
    hidden_ = AddLinear("head.hidden", GroupAxis(hidden_group), GroupAxis(features));
    features = hidden_group;
  }
  classifier_ = AddLinear("classifier", {spec.num_classes, -1}, GroupAxis(features));
}

}  // namespace hanas
