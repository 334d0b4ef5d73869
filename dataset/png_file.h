// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_DATASET_PNG_FILE_H_
#define HANAS_DATASET_PNG_FILE_H_

#include <array>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace hanas {

/// What ReadPng says.
struct PngPicture {
  uint32_t width = 0;
  uint32_t height = 0;
  bool grey = false;              // stored without colour
  std::array<char, 128> error{};  // why it failed, as text
};

/// Reads the header of a PNG file and, when `pixels` is not null, the picture as red, green and blue bytes, [height, width, 3], into it: it
/// must have room for as many as the header of these very bytes says. Transparency is dropped, samples of 16 bits keep their upper 8, no
/// gamma is applied. False when the file is damaged or ends early. Thread-safe.
bool ReadPng(absl::string_view file, uint8_t* pixels, PngPicture& picture);

}  // namespace hanas

#endif  // HANAS_DATASET_PNG_FILE_H_
