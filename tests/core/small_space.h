// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_CORE_SMALL_SPACE_H_
#define HANAS_TESTS_CORE_SMALL_SPACE_H_

#include "core/family/convnet/convnet_space.h"

namespace hanas {

/// Two stages with every kind of gene free: small enough to enumerate, rich enough to reach every operator.
inline SpaceSpec SmallSpaceSpec() {
  const std::vector<Precision> any = {{2, 8}, {8, 8}, {16, 16}};
  const BlockSpec block = {.kernels = {3, 5},
                           .expansions = {1, 3},
                           .squeeze_excite = {false, true},
                           .activations = {Activation::kRelu, Activation::kHardSwish},
                           .expand_precisions = any,
                           .depthwise_precisions = any,
                           .project_precisions = any};
  SpaceSpec spec = {.name = "small", .resolutions = {16, 24}, .input_channels = 1, .num_classes = 10};
  spec.stem = {.widths = {8}, .kernel = 3, .stride = 1, .activation = Activation::kHardSwish, .precisions = {{8, 8}, {16, 16}}};
  spec.stages = {{.widths = {16}, .depths = {1, 2}, .stride = 2, .blocks = {block, block}},
                 {.widths = {24, 32}, .depths = {1}, .stride = 2, .blocks = {block}}};
  spec.head = {
      .widths = {64}, .activation = Activation::kHardSwish, .precisions = any, .hidden = 0, .classifier_precisions = {{8, 8}, {16, 16}}};
  return spec;
}

inline ConvnetSpace SmallConvnet() { return ConvnetSpace::Define(SmallSpaceSpec()).value(); }
inline SearchSpace SmallSpace() { return SmallConvnet().space(); }

/// The index of a gene that is known to be there.
inline size_t GeneNamed(const SearchSpace& space, absl::string_view name) { return static_cast<size_t>(space.FindGene(name).value()); }

}  // namespace hanas

#endif  // HANAS_TESTS_CORE_SMALL_SPACE_H_
