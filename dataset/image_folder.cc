// SPDX-License-Identifier: Apache-2.0
#include "dataset/image_folder.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <system_error>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/bounds.h"
#include "core/base/text.h"
#include "core/bound/fit_picture.h"
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

using Classes = std::vector<std::pair<std::string, std::vector<std::string>>>;

int64_t NumFiles(const Classes& classes) {
  int64_t files = 0;
  for (const auto& [name, of_class] : classes) files += static_cast<int64_t>(of_class.size());
  return files;
}

bool HasFolder(const fs::path& directory, const char* name) {
  std::error_code ignored;
  return fs::is_directory(directory / name, ignored);
}

constexpr std::array<const char*, 4> kTestFolders = {"test", "val", "valid", "validation"};

/// Whether at least two folders in `directory` have pictures in them. A directory with IDX files, or with a set in it, has no classes.
bool HoldsClasses(const std::string& directory) {
  int folders = 0;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (IsHidden(it->path())) continue;
    if (!it->is_directory(ignored)) {
      if (absl::StrContains(it->path().filename().string(), "-ubyte")) return false;
      continue;
    }
    const bool is_set = HasFolder(it->path(), "train") || std::any_of(kTestFolders.begin(), kTestFolders.end(),
                                                                      [&](const char* name) { return HasFolder(it->path(), name); });
    if (is_set) return false;
    folders += CountPicturesIn(it->path().string()) > 0 ? 1 : 0;
  }
  return folders >= 2;
}

/// One file, before and after it is read.
struct Decoded {
  std::string name;  // class/file
  int32_t label = 0;
  std::string sha256 = {};  // empty: it cannot be read
  absl::Status status = {};
};

}  // namespace

void ForEachInParallel(size_t count, int threads, const std::function<void(const PictureDecoder&, size_t)>& handle) {
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    const PictureDecoder decoder;
    for (size_t i = next++; i < count; i = next++) handle(decoder, i);
  };
  std::vector<std::jthread> others;
  try {
    for (size_t i = 1; i < std::min(count, static_cast<size_t>(std::max(threads, 1))); ++i) others.emplace_back(work);
  } catch (const std::system_error&) {
    // The system has no thread to give; those that there are do it all.
  }
  work();
}

int64_t CountPicturesIn(const std::string& directory) {
  int64_t count = 0;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (!IsHidden(it->path()) && HasPictureExtension(it->path().filename().string()) && it->is_regular_file(ignored)) ++count;
  }
  return count;
}

bool IsImageFolder(const std::string& directory) { return PartsOf(directory).train.empty() || HasFolder(directory, "train"); }

FolderParts PartsOf(const std::string& directory) {
  FolderParts parts;
  const auto* const test =
      std::find_if(kTestFolders.begin(), kTestFolders.end(), [&](const char* name) { return HasFolder(directory, name); });
  if (HasFolder(directory, "train") || test != kTestFolders.end()) {
    parts.test = test == kTestFolders.end() ? std::nullopt : std::optional<std::string>(*test);
    return parts;
  }
  if (HoldsClasses(directory)) return {.train = "", .test = std::nullopt};
  return FolderParts();
}

int64_t TestShare(int64_t pictures) { return pictures < 2 ? 0 : std::max<int64_t>(1, pictures / 6); }

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

absl::Status CheckDamaged(const std::vector<std::string>& sentences, int64_t files, const std::string& directory) {
  if (static_cast<double>(sentences.size()) <= kMostDamaged * static_cast<double>(files)) return absl::OkStatus();
  const size_t named = std::min(sentences.size(), kMostNamed);
  return absl::DataLossError(absl::StrCat("expected at most ", 100 * kMostDamaged, " % of ", files, " pictures to be damaged, found ",
                                          sentences.size(), " in ", directory, named < sentences.size() ? ", among them:\n  " : ":\n  ",
                                          absl::StrJoin(sentences.begin(), sentences.begin() + static_cast<ptrdiff_t>(named), "\n  ")));
}

