// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_FAMILY_CONVNET_WHITENING_STEM_H_
#define HANAS_CORE_FAMILY_CONVNET_WHITENING_STEM_H_

#include "core/family/convnet/space_spec.h"

namespace hanas {

/// What a stem is unless its fields are written, once it is to be a whitening one: 2x2 at stride 1 with ReLU, and the one width it can
/// have. Thread-safe.
StemSpec WhiteningStem(int input_channels);

}  // namespace hanas

#endif  // HANAS_CORE_FAMILY_CONVNET_WHITENING_STEM_H_
