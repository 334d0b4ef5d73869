// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_EXPORT_IMAGE_PACK_H_
#define HANAS_EXPORT_IMAGE_PACK_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas {

/// Stored images with their labels, as one artifact for devices that hold no data set.
///
/// Layout, all integers little-endian: "HANASIMG"; version (4); CRC-32C of all that follows (4); count, height, width, channels (4 each); a
/// label (4) for each image; then the pixels, unsigned bytes [count, height, width, channels]. Nothing follows.
///
/// Thread-compatible.
struct ImagePack {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  std::vector<int32_t> labels;
  std::vector<uint8_t> pixels;

  int64_t count() const { return static_cast<int64_t>(labels.size()); }
  friend bool operator==(const ImagePack&, const ImagePack&) = default;
};

/// 2: there is a checksum.
inline constexpr uint32_t kImagePackVersion = 2;
inline constexpr int64_t kMaxPackedImages = int64_t{1} << 24;
inline constexpr int64_t kMaxPackedExtent = 4096;
inline constexpr size_t kMaxImagePackBytes = size_t{2} << 30;

/// Returns INVALID_ARGUMENT unless there is at least one image, extents are from 1 to kMaxPackedExtent, labels are not negative and pixels
/// have the size that follows.
absl::Status CheckImagePack(const ImagePack& pack);

/// Requires CheckImagePack. Law: ParseImagePack(SerializeImagePack(p)) == p; equal packs have equal bytes.
std::string SerializeImagePack(const ImagePack& pack);

/// Returns, in this order, INVALID_ARGUMENT for too many bytes, other magic, or fewer than the header has; FAILED_PRECONDITION saying what
/// to do for another version; DATA_LOSS if the content does not have the checksum it was written with; INVALID_ARGUMENT for extents out of
/// range, a length that does not fit them, or negative labels. Allocates nothing before the length is known to fit.
absl::StatusOr<ImagePack> ParseImagePack(absl::string_view bytes);

}  // namespace hanas

#endif  // HANAS_EXPORT_IMAGE_PACK_H_
