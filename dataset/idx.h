// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_DATASET_IDX_H_
#define HANAS_DATASET_IDX_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace hanas {

// The IDX format of the MNIST family: big-endian magic 0x00000801 (labels) or 0x00000803 (images), one 32-bit extent per axis, unsigned
// bytes. Files may be gzip-compressed; which one is recognised by content, not by name.

struct IdxImages {
  int64_t count = 0;
  int64_t height = 0;
  int64_t width = 0;
  std::vector<uint8_t> pixels;  // [count, height, width]
};

/// Read no more than the header promises, and of headers that promise at most 10 000 000 items, 4096 x 4096 pixels, 16 GiB, and, of a
/// compressed file beyond 64 MiB, a hundred times its size. Return NOT_FOUND when the file is absent, INVALID_ARGUMENT for a wrong magic
/// number or a header that promises more, DATA_LOSS for a truncated file, a broken
/// gzip stream or trailing bytes. Messages name the file, what was expected and found, and the remedy. Thread-safe.
absl::StatusOr<IdxImages> ReadIdxImages(const std::string& path);
/// The header alone, held against the size of the file where that can be done without unpacking it: no pixels.
absl::StatusOr<IdxImages> ReadIdxImagesHeader(const std::string& path);
absl::StatusOr<std::vector<uint8_t>> ReadIdxLabels(const std::string& path);

/// Returns INVALID_ARGUMENT, naming `directory`, unless the test images are as large as the training images. No pixels are looked at.
absl::Status CheckIdxSizes(const IdxImages& train, const IdxImages& test, const std::string& directory);

/// Write uncompressed files, complete or not at all. Return INVALID_ARGUMENT when sizes disagree, the errno's status when writing fails.
absl::Status WriteIdxImages(const std::string& path, const IdxImages& images);
absl::Status WriteIdxLabels(const std::string& path, absl::Span<const uint8_t> labels);

}  // namespace hanas

#endif  // HANAS_DATASET_IDX_H_
