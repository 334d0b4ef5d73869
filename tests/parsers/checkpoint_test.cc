// SPDX-License-Identifier: Apache-2.0
// Damaged checkpoints, also without a checksum, and with one that fits what was damaged.
#include "worker/engine/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "absl/strings/str_cat.h"
#include "tests/core/small_space.h"
#include "tests/parsers/damage.h"
#include "tests/worker/drawn_data.h"
#include "worker/engine/safetensors.h"

namespace hanas {
namespace {

constexpr size_t kLengthBytes = 8;

class CheckpointDamageTest : public ::testing::Test {
 protected:
  CheckpointDamageTest() {
    Checkpoint fresh = InitialCheckpoint(lowering_, 7, DrawnData(20, 10, 10));
    good_.push_back(SerializeCheckpoint(fresh, slots()));
    fresh.momentum = fresh.weights;
    fresh.step = 42;
    good_.push_back(SerializeCheckpoint(fresh, slots()));
  }

  const std::vector<Slot>& slots() const { return lowering_.slots().slots(); }

  absl::Status Parse(const std::string& bytes) const {
    const absl::StatusOr<Checkpoint> read = ParseCheckpoint(bytes, lowering_);
    if (!read.ok()) return read.status();
    EXPECT_GE(read->step, 0);
    EXPECT_EQ(read->weights.size(), slots().size());
    EXPECT_TRUE(read->momentum.empty() || read->momentum.size() == slots().size());
    for (const std::vector<float>& tensor : read->weights)
      EXPECT_TRUE(std::all_of(tensor.begin(), tensor.end(), [](float v) { return std::isfinite(v); }));
    // Nothing but the layout of the JSON may differ and be read all the same.
    EXPECT_EQ(SerializeCheckpoint(*read, slots()), read->momentum.empty() ? good_[0] : good_[1]);
    return absl::OkStatus();
  }

