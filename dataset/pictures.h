// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_DATASET_PICTURES_H_
#define HANAS_DATASET_PICTURES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/job/search_job.h"

namespace hanas {

struct PictureSize {
  int width = 0;  // pixels
  int height = 0;
  friend bool operator==(const PictureSize&, const PictureSize&) = default;
};

/// What the pictures of a data set are like, from their headers.
struct Pictures {
  int64_t train = 0;
  int64_t test = 0;
  int64_t turned = 0;     // of those that were looked at: their EXIF data says that they are to be turned or mirrored, and they are
  int64_t looked_at = 0;  // of both together; the others are taken to be like these
  PictureSize smallest;   // by the shorter side
  PictureSize median;
  PictureSize largest;
  bool stored_with_colour = false;    // some are
  bool shows_colour = false;          // some do: a grey picture may be stored in three channels
  std::vector<std::string> not_read;  // what lies there and nobody reads, a sentence for each kind
  std::vector<std::string> damaged;   // of those that were looked at, few enough to be left out, a sentence for each
};

struct PicturesOptions {
  int64_t most_headers = 20'000;  // read; of larger sets a part that is spread evenly
  int64_t most_decoded = 200;     // looked at for colour, likewise
  int64_t most_bytes = 0;         // every picture of a set of no more is decoded, to find damaged ones
  int threads = 1;                // that read and decode
};

/// To find what nobody can read: every header, and every picture of a set that takes seconds to decode.
PicturesOptions Thoroughly(int threads);

/// Of an image folder, returns DATA_LOSS with a line for every picture that cannot be read or decoded when there are too many of them
/// (CheckDamaged of dataset/image_folder.h), and looks at what is there where SurveyDataset finds mistakes, so that both can be said at
/// once. Of IDX files, whose headers SurveyDataset judges, returns the errors of reading these. Thread-safe.
absl::StatusOr<Pictures> LookAtPictures(DatasetFormat format, const std::string& directory, const PicturesOptions& options = {});

}  // namespace hanas

#endif  // HANAS_DATASET_PICTURES_H_
