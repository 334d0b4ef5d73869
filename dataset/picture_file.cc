// SPDX-License-Identifier: Apache-2.0
#include "dataset/picture_file.h"

#include <turbojpeg.h>
#include <webp/decode.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "dataset/exif.h"
#include "dataset/png_file.h"

namespace hanas {
namespace {

namespace fs = std::filesystem;

// What one picture may take: a small file can claim any size, and be one colour.
constexpr int kMaxSide = 16384;
constexpr int64_t kMaxPixels = 100'000'000;
constexpr int64_t kMaxFileBytes = int64_t{256} << 20;

absl::Status BadPicture(const std::string& path, absl::string_view found) {
  return absl::DataLossError(absl::StrCat("expected a JPEG, PNG or WebP picture, found ", found, "; replace or remove the file: ", path));
}

const unsigned char* BytesOf(absl::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

constexpr absl::string_view kPngSignature("\x89PNG\r\n\x1a\n", 8);

absl::StatusOr<PictureKind> KindOf(const std::string& path, absl::string_view bytes) {
  if (absl::StartsWith(bytes, "\xff\xd8")) return PictureKind::kJpeg;
  if (absl::StartsWith(bytes, kPngSignature)) return PictureKind::kPng;
  if (absl::StartsWith(bytes, "RIFF") && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP") return PictureKind::kWebp;
  return BadPicture(path, bytes.empty() ? "an empty file" : "something else");
}

/// Of the size that the header's fields say.
absl::Status CheckSize(const std::string& path, const PictureHeader& header) {
  const bool extents = header.width >= 1 && header.height >= 1 && header.width <= kMaxSide && header.height <= kMaxSide;
  if (extents && int64_t{header.width} * header.height <= kMaxPixels) return absl::OkStatus();
  return BadPicture(
      path, absl::StrCat(header.width, "x", header.height, " pixels, where ", kMaxPixels, " in sides of ", kMaxSide, " are the most"));
}

/// As stored: before turning.
absl::Status ReadWebpHeader(const std::string& path, absl::string_view bytes, PictureHeader& header) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(BytesOf(bytes), bytes.size(), &features) != VP8_STATUS_OK) return BadPicture(path, "a damaged WebP header");
  if (features.has_animation != 0) return BadPicture(path, "an animation");
  header.width = features.width;
  header.height = features.height;
  header.orientation = OrientationOfWebp(bytes);
  return absl::OkStatus();
}

absl::Status ReadPngHeader(const std::string& path, absl::string_view bytes, PictureHeader& header) {
  PngPicture picture;
  if (!ReadPng(bytes, /*pixels=*/nullptr, picture)) return BadPicture(path, picture.error.data());
  // Larger than what fits into the header is larger than what is read.
  header.width = static_cast<int>(std::min<uint32_t>(picture.width, kMaxSide + 1));
  header.height = static_cast<int>(std::min<uint32_t>(picture.height, kMaxSide + 1));
  header.grey = picture.grey;
  header.orientation = OrientationOfPng(bytes);
  return absl::OkStatus();
}

ByteImage Grey(const ByteImage& colour) {
  ByteImage grey = {.height = colour.height, .width = colour.width, .channels = 1, .bytes = {}};
  grey.bytes.reserve(colour.bytes.size() / 3);
  for (size_t i = 0; i + 2 < colour.bytes.size(); i += 3) {
    constexpr int kScale = 1000;
    const int luma = 299 * colour.bytes[i] + 587 * colour.bytes[i + 1] + 114 * colour.bytes[i + 2];
    grey.bytes.push_back(static_cast<uint8_t>((luma + kScale / 2) / kScale));
  }
  return grey;
}

/// Of inverted inks: 255 is none.
void InksToColours(absl::Span<const uint8_t> inks, std::vector<uint8_t>& colours) {
  colours.clear();
  colours.reserve(inks.size() / 4 * 3);
  for (size_t i = 0; i + 3 < inks.size(); i += 4) {
    for (size_t c = 0; c < 3; ++c) colours.push_back(static_cast<uint8_t>((inks[i + c] * inks[i + 3] + 127) / 255));
  }
}

}  // namespace

bool HasPictureExtension(absl::string_view file_name) {
  for (const absl::string_view extension : absl::StrSplit(kPictureExtensions, ", ")) {
    if (absl::EndsWithIgnoreCase(file_name, extension)) return true;
  }
  return false;
}

/// The library's handle, and what it does.
class PictureDecoder::Jpeg {
 public:
  Jpeg() : handle_(tjInitDecompress()) {}
  ~Jpeg() { tjDestroy(handle_); }
  Jpeg(const Jpeg&) = delete;
  Jpeg& operator=(const Jpeg&) = delete;

