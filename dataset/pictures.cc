// SPDX-License-Identifier: Apache-2.0
#include "dataset/pictures.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <map>
#include <system_error>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "core/base/text.h"
#include "dataset/idx.h"
#include "dataset/image_folder.h"
#include "dataset/manifest.h"
#include "dataset/picture_file.h"
#include "dataset/survey.h"

namespace hanas {
namespace {

namespace fs = std::filesystem;

/// Counts what nobody reads, by kind.
class NotRead {
 public:
  void Add(const std::string& kind) { ++counts_[kind]; }
  std::vector<std::string> Sentences() const {
    std::vector<std::string> sentences;
    for (const auto& [kind, count] : counts_) sentences.push_back(absl::StrCat(count, " ", Printable(kind)));
    return sentences;
  }

 private:
  std::map<std::string, int64_t> counts_;
};

/// Entries of a directory that do not begin with a dot; none when it cannot be read, which the survey says.
std::vector<fs::directory_entry> EntriesOf(const fs::path& directory) {
  std::vector<fs::directory_entry> entries;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (!absl::StartsWith(it->path().filename().string(), ".")) entries.push_back(*it);
  }
  return entries;
}

bool IsFolder(const fs::directory_entry& entry) {
  std::error_code ignored;
  return entry.is_directory(ignored);
}

std::string Extension(const fs::directory_entry& entry) {
  const std::string extension = entry.path().extension().string();
  return extension.empty() ? "without an extension" : absl::StrCat("*", extension);
}

/// What lies in a class's folder, or in folders within it, and is none of its pictures.
void CountOthers(const fs::path& folder, const std::vector<std::string>& pictures, NotRead& not_read) {
  for (const fs::directory_entry& entry : EntriesOf(folder)) {
    // What it holds that is read is said with the class; a link to a folder is not followed.
    std::error_code ignored;
    if (IsFolder(entry) && !entry.is_symlink(ignored)) {
      std::vector<std::string> within;
      const std::string prefix = absl::StrCat(entry.path().filename().string(), "/");
      for (auto at = std::lower_bound(pictures.begin(), pictures.end(), prefix); at != pictures.end() && absl::StartsWith(*at, prefix);
           ++at)
        within.push_back(at->substr(prefix.size()));
      CountOthers(entry.path(), within, not_read);
    } else if (!std::binary_search(pictures.begin(), pictures.end(), entry.path().filename().string())) {
      not_read.Add(absl::StrCat("file(s) ", Extension(entry), " in the folders of classes (read: ", kPictureExtensions, ")"));
    }
  }
}

/// The paths of the pictures below train/ or test/, in the order in which they are read. Counts those that are set aside where there is no
/// test.
std::vector<std::string> PathsOf(const fs::path& part, NotRead& not_read, int64_t& set_aside) {
  std::vector<std::string> paths;
  for (const fs::directory_entry& entry : EntriesOf(part)) {
    if (!IsFolder(entry))
      not_read.Add(absl::StrCat("file(s) ", Extension(entry), " beside the folders of classes",
                                part.has_filename() ? absl::StrCat(" in ", part.filename().string(), "/") : ""));
  }
  const absl::StatusOr<std::vector<std::string>> classes = ListClassFolders(part.string());
  if (!classes.ok()) return paths;  // which the survey says
  for (const std::string& name : *classes) {
    const absl::StatusOr<std::vector<std::string>> pictures = ListPictures((part / name).string());
    if (!pictures.ok()) continue;
    CountOthers(part / name, *pictures, not_read);
    set_aside += TestShare(static_cast<int64_t>(pictures->size()));
    for (const std::string& picture : *pictures) paths.push_back((part / name / picture).string());
  }
  return paths;
}

/// `most` of `count` indices, spread evenly, the first among them.
std::vector<size_t> Spread(size_t count, int64_t most) {
  std::vector<size_t> indices;
  const size_t kept = std::min(count, static_cast<size_t>(most));
  for (size_t i = 0; i < kept; ++i) indices.push_back(i * count / kept);
  return indices;
}

void SortSizes(std::vector<PictureSize> sizes, Pictures& pictures) {
  const auto shorter_side = [](const PictureSize& size) { return std::tuple(std::min(size.width, size.height), size.width, size.height); };
  std::sort(sizes.begin(), sizes.end(), [&](const PictureSize& a, const PictureSize& b) { return shorter_side(a) < shorter_side(b); });
  pictures.smallest = sizes.front();
  pictures.median = sizes[sizes.size() / 2];
  pictures.largest = sizes.back();
}

/// The pictures that cannot be decoded, a sentence for each.
std::vector<std::string> DamagedAmong(absl::Span<const std::string> paths, int threads) {
  std::vector<std::string> sentences(paths.size());
  ForEachInParallel(paths.size(), threads, [&](const PictureDecoder& decoder, size_t i) {
    const absl::StatusOr<std::string> bytes = ReadPictureFile(paths[i]);
    // Of one pixel: a JPEG picture is reduced as far as can be, and all of it is read.
    const absl::Status status =
        bytes.ok() ? decoder.Decode(paths[i], *bytes, {.height = 1, .width = 1, .channels = 1}).status() : bytes.status();
    if (!status.ok()) sentences[i] = std::string(status.message());
  });
  std::erase(sentences, "");
  return sentences;
}

int64_t BytesOfFiles(absl::Span<const std::string> paths) {
  int64_t bytes = 0;
  for (const std::string& path : paths) {
    std::error_code error;
    const uintmax_t size = fs::file_size(path, error);
    bytes += error ? 0 : static_cast<int64_t>(size);
  }
  return bytes;
}

absl::StatusOr<Pictures> LookAtFolders(const std::string& directory, const PicturesOptions& options) {
  NotRead not_read;
  const FolderParts parts = PartsOf(directory);
  for (const fs::directory_entry& entry : EntriesOf(directory)) {
    const std::string name = entry.path().filename().string();
    // Without train/ everything here is a class, or counted by PathsOf.
    if (parts.train.empty() || name == kDrawnMarker || name == parts.train || name == parts.test) continue;
    not_read.Add(absl::StrCat("\"", name, "\" beside train/", parts.test.has_value() ? absl::StrCat(" and ", *parts.test, "/") : ""));
  }
  int64_t set_aside = 0;
  std::vector<std::string> paths = PathsOf(fs::path(directory) / parts.train, not_read, set_aside);
  Pictures pictures;
  pictures.train = static_cast<int64_t>(paths.size());
  const auto of_train = paths.size();
  if (parts.test.has_value()) {
    int64_t none = 0;
    std::vector<std::string> test = PathsOf(fs::path(directory) / *parts.test, not_read, none);
    pictures.test = static_cast<int64_t>(test.size());
    paths.insert(paths.end(), std::make_move_iterator(test.begin()), std::make_move_iterator(test.end()));
  } else {
    pictures.train -= set_aside;
    pictures.test = set_aside;
  }
  pictures.not_read = not_read.Sentences();
  std::vector<PictureSize> sizes;
  std::vector<size_t> coloured;
  std::array<std::vector<std::string>, 2> damaged;  // of training and of test
  const auto of_part = [&](size_t i) -> std::vector<std::string>& { return damaged.at(i < of_train ? 0 : 1); };
  const std::vector<size_t> looked_at = Spread(paths.size(), options.most_headers);
  std::vector<absl::StatusOr<PictureHeader>> headers(looked_at.size());
  ForEachInParallel(looked_at.size(), options.threads,
                    [&](const PictureDecoder& decoder, size_t at) { headers[at] = ReadPictureHeader(paths[looked_at[at]], decoder); });
  pictures.looked_at = static_cast<int64_t>(looked_at.size());
  for (size_t at = 0; at < looked_at.size(); ++at) {
    const size_t i = looked_at[at];
    const absl::StatusOr<PictureHeader>& header = headers[at];
    if (!header.ok()) {
      of_part(i).emplace_back(header.status().message());
      continue;
    }
    sizes.push_back({header->width, header->height});
    if (header->orientation != 1) ++pictures.turned;
    if (!header->grey) coloured.push_back(i);
  }
  pictures.stored_with_colour = !coloured.empty();
  for (const size_t at : Spread(coloured.size(), options.most_decoded)) {
    const absl::StatusOr<bool> shows = ShowsColour(paths[coloured[at]]);
    if (!shows.ok()) of_part(coloured[at]).emplace_back(shows.status().message());
    pictures.shows_colour = pictures.shows_colour || shows.value_or(false);
  }
  const auto all = absl::MakeConstSpan(paths);
  const std::array<absl::Span<const std::string>, 2> parts_of_all = {all.first(of_train), all.subspan(of_train)};
  const bool decodes_all = options.most_bytes > 0 && BytesOfFiles(paths) <= options.most_bytes;
  for (size_t part = 0; part < damaged.size(); ++part) {
    std::vector<std::string>& of_this = damaged.at(part);
    auto files = static_cast<int64_t>(parts_of_all.at(part).size());
    if (decodes_all) {
      of_this = DamagedAmong(parts_of_all.at(part), options.threads);
    } else {
      files = std::count_if(looked_at.begin(), looked_at.end(), [&](size_t i) { return (i < of_train) == (part == 0); });
    }
    if (absl::Status status = CheckDamaged(of_this, files, directory); !status.ok()) return status;
    pictures.damaged.insert(pictures.damaged.end(), of_this.begin(), of_this.end());
  }
  if (sizes.empty()) return UnusableDataset(directory, {absl::StrCat("no pictures (", kPictureExtensions, ") in folders of classes")});
  SortSizes(std::move(sizes), pictures);
  return pictures;
}

absl::StatusOr<Pictures> LookAtIdx(const std::string& directory) {
  Pictures pictures;
  std::vector<std::string> read = {kDrawnMarker};
  std::vector<IdxImages> headers;
  for (const char* const part : {"train", "t10k"}) {
    const std::string images = IdxPath(directory, absl::StrCat(part, "-images-idx3-ubyte"));
    const std::string labels = IdxPath(directory, absl::StrCat(part, "-labels-idx1-ubyte"));
    for (const std::string& path : {images, labels}) read.push_back(fs::path(path).filename().string());
    absl::StatusOr<IdxImages> header = ReadIdxImagesHeader(images);
    if (!header.ok()) return header.status();
    headers.push_back(*std::move(header));
  }
  NotRead not_read;
  for (const fs::directory_entry& entry : EntriesOf(directory)) {
    const std::string name = entry.path().filename().string();
    if (std::find(read.begin(), read.end(), name) == read.end()) not_read.Add(absl::StrCat("\"", name, "\" beside the four IDX files"));
  }
  pictures.not_read = not_read.Sentences();
  pictures.train = headers[0].count;
  pictures.test = headers[1].count;
  pictures.looked_at = pictures.train + pictures.test;
  SortSizes({{static_cast<int>(headers[0].width), static_cast<int>(headers[0].height)}}, pictures);
  return pictures;
}

}  // namespace

PicturesOptions Thoroughly(int threads) {
  constexpr int64_t kSoonDecoded = int64_t{256} << 20;
  return {.most_headers = std::numeric_limits<int64_t>::max(), .most_decoded = 0, .most_bytes = kSoonDecoded, .threads = threads};
}

absl::StatusOr<Pictures> LookAtPictures(DatasetFormat format, const std::string& directory, const PicturesOptions& options) {
  return format == DatasetFormat::kIdx ? LookAtIdx(directory) : LookAtFolders(directory, options);
}

}  // namespace hanas
