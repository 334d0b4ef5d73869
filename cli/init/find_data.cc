// SPDX-License-Identifier: Apache-2.0
#include "cli/init/find_data.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/data/provide.h"
#include "core/base/bounds.h"
#include "core/base/plain_name.h"
#include "core/base/text.h"
#include "core/base/utf8.h"
#include "dataset/image_folder.h"
#include "dataset/manifest.h"

namespace hanas::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kLayout[] =
    "expected a data set in one of two layouts: pictures in train/<class>/ and test/<class>/ (or val/, valid/, validation/; without these "
    "a "
    "sixth is set aside, and without train/ the folders of classes lie here), or the four IDX files "
    "{train,t10k}-{images-idx3,labels-idx1}-ubyte, plain or .gz";
constexpr size_t kMostNamed = 8;

absl::Status NoData(absl::string_view found, const fs::path& path) {
  return absl::NotFoundError(absl::StrCat(kLayout, "; found ", found, ": ", Printable(path.string())));
}

bool IsFolder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::vector<fs::path> FoldersIn(const fs::path& directory) {
  std::vector<fs::path> folders;
  const absl::StatusOr<std::vector<std::string>> names = ListClassFolders(directory.string());
  if (!names.ok()) return folders;
  for (const std::string& name : *names) folders.push_back(directory / name);
  return folders;
}

bool HasIdxFile(const fs::path& directory) {
  for (const char* const stem :
       {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) {
    std::error_code ignored;
    if (fs::exists(IdxPath(directory.string(), stem), ignored)) return true;
  }
  return false;
}

/// What lies in a directory that is no data set, in words that say how to make one of it.
absl::Status ExplainDirectory(const fs::path& path) {
  std::error_code error;
  const fs::directory_iterator entries(path, error);
  if (error) return NoData(error.message(), path);
  if (entries == fs::directory_iterator()) return NoData("an empty directory", path);
  const std::string test = PartsOf(path.string()).test.value_or("test");
  for (const std::string& part : {std::string("train"), test}) {
    const int64_t pictures = CountPicturesIn((path / part).string());
    if (pictures == 0) continue;
    return NoData(absl::StrCat(pictures, " pictures in ", part, "/ itself: move each into a folder that is named after its class"), path);
  }
  DatasetSpec spec = {.name = "", .format = DatasetFormat::kImageFolder, .directory = path.filename().string()};
  const std::string root = path.parent_path().string();
  if (IsFolder(path / "train") || IsFolder(path / test)) return absl::NotFoundError(FindDataset(spec, root).message());
  if (HasIdxFile(path)) {
    spec.format = DatasetFormat::kIdx;
    return absl::NotFoundError(FindDataset(spec, root).message());
  }
  if (const int64_t pictures = CountPicturesIn(path.string()); pictures > 0) {
    return NoData(absl::StrCat(pictures, " pictures without classes: put each into a folder that is named after what it shows"), path);
  }
  const std::vector<fs::path> folders = FoldersIn(path);
  if (std::any_of(folders.begin(), folders.end(), [](const fs::path& folder) { return CountPicturesIn(folder.string()) > 0; }))
    return NoData("one folder of pictures: each class has one, and there must be two at least", path);
  return NoData("neither train/ and test/ nor IDX files, also not in a folder below", path);
}

absl::StatusOr<fs::path> FindSet(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return NoData(error ? error.message() : "no such directory", path);
  if (!IsFolder(path)) return NoData("a file", path);
  if (IsDataset(path.string())) return path;
  std::vector<fs::path> sets;
  for (const fs::path& folder : FoldersIn(path)) {
    if (IsDataset(folder.string())) sets.push_back(folder);
  }
  if (sets.empty()) return ExplainDirectory(path);
  if (sets.size() == 1) return sets.front();
  std::vector<std::string> names;
  for (const fs::path& set : sets) {
    if (names.size() < kMostNamed) names.push_back(Printable(set.string()));
  }
  return absl::InvalidArgumentError(absl::StrCat("expected one data set, found ", sets.size(), " below ", Printable(path.string()),
                                                 "; name the one to look at: ", absl::StrJoin(names, ", "),
                                                 sets.size() > names.size() ? ", ..." : ""));
}

/// An absolute path without "." and "..", symbolic links left as they are: a set may be called by the name of a link.
fs::path Normal(const std::string& path) {
  std::error_code error;
  fs::path normal = fs::absolute(path, error).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

}  // namespace

std::string DataPlace::Path() const { return (fs::path(root) / directory).lexically_normal().string(); }

absl::StatusOr<DataPlace> FindData(const std::string& path, const std::string& data_root) {
  const absl::StatusOr<fs::path> set = FindSet(Normal(path));
  if (!set.ok()) return set.status();
  const bool folders = IsImageFolder(set->string());
  if (folders && HasIdxFile(*set)) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a data set of one layout, found both pictures in folders and IDX files; move one ",
                     "of them elsewhere: ", Printable(set->string())));
  }
  DataPlace place = {.root = set->parent_path().string(), .directory = set->filename().string()};
  place.format = folders ? DatasetFormat::kImageFolder : DatasetFormat::kIdx;
  if (!data_root.empty()) {
    const fs::path below = set->lexically_relative(Normal(data_root));
    if (!below.empty() && *below.begin() != "..") {
      place.root = Normal(data_root).string();
      place.directory = below.string();
    }
  }
  if (place.directory.empty()) place.directory = ".";
  if (!IsUtf8(place.directory) || !IsOneLine(place.directory) || place.directory.size() > bounds::kDirectoryBytes) {
    return absl::InvalidArgumentError(absl::StrCat("expected a path that a job can hold (one line of UTF-8, at most ",
                                                   bounds::kDirectoryBytes, " bytes), found \"", Printable(place.directory),
                                                   "\"; rename the directory"));
  }
  return place;
}

}  // namespace hanas::cli