  /// As stored: before turning.
  absl::Status ReadHeader(const std::string& path, absl::string_view bytes, PictureHeader& header) const {
    int subsampling = 0;
    int colours = 0;
    if (tjDecompressHeader3(handle_, BytesOf(bytes), bytes.size(), &header.width, &header.height, &subsampling, &colours) != 0 &&
        Failed(bytes))
      return BadPicture(path, tjGetErrorStr2(handle_));
    header.grey = colours == TJCS_GRAY;
    header.cmyk = colours == TJCS_CMYK || colours == TJCS_YCCK;
    header.orientation = OrientationOfJpeg(bytes);
    return absl::OkStatus();
  }

  /// `stored` as ReadHeader has it, `to` turned like it.
  absl::StatusOr<ByteImage> Decode(const std::string& path, absl::string_view bytes, const PictureHeader& stored,
                                   const Dataset::Dimensions& to) const {
    const auto [width, height] = DecodedSize(stored, to);
    // Inks become colours first, and those grey.
    const int64_t channels = stored.cmyk ? 4 : to.channels;
    ByteImage picture = {.height = height, .width = width, .channels = channels, .bytes = {}};
    picture.bytes.resize(static_cast<size_t>(picture.height * picture.width * channels));
    constexpr int kDecoding = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;  // a progressive file may repeat itself without end
    const int format = stored.cmyk ? TJPF_CMYK : channels == 1 ? TJPF_GRAY : TJPF_RGB;
    if (tjDecompress2(handle_, BytesOf(bytes), bytes.size(), picture.bytes.data(), width, 0, height, format, kDecoding) != 0 &&
        Failed(bytes))
      return BadPicture(path, tjGetErrorStr2(handle_));
    if (!stored.cmyk) return picture;
    ByteImage colours = {.height = height, .width = width, .channels = 3, .bytes = {}};
    InksToColours(picture.bytes, colours.bytes);
    return to.channels == 1 ? Grey(colours) : std::move(colours);
  }

 private:
  /// Whether the last call failed, or warned of more than bytes between segments, which change no pixel. The library tells only the first
  /// warning, so it is also looked at whether the file ends as it should.
  bool Failed(absl::string_view bytes) const {
    const bool only_extraneous =
        tjGetErrorCode(handle_) == TJERR_WARNING && absl::StrContains(tjGetErrorStr2(handle_), "extraneous bytes before marker");
    return !only_extraneous || !HasEndOfScans(bytes);
  }

  /// The size to decode a picture at: the smallest of 1/2, 1/4 and 1/8 that covers `to` in both directions, rounded up, so that no pixel is
  /// skipped and no more is decoded than is looked at. The picture's own where it is too small to be reduced, or `to` is 0. Pillow's
  /// `Image.draft` chooses the same one.
  static std::pair<int, int> DecodedSize(const PictureHeader& header, const Dataset::Dimensions& to) {
    if (to.height == 0) return {header.width, header.height};
    for (const int by : {8, 4, 2}) {
      if (header.width < by * to.width || header.height < by * to.height) continue;
      return {(header.width + by - 1) / by, (header.height + by - 1) / by};
    }
    return {header.width, header.height};
  }

