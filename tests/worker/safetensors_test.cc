// SPDX-License-Identifier: Apache-2.0
#include "worker/engine/safetensors.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

const std::vector<float>& Numbers() {
  static const auto* const kNumbers = new std::vector<float>{1, -2, 0.5F, 3};
  return *kNumbers;
}

absl::string_view BytesOf(size_t first, size_t count) {
  return {reinterpret_cast<const char*>(Numbers().data() + first), count * sizeof(float)};
}

std::string Length(uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(length >> (8 * i)));
  return bytes;
}

std::string File(absl::string_view header, absl::string_view data) { return absl::StrCat(Length(header.size()), header, data); }

/// The CRC-32C bit by bit, as its definition has it.
std::string Crc32c(absl::string_view bytes) {
  uint32_t crc = 0xffffffff;
  for (const char byte : bytes) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
  }
  return absl::StrCat(absl::Hex(~crc, absl::kZeroPad8));
}

TEST(SafetensorsTest, TheLayoutByteByByte) {
  const Safetensors file = {.metadata = {{"step", "7"}, {"Name", "a \"b\""}},
                            .tensors = {{"b.weight", {3, 1}, BytesOf(0, 3)}, {"a", {}, BytesOf(3, 1)}}};
  const std::string tensors = R"("a":{"data_offsets":[12,16],"dtype":"F32","shape":[]},)"
                              R"("b.weight":{"data_offsets":[0,12],"dtype":"F32","shape":[3,1]}})";
  const std::string data(reinterpret_cast<const char*>(Numbers().data()), 16);
  const std::string crc = Crc32c(absl::StrCat(R"({"__metadata__":{"Name":"a \"b\"","step":"7"},)", tensors, data));
  std::string header = absl::StrCat(R"({"__metadata__":{"Name":"a \"b\"","crc32c":")", crc, R"(","step":"7"},)", tensors);
  while (header.size() % 8 != 0) header += ' ';
  const std::string bytes = WriteSafetensors(file);
  EXPECT_EQ(bytes, File(header, data));

  const absl::StatusOr<Safetensors> read = ReadSafetensors(bytes);
  ASSERT_THAT(read, IsOk());
  EXPECT_THAT(read->metadata, ElementsAre(Pair("Name", "a \"b\""), Pair("crc32c", crc), Pair("step", "7")));
  ASSERT_EQ(read->tensors.size(), 2U);
  EXPECT_EQ(read->tensors[0].name, "b.weight");
  EXPECT_EQ(read->tensors[0].shape, (Shape{3, 1}));
  EXPECT_EQ(read->tensors[0].data, BytesOf(0, 3));
  EXPECT_EQ(read->tensors[1].name, "a");
  EXPECT_EQ(read->tensors[1].shape, Shape());
  EXPECT_EQ(read->tensors[1].data, BytesOf(3, 1));
}

/// Other writers lay out their JSON as they like, write no checksum, and have tensors without elements.
TEST(SafetensorsTest, FilesOfOthersAreRead) {
  const auto read = ReadSafetensors(File(R"({ "w" : {"shape": [2], "dtype": "F32", "data_offsets": [0, 8]},
      "none": {"dtype":"F32","shape":[0,5],"data_offsets":[8,8]}, "\u00e9": {"dtype":"F32","shape":[1,1],"data_offsets":[8,12]}}  )",
                                         BytesOf(0, 3)));
  ASSERT_THAT(read, IsOk());
  ASSERT_EQ(read->tensors.size(), 3U);
  EXPECT_EQ(read->tensors[1].shape, (Shape{0, 5}));
  EXPECT_EQ(read->tensors[2].name, "\u00e9");
  EXPECT_EQ(read->tensors[2].data, BytesOf(2, 1));
  const auto empty = ReadSafetensors(File("{}", ""));
  ASSERT_THAT(empty, IsOk());
  EXPECT_TRUE(empty->tensors.empty());
}

