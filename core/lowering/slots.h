// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_LOWERING_SLOTS_H_
#define HANAS_CORE_LOWERING_SLOTS_H_

#include <vector>

#include "core/family/convnet/convnet_space.h"
#include "core/graph/graph.h"

namespace hanas {

/// The slots of one layer; -1 where the layer has none.
struct LayerSlots {
  SlotId weight = -1;
  SlotId bias = -1;
  SlotId gamma = -1;
  SlotId beta = -1;
};

struct BlockSlots {
  LayerSlots expand;
  LayerSlots depthwise;
  LayerSlots squeeze_reduce;
  LayerSlots squeeze_expand;
  LayerSlots project;
  /// From the largest kernel downwards: one step between neighbouring kernel choices.
  std::vector<KernelTransform> transforms;
};

/// The full-size weight tensors of a space's supernet and the channel groups that tie their axes together: "stem", "stages.1" (the residual
/// stream of a stage: every block's project output and the next layers' inputs), "stages.1.blocks.0.mid", "….se", "head", "hidden".
///
/// Immutable once built, hence thread-safe.
class SlotTable {
 public:
  explicit SlotTable(const ConvnetSpace& space);

  const std::vector<Slot>& slots() const { return slots_; }
  const std::vector<ChannelGroup>& groups() const { return groups_; }
  const LayerSlots& stem() const { return stem_; }
  const BlockSlots& block(int stage, int block) const { return blocks_[static_cast<size_t>(stage)][static_cast<size_t>(block)]; }
  const LayerSlots& head_conv() const { return head_conv_; }
  const LayerSlots& hidden() const { return hidden_; }
  const LayerSlots& classifier() const { return classifier_; }

 private:
  struct Axis {
    int64_t size = 1;
    int group = -1;
  };
  int AddGroup(std::string name, int64_t size, int64_t granularity);
  SlotId AddSlot(std::string name, SlotKind kind, std::initializer_list<Axis> axes);
  Axis GroupAxis(int group) const { return {groups_[static_cast<size_t>(group)].size, group}; }
  LayerSlots AddConv(const std::string& name, int out_group, Axis in, int kernel);
  LayerSlots AddLinear(const std::string& name, Axis out, Axis in);
  BlockSlots AddBlock(const BlockSpec& spec, const std::string& name, int in_group, int out_group);

  std::vector<Slot> slots_;
  std::vector<ChannelGroup> groups_;
  LayerSlots stem_;
  std::vector<std::vector<BlockSlots>> blocks_;
  LayerSlots head_conv_;
  LayerSlots hidden_;
  LayerSlots classifier_;
};

/// Channels of a block's expanded (middle) tensor: `expansion` times the input, to a multiple of 8; exactly the input when there is no
/// expansion.
int64_t MiddleChannels(int64_t input_channels, double expansion);
/// Channels inside squeeze-and-excite: a quarter of the middle, to a multiple of 8.
int64_t SqueezeChannels(int64_t middle_channels);

}  // namespace hanas

#endif  // HANAS_CORE_LOWERING_SLOTS_H_
