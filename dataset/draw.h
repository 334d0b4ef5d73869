// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_DATASET_DRAW_H_
#define HANAS_DATASET_DRAW_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace hanas {

/// How much to draw. Sizes are the number of images.
struct DrawOptions {
  int64_t num_train = 60000;
  int64_t num_test = 10000;
  uint64_t seed = 1;
};

inline constexpr int kDrawnSize = 28;
inline constexpr int kDrawnClasses = 10;

/// One grey kDrawnSize x kDrawnSize image of a class: an outline (circle, triangle, square, star, cross) filled with one of two textures
/// (stripes or spots), at a random position, scale, rotation, contrast and polarity over clutter and noise. The class is (outline,
/// texture), so no pixel's brightness says anything on its own. Pure in (seed, index, label). Thread-safe. Requires 0 <= label <
/// kDrawnClasses and pixels.size() == kDrawnSize * kDrawnSize.
void DrawImage(uint64_t seed, uint64_t index, int label, absl::Span<uint8_t> pixels);

/// Writes the four files of an IDX dataset into `directory` (created when absent), the same bytes for the same options, and beside them
/// kDrawnMarker of dataset/survey.h, so that nobody takes it for a real one. For use offline, where no real dataset can be fetched. Returns
/// INVALID_ARGUMENT for sizes below 100, else the status of writing.
absl::Status DrawDataset(const std::string& directory, const DrawOptions& options);

}  // namespace hanas

#endif  // HANAS_DATASET_DRAW_H_
