// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_DATASET_MANIFEST_H_
#define HANAS_DATASET_MANIFEST_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace hanas {

// What a data set is made of: the names of its files and the SHA-256 of each. How the training files are split, and everything else that is
// in the directory, is not part of it. A file and the same file compressed are two.

/// `files` (name, sha256) as text, sorted, a line each, in the form of sha256sum.
std::string Manifest(std::vector<std::pair<std::string, std::string>> files);

/// `directory`/`stem` with or without .gz, whichever is there; without when neither is, so that the error names it.
std::string IdxPath(const std::string& directory, const std::string& stem);

/// Whether `directory` is laid out as a data set: the four IDX files, or an image folder (IsImageFolder of image_folder.h).
/// Thread-safe.
bool IsDataset(const std::string& directory);

/// How much may still be read.
struct ReadingBudget {
  int64_t bytes = 0;
  size_t files = 0;
};

/// Dataset::files_digest() of the data set that lies in `directory`, from its files as they are, without decoding them. What is read is
/// taken off `budget`. Empty when it is not a data set, or could be of both formats, or something cannot be read, or `budget` does not
/// last. Thread-safe.
std::string FilesDigest(const std::string& directory, ReadingBudget& budget);

}  // namespace hanas

#endif  // HANAS_DATASET_MANIFEST_H_