  const Lowering lowering_{SmallConvnet()};
  std::vector<std::string> good_;
};

TEST_F(CheckpointDamageTest, TheChecksumNoticesEveryDamage) {
  for (const std::string& good : good_) ASSERT_EQ(Parse(good), absl::OkStatus());
  for (uint64_t round = 0; round < 1000; ++round) {
    CounterRandom random(1, "test/damage", round);
    const std::string bad = Mutated(good_[round % 2], random);
    const absl::Status status = Parse(bad);
    EXPECT_TRUE(status.ok() || BlamesTheInput(status.code())) << "round " << round << ": " << status;
  }
}

/// The laws of what was read of a file: data within it, as much as the shapes say.
absl::Status ReadAsSafetensors(const std::string& bytes) {
  const absl::StatusOr<Safetensors> read = ReadSafetensors(bytes);
  if (!read.ok()) return read.status();
  const char* at = read->tensors.empty() ? nullptr : read->tensors[0].data.data();
  for (const StoredTensor& tensor : read->tensors) {
    EXPECT_EQ(static_cast<int64_t>(tensor.data.size()), 4 * NumElements(tensor.shape)) << tensor.name;
    EXPECT_EQ(tensor.data.data(), at) << tensor.name << ": the data follow each other";
    at = tensor.data.data() + tensor.data.size();
  }
  EXPECT_TRUE(read->tensors.empty() || at == bytes.data() + bytes.size()) << "they end with the file";
  return absl::OkStatus();
}

TEST_F(CheckpointDamageTest, AHeaderWithoutChecksumIsCheckedAllTheSame) {
  Safetensors small = ReadSafetensors(good_[0]).value();
  small.tensors.resize(3);
  std::string file = WriteSafetensors(small);
  const size_t checksum = file.find("\"crc32c\"");
  ASSERT_NE(checksum, std::string::npos);
  file.replace(checksum, 8, "\"nobody\"");
  uint64_t header = 0;
  file.copy(reinterpret_cast<char*>(&header), kLengthBytes);
  const std::string data = file.substr(kLengthBytes + header);
  // Only the header is damaged, and its length is told as it is then, so that the damage is what is read.
  ExpectSurvivesDamage({.name = "safetensors",
                        .good = {file.substr(kLengthBytes, header)},
                        .parse =
                            [&](const std::string& bytes) {
                              const uint64_t length = bytes.size();
                              return ReadAsSafetensors(std::string(reinterpret_cast<const char*>(&length), kLengthBytes) + bytes + data);
                            },
                        .words = {"{", "}", "[", "]", "\"", ":", ",", "\"F32\"", "\"shape\"", "\"data_offsets\"", "\"dtype\"",
                                  "\"__metadata__\"", "0", "-1", "18446744073709551615", "4611686018427387904", "1e3", "null", "\\u0000"}});
  ExpectSurvivesDamage({.name = "safetensors, whole", .good = {file}, .parse = ReadAsSafetensors});
}

TEST_F(CheckpointDamageTest, WhatFitsItsChecksumIsCheckedAllTheSame) {
  const std::string first = slots()[0].name;
  const std::string last = slots().back().name;
  const std::vector<float> bad(static_cast<size_t>(NumElements(slots()[0].shape)), std::numeric_limits<float>::quiet_NaN());
  struct Case {
    const char* name;
    std::function<void(Safetensors&)> change;
    absl::StatusCode code;
    std::string expected;
  };
  const Case cases[] = {
      {"a tensor is missing", [](Safetensors& f) { f.tensors.pop_back(); }, absl::StatusCode::kInvalidArgument,
       absl::StrCat("expected tensor momentum/", last, " of")},
      {"the weights are missing", [](Safetensors& f) { f.tensors.erase(f.tensors.begin()); }, absl::StatusCode::kInvalidArgument,
       absl::StrCat("expected tensor ", first, " of ", ToString(slots()[0].shape), ", found none")},
      {"another shape", [](Safetensors& f) { f.tensors[0].shape = {static_cast<int64_t>(f.tensors[0].data.size()) / 4}; },
       absl::StatusCode::kInvalidArgument,
       absl::StrCat("expected tensor ", first, " of ", ToString(slots()[0].shape), ", found ", NumElements(slots()[0].shape))},
      {"one more", [](Safetensors& f) { f.tensors.push_back({"step/stem/k3/w8", {}, f.tensors[0].data.substr(0, 4)}); },
       absl::StatusCode::kInvalidArgument, "found 1 more, such as step/stem/k3/w8"},
      {"no number", [&](Safetensors& f) { f.tensors[0].data = {reinterpret_cast<const char*>(bad.data()), 4 * bad.size()}; },
       absl::StatusCode::kDataLoss, absl::StrCat("found NaN or infinity in ", first)},
      {"negative step", [](Safetensors& f) { f.metadata["step"] = "-1"; }, absl::StatusCode::kInvalidArgument,
       "expected a number of steps as step in the metadata, found \"-1\""},
      {"no step", [](Safetensors& f) { f.metadata.erase("step"); }, absl::StatusCode::kInvalidArgument,
       "as step in the metadata, found \"\""},
      {"no digest", [](Safetensors& f) { f.metadata["chain_digest"] = "12"; }, absl::StatusCode::kInvalidArgument,
       "a digest as chain_digest"},
      {"another space", [](Safetensors& f) { f.metadata["space_digest"] = Digest{1, 2}.ToHex(); }, absl::StatusCode::kFailedPrecondition,
       "expected one of the space"},
      {"no version", [](Safetensors& f) { f.metadata.erase("checkpoint_version"); }, absl::StatusCode::kInvalidArgument,
       "expected 2 as checkpoint_version"},
      {"a later version", [](Safetensors& f) { f.metadata["checkpoint_version"] = "3"; }, absl::StatusCode::kInvalidArgument,
       "expected version 2, found version 3: it was written by another release; start the search again"},
  };
  for (const Case& row : cases) {
    Safetensors file = ReadSafetensors(good_[1]).value();
    row.change(file);
    const absl::Status status = Parse(WriteSafetensors(file));
    EXPECT_EQ(status.code(), row.code) << row.name << ": " << status;
    EXPECT_NE(status.message().find(row.expected), absl::string_view::npos) << row.name << ": " << status;
  }
  EXPECT_EQ(Parse(WriteSafetensors(ReadSafetensors(good_[1]).value())), absl::OkStatus()) << "the seal is the format's";
}

TEST_F(CheckpointDamageTest, ACheckpointHasAChecksum) {
  std::string without = good_[0];
  without.replace(without.find("\"crc32c\""), 8, "\"nobody\"");
  const absl::Status status = Parse(without);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("expected a checksum as crc32c in the metadata"), absl::string_view::npos) << status;
}

TEST_F(CheckpointDamageTest, TheFirstVersionIsNamed) {
  const absl::Status status = Parse(std::string("HANASCKP\1\0\0\0 and the rest of it", 30));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("expected version 2, found version 1"), absl::string_view::npos) << status;
}

}  // namespace
}  // namespace hanas
