// SPDX-License-Identifier: Apache-2.0
#include "export/image_pack.h"

#include <algorithm>
#include <array>

#include "absl/crc/crc32c.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "export/tensor_packing.h"

namespace hanas {
namespace {

constexpr absl::string_view kMagic = "HANASIMG";
constexpr size_t kUncheckedBytes = 8 + 4 + 4;  // magic, version, checksum
constexpr size_t kHeaderBytes = kUncheckedBytes + 4 * 4;

uint32_t TakeUint32(absl::string_view& bytes) {
  const uint32_t value = ReadUint32(bytes);
  bytes.remove_prefix(4);
  return value;
}

absl::Status CheckExtents(int64_t count, int64_t height, int64_t width, int64_t channels) {
  const auto bad = [](int64_t extent) { return extent < 1 || extent > kMaxPackedExtent; };
  if (count < 1 || count > kMaxPackedImages || bad(height) || bad(width) || bad(channels)) {
    return absl::InvalidArgumentError(absl::StrCat("image pack: expected 1 to ", kMaxPackedImages, " images with extents from 1 to ",
                                                   kMaxPackedExtent, ", found ", count, " of ", height, "x", width, "x", channels));
  }
  // At most 2^24 * 2^36 elements: no overflow.
  if (count * (4 + height * width * channels) > static_cast<int64_t>(kMaxImagePackBytes)) {
    return absl::InvalidArgumentError(absl::StrCat("image pack: expected at most ", kMaxImagePackBytes, " bytes, found ", count,
                                                   " images of ", height, "x", width, "x", channels));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckImagePack(const ImagePack& pack) {
  if (absl::Status status = CheckExtents(pack.count(), pack.height, pack.width, pack.channels); !status.ok()) return status;
  const auto expected = static_cast<size_t>(pack.count() * pack.height * pack.width * pack.channels);
  if (pack.pixels.size() != expected) {
    return absl::InvalidArgumentError(absl::StrCat("image pack: expected ", expected, " bytes of pixels, found ", pack.pixels.size()));
  }
  const auto negative = std::find_if(pack.labels.begin(), pack.labels.end(), [](int32_t label) { return label < 0; });
  if (negative == pack.labels.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("image pack: expected labels of 0 or more, found ", *negative, " at image ", negative - pack.labels.begin()));
}

std::string SerializeImagePack(const ImagePack& pack) {
  std::string numbers;
  numbers.reserve(kHeaderBytes - kUncheckedBytes + 4 * pack.labels.size());
  for (const int64_t extent : {pack.count(), pack.height, pack.width, pack.channels}) AppendUint32(static_cast<uint32_t>(extent), numbers);
  for (const int32_t label : pack.labels) AppendUint32(static_cast<uint32_t>(label), numbers);
  const absl::string_view pixels(reinterpret_cast<const char*>(pack.pixels.data()), pack.pixels.size());
  std::string bytes(kMagic);
  bytes.reserve(kUncheckedBytes + numbers.size() + pixels.size());
  AppendUint32(kImagePackVersion, bytes);
  AppendUint32(static_cast<uint32_t>(absl::ExtendCrc32c(absl::ComputeCrc32c(numbers), pixels)), bytes);
  absl::StrAppend(&bytes, numbers, pixels);
  return bytes;
}

absl::StatusOr<ImagePack> ParseImagePack(absl::string_view bytes) {
  if (bytes.size() > kMaxImagePackBytes + kHeaderBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("image pack: expected at most ", kMaxImagePackBytes + kHeaderBytes, " bytes, found ", bytes.size()));
  }
  if (!absl::ConsumePrefix(&bytes, kMagic)) {
    return absl::InvalidArgumentError("image pack: expected a file that begins with HANASIMG, found another kind");
  }
  if (bytes.size() < kHeaderBytes - kMagic.size()) return absl::InvalidArgumentError("image pack: cut short within its header");
  if (const uint32_t version = TakeUint32(bytes); version != kImagePackVersion) {
    return absl::FailedPreconditionError(absl::StrCat("image pack: expected version ", kImagePackVersion, ", found ", version,
                                                      "; its writer and its reader must be of the same release"));
  }
  const uint32_t checksum = TakeUint32(bytes);
  if (checksum != static_cast<uint32_t>(absl::ComputeCrc32c(bytes))) {
    return absl::DataLossError("image pack: damaged or cut short: its content does not have the checksum it was written with");
  }
  const int64_t count = TakeUint32(bytes);
  ImagePack pack;
  pack.height = TakeUint32(bytes);
  pack.width = TakeUint32(bytes);
  pack.channels = TakeUint32(bytes);
  if (absl::Status status = CheckExtents(count, pack.height, pack.width, pack.channels); !status.ok()) return status;
  const int64_t expected = count * (4 + pack.height * pack.width * pack.channels);
  if (static_cast<int64_t>(bytes.size()) != expected) {
    return absl::InvalidArgumentError(absl::StrCat("image pack: expected ", expected, " bytes after the header, found ", bytes.size()));
  }
  pack.labels.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) pack.labels.push_back(static_cast<int32_t>(TakeUint32(bytes)));
  pack.pixels.assign(bytes.begin(), bytes.end());
  if (absl::Status status = CheckImagePack(pack); !status.ok()) return status;
  return pack;
}

}  // namespace hanas
