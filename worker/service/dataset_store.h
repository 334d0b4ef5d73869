// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_SERVICE_DATASET_STORE_H_
#define HANAS_WORKER_SERVICE_DATASET_STORE_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/job/search_job.h"
#include "dataset/dataset.h"
#include "dataset/survey.h"

namespace hanas {

/// The data sets below one root, loaded when first asked for and kept.
///
/// Confined to one thread at a time.
class DatasetStore {
 public:
  /// `threads` decode pictures.
  explicit DatasetStore(std::string root, int threads = 1) : root_(std::move(root)), threads_(threads) {}

  /// Pictures of image folders become squares of `side` pixels and `channels`: 1 (grey) or 3. Returns INVALID_ARGUMENT for a specification
  /// that is not valid, and Dataset::Load's statuses; NOT_FOUND carries the reason DATA_MISSING, other failures to read DATA_UNREADABLE.
  /// The pointer stays valid until another data set is loaded.
  absl::StatusOr<std::shared_ptr<const Dataset>> Get(const DatasetSpec& spec, int64_t side, int channels);

  /// Of the data set that Get returned last. Requires that it has returned one.
  const Survey& survey() const { return survey_; }

  struct Held {
    std::string name;    // of a directory below the root
    std::string digest;  // FilesDigest of dataset/manifest.h; empty: not known
  };
  /// What this worker can be asked to train on, sorted by name: directories whose names are UTF-8 without
  /// control characters, at most kMaxDatasetsOfWorker of
  /// rpc/protocol.h. Reads the files of small data sets, for a second or so in all; those that
  /// are beyond that, and those deeper below the root, are not known by their digest.
  std::vector<Held> List() const;

 private:
  std::string root_;
  int threads_;
  std::string loaded_key_;
  std::shared_ptr<const Dataset> loaded_;  // the last one: data sets take hundreds of megabytes
  Survey survey_;
};

}  // namespace hanas

#endif  // HANAS_WORKER_SERVICE_DATASET_STORE_H_
