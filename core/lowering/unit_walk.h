// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_LOWERING_UNIT_WALK_H_
#define HANAS_CORE_LOWERING_UNIT_WALK_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "core/lowering/lowering.h"

namespace hanas {

/// In front of the first unit, before a network has decided anything. Contexts behind units are numbered from 1 on as they are met; one
/// number stands for equal contexts everywhere.
inline constexpr int32_t kStartContext = 0;

/// A unit, lowered in one of the ways in which networks have it.
struct LoweredUnit {
  size_t unit = 0;                    // index into FamilySpace::units()
  int32_t context = 0;                // in front of it
  absl::Span<const uint8_t> choices;  // of the unit's genes, in their order
  const Fragment& fragment;
  int32_t next = 0;               // the context behind it
  const LoweringContext& before;  // the one in front of it
};

/// How a unit is met on a walk.
struct UnitMeetings {
  size_t unit = 0;
  absl::Span<const int32_t> contexts;  // in front of it, ascending
  /// Contexts together with what of the unit's genes is decided before it, and the genes that are not.
  int64_t meetings = 0;
  absl::Span<const int> open_genes;
};

/// Whoever walks a space. Each method returns whether the walk is to go on.
class UnitVisitor {
 public:
  virtual ~UnitVisitor() = default;
  /// Precedes the visits of a unit: it is visited at most as often as there are combinations of meetings and of the open genes' choices.
  virtual bool Enter(const UnitMeetings& met) = 0;
  virtual bool Visit(const LoweredUnit& lowered) = 0;
  /// Instead of Enter and Visit: the unit is met and lowers as the one before it, but for slots and names.
  virtual bool Repeat(size_t unit) = 0;
};

/// What a walk is to show.
enum class WalkOf : uint8_t {
  kNetworks,   // every unit with every context and every canonical combination of its choices that some network has together
  kOperators,  // of these, enough to meet every operator key (Unit::operator_genes)
  kContexts,   // of these, enough to meet every context (Unit::context_genes)
};

/// Visits the units of a space in order, each way to lower one once. What several units read, such as the width of a stage, and what
/// decides whether a unit is there at all, such as its depth, is remembered from its first to its last reader, so that a unit is not
/// visited in ways that no network has. Returns whether the walk came to its end.
bool WalkUnits(const Lowering& lowering, WalkOf what, UnitVisitor& visitor);
/// The same of a space whose slots are not known: the views of weights are of slots that grow and are forgotten. For whoever wants to know
/// what a Lowering of it would cost.
bool WalkUnits(const FamilySpace& family, WalkOf what, UnitVisitor& visitor);

/// Lowers every unit in all ways that differ in its weights (Unit::weight_genes), which lets `slots` grow to those of the space.
void GrowSlots(const FamilySpace& family, SlotTable& slots);

/// Of a precision gene, one choice for each type of activations; of another, all: what a walk of operators tries of genes that are not
/// Unit::weight_bit_genes.
int NumDistinctTypes(const Gene& gene);

}  // namespace hanas

#endif  // HANAS_CORE_LOWERING_UNIT_WALK_H_
