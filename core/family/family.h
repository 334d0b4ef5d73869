// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_FAMILY_FAMILY_H_
#define HANAS_CORE_FAMILY_FAMILY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/family/net_builder.h"
#include "core/space/search_space.h"

namespace hanas {

/// The smallest part of a network that is lowered alone, such as a block: what its lowering reads besides what the units before it leave.
struct Unit {
  std::string name;                   // the start of its layers' names: "stages.1.blocks.0"
  std::vector<int> genes;             // in the order in which Lower expects their choices
  std::vector<Condition> present_if;  // SearchSpace::Hold says whether a network has the unit
  /// The index of the first unit that lowers as this one does from equal contexts and choices, but for slots and names; often this one's
  /// own.
  int lowers_like = 0;

  // Walks of a space need not see every combination of choices when these say which of them tell something new. Each is a list of genes of
  // this unit; those left out are kept at their first choice.

  /// The genes that decide which weights the unit has and their shapes.
  std::vector<int> weight_genes;
  /// The genes that decide the context behind it.
  std::vector<int> context_genes;
  /// Lists that together show every operator with each of its neighbours, as plans see them: a convolution's weight bits, for instance,
  /// change no plan. At least one list has all context_genes.
  std::vector<std::vector<int>> operator_genes;
  /// The precision genes among `genes` whose weight bits do change plans.
  std::vector<int> weight_bit_genes;
};

/// A space of one family of networks: genes, the units that read them, and the one function that turns a unit into operators. Everything
/// else (keys, cost tables, slots, training, files) follows from these without knowing the family.
///
/// Immutable, hence thread-safe.
class FamilySpace {
 public:
  virtual ~FamilySpace() = default;

  virtual const SearchSpace& space() const = 0;
  /// In the order in which a network runs them. The first is in every network.
  virtual absl::Span<const Unit> units() const = 0;
  /// In front of the first unit, which has these choices.
  virtual LoweringContext Input(absl::Span<const uint8_t> choices) const = 0;
  /// Writes units()[unit] with these choices of its genes to `net`. Pure, for the space's walks memoise it.
  virtual Fragment Lower(size_t unit, absl::Span<const uint8_t> choices, NetBuilder net) const = 0;

  virtual int64_t input_channels() const = 0;
  virtual int64_t num_classes() const = 0;
  /// The field of a job that makes this layer larger or smaller: "space.stages[1].widths".
  virtual std::string FieldOf(absl::string_view layer) const = 0;
  /// A few words for tables of networks: "pw 8 · dw 16 · last 4".
  virtual std::string Summary(const Architecture& architecture) const = 0;
};

}  // namespace hanas

#endif  // HANAS_CORE_FAMILY_FAMILY_H_
