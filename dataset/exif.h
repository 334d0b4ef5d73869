// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_DATASET_EXIF_H_
#define HANAS_DATASET_EXIF_H_

#include "absl/strings/string_view.h"
#include "core/bound/preprocess.h"

namespace hanas {

/// The orientation that the EXIF data of a picture names, 1 to 8 (CIPA DC-008, tag 0x0112 of the first directory); 1 when there is none, or
/// what is there is damaged: a picture is not refused for it. `file` is the file, or its beginning, of which only that is looked at: JPEG's
/// segments before the first scan, PNG's chunks before the pixels, WebP's chunks. Thread-safe.
int OrientationOfJpeg(absl::string_view file);
int OrientationOfPng(absl::string_view file);
int OrientationOfWebp(absl::string_view file);

/// Whether a JPEG file's end is marked behind the beginning of its first scan (a thumbnail within it has an end of its own). Thread-safe.
bool HasEndOfScans(absl::string_view jpeg);

/// Whether the orientation exchanges width and height.
constexpr bool TurnsSideways(int orientation) { return orientation >= 5; }

/// The picture as it is to be looked at. Requires an orientation of 1 to 8.
ByteImage Upright(ByteImage stored, int orientation);

}  // namespace hanas

#endif  // HANAS_DATASET_EXIF_H_
