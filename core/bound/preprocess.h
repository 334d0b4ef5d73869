// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BOUND_PREPROCESS_H_
#define HANAS_CORE_BOUND_PREPROCESS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/bound/bound_model.h"

namespace hanas {

/// One stored image (unsigned bytes, [height, width, channels]) as the network's input, channel-last: what Preprocessing defines, bit for
/// bit the same wherever it runs. Returns INVALID_ARGUMENT when sizes do not fit. Pure; thread-safe.
absl::StatusOr<std::vector<float>> PreprocessImage(absl::Span<const uint8_t> image, int64_t height, int64_t width, int64_t channels,
                                                   const Preprocessing& preprocessing);

}  // namespace hanas

#endif  // HANAS_CORE_BOUND_PREPROCESS_H_