absl::StatusOr<FolderImages> ReadImageFolder(const std::string& directory, const PictureForm& form, int64_t channels, int threads) {
  if (form.side < 1 || form.side > bounds::kMaxExtent)
    return absl::InvalidArgumentError(absl::StrCat("expected squares of 1 to ", bounds::kMaxExtent, " pixels a side, found ", form.side));
  const auto classes = ListImageFolder(directory, kMaxFiles);
  if (!classes.ok()) return classes.status();
  const int64_t files = NumFiles(*classes);
  const Dataset::Dimensions stored = {form.side, form.side, channels};
  if (absl::Status status = CheckFolderBytes(files, stored, directory); !status.ok()) return status;
  // Resizing averages what is left; reduced further, the decoder's own averages would show.
  const Dataset::Dimensions decoded = {kLeastReduced * form.side, kLeastReduced * form.side, channels};
  std::vector<Decoded> pictures;
  FolderImages result;
  for (const auto& [class_name, names] : *classes) {
    const auto label = static_cast<int32_t>(result.class_names.size());
    result.class_names.push_back(class_name);
    for (const std::string& name : names) pictures.push_back({.name = absl::StrCat(class_name, "/", name), .label = label});
  }
  const auto size = static_cast<size_t>(form.side * form.side * channels);
  std::vector<uint8_t>& pixels = result.images.pixels;
  pixels.resize(pictures.size() * size);
  ForEachInParallel(pictures.size(), threads, [&](const PictureDecoder& decoder, size_t i) {
    Decoded& picture = pictures[i];
    // Sentences are read elsewhere too, where no path of this machine means anything.
    const std::string shown = Printable(picture.name);
    const absl::StatusOr<std::string> bytes = ReadPictureFile((fs::path(directory) / picture.name).string());
    if (bytes.ok()) picture.sha256 = Sha256Hex(*bytes);
    absl::StatusOr<ByteImage> image = bytes.ok() ? decoder.Decode(shown, *bytes, decoded)
                                                 : absl::DataLossError(absl::StrCat("expected a file that can be read: ", shown));
    picture.status = image.status();
    if (!image.ok()) return;
    const ByteImage fitted = FittedPicture(*std::move(image), form);
    std::copy(fitted.bytes.begin(), fitted.bytes.end(), pixels.begin() + static_cast<ptrdiff_t>(i * size));
  });
  size_t kept = 0;
  for (size_t i = 0; i < pictures.size(); ++i) {
    if (!pictures[i].sha256.empty()) result.files.emplace_back(pictures[i].name, pictures[i].sha256);
    if (!pictures[i].status.ok()) {
      result.damaged.push_back({pictures[i].name, std::string(pictures[i].status.message())});
      continue;
    }
    result.images.labels.push_back(pictures[i].label);
    result.file_of.push_back(result.files.size() - 1);
    if (kept < i)
      std::copy_n(pixels.begin() + static_cast<ptrdiff_t>(i * size), size, pixels.begin() + static_cast<ptrdiff_t>(kept * size));
    ++kept;
  }
  pixels.resize(kept * size);
  std::vector<std::string> sentences;
  for (const DamagedFile& file : result.damaged) sentences.push_back(file.sentence);
  if (absl::Status status = CheckDamaged(sentences, files, directory); !status.ok()) return status;
  return result;
}

Dataset::Images SetAsideTest(FolderImages& all) {
  const size_t images = all.images.labels.size();
  const size_t size = images == 0 ? 0 : all.images.pixels.size() / images;
  std::vector<std::vector<size_t>> of_class(all.class_names.size());
  for (size_t i = 0; i < images; ++i) of_class[static_cast<size_t>(all.images.labels[i])].push_back(i);
  std::vector<bool> is_aside(images, false);
  const auto sha256 = [&](size_t image) -> const std::string& { return all.files[all.file_of[image]].second; };
  for (std::vector<size_t>& indices : of_class) {
    std::stable_sort(indices.begin(), indices.end(), [&](size_t a, size_t b) { return sha256(a) < sha256(b); });
    indices.resize(static_cast<size_t>(TestShare(static_cast<int64_t>(indices.size()))));
    for (const size_t i : indices) is_aside[i] = true;
  }
  Dataset::Images test;
  const auto aside = static_cast<size_t>(std::count(is_aside.begin(), is_aside.end(), true));
  test.pixels.reserve(aside * size);
  test.labels.reserve(aside);
  const auto pixel = [&](size_t image) { return all.images.pixels.begin() + static_cast<ptrdiff_t>(image * size); };
  size_t kept = 0;
  for (size_t i = 0; i < images; ++i) {
    if (is_aside[i]) {
      test.pixels.insert(test.pixels.end(), pixel(i), pixel(i + 1));
      test.labels.push_back(all.images.labels[i]);
      continue;
    }
    if (kept < i) std::copy(pixel(i), pixel(i + 1), pixel(kept));
    all.images.labels[kept++] = all.images.labels[i];
  }
  all.images.pixels.resize(kept * size);
  all.images.labels.resize(kept);
  all.file_of.clear();
  return test;
}

}  // namespace hanas
