// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_FAMILY_CONVNET_CONVNET_SPACE_H_
#define HANAS_CORE_FAMILY_CONVNET_CONVNET_SPACE_H_

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/family/convnet/space_spec.h"
#include "core/graph/graph.h"
#include "core/space/search_space.h"

namespace hanas {

/// A unit is the smallest thing that is lowered alone: the stem, one block, the head. `stage` and `block` are -1 outside stages.
struct UnitId {
  UnitKind kind = UnitKind::kStem;
  int stage = -1;
  int block = -1;
};

struct StemChoice {
  int resolution = 0;
  int width = 0;
  Precision precision;
};

/// The decoded choices of one block. `expand` means nothing when `expansion` is 1: there is no such layer.
struct BlockChoice {
  int kernel = 3;
  double expansion = 6;
  bool squeeze_excite = false;
  Activation activation = Activation::kRelu;
  Precision expand;
  Precision depthwise;
  Precision project;
  int width = 0;  // output channels: the stage's width gene
  int stride = 1;
  friend bool operator==(const BlockChoice&, const BlockChoice&) = default;
};

struct HeadChoice {
  int width = 0;
  Precision conv;
  Precision hidden;
  Precision classifier;
};

/// The alternative of the unit's kind.
using UnitChoice = std::variant<StemChoice, BlockChoice, HeadChoice>;

/// What a unit's lowering reads besides what the units before it leave.
struct ConvnetUnit {
  UnitId id;
  std::vector<int> genes;             // in the order that Decode expects
  std::vector<Condition> present_if;  // SearchSpace::Hold says whether a network has the unit
  /// The index of the first unit that lowers as this one does from equal contexts and choices, but for slots and provenance; often this
  /// one's own.
  int lowers_like = 0;
};

/// A validated space of convolutional networks: its specification as genes and units. Genes stand in the order resolution, stem, stages
/// (width, depth, then the genes of each block of the deepest choice), head; a question that arises in no network is no gene.
///
/// Immutable, hence thread-safe. Copyable.
class ConvnetSpace {
 public:
  /// Returns INVALID_ARGUMENT with field violations below `path`.
  static absl::StatusOr<ConvnetSpace> Define(SpaceSpec spec, absl::string_view path = "space");

  const SpaceSpec& spec() const { return spec_; }
  const SearchSpace& space() const { return space_; }
  /// The stem, the blocks of all stages at their largest depths, the head.
  const std::vector<ConvnetUnit>& units() const { return units_; }
  int num_stages() const { return static_cast<int>(spec_.stages.size()); }
  int max_depth(int stage) const { return static_cast<int>(spec_.stages[static_cast<size_t>(stage)].blocks.size()); }

  /// What `choices` of the unit's genes mean; one for each, in their order.
  UnitChoice Decode(const ConvnetUnit& unit, absl::Span<const uint8_t> choices) const;
  /// The units that a network has, in order, with their choices.
  std::vector<std::pair<UnitId, UnitChoice>> UnitsOf(const Architecture& architecture) const;
  /// Of the images that a network reads.
  int ResolutionOf(const Architecture& architecture) const;

  /// Precisions in words, most common of each layer class: "pw 8 · dw 16 · last 4".
  std::string PrecisionSummary(const Architecture& architecture) const;

 private:
  ConvnetSpace(SpaceSpec spec, SearchSpace space, std::vector<ConvnetUnit> units)
      : spec_(std::move(spec)), space_(std::move(space)), units_(std::move(units)) {}
  BlockChoice DecodeBlock(const UnitId& id, absl::Span<const uint8_t> choices) const;

  SpaceSpec spec_;
  SearchSpace space_;
  std::vector<ConvnetUnit> units_;
};

/// `value` rounded to the nearest multiple of `divisor`, never more than 10 % below (the rounding of MobileNet's reference code).
int MakeDivisible(double value, int divisor);

}  // namespace hanas

#endif  // HANAS_CORE_FAMILY_CONVNET_CONVNET_SPACE_H_
