// SPDX-License-Identifier: Apache-2.0
#include "export/image_pack.h"

#include <string>

#include "absl/crc/crc32c.h"
#include "absl/status/status_matchers.h"
#include "export/tensor_packing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/mutate.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr size_t kContentAt = 16;  // after magic 8, version 4, checksum 4

ImagePack MakePack() {
  ImagePack pack{.height = 2, .width = 3, .channels = 1, .labels = {7, 0}};
  for (int i = 0; i < 12; ++i) pack.pixels.push_back(static_cast<uint8_t>(20 * i));
  return pack;
}

TEST(ImagePack, RoundTrips) {
  const ImagePack pack = MakePack();
  ASSERT_THAT(CheckImagePack(pack), IsOk());
  EXPECT_THAT(ParseImagePack(SerializeImagePack(pack)), IsOkAndHolds(pack));
}

/// `bytes` with the checksum that they should have.
std::string Sealed(std::string bytes) {
  std::string checksum;
  AppendUint32(static_cast<uint32_t>(absl::ComputeCrc32c(absl::string_view(bytes).substr(kContentAt))), checksum);
  return bytes.replace(kContentAt - checksum.size(), checksum.size(), checksum);
}

TEST(ImagePack, EveryTruncationAndTrailingByteIsRefused) {
  const std::string bytes = SerializeImagePack(MakePack());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THAT(ParseImagePack(bytes.substr(0, size)), Not(IsOk())) << size;
  }
  for (size_t size = kContentAt; size < bytes.size(); ++size) {
    EXPECT_THAT(ParseImagePack(Sealed(bytes.substr(0, size))), StatusIs(absl::StatusCode::kInvalidArgument)) << size;
  }
  EXPECT_THAT(ParseImagePack(bytes + "x"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("damaged or cut short")));
  EXPECT_THAT(ParseImagePack(Sealed(bytes + "x")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected 20 bytes after the header, found 21")));
}

TEST(ImagePack, EveryChangedBitIsRefused) {
  std::string bytes = SerializeImagePack(MakePack());
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_THAT(ParseImagePack(bytes), Not(IsOk())) << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  }
}

/// Damage behind a checksum that fits.
TEST(ImagePack, ResealedDamageIsRefusedOrHarmless) {
  const std::string bytes = SerializeImagePack(MakePack());
  for (uint64_t i = 0; i < 4000; ++i) {
    CounterRandom random(18, "image-pack-fuzz", i);
    const std::string content = Mutated(bytes.substr(kContentAt), random);
    const std::string damaged = Sealed(bytes.substr(0, kContentAt) + content);
    const absl::StatusOr<ImagePack> read = ParseImagePack(damaged);
    if (read.ok()) {
      EXPECT_EQ(SerializeImagePack(*read), damaged) << i;
    }
  }
}

TEST(ImagePack, RefusesOtherFilesVersionsAndExtents) {
  const std::string bytes = SerializeImagePack(MakePack());
  std::string other = bytes;
  other[0] = 'X';
  EXPECT_THAT(ParseImagePack(other), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("HANASIMG")));
  other = bytes;
  other[8] = 1;
  EXPECT_THAT(ParseImagePack(other),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("expected version 2, found 1; its writer and its reader must be of the same release")));
  for (size_t field = kContentAt; field < kContentAt + 16; field += 4) {
    other = bytes;
    other[field + 3] = '\x7f';
    EXPECT_THAT(ParseImagePack(Sealed(other)), StatusIs(absl::StatusCode::kInvalidArgument)) << field;
    other = bytes;
    other[field] = 0;
    EXPECT_THAT(ParseImagePack(Sealed(other)), StatusIs(absl::StatusCode::kInvalidArgument)) << field;
  }
  other = bytes;
  other[kContentAt + 19] = '\xff';
  EXPECT_THAT(ParseImagePack(Sealed(other)), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("labels of 0 or more")));
}

TEST(ImagePack, ChecksBeforeWriting) {
  ImagePack pack = MakePack();
  pack.pixels.pop_back();
  EXPECT_THAT(CheckImagePack(pack), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected 12 bytes of pixels, found 11")));
  EXPECT_THAT(CheckImagePack(ImagePack()), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace hanas
