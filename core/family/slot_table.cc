// SPDX-License-Identifier: Apache-2.0
#include "core/family/slot_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hanas {

const LayerSlots* SlotTable::Find(absl::string_view layer) const {
  const auto found = layers_.find(layer);
  return found == layers_.end() ? nullptr : &found->second;
}

SlotId SlotTable::Add(std::string name, SlotKind kind, Shape shape) {
  slots_.push_back({.name = std::move(name), .kind = kind, .shape = std::move(shape)});
  return static_cast<SlotId>(slots_.size()) - 1;
}

void SlotTable::Widen(SlotId slot, const Shape& shape) {
  Shape& has = slots_[static_cast<size_t>(slot)].shape;
  for (size_t axis = 0; axis < shape.size(); ++axis) has[axis] = std::max(has[axis], shape[axis]);
}

const LayerSlots& SlotTable::Grow(absl::string_view layer, const LayerDemand& demand) {
  LayerSlots& slots = layers_[layer];
  Shape weight = {demand.outputs, demand.inputs};
  if (!demand.kernels.empty()) weight.insert(weight.end(), {demand.kernels.back(), demand.kernels.back()});
  if (slots.weight < 0) {
    slots.weight = Add(absl::StrCat(layer, ".weight"), demand.weight_kind, weight);
    for (size_t i = demand.kernels.size(); i > 1; --i) {
      const int to = demand.kernels[i - 2];
      const int64_t taps = int64_t{to} * to;
      const SlotId matrix = Add(absl::StrCat(layer, ".transform.", to), SlotKind::kKernelTransform, {taps, taps});
      slots.transforms.push_back({.from = demand.kernels[i - 1], .to = to, .matrix = matrix});
    }
    if (!demand.kernels.empty()) slots.full_kernel = demand.kernels.back();
  }
  Widen(slots.weight, weight);
  const auto vector = [&](bool wanted, absl::string_view name, SlotKind kind, SlotId& slot) {
    if (!wanted) return;
    if (slot < 0) slot = Add(absl::StrCat(layer, name), kind, {demand.outputs});
    Widen(slot, {demand.outputs});
  };
  vector(demand.bias, ".bias", SlotKind::kBias, slots.bias);
  vector(demand.norm, ".norm.gamma", SlotKind::kNormGamma, slots.gamma);
  vector(demand.norm, ".norm.beta", SlotKind::kNormBeta, slots.beta);
  return slots;
}

}  // namespace hanas
