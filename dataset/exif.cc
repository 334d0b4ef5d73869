// SPDX-License-Identifier: Apache-2.0
#include "dataset/exif.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/match.h"

namespace hanas {
namespace {

constexpr absl::string_view kExif("Exif\0\0", 6);
constexpr int kUpright = 1;
constexpr int kMostOrientation = 8;

/// Reads numbers of a byte order; 0 beyond the end.
class Reader {
 public:
  Reader(absl::string_view bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}

  uint32_t Read(size_t at, size_t count) const {
    if (count > bytes_.size() || at > bytes_.size() - count) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < count; ++i) {
      const size_t place = big_endian_ ? count - 1 - i : i;
      value |= static_cast<uint32_t>(static_cast<uint8_t>(bytes_[at + i])) << (8 * place);
    }
    return value;
  }

 private:
  absl::string_view bytes_;
  bool big_endian_;
};

/// Of a TIFF structure, which EXIF data is.
int OrientationOfTiff(absl::string_view tiff) {
  constexpr uint32_t kTag = 0x0112;
  constexpr uint32_t kShort = 3;
  constexpr size_t kEntryBytes = 12;
  const bool big_endian = absl::StartsWith(tiff, "MM");
  if (!big_endian && !absl::StartsWith(tiff, "II")) return kUpright;
  const Reader reader(tiff, big_endian);
  const size_t directory = reader.Read(4, 4);
  const size_t entries = reader.Read(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntryBytes;
    if (entry >= tiff.size()) break;
    if (reader.Read(entry, 2) != kTag || reader.Read(entry + 2, 2) != kShort) continue;
    const uint32_t value = reader.Read(entry + 8, 2);
    return value >= 1 && value <= kMostOrientation ? static_cast<int>(value) : kUpright;
  }
  return kUpright;
}

/// Calls `visit(marker, data)` for the segments of a JPEG file before its first scan, until it returns false. Where it stopped: at the
/// scan, at what is no segment, or at the end.
template <typename Visit>
size_t VisitSegments(absl::string_view file, const Visit& visit) {
  constexpr uint32_t kStartOfScan = 0xDA;
  const Reader reader(file, /*big_endian=*/true);
  size_t at = 2;  // behind the marker that begins the file
  while (at + 4 <= file.size()) {
    const uint32_t marker = reader.Read(at + 1, 1);
    // A marker may be preceded by any number of 0xFF, and decoders pass over other bytes.
    if (reader.Read(at, 1) != 0xFF || marker == 0xFF || marker == 0) {
      ++at;
      continue;
    }
    const size_t length = reader.Read(at + 2, 2);  // with its own two bytes
    if (marker == kStartOfScan || length < 2 || at + 2 + length > file.size()) break;
    if (!visit(marker, file.substr(at + 4, length - 2))) break;
    at += 2 + length;
  }
  return at;
}

}  // namespace

int OrientationOfJpeg(absl::string_view file) {
  int orientation = kUpright;
  VisitSegments(file, [&](uint32_t marker, absl::string_view segment) {
    constexpr uint32_t kApp1 = 0xE1;
    if (marker != kApp1 || !absl::StartsWith(segment, kExif)) return true;
    orientation = OrientationOfTiff(segment.substr(kExif.size()));
    return false;
  });
  return orientation;
}

bool HasEndOfScans(absl::string_view jpeg) {
  constexpr absl::string_view kEnd("\xff\xd9", 2);
  const size_t end = jpeg.rfind(kEnd);
  return end != absl::string_view::npos && end >= VisitSegments(jpeg, [](uint32_t, absl::string_view) { return true; });
}

int OrientationOfPng(absl::string_view file) {
  const Reader reader(file, /*big_endian=*/true);
  size_t at = 8;  // behind the signature; a chunk is its length, its name, the data and a checksum
  while (at + 12 <= file.size()) {
    const size_t length = reader.Read(at, 4);
    const absl::string_view name = file.substr(at + 4, 4);
    if (name == "IDAT" || length > file.size() - at - 12) break;
    if (name == "eXIf") return OrientationOfTiff(file.substr(at + 8, length));
    at += 12 + length;
  }
  return kUpright;
}

int OrientationOfWebp(absl::string_view file) {
  const Reader reader(file, /*big_endian=*/false);
  size_t at = 12;  // behind the container's header; a chunk is its name, its length and the data, to an even number of bytes
  while (at + 8 <= file.size()) {
    const size_t length = reader.Read(at + 4, 4);
    if (length > file.size() - at - 8) break;
    if (file.substr(at, 4) == "EXIF") {
      absl::string_view data = file.substr(at + 8, length);
      if (absl::StartsWith(data, kExif)) data.remove_prefix(kExif.size());  // as some programs write it
      return OrientationOfTiff(data);
    }
    at += 8 + length + length % 2;
  }
  return kUpright;
}

ByteImage Upright(ByteImage stored, int orientation) {
  if (orientation == kUpright) return stored;
  const bool sideways = TurnsSideways(orientation);
  ByteImage upright = stored;
  if (sideways) std::swap(upright.height, upright.width);
  // Where a pixel of the upright picture is stored. Orientations 5 to 8 are the others with rows and columns exchanged.
  const bool from_below = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  for (int64_t y = 0; y < upright.height; ++y) {
    for (int64_t x = 0; x < upright.width; ++x) {
      int64_t row = sideways ? x : y;
      int64_t column = sideways ? y : x;
      if (sideways ? from_right : from_below) row = stored.height - 1 - row;
      if (sideways ? from_below : from_right) column = stored.width - 1 - column;
      const auto from = static_cast<size_t>((row * stored.width + column) * stored.channels);
      const auto to = static_cast<size_t>((y * upright.width + x) * upright.channels);
      std::copy_n(stored.bytes.begin() + static_cast<ptrdiff_t>(from), stored.channels, upright.bytes.begin() + static_cast<ptrdiff_t>(to));
    }
  }
  return upright;
}

}  // namespace hanas
