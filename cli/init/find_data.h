// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_INIT_FIND_DATA_H_
#define HANAS_CLI_INIT_FIND_DATA_H_

#include <string>

#include "absl/status/statusor.h"
#include "core/job/search_job.h"

namespace hanas::cli {

/// Where a data set is, as jobs say it: `directory` below `root`.
struct DataPlace {
  std::string root;       // absolute, for --data
  std::string directory;  // relative to it, UTF-8
  DatasetFormat format = DatasetFormat::kIdx;
  std::string Path() const;
};

/// The data set in `path`, or in the one folder below it that holds one. The root is `data_root` (HANAS_DATA_DIR; empty: none) when the set
/// is below it, else the folder that the set is in. Returns NOT_FOUND, saying which layout was expected and what to move where, when there
/// is no set; INVALID_ARGUMENT when there are several, when a set could be of both formats, or when its path cannot stand in a job file.
/// Thread-safe.
absl::StatusOr<DataPlace> FindData(const std::string& path, const std::string& data_root);

}  // namespace hanas::cli

#endif  // HANAS_CLI_INIT_FIND_DATA_H_
