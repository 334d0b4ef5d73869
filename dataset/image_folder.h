// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_DATASET_IMAGE_FOLDER_H_
#define HANAS_DATASET_IMAGE_FOLDER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/picture_form.h"
#include "dataset/dataset.h"
#include "dataset/picture_file.h"

namespace hanas {

/// A picture that nobody can decode.
struct DamagedFile {
  std::string name;      // class/file, as the file system has it
  std::string sentence;  // what is wrong, with the name as text
};

/// The decoded pictures of `directory`/<class>/, in byte order of class and of the files' paths below it.
struct FolderImages {
  std::vector<std::string> class_names;
  Dataset::Images images;
  std::vector<std::pair<std::string, std::string>> files;  // (class/file, sha256), damaged ones too that can be read
  std::vector<size_t> file_of;                             // of each image, by its place in `files`
  std::vector<DamagedFile> damaged;                        // that were left out
};

/// The folders below `directory`, each a class, in byte order; those whose names begin with a dot are none. Returns NOT_FOUND when there
/// are none. Thread-safe.
absl::StatusOr<std::vector<std::string>> ListClassFolders(const std::string& directory);
/// The pictures in `directory`, and in folders within it however deep, by their paths below it, in byte order: files whose names end as
/// HasPictureExtension says; nothing whose name begins with a dot. Returns NOT_FOUND when the directory cannot be read. Thread-safe.
absl::StatusOr<std::vector<std::string>> ListPictures(const std::string& directory);

/// How many pictures lie in `directory` itself, not deeper: what lies below may be somebody's whole home. 0 when it cannot be read.
/// Thread-safe.
int64_t CountPicturesIn(const std::string& directory);

/// Where the pictures of a set lie, below its directory.
struct FolderParts {
  std::string train = "train";  // "" where the folders of classes lie in the directory itself
  std::optional<std::string> test =
      "test";  // or "val", "valid", "validation", the first that is there; none: a part is set aside (TestShare)
};
/// Whether `directory` holds train/, or neither that nor a folder of test pictures but at least two folders with pictures in them.
/// Thread-safe.
bool IsImageFolder(const std::string& directory);
/// Of a directory that is no image folder: train/ and test/, or what there is of them. Thread-safe.
FolderParts PartsOf(const std::string& directory);
/// How many pictures of a class are set aside for testing where nobody says which are: a sixth, one of two to eleven, none of one.
/// Thread-safe.
int64_t TestShare(int64_t pictures);

/// The files that ReadImageFolder reads, in its order: (class, its files). Returns NOT_FOUND when there is no directory, class or image,
/// RESOURCE_EXHAUSTED when there are more than `most` files, without looking at the others. Thread-safe.
absl::StatusOr<std::vector<std::pair<std::string, std::vector<std::string>>>> ListImageFolder(
    const std::string& directory, size_t most = std::numeric_limits<size_t>::max());

/// Whether the picture shows colour, or is grey in three channels. Decodes it: DATA_LOSS as of ReadImageFolder. Thread-safe.
absl::StatusOr<bool> ShowsColour(const std::string& path);

/// Returns INVALID_ARGUMENT, naming `directory`, when so many images of this size take more memory than ReadImageFolder grants. Requires a
/// positive size.
/// Thread-safe.
absl::Status CheckFolderBytes(int64_t num_images, const Dataset::Dimensions& dimensions, const std::string& directory);

/// Calls `handle` for each index below `count`, on so many threads at the same time, each with a decoder of its own; in no order.
void ForEachInParallel(size_t count, int threads, const std::function<void(const PictureDecoder& decoder, size_t index)>& handle);

/// Of a large set, up to this share of the training files and of the test files may be damaged: they are left out. In a small one each file
/// counts, and is soon mended.
inline constexpr double kMostDamaged = 0.001;
/// DATA_LOSS when so many of `files` files in `directory` are damaged, with the first 20 `sentences`, one for each of these. Thread-safe.
absl::Status CheckDamaged(const std::vector<std::string>& sentences, int64_t files, const std::string& directory);

/// Decodes every file to the square that `form` says (FittedPicture of core/bound), of `channels`: 1 or 3. A JPEG picture of four times the
/// side or more, both ways, is reduced to no less than twice while it is decoded (PictureDecoder). A file that is no picture, is damaged,
/// or claims more than 100 million pixels is left out, unless there are too many of them (CheckDamaged). Returns NOT_FOUND when there is no
/// directory, class or image, INVALID_ARGUMENT for a side that is none, or when all images together take more than 16 GiB. The same result
/// with any number of threads. Thread-safe.
absl::StatusOr<FolderImages> ReadImageFolder(const std::string& directory, const PictureForm& form, int64_t channels, int threads = 1);

/// Moves TestShare of the images of each class out of `all`, those whose files have the lowest SHA-256: which depends on nothing but the
/// files. `files` still names all, `file_of` is cleared. Thread-safe.
Dataset::Images SetAsideTest(FolderImages& all);

}  // namespace hanas

#endif  // HANAS_DATASET_IMAGE_FOLDER_H_
