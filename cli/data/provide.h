// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_DATA_PROVIDE_H_
#define HANAS_CLI_DATA_PROVIDE_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/job/search_job.h"

namespace hanas::cli {

/// Whether the files of `dataset` are below `root`: the four IDX files (plain or .gz), or an image folder. Returns NOT_FOUND naming
/// what is missing. Their content is checked by the worker that reads them. Thread-safe.
absl::Status FindDataset(const DatasetSpec& dataset, const std::string& root);

/// Where data may come from.
struct DataSources {
  bool drawn = false;                                        // --drawn-data: a drawn set instead of the job's
  std::string root;                                          // --data, else HANAS_DATA_DIR; empty: neither was given
  std::string own_directory;                                 // where to put data that had to be fetched or drawn
  std::function<absl::Status(const std::string& to)> fetch;  // Fashion-MNIST, into a folder
  std::function<absl::Status(const std::string& to)> draw;
};

struct ProvidedData {
  std::string root;
  DatasetSpec dataset;   // as given, or the drawn stand-in
  std::string sentence;  // which data set is used, for people
};

/// Finds the data set of a job, or fetches it. A given root must hold it; without one, Fashion-MNIST is fetched. A set is drawn only when
/// it was asked for: it stands in for any set of ten classes of grey images in IDX files, under the name "drawn". Returns NOT_FOUND with
/// what was expected where and what to do, INVALID_ARGUMENT when a drawn set does not have the shape of the job's, and the statuses of
/// fetching and drawing that no other source helps with. Thread-compatible.
absl::StatusOr<ProvidedData> ProvideData(const SearchJob& job, const DataSources& sources);

}  // namespace hanas::cli

#endif  // HANAS_CLI_DATA_PROVIDE_H_
