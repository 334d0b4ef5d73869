// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_FAMILY_NET_BUILDER_H_
#define HANAS_CORE_FAMILY_NET_BUILDER_H_

#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/family/slot_table.h"
#include "core/graph/graph.h"
#include "core/space/precision.h"

namespace hanas {

/// All that a unit needs to know of what came before it.
struct LoweringContext {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  ElementType type = ElementType::kFloat32;  // native type of the incoming value

  friend bool operator==(const LoweringContext&, const LoweringContext&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const LoweringContext& c) {
    return H::combine(std::move(state), c.height, c.width, c.channels, c.type);
  }
};

/// A lowered unit: a graph whose input is the incoming value, and the context that follows.
struct Fragment {
  Graph graph;
  LoweringContext next;
};

/// What distinguishes one convolution from another.
struct ConvLayer {
  int64_t outputs = 0;
  /// The kernel that it has, and those it may have in this space, ascending. Odd kernels pad by half of their size, even ones not at all.
  int kernel = 1;
  absl::Span<const int> kernels;  // empty: `kernel` alone
  int stride = 1;
  int64_t groups = 1;
  Precision precision;
  FusedActivation activation = FusedActivation::kNone;
  bool norm = true;
  bool bias = false;
  bool whitening = false;  // SlotKind::kPatchWhitening
};

struct LinearLayer {
  int64_t outputs = 0;
  ElementType compute = ElementType::kFloat16;
  ElementType weight_type = ElementType::kFloat16;
  FusedActivation activation = FusedActivation::kNone;
  bool bias = true;
};

/// What a family's lowering writes a unit with: layers by name, values by id. It keeps shapes and types consistent and finds the views of
/// weights, so that a family says only which layers there are.
///
/// Thread-compatible; for one fragment.
class NetBuilder {
 public:
  /// Views are of the slots of `slots`, which has every layer that the unit will name.
  NetBuilder(const LoweringContext& context, const SlotTable& slots) : NetBuilder(context, &slots, nullptr) {}
  /// The same while the slots are not known yet: they grow.
  NetBuilder(const LoweringContext& context, SlotTable* growing) : NetBuilder(context, growing, growing) {}

  ValueId input() const { return graph_.input; }
  const Value& value(ValueId id) const { return graph_.value(id); }
  int64_t channels(ValueId id) const { return value(id).shape.back(); }

  ValueId Conv(std::string name, ValueId x, const ConvLayer& layer);
  ValueId Linear(std::string name, ValueId x, const LinearLayer& layer);
  /// kGlobalAveragePool or kGlobalMaxPool.
  ValueId GlobalPool(std::string name, ValueId x, OpKind kind);
  ValueId MaxPool(std::string name, ValueId x, int kernel, int stride, int padding);
  /// kHardSwish or kSigmoid.
  ValueId Unary(std::string name, ValueId x, OpKind kind);
  /// kAdd, kMultiply or kProduct, in the element type `compute`.
  ValueId Binary(std::string name, OpKind kind, ValueId a, ValueId b, ElementType compute,
                 FusedActivation activation = FusedActivation::kNone);

  /// `output` is what the next unit reads; with a name it is what the network answers.
  Fragment Finish(ValueId output, absl::string_view output_name = "") &&;

 private:
  NetBuilder(const LoweringContext& context, const SlotTable* slots, SlotTable* growing);
  const LayerSlots& SlotsOf(absl::string_view layer, const LayerDemand& demand);
  ValueId Append(std::string name, Operator op);

  const SlotTable* slots_;
  SlotTable* growing_;  // null once it has grown
  Graph graph_;
};

}  // namespace hanas

#endif  // HANAS_CORE_FAMILY_NET_BUILDER_H_
