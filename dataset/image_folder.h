// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_DATASET_IMAGE_FOLDER_H_
#define HANAS_DATASET_IMAGE_FOLDER_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "dataset/dataset.h"
#include "dataset/picture_file.h"

namespace hanas {

/// The decoded pictures of `directory`/<class>/, in byte order of class and of the files' paths below it.
struct FolderImages {
  std::vector<std::string> class_names;
  Dataset::Dimensions dimensions;
  Dataset::Images images;
  std::vector<std::pair<std::string, std::string>> files;  // (class/file, sha256)
};

/// The folders below `directory`, each a class, in byte order; those whose names begin with a dot are none. Returns NOT_FOUND when there
/// are none. Thread-safe.
absl::StatusOr<std::vector<std::string>> ListClassFolders(const std::string& directory);
/// The pictures in `directory`, and in folders within it however deep, by their paths below it, in byte order: files whose names end as
/// HasPictureExtension says; nothing whose name begins with a dot. Returns NOT_FOUND when the directory cannot be read. Thread-safe.
absl::StatusOr<std::vector<std::string>> ListPictures(const std::string& directory);

/// The folder of a set's test pictures: "test", or, where there is none, "val", "valid" or "validation", the first that is there; "test"
/// when none is. Thread-safe.
std::string TestFolder(const std::string& directory);

/// The files that ReadImageFolder reads, in its order: (class, its files). Returns NOT_FOUND when there is no directory, class or image,
/// RESOURCE_EXHAUSTED when there are more than `most` files, without looking at the others. Thread-safe.
absl::StatusOr<std::vector<std::pair<std::string, std::vector<std::string>>>> ListImageFolder(
    const std::string& directory, size_t most = std::numeric_limits<size_t>::max());

/// Whether the picture shows colour, or is grey in three channels. Decodes it: DATA_LOSS as of ReadImageFolder. Thread-safe.
absl::StatusOr<bool> ShowsColour(const std::string& path);

/// Returns INVALID_ARGUMENT, naming `directory`, when so many images of this size take more memory than ReadImageFolder grants.
/// Thread-safe.
absl::Status CheckFolderBytes(int64_t num_images, const Dataset::Dimensions& dimensions, const std::string& directory);

/// Decodes every file to `dimensions`; a height of 0 takes the size of the first file. A larger JPEG picture is reduced while it is decoded
/// (PictureDecoder), any is halved while it is twice as large all the same, then resized as models resize (ResizedImage of core/bound). One
/// of the wanted size is what the decoder makes of it, bit for bit. Returns NOT_FOUND when there is no directory, class or image, DATA_LOSS
/// with a line for each file that is no picture, is damaged, or claims more than 100 million pixels (the first 20), INVALID_ARGUMENT when
/// all images together take more than 16 GiB. Sizes are looked at before anything is decoded. Thread-safe.
absl::StatusOr<FolderImages> ReadImageFolder(const std::string& directory, Dataset::Dimensions dimensions);

}  // namespace hanas

#endif  // HANAS_DATASET_IMAGE_FOLDER_H_
