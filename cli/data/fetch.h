// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_DATA_FETCH_H_
#define HANAS_CLI_DATA_FETCH_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hanas::cli {

/// A file that is known to the byte.
struct RemoteFile {
  std::string name;
  int64_t size_bytes = 0;
  std::string sha256;
};

/// A data set that can be fetched, and where from. Mirrors are tried in order, for each file.
struct RemoteDataset {
  std::string name;
  std::string directory;  // below the data directory
  std::string licence;
  std::vector<RemoteFile> files;
  std::vector<std::string> mirrors;  // URLs of the folder, without a final '/'
};

/// Fashion-MNIST (Xiao, Rasul, Vollgraf 2017): the four official files.
const RemoteDataset& FashionMnist();

struct FetchOptions {
  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration stalled_after = absl::Seconds(30);  // below 1 kB/s for so long: the mirror is given up
  /// Called now and then with the bytes there are of a file. May be empty. Answering false ends the fetch with CANCELLED.
  std::function<bool(const RemoteFile& file, int64_t bytes)> progress;
};

/// Makes every file of `dataset` exist in `to` (created when absent) with its size and digest. What is there already is kept; a transfer
/// that was cut goes on where it was ("<name>.part"); a file appears under its name only when it is whole and its digest is right.
///
/// Returns UNAVAILABLE when no mirror answers, NOT_FOUND when they answer but do not have the file, DATA_LOSS when what they send has
/// another size or digest, CANCELLED, or the errno's status of writing. A message has a line for each mirror that was tried. Thread-safe,
/// for different folders.
absl::Status FetchDataset(const RemoteDataset& dataset, const std::string& to, const FetchOptions& options = {});

}  // namespace hanas::cli

#endif  // HANAS_CLI_DATA_FETCH_H_
