// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_FAMILY_CONVNET_STAND_IN_H_
#define HANAS_CORE_FAMILY_CONVNET_STAND_IN_H_

#include "core/family/convnet/space_spec.h"

namespace hanas {

/// A small sound space, for images as any data set may have them. It stands in for one that a reader could not make out, so that nothing is
/// said of the space but that.
inline SpaceSpec StandInSpace() {
  SpaceSpec space = {.name = "unknown", .resolutions = {32}, .input_channels = 1, .num_classes = 10};
  space.stages = {{.widths = {8}, .depths = {1}, .blocks = {{}}}};
  return space;
}

}  // namespace hanas

#endif  // HANAS_CORE_FAMILY_CONVNET_STAND_IN_H_
