// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_LOWERING_LOWERING_H_
#define HANAS_CORE_LOWERING_LOWERING_H_

#include <functional>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/graph/graph.h"
#include "core/lowering/slots.h"
#include "core/space/search_space.h"

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

/// A unit is the smallest thing that is lowered alone: the stem, one block, the head.
struct UnitId {
  UnitKind kind = UnitKind::kStem;
  int stage = -1;
  int block = -1;
};
using UnitChoice = std::variant<StemChoice, BlockChoice, HeadChoice>;

/// A lowered unit: a graph whose input is the incoming value, and the context that follows.
struct Fragment {
  Graph graph;
  LoweringContext next;
};

/// The only way from an architecture to operators. Lowering is a fold: every unit is a pure function of (unit, context, choice), so readers
/// may memoise by that triple, and the operators a space can produce are enumerated by walking the reachable contexts.
///
/// Immutable once built, hence thread-safe.
class Lowering {
 public:
  explicit Lowering(SearchSpace space);

  const SearchSpace& space() const { return space_; }
  const SlotTable& slots() const { return slots_; }

  /// The whole network. Requires space().CheckArchitecture(architecture).
  Graph Lower(const Architecture& architecture) const;

  /// One unit. Requires that `choice` is the alternative of `unit.kind`.
  Fragment LowerUnit(const UnitId& unit, const LoweringContext& context, const UnitChoice& choice) const;

  /// The context in front of the stem at a resolution.
  LoweringContext InputContext(int resolution) const;

  /// The units of an architecture in order, with their choices.
  std::vector<std::pair<UnitId, UnitChoice>> Units(const Architecture& architecture) const;

  /// Calls `visit` once for every distinct (unit, context, choice) that any architecture of the space reaches. This is what key
  /// enumeration uses; its cost grows with the choices of a block, not with the size of the space.
  void ForEachReachableUnit(
      const std::function<void(const UnitId&, const LoweringContext&, const UnitChoice&, const Fragment&)>& visit) const;

 private:
  SearchSpace space_;
  SlotTable slots_;
};

/// Appends `fragment` to `graph`, joining its input to `graph.output`, and moves `graph.output`.
void AppendFragment(const Graph& fragment, Graph& graph);

}  // namespace hanas

#endif  // HANAS_CORE_LOWERING_LOWERING_H_
