// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_FAMILY_SLOT_TABLE_H_
#define HANAS_CORE_FAMILY_SLOT_TABLE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/graph/graph.h"

namespace hanas {

/// The slots of one layer; -1 where the layer has none.
struct LayerSlots {
  SlotId weight = -1;
  SlotId bias = -1;
  SlotId gamma = -1;
  SlotId beta = -1;
  int full_kernel = 1;  // of the weight slot
  /// From the largest kernel downwards: one step between neighbouring kernel choices.
  absl::InlinedVector<KernelTransform, 3> transforms;
};

/// What a layer needs of its slots when it has some of its choices.
struct LayerDemand {
  SlotKind weight_kind = SlotKind::kConvWeight;  // kLinearWeight, kConvWeight or kPatchWhitening
  int64_t outputs = 0;
  int64_t inputs = 0;             // of one group
  absl::Span<const int> kernels;  // the choices, ascending; empty for a linear layer
  bool bias = false;
  bool norm = false;
};

/// The full-size weight tensors of a space's supernet, "<layer>.weight", "<layer>.bias", "<layer>.norm.gamma", "<layer>.norm.beta" and
/// "<layer>.transform.<kernel>". Nobody lists them: they grow out of what lowering asks for (Lowering walks the space once with a table
/// that grows), each as large as the largest view of it.
///
/// Thread-compatible; const once it has grown.
class SlotTable {
 public:
  const std::vector<Slot>& slots() const { return slots_; }

  /// Null for a layer that no network of the space has.
  const LayerSlots* Find(absl::string_view layer) const;
  /// Adds the layer's slots or makes them large enough.
  const LayerSlots& Grow(absl::string_view layer, const LayerDemand& demand);

 private:
  SlotId Add(std::string name, SlotKind kind, Shape shape);
  void Widen(SlotId slot, const Shape& shape);

  std::vector<Slot> slots_;
  absl::flat_hash_map<std::string, LayerSlots> layers_;
};

}  // namespace hanas

#endif  // HANAS_CORE_FAMILY_SLOT_TABLE_H_
