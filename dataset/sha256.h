// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_DATASET_SHA256_H_
#define HANAS_DATASET_SHA256_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas {

/// SHA-256 of `bytes` as 64 lower-case hexadecimal digits. Thread-safe.
std::string Sha256Hex(absl::string_view bytes);

/// SHA-256 of a file's bytes. Returns NOT_FOUND when it cannot be opened, DATA_LOSS when reading fails. Thread-safe.
absl::StatusOr<std::string> Sha256HexOfFile(const std::string& path);

}  // namespace hanas

#endif  // HANAS_DATASET_SHA256_H_