  const tjhandle handle_;
};

namespace {

absl::StatusOr<ByteImage> DecodePng(const std::string& path, absl::string_view bytes, const PictureHeader& stored, int64_t channels) {
  ByteImage colour = {.height = stored.height, .width = stored.width, .channels = 3, .bytes = {}};
  colour.bytes.resize(static_cast<size_t>(colour.height * colour.width * colour.channels));
  PngPicture picture;
  if (!ReadPng(bytes, colour.bytes.data(), picture)) return BadPicture(path, picture.error.data());
  return channels == 1 ? Grey(colour) : std::move(colour);
}

absl::StatusOr<ByteImage> DecodeWebp(const std::string& path, absl::string_view bytes, const PictureHeader& stored, int64_t channels) {
  ByteImage colour = {.height = stored.height, .width = stored.width, .channels = 3, .bytes = {}};
  colour.bytes.resize(static_cast<size_t>(colour.height * colour.width * colour.channels));
  if (WebPDecodeRGBInto(BytesOf(bytes), bytes.size(), colour.bytes.data(), colour.bytes.size(), stored.width * 3) == nullptr)
    return BadPicture(path, "a damaged WebP picture, or one that ends early");
  return channels == 1 ? Grey(colour) : std::move(colour);
}

}  // namespace

PictureDecoder::PictureDecoder() : jpeg_(std::make_unique<Jpeg>()) {}
PictureDecoder::~PictureDecoder() = default;

absl::StatusOr<PictureHeader> PictureDecoder::StoredHeader(const std::string& path, absl::string_view bytes) const {
  const absl::StatusOr<PictureKind> kind = KindOf(path, bytes);
  if (!kind.ok()) return kind.status();
  PictureHeader header = {.kind = *kind};
  const absl::Status status = *kind == PictureKind::kJpeg  ? jpeg_->ReadHeader(path, bytes, header)
                              : *kind == PictureKind::kPng ? ReadPngHeader(path, bytes, header)
                                                           : ReadWebpHeader(path, bytes, header);
  if (!status.ok()) return status;
  if (absl::Status size = CheckSize(path, header); !size.ok()) return size;
  return header;
}

absl::StatusOr<PictureHeader> PictureDecoder::Header(const std::string& path, absl::string_view bytes) const {
  absl::StatusOr<PictureHeader> header = StoredHeader(path, bytes);
  if (header.ok() && TurnsSideways(header->orientation)) std::swap(header->width, header->height);
  return header;
}

absl::StatusOr<ByteImage> PictureDecoder::Decode(const std::string& path, absl::string_view bytes, const Dataset::Dimensions& to) const {
  const absl::StatusOr<PictureHeader> stored = StoredHeader(path, bytes);
  if (!stored.ok()) return stored.status();
  Dataset::Dimensions turned = to;
  if (TurnsSideways(stored->orientation)) std::swap(turned.height, turned.width);
  absl::StatusOr<ByteImage> picture = stored->kind == PictureKind::kJpeg  ? jpeg_->Decode(path, bytes, *stored, turned)
                                      : stored->kind == PictureKind::kPng ? DecodePng(path, bytes, *stored, to.channels)
                                                                          : DecodeWebp(path, bytes, *stored, to.channels);
  if (!picture.ok()) return picture;
  return Upright(*std::move(picture), stored->orientation);
}

namespace {

/// At most `most` bytes, from the beginning.
absl::StatusOr<std::string> ReadBeginning(const std::string& path, int64_t most) {
  std::error_code error;
  if (const auto size = fs::file_size(path, error); !error && size > kMaxFileBytes)
    return BadPicture(path, absl::StrCat(size, " bytes, where ", kMaxFileBytes, " are the most"));
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return BadPicture(path, std::generic_category().message(errno));
  std::string bytes;
  constexpr std::streamsize kChunk = 1 << 16;
  while (file && most > 0) {
    const std::streamsize wanted = std::min<std::streamsize>(kChunk, most);
    const size_t before = bytes.size();
    bytes.resize(before + static_cast<size_t>(wanted));
    file.read(bytes.data() + before, wanted);
    bytes.resize(before + static_cast<size_t>(file.gcount()));
    most -= file.gcount();
  }
  return bytes;
}

}  // namespace

absl::StatusOr<std::string> ReadPictureFile(const std::string& path) { return ReadBeginning(path, kMaxFileBytes); }

absl::StatusOr<PictureHeader> ReadPictureHeader(const std::string& path, const PictureDecoder& decoder) {
  constexpr int64_t kUsualHeader = 1 << 16;
  absl::StatusOr<std::string> bytes = ReadBeginning(path, kUsualHeader);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<PictureHeader> header = decoder.Header(path, *bytes);
  const bool whole = static_cast<int64_t>(bytes->size()) < kUsualHeader;
  // A thumbnail or a colour profile may stand before the size, and WebP's orientation behind the pixels.
  if (whole || (header.ok() && header->kind != PictureKind::kWebp)) return header;
  bytes = ReadPictureFile(path);
  return bytes.ok() ? decoder.Header(path, *bytes) : bytes.status();
}

}  // namespace hanas
