// SPDX-License-Identifier: Apache-2.0
#include "dataset/image_folder.h"

#include <turbojpeg.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/bound/preprocess.h"
#include "dataset/sha256.h"

namespace hanas {
namespace {

namespace fs = std::filesystem;

// What one picture, and all of them together, may take: a small file can claim any size, and be one colour.
constexpr int kMaxSide = 16384;
constexpr int64_t kMaxPixels = 100'000'000;
constexpr int64_t kMaxFileBytes = int64_t{256} << 20;
constexpr int64_t kMaxFolderBytes = int64_t{1} << 34;
constexpr size_t kMaxFiles = 10'000'000;

struct Destroy {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Decoder = std::unique_ptr<void, Destroy>;

absl::Status BadImage(const std::string& path, absl::string_view found) {
  return absl::DataLossError(absl::StrCat("expected a JPEG image, found ", found, "; replace or remove the file: ", path));
}

enum class Entries { kFolders, kPictures };

/// Names of the entries of `directory`, sorted.
absl::StatusOr<std::vector<std::string>> SortedNames(const std::string& directory, Entries wanted, size_t most) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (absl::StartsWith(name, ".")) continue;  // the file system's or an editor's
    const std::string extension = it->path().extension().string();
    std::error_code ignored;
    const bool counts = wanted == Entries::kFolders
                            ? it->is_directory(ignored)
                            : it->is_regular_file(ignored) && (extension == ".jpg" || extension == ".jpeg" || extension == ".JPG");
    if (counts && names.size() == most)
      return absl::ResourceExhaustedError(absl::StrCat("expected at most ", most, " files, found more: ", directory));
    if (counts) names.push_back(name);
  }
  const absl::string_view what = wanted == Entries::kFolders ? "one folder for each class" : "a folder of JPEG files";
  if (error) return absl::NotFoundError(absl::StrCat("expected ", what, ", found ", error.message(), ": ", directory));
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<PictureHeader> DecodeHeader(tjhandle decoder, const std::string& path, const std::string& bytes) {
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  PictureHeader header;
  int subsampling = 0;
  int colours = 0;
  if (tjDecompressHeader3(decoder, data, bytes.size(), &header.width, &header.height, &subsampling, &colours) != 0) {
    return BadImage(path, tjGetErrorStr2(decoder));
  }
  const bool extents = header.width >= 1 && header.height >= 1 && header.width <= kMaxSide && header.height <= kMaxSide;
  if (!extents || int64_t{header.width} * header.height > kMaxPixels) {
    return BadImage(
        path, absl::StrCat(header.width, "x", header.height, " pixels, where ", kMaxPixels, " in sides of ", kMaxSide, " are the most"));
  }
  header.grey = colours == TJCS_GRAY;
  return header;
}

/// The size to decode a picture at: that of the decoder's reductions which is the smallest that covers `to` in both directions, so that no
/// pixel is skipped and no more is decoded than is looked at. The picture's own where it is too small to be reduced, or `to` is 0.
std::pair<int, int> DecodedSize(const PictureHeader& header, const Dataset::Dimensions& to) {
  std::pair<int, int> best = {header.width, header.height};
  if (to.height == 0) return best;
  int num_factors = 0;
  const tjscalingfactor* const factors = tjGetScalingFactors(&num_factors);
  for (int i = 0; i < num_factors; ++i) {
    const std::pair<int, int> scaled = {TJSCALED(header.width, factors[i]), TJSCALED(header.height, factors[i])};
    if (scaled.first >= to.width && scaled.second >= to.height && scaled < best) best = scaled;
  }
  return best;
}

/// The picture, reduced as DecodedSize says.
absl::StatusOr<ByteImage> Decode(tjhandle decoder, const std::string& path, const std::string& bytes, const Dataset::Dimensions& to) {
  const absl::StatusOr<PictureHeader> header = DecodeHeader(decoder, path, bytes);
  if (!header.ok()) return header.status();
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto [width, height] = DecodedSize(*header, to);
  ByteImage picture = {.height = height, .width = width, .channels = to.channels, .bytes = {}};
  picture.bytes.resize(static_cast<size_t>(picture.height * picture.width * picture.channels));
  constexpr int kDecoding = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;  // a progressive file may repeat itself without end
  const int format = to.channels == 1 ? TJPF_GRAY : TJPF_RGB;
  if (tjDecompress2(decoder, data, bytes.size(), picture.bytes.data(), width, 0, height, format, kDecoding) != 0) {
    return BadImage(path, tjGetErrorStr2(decoder));
  }
  return picture;
}

/// At most `most` bytes of a file, from its beginning.
absl::StatusOr<std::string> ReadBytes(const std::string& path, std::streamsize most) {
  std::error_code error;
  if (const auto size = fs::file_size(path, error); !error && size > kMaxFileBytes)
    return BadImage(path, absl::StrCat(size, " bytes, where ", kMaxFileBytes, " are the most"));
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return BadImage(path, std::generic_category().message(errno));
  std::string bytes;
  constexpr std::streamsize kChunk = 1 << 16;
  while (file && most > 0) {
    const std::streamsize wanted = std::min(kChunk, most);
    const size_t before = bytes.size();
    bytes.resize(before + static_cast<size_t>(wanted));
    file.read(bytes.data() + before, wanted);
    bytes.resize(before + static_cast<size_t>(file.gcount()));
    most -= file.gcount();
  }
  return bytes;
}

/// Of the wanted size. What is twice as large after decoding is halved first, as often as that is so, because resizing reads two neighbours
/// and would skip pixels; halfway between two, which halving an even extent is, it skips none.
ByteImage Resized(ByteImage picture, const Dataset::Dimensions& to) {
  while (picture.height >= 2 * to.height && picture.width >= 2 * to.width) {
    const int64_t height = picture.height / 2;
    const int64_t width = picture.width / 2;
    picture = ResizedImage(std::move(picture), height, width);
  }
  return ResizedImage(std::move(picture), to.height, to.width);
}

using Classes = std::vector<std::pair<std::string, std::vector<std::string>>>;

int64_t NumFiles(const Classes& classes) {
  int64_t files = 0;
  for (const auto& [name, of_class] : classes) files += static_cast<int64_t>(of_class.size());
  return files;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ListClassFolders(const std::string& directory) {
  absl::StatusOr<std::vector<std::string>> names = SortedNames(directory, Entries::kFolders, std::numeric_limits<size_t>::max());
  if (names.ok() && names->empty()) return absl::NotFoundError(absl::StrCat("expected one folder for each class, found none: ", directory));
  return names;
}

absl::StatusOr<std::vector<std::string>> ListPictures(const std::string& directory) {
  return SortedNames(directory, Entries::kPictures, std::numeric_limits<size_t>::max());
}

absl::StatusOr<std::vector<std::pair<std::string, std::vector<std::string>>>> ListImageFolder(const std::string& directory, size_t most) {
  const absl::StatusOr<std::vector<std::string>> classes = ListClassFolders(directory);
  if (!classes.ok()) return classes.status();
  std::vector<std::pair<std::string, std::vector<std::string>>> listed;
  for (const std::string& name : *classes) {
    const std::string folder = (fs::path(directory) / name).string();
    absl::StatusOr<std::vector<std::string>> files = SortedNames(folder, Entries::kPictures, most);
    if (!files.ok()) return files.status();
    if (files->empty()) return absl::NotFoundError(absl::StrCat("expected JPEG files, found none: ", folder));
    most -= files->size();
    listed.emplace_back(name, *std::move(files));
  }
  return listed;
}

absl::StatusOr<PictureHeader> ReadPictureHeader(const std::string& path) {
  constexpr std::streamsize kUsualHeader = 1 << 16;
  const Decoder decoder(tjInitDecompress());
  absl::StatusOr<std::string> bytes = ReadBytes(path, kUsualHeader);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<PictureHeader> header = DecodeHeader(decoder.get(), path, *bytes);
  if (header.ok() || static_cast<std::streamsize>(bytes->size()) < kUsualHeader) return header;
  bytes = ReadBytes(path, kMaxFileBytes);  // a thumbnail or a colour profile may stand before the size
  return bytes.ok() ? DecodeHeader(decoder.get(), path, *bytes) : bytes.status();
}

absl::StatusOr<bool> ShowsColour(const std::string& path) {
  constexpr int kVisible = 24;  // of 255 between two channels: coding a grey picture in three channels makes less
  const Decoder decoder(tjInitDecompress());
  const absl::StatusOr<std::string> bytes = ReadBytes(path, kMaxFileBytes);
  if (!bytes.ok()) return bytes.status();
  const absl::StatusOr<ByteImage> picture = Decode(decoder.get(), path, *bytes, {.height = 0, .width = 0, .channels = 3});
  if (!picture.ok()) return picture.status();
  for (size_t i = 0; i + 2 < picture->bytes.size(); i += 3) {
    const auto [least, most] = std::minmax({picture->bytes[i], picture->bytes[i + 1], picture->bytes[i + 2]});
    if (most - least > kVisible) return true;
  }
  return false;
}

absl::Status CheckFolderBytes(int64_t num_images, const Dataset::Dimensions& dimensions, const std::string& directory) {
  const int64_t image_bytes = dimensions.height * dimensions.width * dimensions.channels;
  if (num_images <= kMaxFolderBytes / image_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("expected images of at most ", kMaxFolderBytes, " bytes together, found ", num_images,
                                                 " of ", dimensions.height, "x", dimensions.width, "x", dimensions.channels,
                                                 "; search with smaller images, or fewer: ", directory));
}

absl::StatusOr<FolderImages> ReadImageFolder(const std::string& directory, Dataset::Dimensions dimensions) {
  const auto classes = ListImageFolder(directory, kMaxFiles);
  if (!classes.ok()) return classes.status();
  FolderImages result;
  const Decoder decoder(tjInitDecompress());
  for (const auto& [class_name, names] : *classes) {
    const auto label = static_cast<int32_t>(result.class_names.size());
    result.class_names.push_back(class_name);
    for (const std::string& name : names) {
      const std::string path = (fs::path(directory) / class_name / name).string();
      const absl::StatusOr<std::string> bytes = ReadBytes(path, kMaxFileBytes);
      if (!bytes.ok()) return bytes.status();
      absl::StatusOr<ByteImage> picture = Decode(decoder.get(), path, *bytes, dimensions);
      if (!picture.ok()) return picture.status();
      if (dimensions.height == 0) {
        dimensions.height = picture->height;
        dimensions.width = picture->width;
      }
      if (result.files.empty()) {
        if (absl::Status status = CheckFolderBytes(NumFiles(*classes), dimensions, directory); !status.ok()) return status;
      }
      const ByteImage resized = Resized(*std::move(picture), dimensions);
      result.images.pixels.insert(result.images.pixels.end(), resized.bytes.begin(), resized.bytes.end());
      result.images.labels.push_back(label);
      result.files.emplace_back(absl::StrCat(class_name, "/", name), Sha256Hex(*bytes));
    }
  }
  result.dimensions = dimensions;
  return result;
}

}  // namespace hanas
