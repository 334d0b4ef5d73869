// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SUPPORT_PICTURES_H_
#define HANAS_TESTS_SUPPORT_PICTURES_H_

#include <cstdint>
#include <string>
#include <vector>

namespace hanas {

// Pictures of [height, width, 3] bytes as files of other kinds than JPEG (jpeg.h). They fail the test when they cannot.

std::string PngBytes(int width, int height, const std::vector<uint8_t>& pixels);
/// Without loss.
std::string WebpBytes(int width, int height, const std::vector<uint8_t>& pixels);
/// Of inks, [height, width, 4], inverted as Adobe's programs store them.
std::string CmykJpegBytes(int width, int height, const std::vector<uint8_t>& inks);

/// EXIF data that says nothing but the orientation.
std::string ExifBytes(int orientation);
/// The file with EXIF data in it, where programs put it.
std::string JpegWithExif(const std::string& jpeg, const std::string& exif);
std::string PngWithExif(const std::string& png, const std::string& exif);
/// Of a WebP file without loss, of that size.
std::string WebpWithExif(const std::string& webp, int width, int height, const std::string& exif);

}  // namespace hanas

#endif  // HANAS_TESTS_SUPPORT_PICTURES_H_
