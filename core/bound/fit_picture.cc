// SPDX-License-Identifier: Apache-2.0
#include "core/bound/fit_picture.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"

namespace hanas {
namespace {

constexpr int kFractionBits = 22;  // of weights, which add up to 1: so do sums of bytes times weights fit an int32_t

/// The pixels that one output pixel is made of, along one axis.
struct Window {
  int64_t first = 0;
  std::vector<int32_t> weights;  // of kFractionBits
};

/// In double precision and this order, as Pillow computes them.
std::vector<Window> WindowsOf(int64_t output_extent, int64_t extent) {
  const double scale = static_cast<double>(extent) / static_cast<double>(output_extent);
  const double support = std::max(scale, 1.0);
  const double inverse = 1.0 / support;
  std::vector<Window> windows;
  std::vector<double> weights;
  for (int64_t output = 0; output < output_extent; ++output) {
    const double center = (static_cast<double>(output) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
    const int64_t end = std::min(extent, static_cast<int64_t>(center + support + 0.5));
    weights.clear();
    double sum = 0;
    for (int64_t i = first; i < end; ++i) {
      const double distance = std::fabs((static_cast<double>(i) - center + 0.5) * inverse);
      weights.push_back(distance < 1 ? 1 - distance : 0);
      sum += weights.back();
    }
    Window window{first, {}};
    for (const double weight : weights) window.weights.push_back(static_cast<int32_t>(0.5 + weight / sum * (1 << kFractionBits)));
    windows.push_back(std::move(window));
  }
  return windows;
}

/// The sum of `window` over bytes that lie `stride` apart.
uint8_t Weighted(const Window& window, const uint8_t* bytes, int64_t stride) {
  int32_t sum = 1 << (kFractionBits - 1);
  for (const int32_t weight : window.weights) {
    sum += weight * *bytes;
    bytes += stride;
  }
  return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

ByteImage ResizedRows(const ByteImage& picture, int64_t width) {
  ByteImage out = {.height = picture.height, .width = width, .channels = picture.channels, .bytes = {}};
  out.bytes.reserve(static_cast<size_t>(out.height * out.width * out.channels));
  const std::vector<Window> windows = WindowsOf(width, picture.width);
  for (int64_t y = 0; y < picture.height; ++y) {
    const uint8_t* const row = picture.bytes.data() + y * picture.width * picture.channels;
    for (const Window& window : windows) {
      for (int64_t c = 0; c < picture.channels; ++c)
        out.bytes.push_back(Weighted(window, row + window.first * picture.channels + c, picture.channels));
    }
  }
  return out;
}

ByteImage ResizedColumns(const ByteImage& picture, int64_t height) {
  ByteImage out = {.height = height, .width = picture.width, .channels = picture.channels, .bytes = {}};
  const int64_t row = picture.width * picture.channels;
  out.bytes.reserve(static_cast<size_t>(height * row));
  for (const Window& window : WindowsOf(height, picture.height)) {
    const uint8_t* const first = picture.bytes.data() + window.first * row;
    for (int64_t i = 0; i < row; ++i) out.bytes.push_back(Weighted(window, first + i, row));
  }
  return out;
}

/// The part of `picture` that begins at (x, y).
ByteImage PartOf(const ByteImage& picture, int64_t x, int64_t y, int64_t height, int64_t width) {
  ByteImage part = {.height = height, .width = width, .channels = picture.channels, .bytes = {}};
  for (int64_t row = y; row < y + height; ++row) {
    const auto first = picture.bytes.begin() + (row * picture.width + x) * picture.channels;
    part.bytes.insert(part.bytes.end(), first, first + width * picture.channels);
  }
  return part;
}

ByteImage Padded(const ByteImage& picture, int64_t side) {
  ByteImage square = {.height = side, .width = side, .channels = picture.channels, .bytes = {}};
  square.bytes.assign(static_cast<size_t>(side * side * picture.channels), kPadding);
  const auto middle = [&](int64_t extent) { return std::lrint(static_cast<double>(side - extent) * 0.5); };
  const int64_t x = middle(picture.width);
  const int64_t y = middle(picture.height);
  for (int64_t row = 0; row < picture.height; ++row) {
    std::copy_n(picture.bytes.begin() + row * picture.width * picture.channels, picture.width * picture.channels,
                square.bytes.begin() + ((y + row) * side + x) * picture.channels);
  }
  return square;
}

/// The extent that goes with `side` of the longer one.
int64_t ScaledTo(int64_t side, int64_t extent, int64_t longer) {
  return std::max<int64_t>(1, std::lrint(static_cast<double>(extent) / static_cast<double>(longer) * static_cast<double>(side)));
}

}  // namespace

ByteImage SmoothlyResized(ByteImage picture, int64_t height, int64_t width) {
  CHECK_EQ(static_cast<int64_t>(picture.bytes.size()), picture.height * picture.width * picture.channels);
  if (picture.width != width) picture = ResizedRows(picture, width);
  if (picture.height != height) picture = ResizedColumns(picture, height);
  return picture;
}

ByteImage FittedPicture(ByteImage picture, const PictureForm& form) {
  const int64_t side = form.side;
  if (picture.height == picture.width || form.fit == PictureFit::kStretch) return SmoothlyResized(std::move(picture), side, side);
  if (form.fit == PictureFit::kCrop) {
    const int64_t shorter = std::min(picture.height, picture.width);
    ByteImage middle = PartOf(picture, (picture.width - shorter) / 2, (picture.height - shorter) / 2, shorter, shorter);
    return SmoothlyResized(std::move(middle), side, side);
  }
  const int64_t longer = std::max(picture.height, picture.width);
  const int64_t height = ScaledTo(side, picture.height, longer);
  const int64_t width = ScaledTo(side, picture.width, longer);
  return Padded(SmoothlyResized(std::move(picture), height, width), side);
}

std::vector<std::string> PictureSteps(const PictureForm& form, int64_t channels) {
  constexpr absl::string_view kSmoothly = "bilinear with antialiasing (Pillow's Image.BILINEAR)";
  const std::string square = absl::StrCat(form.side, "x", form.side);
  const int64_t least = kLeastReduced * form.side;
  std::vector<std::string> steps = {absl::StrCat("decode to ", channels == 1 ? "grey" : "RGB",
                                                 ", a JPEG picture at the smallest of 1/2, 1/4 and 1/8 of its size that leaves ", least,
                                                 "x", least, " (Pillow's Image.draft)"),
                                    "turn upright as EXIF says"};
  switch (form.fit) {
    case PictureFit::kStretch:
      steps.push_back(absl::StrCat("resize to ", square, ", ", kSmoothly));
      break;
    case PictureFit::kCrop:
      steps.emplace_back("crop to the square in the middle, its left and upper edge rounded down");
      steps.push_back(absl::StrCat("resize to ", square, ", ", kSmoothly));
      break;
    case PictureFit::kPad:
      steps.push_back(absl::StrCat("resize so that the longer side is ", form.side, ", ", kSmoothly));
      steps.push_back(absl::StrCat("pad both sides evenly with ", kPadding, " to ", square, " (Pillow's ImageOps.pad)"));
      break;
  }
  return steps;
}

std::vector<std::string> PreparationSteps(const Preprocessing& preprocessing, int64_t channels) {
  const std::optional<PictureForm>& picture = preprocessing.picture;
  std::vector<std::string> steps;
  if (picture.has_value()) steps = PictureSteps(*picture, channels);
  const bool as_stored = picture.has_value() && picture->side == preprocessing.input_height && picture->side == preprocessing.input_width;
  if (!as_stored) {
    steps.push_back(absl::StrCat("resize to ", preprocessing.input_height, "x", preprocessing.input_width,
                                 ", bilinear with half-pixel centres and no antialiasing, where the size is another"));
  }
  steps.emplace_back("divide by 255, subtract the mean, divide by the standard deviation, channel by channel");
  return steps;
}

}  // namespace hanas
