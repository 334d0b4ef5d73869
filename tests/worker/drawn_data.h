// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_WORKER_DRAWN_DATA_H_
#define HANAS_TESTS_WORKER_DRAWN_DATA_H_

#include <utility>
#include <vector>

#include "dataset/dataset.h"
#include "dataset/draw.h"

namespace hanas {

/// A small drawn data set in memory.
inline Dataset DrawnData(int64_t num_train, int64_t num_test, int validation_images) {
  constexpr size_t kPixels = static_cast<size_t>(kDrawnSize) * kDrawnSize;
  const auto draw = [&](uint64_t first, int64_t count) {
    Dataset::Images images;
    images.pixels.resize(static_cast<size_t>(count) * kPixels);
    for (int64_t i = 0; i < count; ++i) {
      const int label = static_cast<int>(i % kDrawnClasses);
      DrawImage(1, first + static_cast<uint64_t>(i), label,
                absl::MakeSpan(images.pixels).subspan(static_cast<size_t>(i) * kPixels, kPixels));
      images.labels.push_back(label);
    }
    return images;
  };
  std::vector<std::string> names;
  for (int i = 0; i < kDrawnClasses; ++i) names.push_back(std::to_string(i));
  return Dataset::Create({.name = "drawn", .directory = "drawn", .validation_images = validation_images}, 0, {kDrawnSize, kDrawnSize, 1},
                         std::move(names), draw(0, num_train), draw(1'000'000, num_test), {})
      .value();
}

}  // namespace hanas

#endif  // HANAS_TESTS_WORKER_DRAWN_DATA_H_
