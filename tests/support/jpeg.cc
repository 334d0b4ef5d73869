// SPDX-License-Identifier: Apache-2.0
#include "tests/support/jpeg.h"

#include <turbojpeg.h>

#include <fstream>
#include <vector>

#include "gtest/gtest.h"

namespace hanas {
namespace {

void Write(const std::filesystem::path& path, int width, int height, const std::vector<uint8_t>& pixels, bool grey) {
  unsigned char* out = nullptr;
  unsigned long size = 0;
  tjhandle encoder = tjInitCompress();
  ASSERT_EQ(tjCompress2(encoder, pixels.data(), width, 0, height, grey ? TJPF_GRAY : TJPF_RGB, &out, &size, grey ? TJSAMP_GRAY : TJSAMP_444,
                        95, 0),
            0);
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(out), static_cast<std::streamsize>(size));
  tjFree(out);
  tjDestroy(encoder);
}

}  // namespace

void WriteJpegPixels(const std::filesystem::path& path, int width, int height, const std::vector<uint8_t>& pixels) {
  Write(path, width, height, pixels, /*grey=*/false);
}

void WriteJpeg(const std::filesystem::path& path, int width, int height, const std::array<uint8_t, 3>& colour, JpegStorage storage) {
  const bool grey = storage == JpegStorage::kGrey;
  std::vector<uint8_t> pixels(static_cast<size_t>(width * height * (grey ? 1 : 3)));
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = colour.at(grey ? 0 : i % 3);
  Write(path, width, height, pixels, grey);
}

}  // namespace hanas
