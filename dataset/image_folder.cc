// SPDX-License-Identifier: Apache-2.0
#include "dataset/image_folder.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/bound/preprocess.h"
#include "dataset/sha256.h"

namespace hanas {
namespace {

namespace fs = std::filesystem;

// What all pictures together may take.
constexpr int64_t kMaxFolderBytes = int64_t{1} << 34;
constexpr size_t kMaxFiles = 10'000'000;
constexpr size_t kMostNamed = 20;  // damaged files

absl::Status NoDirectory(absl::string_view wanted, const std::error_code& error, const std::string& directory) {
  return absl::NotFoundError(absl::StrCat("expected ", wanted, ", found ", error.message(), ": ", directory));
}

/// The file system's or an editor's.
bool IsHidden(const fs::path& path) { return absl::StartsWith(path.filename().string(), "."); }

/// The pictures in `directory` and in folders within it, by their paths relative to it, sorted.
absl::StatusOr<std::vector<std::string>> SortedPictures(const std::string& directory, size_t most) {
  std::vector<std::string> names;
  std::error_code error;
  // A folder within that may not be read holds nobody's pictures; that a class's own may not is an error.
  const fs::directory_iterator readable(directory, error);
  if (error) return NoDirectory("a folder of pictures", error, directory);
  fs::recursive_directory_iterator it(directory, fs::directory_options::skip_permission_denied, error);
  for (const fs::recursive_directory_iterator end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (IsHidden(it->path())) {
      it.disable_recursion_pending();
    } else if (HasPictureExtension(it->path().filename().string()) && it->is_regular_file(ignored)) {
      if (names.size() == most)
        return absl::ResourceExhaustedError(absl::StrCat("expected at most ", most, " files, found more: ", directory));
      names.push_back(it->path().lexically_relative(directory).string());
    }
  }
  if (error) return NoDirectory("a folder of pictures", error, directory);
  std::sort(names.begin(), names.end());
  return names;
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

/// All of them at once, or the first of many.
absl::Status DamagedPictures(const std::vector<std::string>& sentences) { return absl::DataLossError(absl::StrJoin(sentences, "\n")); }

int64_t NumFiles(const Classes& classes) {
  int64_t files = 0;
  for (const auto& [name, of_class] : classes) files += static_cast<int64_t>(of_class.size());
  return files;
}

}  // namespace

std::string TestFolder(const std::string& directory) {
  std::error_code ignored;
  for (const char* const name : {"test", "val", "valid", "validation"}) {
    if (fs::is_directory(fs::path(directory) / name, ignored)) return name;
  }
  return "test";
}

absl::StatusOr<std::vector<std::string>> ListClassFolders(const std::string& directory) {
  constexpr absl::string_view kWanted = "one folder for each class";
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (!IsHidden(it->path()) && it->is_directory(ignored)) names.push_back(it->path().filename().string());
  }
  if (error) return NoDirectory(kWanted, error, directory);
  if (names.empty()) return absl::NotFoundError(absl::StrCat("expected ", kWanted, ", found none: ", directory));
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::vector<std::string>> ListPictures(const std::string& directory) {
  return SortedPictures(directory, std::numeric_limits<size_t>::max());
}

absl::StatusOr<std::vector<std::pair<std::string, std::vector<std::string>>>> ListImageFolder(const std::string& directory, size_t most) {
  const absl::StatusOr<std::vector<std::string>> classes = ListClassFolders(directory);
  if (!classes.ok()) return classes.status();
  std::vector<std::pair<std::string, std::vector<std::string>>> listed;
  for (const std::string& name : *classes) {
    const std::string folder = (fs::path(directory) / name).string();
    absl::StatusOr<std::vector<std::string>> files = SortedPictures(folder, most);
    if (!files.ok()) return files.status();
    if (files->empty()) return absl::NotFoundError(absl::StrCat("expected pictures (", kPictureExtensions, "), found none: ", folder));
    most -= files->size();
    listed.emplace_back(name, *std::move(files));
  }
  return listed;
}

absl::StatusOr<bool> ShowsColour(const std::string& path) {
  constexpr int kVisible = 24;  // of 255 between two channels: coding a grey picture in three channels makes less
  const PictureDecoder decoder;
  const absl::StatusOr<std::string> bytes = ReadPictureFile(path);
  if (!bytes.ok()) return bytes.status();
  const absl::StatusOr<ByteImage> picture = decoder.Decode(path, *bytes, {.height = 0, .width = 0, .channels = 3});
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
  std::vector<std::string> damaged;
  const PictureDecoder decoder;
  for (const auto& [class_name, names] : *classes) {
    const auto label = static_cast<int32_t>(result.class_names.size());
    result.class_names.push_back(class_name);
    for (const std::string& name : names) {
      const std::string path = (fs::path(directory) / class_name / name).string();
      const absl::StatusOr<std::string> bytes = ReadPictureFile(path);
      absl::StatusOr<ByteImage> picture = bytes.ok() ? decoder.Decode(path, *bytes, dimensions) : bytes.status();
      if (!picture.ok()) {
        damaged.emplace_back(picture.status().message());
        if (damaged.size() == kMostNamed) return DamagedPictures(damaged);
        continue;
      }
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
  if (!damaged.empty()) return DamagedPictures(damaged);
  result.dimensions = dimensions;
  return result;
}

}  // namespace hanas
