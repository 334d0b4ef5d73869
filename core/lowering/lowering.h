// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_LOWERING_LOWERING_H_
#define HANAS_CORE_LOWERING_LOWERING_H_

#include <concepts>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "core/family/family.h"
#include "core/graph/graph.h"

namespace hanas {

/// The only way from an architecture to operators. Lowering is a fold: every unit is a pure function of (unit, context, choice), so readers
/// may memoise by that triple, and the operators a space can produce are enumerated by walking the reachable contexts.
///
/// Immutable once built, hence thread-safe.
class Lowering {
 public:
  template <std::derived_from<FamilySpace> Space>
  explicit Lowering(Space space) : Lowering(std::shared_ptr<const FamilySpace>(std::make_shared<const Space>(std::move(space)))) {}
  explicit Lowering(std::shared_ptr<const FamilySpace> space);

  const FamilySpace& family() const { return *family_; }
  const SearchSpace& space() const { return family_->space(); }
  /// Of the supernet: for each layer of the space the largest that some network has.
  const SlotTable& slots() const { return *slots_; }

  /// The whole network. Requires space().CheckArchitecture(architecture).
  Graph Lower(const Architecture& architecture) const;

  /// One unit, by its index in family().units(), with one choice for each of its genes.
  Fragment LowerUnit(size_t unit, const LoweringContext& context, absl::Span<const uint8_t> choices) const {
    return family_->Lower(unit, choices, NetBuilder(context, *slots_));
  }

  /// The context in front of the first unit.
  LoweringContext InputContext(const Architecture& architecture) const;

 private:
  std::shared_ptr<const FamilySpace> family_;
  std::shared_ptr<const SlotTable> slots_;
};

/// The side of the largest square that a network of the space takes, pixels: what pictures are stored as. Thread-safe.
int64_t LargestSide(const Lowering& lowering);

/// The choices that `architecture` makes for the genes of `unit`, in their order.
absl::InlinedVector<uint8_t, 16> ChoicesOf(const Unit& unit, const Architecture& architecture);

}  // namespace hanas

#endif  // HANAS_CORE_LOWERING_LOWERING_H_
