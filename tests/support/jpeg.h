// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SUPPORT_JPEG_H_
#define HANAS_TESTS_SUPPORT_JPEG_H_

#include <array>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace hanas {

/// How a picture is stored: in one channel, or in three.
enum class JpegStorage : uint8_t { kGrey, kColour };

/// Writes a picture of these pixels, [height, width, 3], every channel at full resolution. Fails the test when it cannot.
void WriteJpegPixels(const std::filesystem::path& path, int width, int height, const std::vector<uint8_t>& pixels);

/// Writes a picture of one colour, red, green and blue. A grey one shows the red value. Fails the test when it cannot.
void WriteJpeg(const std::filesystem::path& path, int width, int height, const std::array<uint8_t, 3>& colour,
               JpegStorage storage = JpegStorage::kColour);

}  // namespace hanas

#endif  // HANAS_TESTS_SUPPORT_JPEG_H_
