// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_FAMILY_CONVNET_CONVNET_SPACE_H_
#define HANAS_CORE_FAMILY_CONVNET_CONVNET_SPACE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/family/convnet/space_spec.h"
#include "core/family/family.h"
#include "core/space/search_space.h"

namespace hanas {

/// Where the questions of a unit are among its genes; -1 for one that is none, since it has one answer or does not arise.
struct UnitQuestions {
  enum class Part : uint8_t { kStem, kBlock, kHead };
  Part part = Part::kStem;
  int stage = -1;  // of a block
  int block = -1;

  int resolution = -1;  // of the stem
  int width = -1;
  int precision = -1;  // of the stem's or the head's convolution
  int kind = -1;
  int downsample = -1;
  int kernel = -1;
  int expansion = -1;
  int squeeze_excite = -1;
  int activation = -1;
  int expand_precision = -1;
  int depthwise_precision = -1;
  int project_precision = -1;
  int pool = -1;  // of the head
  int hidden_precision = -1;
  int classifier_precision = -1;
};

/// A validated space of convolutional networks: its specification as genes and units, which are the stem, the blocks of all stages at their
/// largest depths, and the head. Genes stand in the order resolution, stem, stages (width, depth, kind, downsample, then the genes of each
/// block of the deepest choice), head; a question that arises in no network is no gene, and neither are kind, downsample and pool with one
/// answer.
///
/// Immutable, hence thread-safe. Copyable.
class ConvnetSpace : public FamilySpace {
 public:
  /// Returns INVALID_ARGUMENT with field violations below `path`.
  static absl::StatusOr<ConvnetSpace> Define(SpaceSpec spec, absl::string_view path = "space");

  const SpaceSpec& spec() const { return spec_; }

  const SearchSpace& space() const override { return space_; }
  absl::Span<const Unit> units() const override { return units_; }
  LoweringContext Input(absl::Span<const uint8_t> choices) const override;
  Fragment Lower(size_t unit, absl::Span<const uint8_t> choices, NetBuilder net) const override;
  int64_t input_channels() const override { return spec_.input_channels; }
  int64_t num_classes() const override { return spec_.num_classes; }
  std::string FieldOf(absl::string_view layer) const override;
  /// Kinds of the stages when they are a choice or not all mbconv, then the precisions, the most common of each class of layers:
  /// "conv·conv·residual · kxk 8 · pw 8* · last 4".
  std::string Summary(const Architecture& architecture) const override;

  /// Of each stage, in order.
  std::vector<BlockKind> KindsOf(const Architecture& architecture) const;

 private:
  ConvnetSpace(SpaceSpec spec, SearchSpace space, std::vector<Unit> units, std::vector<UnitQuestions> questions)
      : spec_(std::move(spec)), space_(std::move(space)), units_(std::move(units)), questions_(std::move(questions)) {}

  /// The bits of the layer whose gene is at `place` of the unit's; empty when the network does not have the layer.
  std::string BitsAt(const Unit& unit, int place, const Architecture& architecture) const;
  /// Whether the block of the unit has an expansion other than 1.
  bool Widens(const UnitQuestions& at, const Unit& unit, const Architecture& architecture) const;

  SpaceSpec spec_;
  SearchSpace space_;
  std::vector<Unit> units_;
  std::vector<UnitQuestions> questions_;  // one for each unit
};

}  // namespace hanas

#endif  // HANAS_CORE_FAMILY_CONVNET_CONVNET_SPACE_H_
