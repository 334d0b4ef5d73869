// SPDX-License-Identifier: Apache-2.0
#include "core/bound/preprocess.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hanas {
namespace {

/// Position in the stored axis of an output sample, half-pixel centres.
struct Tap {
  int64_t low = 0;
  int64_t high = 0;
  float weight = 0;  // of high
};
Tap TapAt(int64_t output, int64_t output_extent, int64_t stored_extent) {
  // In single precision and this order, as tensor libraries do it: a position that rounds differently moves a weight by a millionth.
  const float scale = static_cast<float>(stored_extent) / static_cast<float>(output_extent);
  const float position = std::max(0.0F, scale * (static_cast<float>(output) + 0.5F) - 0.5F);
  const auto low = std::min(static_cast<int64_t>(position), stored_extent - 1);
  return {low, std::min(low + 1, stored_extent - 1), position - static_cast<float>(low)};
}

}  // namespace

absl::StatusOr<std::vector<float>> PreprocessImage(absl::Span<const uint8_t> image, int64_t height, int64_t width, int64_t channels,
                                                   const Preprocessing& pre) {
  const auto count = static_cast<size_t>(channels);
  if (height < 1 || width < 1 || channels < 1 || image.size() != static_cast<size_t>(height * width * channels) ||
      pre.mean.size() != count || pre.stddev.size() != count || pre.input_height < 1 || pre.input_width < 1) {
    return absl::InvalidArgumentError(absl::StrCat("image: expected ", height, "x", width, "x", pre.mean.size(),
                                                   " bytes for this network, found ", image.size(), " with ", channels, " channels"));
  }
  std::vector<float> result;
  result.reserve(static_cast<size_t>(pre.input_height * pre.input_width * channels));
  const auto at = [&](int64_t y, int64_t x, int64_t c) {
    return static_cast<float>(image[static_cast<size_t>((y * width + x) * channels + c)]);
  };
  for (int64_t y = 0; y < pre.input_height; ++y) {
    const Tap row = TapAt(y, pre.input_height, height);
    for (int64_t x = 0; x < pre.input_width; ++x) {
      const Tap column = TapAt(x, pre.input_width, width);
      for (int64_t c = 0; c < channels; ++c) {
        const float top = at(row.low, column.low, c) * (1 - column.weight) + at(row.low, column.high, c) * column.weight;
        const float bottom = at(row.high, column.low, c) * (1 - column.weight) + at(row.high, column.high, c) * column.weight;
        const float byte = top * (1 - row.weight) + bottom * row.weight;
        result.push_back((byte / 255 - pre.mean[static_cast<size_t>(c)]) / pre.stddev[static_cast<size_t>(c)]);
      }
    }
  }
  return result;
}

}  // namespace hanas
