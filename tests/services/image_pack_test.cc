// SPDX-License-Identifier: Apache-2.0
#include "export/image_pack.h"

#include <string>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

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

TEST(ImagePack, EveryTruncationAndTrailingByteIsRefused) {
  const std::string bytes = SerializeImagePack(MakePack());
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_THAT(ParseImagePack(bytes.substr(0, size)), Not(IsOk())) << size;
  EXPECT_THAT(ParseImagePack(bytes + "x"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected 20 bytes after the header, found 21")));
}

TEST(ImagePack, RefusesOtherFilesVersionsAndExtents) {
  const std::string bytes = SerializeImagePack(MakePack());
  std::string other = bytes;
  other[0] = 'X';
  EXPECT_THAT(ParseImagePack(other), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("HANASIMG")));
  other = bytes;
  other[8] = 2;
  EXPECT_THAT(ParseImagePack(other), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("expected version 1, found 2")));
  for (const size_t field : {12, 16, 20, 24}) {
    other = bytes;
    other[field + 3] = '\x7f';
    EXPECT_THAT(ParseImagePack(other), StatusIs(absl::StatusCode::kInvalidArgument)) << field;
    other = bytes;
    other[field] = 0;
    EXPECT_THAT(ParseImagePack(other), StatusIs(absl::StatusCode::kInvalidArgument)) << field;
  }
  other = bytes;
  other[31] = '\xff';
  EXPECT_THAT(ParseImagePack(other), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("labels of 0 or more")));
}

TEST(ImagePack, ChecksBeforeWriting) {
  ImagePack pack = MakePack();
  pack.pixels.pop_back();
  EXPECT_THAT(CheckImagePack(pack), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected 12 bytes of pixels, found 11")));
  EXPECT_THAT(CheckImagePack(ImagePack()), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace hanas
