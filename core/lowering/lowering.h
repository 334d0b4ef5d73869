// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_LOWERING_LOWERING_H_
#define HANAS_CORE_LOWERING_LOWERING_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/family/convnet/convnet_space.h"
#include "core/graph/graph.h"
#include "core/lowering/slots.h"

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

/// The contexts that reach a unit: every combination of these. Extents are those of square images.
struct ReachingContexts {
  std::vector<int64_t> extents;
  std::vector<int64_t> channels;
  std::vector<ElementType> types;

  int64_t size() const { return static_cast<int64_t>(extents.size() * channels.size() * types.size()); }
  LoweringContext at(int64_t index) const;
  friend bool operator==(const ReachingContexts&, const ReachingContexts&) = default;
};

struct ReachedUnit {
  UnitId id;
  ReachingContexts contexts;
  /// Behind the first block of a stage the channels are the width that the whole stage has, so that a choice meets only the contexts of
  /// its own width.
  bool width_is_entered = false;
  /// The index of the first unit with the same contexts and choices, often this one itself: the two lower alike but for slots and
  /// provenance, hence have the same operator keys and costs.
  int same_as = 0;
};

/// The only way from an architecture to operators. Lowering is a fold: every unit is a pure function of (unit, context, choice), so readers
/// may memoise by that triple, and the operators a space can produce are enumerated by walking the reachable contexts.
///
/// Immutable once built, hence thread-safe.
class Lowering {
 public:
  explicit Lowering(ConvnetSpace space);

  const ConvnetSpace& family() const { return family_; }
  const SearchSpace& space() const { return family_.space(); }
  const SlotTable& slots() const { return slots_; }

  /// The whole network. Requires space().CheckArchitecture(architecture).
  Graph Lower(const Architecture& architecture) const;

  /// One unit. Requires that `choice` is the alternative of `unit.kind`.
  Fragment LowerUnit(const UnitId& unit, const LoweringContext& context, const UnitChoice& choice) const;

  /// The context in front of the stem at a resolution.
  LoweringContext InputContext(int resolution) const;

  /// Every unit of family() in order with the contexts that reach it: what key enumeration and cost tables walk. Cheap: contexts are a
  /// product.
  std::vector<ReachedUnit> ReachedUnits() const;

 private:
  ConvnetSpace family_;
  SlotTable slots_;
};

/// Appends `fragment` to `graph`, joining its input to `graph.output`, and moves `graph.output`.
void AppendFragment(const Graph& fragment, Graph& graph);

}  // namespace hanas

#endif  // HANAS_CORE_LOWERING_LOWERING_H_
