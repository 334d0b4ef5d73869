// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_ENGINE_SAFETENSORS_H_
#define HANAS_WORKER_ENGINE_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/graph/graph.h"

namespace hanas {

// The safetensors container (https://huggingface.co/docs/safetensors), which Python's package of that name reads: the length of the header
// in 8 bytes, little-endian; the header, a JSON object from each tensor's name to its dtype, shape and place in the data, with texts about
// the file under "__metadata__", and spaces at its end to a multiple of 8; then the data, row-major and little-endian. Here every tensor is
// F32. Thread-safe: free functions without state.

inline constexpr int64_t kMaxSafetensorsHeaderBytes = int64_t{1} << 24;
inline constexpr size_t kMaxSafetensorsRank = 8;

/// The key in the metadata of a CRC-32C, as 8 lower-case hexadecimal digits: of the header without this entry, written with its keys in
/// byte order and no spaces, followed by the data. So it covers every number and every name, and not how the JSON is laid out.
inline constexpr absl::string_view kSafetensorsChecksum = "crc32c";

struct StoredTensor {
  std::string name;
  Shape shape;
  absl::string_view data;  // 4 bytes for each element; borrowed
};

/// What a file holds. The data of the tensors follow each other in this order, without gaps.
struct Safetensors {
  std::map<std::string, std::string> metadata;
  std::vector<StoredTensor> tensors;
};

/// The bytes of a file, with its checksum in the metadata: equal contents give equal bytes. Requires names that are UTF-8, not empty,
/// different from each other and from "__metadata__", and as much data as the shapes say.
std::string WriteSafetensors(const Safetensors& file);

/// Inverse of WriteSafetensors, for files of any writer; the tensors borrow from `bytes`. A checksum is compared when there is one. Returns
/// INVALID_ARGUMENT for another format and for a header that is too large or breaks a rule of the format (not JSON, a name or field twice
/// or missing, a dtype other than F32, more than 8 axes, a shape whose size overflows or is not that of the data, data that overlap, leave
/// gaps or lie outside), naming the tensor; DATA_LOSS for truncated bytes and a wrong checksum. Never allocates more than a multiple of the
/// header.
absl::StatusOr<Safetensors> ReadSafetensors(absl::string_view bytes);

}  // namespace hanas

#endif  // HANAS_WORKER_ENGINE_SAFETENSORS_H_
