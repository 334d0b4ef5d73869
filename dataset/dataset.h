// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_DATASET_DATASET_H_
#define HANAS_DATASET_DATASET_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/base/picture_form.h"
#include "core/job/search_job.h"

namespace hanas {

// Data sets are of two kinds. kIdx: four files, plain or .gz: {train,t10k}-images-idx3-ubyte, {train,t10k}-labels-idx1-ubyte. kImageFolder:
// pictures below train/<class>/ and test/<class>/, or in one place, of which a part is then set aside for testing (FolderParts of
// image_folder.h); classes in byte order of their names. The training files are split once more into TRAIN and VALIDATION (the
// specification's `validation_images`) by a counter-based permutation, each class by the same share; TEST is exactly the test files, or
// what was set aside.

struct LoadOptions {
  uint64_t split_seed = 0;
  int64_t image_side = 0;  // image folders: every picture becomes a square of so many pixels, as the specification's `fit` says; at least 1
  int image_channels = 3;  // image folders: 1 (grey) or 3
  int threads = 1;         // that decode; the images are the same with any number
};

enum class Split : uint8_t { kTrain, kValidation, kTest };
absl::string_view Name(Split split);

/// All images in memory as unsigned bytes [N, H, W, C], with their labels and splits.
///
/// Invariants: every label is below num_classes(); each split has at least one image; Train and Validation partition the training files.
/// Immutable once loaded, hence thread-safe.
class Dataset {
 public:
  /// Images and labels of one set of files.
  struct Images {
    std::vector<uint8_t> pixels;
    std::vector<int32_t> labels;
  };
  struct Dimensions {
    int64_t height = 0;
    int64_t width = 0;
    int64_t channels = 0;
  };
  /// Where images come from, as far as digests and reports need it.
  struct Origin {
    std::vector<std::pair<std::string, std::string>> files;  // (name, sha256)
    std::optional<PictureForm> picture_form = std::nullopt;  // of pictures that were decoded
    std::vector<std::string> damaged = {};                   // names of files that nobody can decode, and that were left out
  };

  /// Reads `spec.directory` below `root` (the worker's data directory). Returns INVALID_ARGUMENT for a bad specification (a directory that
  /// leaves the root, more validation images than files), and the errors of reading (see idx.h).
  static absl::StatusOr<Dataset> Load(const DatasetSpec& spec, const std::string& root, const LoadOptions& options = {});

  /// From memory, for tests and generated data. Same checks.
  static absl::StatusOr<Dataset> Create(const DatasetSpec& spec, uint64_t split_seed, Dimensions dimensions,
                                        std::vector<std::string> class_names, Images train, Images test, Origin origin);

  const std::string& name() const { return name_; }
  /// SHA-256 (hexadecimal) over the sorted (file, sha256) manifest, the split rule, what pictures become and which were left out: sets with
  /// equal digests have equal images in equal splits.
  const std::string& digest() const { return digest_; }
  /// Of the files alone: FilesDigest of dataset/manifest.h.
  const std::string& files_digest() const { return files_digest_; }
  int64_t height() const { return dimensions_.height; }
  int64_t width() const { return dimensions_.width; }
  int64_t channels() const { return dimensions_.channels; }
  int num_classes() const { return static_cast<int>(class_names_.size()); }
  const std::vector<std::string>& class_names() const { return class_names_; }
  /// What pictures in files became; none where files hold images of one size.
  const std::optional<PictureForm>& picture_form() const { return picture_form_; }
  /// Names of the files that nobody can decode, below the set's directory, as the file system has them. They were left out.
  const std::vector<std::string>& damaged() const { return damaged_; }
  /// Test images that are among the training files too, pixel by pixel as they are stored. Looks at all of them.
  int64_t CountLeaked() const;
  /// For each channel, of the TRAIN split's bytes / 255.
  const std::vector<float>& mean() const { return mean_; }
  const std::vector<float>& stddev() const { return stddev_; }

  int64_t size(Split split) const;
  /// Bytes [H, W, C]. Requires 0 <= index < size(split).
  absl::Span<const uint8_t> image(Split split, int64_t index) const;
  int32_t label(Split split, int64_t index) const;

 private:
  Dataset() = default;
  const Images& Source(Split split) const { return split == Split::kTest ? test_ : train_; }
  int64_t Position(Split split, int64_t index) const;
  absl::Status Check() const;
  void SplitTraining(int64_t validation_images, uint64_t split_seed);
  void ComputeMoments();

  std::string name_;
  std::string digest_;
  std::string files_digest_;
  Dimensions dimensions_;
  std::optional<PictureForm> picture_form_;
  std::vector<std::string> damaged_;
  std::vector<std::string> class_names_;
  Images train_;
  Images test_;
  std::vector<int64_t> train_order_;
  std::vector<int64_t> validation_order_;
  std::vector<float> mean_;
  std::vector<float> stddev_;
};

}  // namespace hanas

#endif  // HANAS_DATASET_DATASET_H_
