// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BOUND_PREPROCESS_H_
#define HANAS_CORE_BOUND_PREPROCESS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/bound/bound_model.h"

namespace hanas {

/// Where along an axis of a stored image a sample lies: between two neighbours.
struct BilinearTap {
  int64_t low = 0;
  int64_t high = 0;
  float weight = 0;  // of high
};
/// The samples of an axis that is resized, bilinear with half-pixel centres and no antialiasing; the same bits on every processor. Every
/// resizing of stored images outside the training step is made of these. Requires extents of 1 to bounds::kMaxExtent.
std::vector<BilinearTap> BilinearTaps(int64_t output_extent, int64_t stored_extent);

/// An image of unsigned bytes, [height, width, channels].
struct ByteImage {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  std::vector<uint8_t> bytes;
};

/// Stored images of one size (unsigned bytes, [height, width, channels]) as a network's input, channel-last: what Preprocessing defines,
/// bit for bit the same wherever it runs. Workers score and calibrate with it, agents score exported files with it.
///
/// Immutable, hence thread-safe.
class ImagePreprocessor {
 public:
  /// For stored images of `height` x `width` x `channels`. Returns INVALID_ARGUMENT when an extent is not positive, when there are not as
  /// many means and standard deviations as channels, or when a standard deviation is not positive.
  static absl::StatusOr<ImagePreprocessor> Create(int64_t height, int64_t width, int64_t channels, const Preprocessing& preprocessing);

  /// Bytes of a stored image.
  size_t input_size() const { return static_cast<size_t>(height_ * width_ * channels_); }
  int64_t output_height() const { return static_cast<int64_t>(rows_.size()); }
  int64_t output_width() const { return static_cast<int64_t>(columns_.size()); }
  /// Elements of the network's input.
  size_t output_size() const { return rows_.size() * columns_.size() * static_cast<size_t>(channels_); }

  /// Requires image.size() == input_size() and output.size() == output_size().
  void Apply(absl::Span<const uint8_t> image, absl::Span<float> output) const;

 private:
  ImagePreprocessor() = default;

  int64_t height_ = 0;
  int64_t width_ = 0;
  int64_t channels_ = 0;
  std::vector<BilinearTap> rows_;
  std::vector<BilinearTap> columns_;
  std::vector<float> mean_;
  std::vector<float> stddev_;
};

/// One image, as ImagePreprocessor; also INVALID_ARGUMENT for bytes of another size.
absl::StatusOr<std::vector<float>> PreprocessImage(absl::Span<const uint8_t> image, int64_t height, int64_t width, int64_t channels,
                                                   const Preprocessing& preprocessing);

}  // namespace hanas

#endif  // HANAS_CORE_BOUND_PREPROCESS_H_
