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
  size_t unit = 0;                    // index into ConvnetSpace::units()
  int32_t context = 0;                // in front of it
  absl::Span<const uint8_t> choices;  // of the unit's genes, in their order
  const Fragment& fragment;
  int32_t next = 0;  // the context behind it
};

/// Whoever walks a space. Each method returns whether the walk is to go on.
class UnitVisitor {
 public:
  virtual ~UnitVisitor() = default;
  /// Precedes the visits of a unit. `contexts` are those that it is met with, ascending: it is visited at most as often as there are
  /// combinations of these and of its genes' choices, and the walk needs four bytes for each.
  virtual bool Enter(size_t unit, absl::Span<const int32_t> contexts) = 0;
  virtual bool Visit(const LoweredUnit& lowered) = 0;
  /// Instead of Enter and Visit: the unit is met and lowers as the one before it, but for slots and provenance.
  virtual bool Repeat(size_t unit) = 0;
};

/// Visits every unit with every context and every canonical combination of its choices that some network has together, once each, unit by
/// unit in order. What several units read, such as the width of a stage, and what decides whether a unit is there at all, such as its
/// depth, is remembered from its first to its last reader, so that a unit is not visited in ways that no network has. Returns whether the
/// walk came to its end.
bool WalkUnits(const Lowering& lowering, UnitVisitor& visitor);

}  // namespace hanas

#endif  // HANAS_CORE_LOWERING_UNIT_WALK_H_