TEST(SafetensorsTest, ABrokenHeaderIsRefusedByTheNameOfItsTensor) {
  struct Case {
    const char* name;
    const char* header;
    const char* expected;
    absl::StatusCode code = absl::StatusCode::kInvalidArgument;
  };
  const std::string deep(100'000, '[');
  // Data of 12 bytes each.
  for (const Case& row : {
           Case{"no JSON", R"({"w": })", "expected JSON, found a mistake at its byte"},
           Case{"not UTF-8", "{\"\xff\": {}}", "expected JSON"},
           Case{"cut JSON", R"({"w":{"dtype":"F32")", "expected JSON"},
           Case{"two values", R"({}{})", "expected JSON"},
           Case{"tensor of a number", R"({"w":1})", "tensor \"w\": expected an object, found a number"},
           Case{"tensor of an array", R"({"w":[]})", "tensor \"w\": expected an object, found an array"},
           Case{"twice", R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})",
                "tensor \"w\": expected a name once in the header, found it twice"},
           Case{"metadata twice", R"({"__metadata__":{},"__metadata__":{}})", "metadata: expected a name once"},
           Case{"metadata key twice", R"({"__metadata__":{"a":"1","a":"2"}})", "metadata: expected a key once, found \"a\" twice"},
           Case{"metadata of a number", R"({"__metadata__":{"a":1}})", "metadata: expected strings, found a number"},
           Case{"metadata nested", R"({"__metadata__":{"a":{}}})", "metadata: expected strings, found an object"},
           Case{"other dtype", R"({"w":{"dtype":"F16","shape":[6],"data_offsets":[0,12]}})",
                "tensor \"w\": expected dtype F32, found \"F16\""},
           Case{"dtype no string", R"({"w":{"dtype":32,"shape":[3],"data_offsets":[0,12]}})",
                "tensor \"w\": expected dtype F32, found a num"},
           Case{"dtype missing", R"({"w":{"shape":[3],"data_offsets":[0,12]}})",
                "tensor \"w\": expected dtype, shape and data_offsets, found no dtype"},
           Case{"shape missing", R"({"w":{"dtype":"F32","data_offsets":[0,12]}})",
                "tensor \"w\": expected dtype, shape and data_offsets, found no shape"},
           Case{"offsets missing", R"({"w":{"dtype":"F32","shape":[3]}})", "found no data_offsets"},
           Case{"field twice", R"({"w":{"dtype":"F32","dtype":"F32","shape":[3],"data_offsets":[0,12]}})",
                "expected a field once, found dtype"},
           Case{"unknown field", R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12],"x":1}})",
                "tensor \"w\": expected dtype, shape, data"},
           Case{"shape of text", R"({"w":{"dtype":"F32","shape":["3"],"data_offsets":[0,12]}})",
                "expected whole numbers in shape, found a str"},
           Case{"shape below 0", R"({"w":{"dtype":"F32","shape":[-3],"data_offsets":[0,12]}})", "in shape, found a number below 0"},
           Case{"shape not whole", R"({"w":{"dtype":"F32","shape":[3.0],"data_offsets":[0,12]}})",
                "in shape, found a number that is not whole"},
           Case{"shape nested", R"({"w":{"dtype":"F32","shape":[[3]],"data_offsets":[0,12]}})", "in shape, found an array"},
           Case{"nine axes", R"({"w":{"dtype":"F32","shape":[3,1,1,1,1,1,1,1,1],"data_offsets":[0,12]}})", "expected at most 8 axes"},
           Case{"one offset", R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0]}})",
                "tensor \"w\": expected two data_offsets, found 1"},
           Case{"three offsets", R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12,12]}})", "expected two data_offsets, found more"},
           Case{"offset beyond 64 bits", R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,99999999999999999999]}})",
                "found a number that is"},
           Case{"product overflows", R"({"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,12]}})",
                "tensor \"w\": expected a shape"},
           Case{"product wraps to the size", R"({"w":{"dtype":"F32","shape":[4611686018427387905,3],"data_offsets":[0,12]}})",
                "expected a shape"},
           Case{"extent of all bits", R"({"w":{"dtype":"F32","shape":[18446744073709551615,0],"data_offsets":[0,0]}})",
                "expected a shape whose"},
           Case{"offsets turned", R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[12,0]}})",
                "expected 12 bytes, as its shape says, found data_off"},
           Case{"size of another shape", R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}})", "tensor \"w\": expected 8 bytes"},
           Case{"overlap",
                R"({"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                "tensor \"w\": expected data from offset 8 on, where the tensor before it ends, found 4: they overlap"},
           Case{"gap", R"({"v":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
                "tensor \"w\": expected data from offset 4 on, where the tensor before it ends, found 8: there is a gap"},
           Case{"beyond the end", R"({"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})",
                "tensor \"w\": expected data up to offset 16, found 12 bytes of data: truncated", absl::StatusCode::kDataLoss},
           Case{"data of nobody", R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
                "expected the end after 8 bytes of data, found 12", absl::StatusCode::kDataLoss},
           Case{"wrong checksum", R"({"__metadata__":{"crc32c":"00000000"},"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})",
                "the checksum does not match", absl::StatusCode::kDataLoss},
       }) {
    EXPECT_THAT(ReadSafetensors(File(row.header, BytesOf(0, 3))).status(), StatusIs(row.code, HasSubstr(row.expected))) << row.name;
  }
  EXPECT_THAT(ReadSafetensors(File(absl::StrCat("{\"w\":", deep), "")).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found an array")))
      << "depth costs nothing";
}

TEST(SafetensorsTest, WhatIsNoFileOfTheFormatIsNamed) {
  EXPECT_THAT(ReadSafetensors("PK\3\4").status(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("found 4 bytes")));
  EXPECT_THAT(ReadSafetensors("PK\3\4 a zip archive").status(),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("expected a JSON header"), HasSubstr("or another format"))));
  EXPECT_THAT(ReadSafetensors(File("[]", "")).status(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found another format")));
  EXPECT_THAT(ReadSafetensors(Length(0)).status(), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ReadSafetensors(Length(kMaxSafetensorsHeaderBytes + 1) + "{").status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("header of 2 to 16777216 bytes, found one of 16777217 bytes")));
  EXPECT_THAT(ReadSafetensors(Length(kMaxSafetensorsHeaderBytes) + "{").status(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("expected a header of 16777216 bytes, found 1: truncated")));
}

TEST(SafetensorsTest, EveryChangedBitOfTheDataAndEveryCutIsNoticed) {
  const std::string good = WriteSafetensors({.metadata = {{"step", "7"}}, .tensors = {{"w", {2, 2}, BytesOf(0, 4)}}});
  for (size_t bit = 8 * (good.size() - 16); bit < 8 * good.size(); ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_THAT(ReadSafetensors(bad).status(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("checksum"))) << bit;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_THAT(ReadSafetensors(good.substr(0, size)).status(), StatusIs(absl::StatusCode::kDataLoss)) << size;
  }
  std::string other = good;
  other[other.find("\"step\":\"7\"") + 8] = '8';
  EXPECT_THAT(ReadSafetensors(other).status(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("checksum"))) << "the metadata counts too";
}

}  // namespace
}  // namespace hanas
