// SPDX-License-Identifier: Apache-2.0
#include "core/bound/preprocess.h"

#include <algorithm>
#include <cmath>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/bounds.h"

namespace hanas {
namespace {

bool IsExtent(int64_t extent) { return extent >= 1 && extent <= bounds::kMaxExtent; }

/// Hands each sample to take(channel, value), row by row and pixel by pixel. The order of the sums is part of what models mean.
template <typename Take>
void Sample(const uint8_t* bytes, int64_t width, int64_t channels, const std::vector<BilinearTap>& rows,
            const std::vector<BilinearTap>& columns, const Take& take) {
  for (const BilinearTap& row : rows) {
    const uint8_t* const top_row = bytes + row.low * width * channels;
    const uint8_t* const bottom_row = bytes + row.high * width * channels;
    for (const BilinearTap& column : columns) {
      const int64_t left = column.low * channels;
      const int64_t right = column.high * channels;
      for (int64_t c = 0; c < channels; ++c) {
        const float top =
            static_cast<float>(top_row[left + c]) * (1 - column.weight) + static_cast<float>(top_row[right + c]) * column.weight;
        const float bottom =
            static_cast<float>(bottom_row[left + c]) * (1 - column.weight) + static_cast<float>(bottom_row[right + c]) * column.weight;
        take(c, top * (1 - row.weight) + bottom * row.weight);
      }
    }
  }
}

}  // namespace

std::vector<BilinearTap> BilinearTaps(int64_t output_extent, int64_t stored_extent) {
  std::vector<BilinearTap> taps;
  // In single precision and this order, as tensor libraries do it: a position that rounds differently moves a weight by a millionth.
  const float scale = static_cast<float>(stored_extent) / static_cast<float>(output_extent);
  for (int64_t output = 0; output < output_extent; ++output) {
    const float position = std::max(0.0F, scale * (static_cast<float>(output) + 0.5F) - 0.5F);
    const auto low = std::min(static_cast<int64_t>(position), stored_extent - 1);
    taps.push_back({low, std::min(low + 1, stored_extent - 1), position - static_cast<float>(low)});
  }
  return taps;
}

absl::StatusOr<ImagePreprocessor> ImagePreprocessor::Create(int64_t height, int64_t width, int64_t channels, const Preprocessing& pre) {
  if (!IsExtent(height) || !IsExtent(width) || !IsExtent(channels) || !IsExtent(pre.input_height) || !IsExtent(pre.input_width)) {
    return absl::InvalidArgumentError(absl::StrCat("image: expected extents from 1 to ", bounds::kMaxExtent, ", found stored ones of ",
                                                   height, "x", width, "x", channels, " and an input of ", pre.input_height, "x",
                                                   pre.input_width));
  }
  const auto count = static_cast<size_t>(channels);
  if (pre.mean.size() != count || pre.stddev.size() != count) {
    return absl::InvalidArgumentError(absl::StrCat("image: expected ", pre.mean.size(), " channels as this network has, found ", channels,
                                                   " channels and ", pre.stddev.size(), " standard deviations"));
  }
  for (const float deviation : pre.stddev) {
    if (!(deviation > 0)) {
      return absl::InvalidArgumentError(absl::StrCat("image: expected positive standard deviations, found ", deviation));
    }
  }
  ImagePreprocessor result;
  result.height_ = height;
  result.width_ = width;
  result.channels_ = channels;
  result.rows_ = BilinearTaps(pre.input_height, height);
  result.columns_ = BilinearTaps(pre.input_width, width);
  result.mean_ = pre.mean;
  result.stddev_ = pre.stddev;
  return result;
}

void ImagePreprocessor::Apply(absl::Span<const uint8_t> image, absl::Span<float> output) const {
  CHECK_EQ(image.size(), input_size());
  CHECK_EQ(output.size(), output_size());
  float* out = output.data();
  Sample(image.data(), width_, channels_, rows_, columns_,
         [&](int64_t c, float byte) { *out++ = (byte / 255 - mean_[static_cast<size_t>(c)]) / stddev_[static_cast<size_t>(c)]; });
}

absl::StatusOr<std::vector<float>> PreprocessImage(absl::Span<const uint8_t> image, int64_t height, int64_t width, int64_t channels,
                                                   const Preprocessing& preprocessing) {
  const absl::StatusOr<ImagePreprocessor> preprocessor = ImagePreprocessor::Create(height, width, channels, preprocessing);
  if (!preprocessor.ok()) return preprocessor.status();
  if (image.size() != preprocessor->input_size()) {
    return absl::InvalidArgumentError(absl::StrCat("image: expected ", height, "x", width, "x", channels, " bytes, found ", image.size()));
  }
  std::vector<float> result(preprocessor->output_size());
  preprocessor->Apply(image, absl::MakeSpan(result));
  return result;
}

}  // namespace hanas
