// SPDX-License-Identifier: Apache-2.0
#include "dataset/png_file.h"

#include <png.h>

#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstring>

namespace hanas {
namespace {

constexpr png_alloc_size_t kMostChunkBytes = 64U << 20;
constexpr size_t kChannels = 3;

struct Source {
  absl::string_view bytes;
  size_t at = 0;
};

void Read(png_structp png, png_bytep out, size_t count) {
  auto* const source = static_cast<Source*>(png_get_io_ptr(png));
  if (count > source->bytes.size() - source->at) png_error(png, "a PNG file that ends early");
  std::memcpy(out, source->bytes.data() + source->at, count);
  source->at += count;
}

[[noreturn]] void Fail(png_structp png, png_const_charp text) {
  auto* const picture = static_cast<PngPicture*>(png_get_error_ptr(png));
  std::snprintf(picture->error.data(), picture->error.size(), "%s", text);
  png_longjmp(png, 1);
}

void Ignore(png_structp /*png*/, png_const_charp /*text*/) {}

}  // namespace

// The library leaves by longjmp at an error, so nothing that has a destructor may live here.
bool ReadPng(absl::string_view file, uint8_t* pixels, PngPicture& picture) {
  Source source = {.bytes = file};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &picture, Fail, Ignore);
  if (png == nullptr) {
    std::snprintf(picture.error.data(), picture.error.size(), "no memory to decode with");
    return false;
  }
  png_infop info = png_create_info_struct(png);
  if (setjmp(png_jmpbuf(png)) != 0) {  // NOLINT(cert-err52-cpp): the library's way
    png_destroy_read_struct(&png, &info, nullptr);
    return false;
  }
  if (info == nullptr) png_error(png, "no memory to decode with");
  // Text and profiles may inflate to any size, and nobody reads them: only what the pixels need is kept.
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_set_chunk_malloc_max(png, kMostChunkBytes);
  png_set_read_fn(png, &source, Read);
  png_read_info(png, info);
  picture.width = png_get_image_width(png, info);
  picture.height = png_get_image_height(png, info);
  picture.grey = (png_get_color_type(png, info) & PNG_COLOR_MASK_COLOR) == 0;
  if (pixels != nullptr) {
    png_set_expand(png);
    png_set_strip_16(png);
    png_set_strip_alpha(png);
    png_set_gray_to_rgb(png);
    const int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (png_get_rowbytes(png, info) != kChannels * picture.width) png_error(png, "a PNG file of an unknown form");
    for (int pass = 0; pass < passes; ++pass) {
      for (size_t row = 0; row < picture.height; ++row) png_read_row(png, pixels + row * kChannels * picture.width, nullptr);
    }
    png_read_end(png, nullptr);
  }
  png_destroy_read_struct(&png, &info, nullptr);
  return true;
}

}  // namespace hanas
