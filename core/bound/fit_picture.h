// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BOUND_FIT_PICTURE_H_
#define HANAS_CORE_BOUND_FIT_PICTURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/picture_form.h"
#include "core/bound/bound_model.h"
#include "core/bound/preprocess.h"

namespace hanas {

// From a decoded picture of any size to the square that a data set stores. Every pixel of a larger picture counts, so that fine patterns
// become grey instead of other patterns. The result is that of Pillow's `resize((width, height), Image.BILINEAR)`, bit for bit: users
// prepare pictures with it, or with libraries that agree with it.

/// A JPEG picture may be reduced while it is decoded as long as both of its sides stay so many times the square's.
inline constexpr int64_t kLeastReduced = 2;
/// What FittedPicture adds beside a picture that is padded, in every channel.
inline constexpr uint8_t kPadding = 128;

/// `picture` with another size: each pixel is the mean of those below a triangle, which is two output pixels wide where the picture shrinks
/// and two of its own where it grows; rows first, rounded to bytes, then columns. The picture itself when it has the size. Requires extents
/// of 1 to bounds::kMaxExtent, and as many bytes as the extents say. Thread-safe.
ByteImage SmoothlyResized(ByteImage picture, int64_t height, int64_t width);

/// The square that `form` says. kCrop takes the middle with its left and upper edge rounded down; kPad scales to the square's width or
/// height and rounds the other extent and the place half to even, as Pillow's `ImageOps.pad` does. Requires a side of 1 to
/// bounds::kMaxExtent. Thread-safe.
ByteImage FittedPicture(ByteImage picture, const PictureForm& form);

/// What is done with a picture's file to make it what a data set stores, a phrase for each step, in order. Thread-safe.
std::vector<std::string> PictureSteps(const PictureForm& form, int64_t channels);
/// The same as far as the input of a network, of so many channels: for those who have the file alone. Thread-safe.
std::vector<std::string> PreparationSteps(const Preprocessing& preprocessing, int64_t channels);

}  // namespace hanas

#endif  // HANAS_CORE_BOUND_FIT_PICTURE_H_
