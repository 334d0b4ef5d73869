// SPDX-License-Identifier: Apache-2.0
#include "dataset/manifest.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "dataset/image_folder.h"
#include "dataset/sha256.h"

namespace hanas {
namespace {

namespace fs = std::filesystem;

/// Names of the IDX files in `directory`: four when it is a data set of that format.
std::vector<std::string> IdxFilesOf(const std::string& directory) {
  std::error_code ignored;
  std::vector<std::string> files;
  for (const char* stem : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) {
    const std::string path = IdxPath(directory, stem);
    if (fs::is_regular_file(path, ignored)) files.push_back(fs::path(path).filename().string());
  }
  return files;
}

/// Names of the files of the data set in `directory`, relative to it; none when it is not one, or could be of both formats, or has more
/// than `most`.
std::vector<std::string> FilesOf(const std::string& directory, size_t most) {
  const std::vector<std::string> idx = IdxFilesOf(directory);
  if (!IsImageFolder(directory)) return idx.size() == 4 && most >= 4 ? idx : std::vector<std::string>();
  std::vector<std::string> files;
  if (!idx.empty()) return files;
  const FolderParts parts = PartsOf(directory);
  std::vector<std::string> names = {parts.train};
  if (parts.test.has_value()) names.push_back(*parts.test);
  for (const std::string& part : names) {
    const auto classes = ListImageFolder((fs::path(directory) / part).string(), most - files.size());
    if (!classes.ok()) return {};
    for (const auto& [name, images] : *classes) {
      for (const std::string& image : images) files.push_back((fs::path(part) / name / image).string());
    }
  }
  return files;
}

}  // namespace

std::string Manifest(std::vector<std::pair<std::string, std::string>> files) {
  std::sort(files.begin(), files.end());
  std::string manifest;
  for (const auto& [file, sha256] : files) absl::StrAppend(&manifest, sha256, "  ", file, "\n");
  return manifest;
}

std::string IdxPath(const std::string& directory, const std::string& stem) {
  std::error_code ignored;
  for (const char* suffix : {"", ".gz"}) {
    const fs::path path = fs::path(directory) / (stem + suffix);
    if (fs::exists(path, ignored)) return path.string();
  }
  return (fs::path(directory) / stem).string();
}

bool IsDataset(const std::string& directory) { return IsImageFolder(directory) || IdxFilesOf(directory).size() == 4; }

std::string FilesDigest(const std::string& directory, ReadingBudget& budget) {
  const std::vector<std::string> files = FilesOf(directory, budget.files);
  int64_t bytes = 0;
  for (const std::string& file : files) {
    std::error_code error;
    const uintmax_t size = fs::file_size(fs::path(directory) / file, error);
    if (error) return "";
    bytes += static_cast<int64_t>(size);
  }
  if (files.empty() || bytes > budget.bytes) return "";
  budget.bytes -= bytes;
  budget.files -= files.size();
  std::vector<std::pair<std::string, std::string>> digests;
  for (const std::string& file : files) {
    absl::StatusOr<std::string> sha256 = Sha256HexOfFile((fs::path(directory) / file).string());
    if (!sha256.ok()) return "";
    digests.emplace_back(file, *std::move(sha256));
  }
  return Sha256Hex(Manifest(std::move(digests)));
}

}  // namespace hanas
