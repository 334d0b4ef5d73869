// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_DATASET_PICTURE_FILE_H_
#define HANAS_DATASET_PICTURE_FILE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/bound/preprocess.h"
#include "dataset/dataset.h"

namespace hanas {

// One picture in a file: JPEG, PNG or WebP, which its first bytes tell, whatever its name ends with.
//
// Pixels are those that Pillow's `ImageOps.exif_transpose(Image.open(path)).convert("RGB")` gives, up to the rounding of decoders and but
// for reducing (PictureDecoder): CMYK is converted without a colour profile and taken to be inverted, as Adobe's programs store it;
// transparency is dropped; samples of 16 bits keep their upper 8; no gamma is applied; grey of a colour picture is 0.299 red + 0.587 green
// + 0.114 blue. An animated WebP is refused, of an animated PNG its default picture is read. EXIF data of a PNG is looked for before its
// pixels only.

/// What the names of pictures end with, in any case.
inline constexpr absl::string_view kPictureExtensions = ".jpg, .jpeg, .png, .webp";
bool HasPictureExtension(absl::string_view file_name);

enum class PictureKind : uint8_t { kJpeg, kPng, kWebp };

/// What the header of a picture says.
struct PictureHeader {
  PictureKind kind = PictureKind::kJpeg;
  int width = 0;  // pixels, as the picture is looked at: after turning
  int height = 0;
  bool grey = false;    // stored without colour; a picture that is stored with colour may show none
  bool cmyk = false;    // of JPEG
  int orientation = 1;  // of EXIF, 1 to 8: how the stored pixels are to be turned and mirrored; 1, upright, where nothing (valid) says so
};

/// Decodes pictures, one after the other. Thread-compatible.
class PictureDecoder {
 public:
  PictureDecoder();
  ~PictureDecoder();
  PictureDecoder(const PictureDecoder&) = delete;
  PictureDecoder& operator=(const PictureDecoder&) = delete;

  /// The picture in `bytes`, turned upright, of `to.channels`: 1 or 3. A JPEG picture is reduced to the smallest of 1/2,
  /// 1/4 and 1/8 that leaves it at least as large as `to` in both directions; `to.height` 0: it is not. `path` is for messages.
  /// Returns DATA_LOSS as ReadPictureHeader does, and for a picture that ends early.
  absl::StatusOr<ByteImage> Decode(const std::string& path, absl::string_view bytes, const Dataset::Dimensions& to) const;
  /// Of a file's bytes, or of its beginning if that goes so far. Returns DATA_LOSS.
  absl::StatusOr<PictureHeader> Header(const std::string& path, absl::string_view bytes) const;

 private:
  class Jpeg;
  /// Before turning.
  absl::StatusOr<PictureHeader> StoredHeader(const std::string& path, absl::string_view bytes) const;

  std::unique_ptr<Jpeg> jpeg_;
};

/// Returns DATA_LOSS naming a file that is no picture, is damaged as far as the header goes, or claims more than 100 million pixels. Reads
/// no more of the file than it takes. As thread-safe as the decoder.
absl::StatusOr<PictureHeader> ReadPictureHeader(const std::string& path, const PictureDecoder& decoder);

/// The bytes of a picture's file. Returns DATA_LOSS, naming it, when it cannot be read or is larger than 256 MiB. Thread-safe.
absl::StatusOr<std::string> ReadPictureFile(const std::string& path);

}  // namespace hanas

#endif  // HANAS_DATASET_PICTURE_FILE_H_
