// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BASE_PICTURE_FORM_H_
#define HANAS_CORE_BASE_PICTURE_FORM_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace hanas {

/// How a picture that is not square becomes one: kStretch squeezes its longer side, kCrop keeps the square in its middle, kPad adds grey
/// beside it, half on either side.
enum class PictureFit : uint8_t { kStretch = 0, kCrop = 1, kPad = 2 };
absl::Span<const absl::string_view> NamesOf(PictureFit);  // "stretch", "crop", "pad": in the enumerators' order
absl::string_view Name(PictureFit fit);

/// What the pictures of a data set are stored as once they are decoded: squares.
struct PictureForm {
  int64_t side = 0;  // pixels
  PictureFit fit = PictureFit::kStretch;
  friend bool operator==(const PictureForm&, const PictureForm&) = default;
};

}  // namespace hanas

#endif  // HANAS_CORE_BASE_PICTURE_FORM_H_
