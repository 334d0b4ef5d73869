// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SEARCH_TABLE_SPACE_H_
#define HANAS_TESTS_SEARCH_TABLE_SPACE_H_

#include "core/family/convnet/convnet_space.h"

namespace hanas {

/// The space of tests/search/data/table.csv: 3456 networks.
inline SpaceSpec TableSpaceSpec() {
  const BlockSpec block = {.kernels = {3, 5}, .expansions = {3, 6}, .depthwise_precisions = {{8, 8}, {16, 16}}};
  SpaceSpec spec = {.name = "table", .resolutions = {16, 24, 32}, .input_channels = 3, .num_classes = 10};
  spec.stem = {.widths = {16}, .kernel = 3, .stride = 2, .activation = Activation::kRelu, .precisions = {{8, 8}}};
  spec.stages = {{.widths = {24}, .depths = {1, 2}, .stride = 1, .blocks = {block, block}},
                 {.widths = {32, 48}, .depths = {1}, .stride = 2, .blocks = {block}}};
  spec.head = {.widths = {128}, .activation = Activation::kRelu, .precisions = {{8, 8}}, .hidden = 0, .classifier_precisions = {{8, 8}}};
  return spec;
}

inline ConvnetSpace TableConvnet() { return ConvnetSpace::Define(TableSpaceSpec()).value(); }
inline SearchSpace TableSpace() { return TableConvnet().space(); }

}  // namespace hanas

#endif  // HANAS_TESTS_SEARCH_TABLE_SPACE_H_
