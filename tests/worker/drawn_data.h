// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_WORKER_DRAWN_DATA_H_
#define HANAS_TESTS_WORKER_DRAWN_DATA_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "dataset/dataset.h"
#include "dataset/draw.h"

namespace hanas {

/// What the images of a drawn data set are of.
struct DrawnKind {
  int channels = 1;             // each a drawing of its own, of the same label
  int classes = kDrawnClasses;  // those above kDrawnClasses have no image
};

/// A small drawn data set in memory.
inline Dataset DrawnData(int64_t num_train, int64_t num_test, int validation_images, DrawnKind kind = {}) {
  constexpr size_t kPixels = static_cast<size_t>(kDrawnSize) * kDrawnSize;
  const auto channels = static_cast<size_t>(kind.channels);
  const auto draw = [&](uint64_t first, int64_t count) {
    Dataset::Images images;
    images.pixels.resize(static_cast<size_t>(count) * kPixels * channels);
    std::vector<uint8_t> plane(kPixels);
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      const int label = static_cast<int>(i % kDrawnClasses);
      for (size_t c = 0; c < channels; ++c) {
        DrawImage(1 + c, first + i, label, absl::MakeSpan(plane));
        for (size_t p = 0; p < kPixels; ++p) images.pixels[(i * kPixels + p) * channels + c] = plane[p];
      }
      images.labels.push_back(label);
    }
    return images;
  };
  std::vector<std::string> names;
  names.reserve(static_cast<size_t>(kind.classes));
  for (int i = 0; i < kind.classes; ++i) names.push_back(std::to_string(i));
  return Dataset::Create({.name = "drawn", .directory = "drawn", .validation_images = validation_images}, 0,
                         {kDrawnSize, kDrawnSize, kind.channels}, std::move(names), draw(0, num_train), draw(1'000'000, num_test), {})
      .value();
}

}  // namespace hanas

#endif  // HANAS_TESTS_WORKER_DRAWN_DATA_H_
