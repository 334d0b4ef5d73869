// SPDX-License-Identifier: Apache-2.0
#include "tests/support/pictures.h"

#include <png.h>
#include <turbojpeg.h>
#include <webp/encode.h>
#include <zlib.h>

#include "gtest/gtest.h"

namespace hanas {
namespace {

std::string BigEndian(uint64_t value, int count) {
  std::string bytes;
  for (int i = count - 1; i >= 0; --i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}

std::string LittleEndian(uint64_t value, int count) {
  std::string bytes = BigEndian(value, count);
  return {bytes.rbegin(), bytes.rend()};
}

std::string RiffChunk(const std::string& name, const std::string& data) {
  return name + LittleEndian(data.size(), 4) + data + std::string(data.size() % 2, '\0');
}

}  // namespace

std::string PngBytes(int width, int height, const std::vector<uint8_t>& pixels) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  EXPECT_NE(png_image_write_to_memory(&image, nullptr, &size, 0, pixels.data(), 0, nullptr), 0) << image.message;
  std::string bytes(size, '\0');
  EXPECT_NE(png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels.data(), 0, nullptr), 0) << image.message;
  return bytes.substr(0, size);
}

std::string WebpBytes(int width, int height, const std::vector<uint8_t>& pixels) {
  uint8_t* out = nullptr;
  const size_t size = WebPEncodeLosslessRGB(pixels.data(), width, height, width * 3, &out);
  EXPECT_GT(size, 0U);
  std::string bytes(reinterpret_cast<const char*>(out), size);
  WebPFree(out);
  return bytes;
}

std::string CmykJpegBytes(int width, int height, const std::vector<uint8_t>& inks) {
  unsigned char* out = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): the library's type
  tjhandle encoder = tjInitCompress();
  EXPECT_EQ(tjCompress2(encoder, inks.data(), width, 0, height, TJPF_CMYK, &out, &size, TJSAMP_444, 98, 0), 0);
  std::string bytes(reinterpret_cast<const char*>(out), size);
  tjFree(out);
  tjDestroy(encoder);
  return bytes;
}

std::string ExifBytes(int orientation) {
  const std::string header = "II" + LittleEndian(42, 2) + LittleEndian(8, 4);
  const std::string entry =
      LittleEndian(0x0112, 2) + LittleEndian(3, 2) + LittleEndian(1, 4) + LittleEndian(static_cast<uint64_t>(orientation), 4);
  return header + LittleEndian(1, 2) + entry + LittleEndian(0, 4);
}

std::string JpegWithExif(const std::string& jpeg, const std::string& exif) {
  const std::string segment = std::string("Exif\0\0", 6) + exif;
  return jpeg.substr(0, 2) + "\xff\xe1" + BigEndian(segment.size() + 2, 2) + segment + jpeg.substr(2);
}

std::string PngWithExif(const std::string& png, const std::string& exif) {
  constexpr size_t kBehindHeader = 8 + 25;  // the signature, and the first chunk with its 13 bytes
  const std::string named = "eXIf" + exif;
  const auto checksum = crc32(0, reinterpret_cast<const Bytef*>(named.data()), static_cast<uInt>(named.size()));
  return png.substr(0, kBehindHeader) + BigEndian(exif.size(), 4) + named + BigEndian(checksum, 4) + png.substr(kBehindHeader);
}

std::string WebpWithExif(const std::string& webp, int width, int height, const std::string& exif) {
  constexpr int kHasExif = 0x08;
  const std::string extended =
      LittleEndian(kHasExif, 4) + LittleEndian(static_cast<uint64_t>(width - 1), 3) + LittleEndian(static_cast<uint64_t>(height - 1), 3);
  const std::string chunks = "WEBP" + RiffChunk("VP8X", extended) + webp.substr(12) + RiffChunk("EXIF", exif);
  return "RIFF" + LittleEndian(chunks.size(), 4) + chunks;
}

}  // namespace hanas
