// SPDX-License-Identifier: Apache-2.0
// Damaged checkpoints, also with a checksum that fits what was damaged.
#include "worker/engine/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tests/core/small_space.h"
#include "tests/parsers/damage.h"
#include "tests/worker/drawn_data.h"

namespace hanas {
namespace {

constexpr size_t kChecksumBytes = 8;

uint64_t Checksum(absl::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  while (bytes.size() >= sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof(word));
    hash = (hash ^ word) * 0x100000001b3ULL;
    hash ^= hash >> 29U;
    bytes.remove_prefix(sizeof(word));
  }
  for (const char byte : bytes) hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3ULL;
  return hash;
}

std::string Sealed(absl::string_view body) {
  const uint64_t checksum = Checksum(body);
  return std::string(body) + std::string(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
}

class CheckpointDamageTest : public ::testing::Test {
 protected:
  CheckpointDamageTest() {
    Checkpoint fresh = InitialCheckpoint(lowering_, 7, DrawnData(20, 10, 10));
    good_.push_back(SerializeCheckpoint(fresh, lowering_.slots().slots()));
    fresh.momentum = fresh.weights;
    fresh.step = 42;
    good_.push_back(SerializeCheckpoint(fresh, lowering_.slots().slots()));
  }

  absl::Status Parse(const std::string& bytes) const {
    const absl::StatusOr<Checkpoint> read = ParseCheckpoint(bytes, lowering_);
    if (!read.ok()) return read.status();
    const std::vector<Slot>& slots = lowering_.slots().slots();
    EXPECT_GE(read->step, 0);
    EXPECT_EQ(read->weights.size(), slots.size());
    EXPECT_TRUE(read->momentum.empty() || read->momentum.size() == slots.size());
    for (const std::vector<float>& tensor : read->weights)
      EXPECT_TRUE(std::all_of(tensor.begin(), tensor.end(), [](float v) { return std::isfinite(v); }));
    // The bytes are a function of what they say.
    EXPECT_EQ(SerializeCheckpoint(*read, slots), bytes);
    return absl::OkStatus();
  }

  const Lowering lowering_{SmallConvnet()};
  std::vector<std::string> good_;
};

TEST_F(CheckpointDamageTest, TheChecksumNoticesEveryDamage) {
  for (const std::string& good : good_) ASSERT_EQ(Parse(good), absl::OkStatus());
  for (uint64_t round = 0; round < 1000; ++round) {
    CounterRandom random(1, "test/damage", round);
    const std::string& good = good_[round % 2];
    const std::string bad = Mutated(good, random);
    if (bad == good) continue;
    const absl::Status status = Parse(bad);
    EXPECT_TRUE(BlamesTheInput(status.code())) << "round " << round << ": " << status;
  }
}

TEST_F(CheckpointDamageTest, WhatFitsItsChecksumIsCheckedAllTheSame) {
  // Most of the bytes are numbers; the head, where the structure is, gets its share of the damage.
  const size_t head = good_[0].size() - kChecksumBytes - sizeof(float) * [&] {
    size_t numbers = 0;
    for (const Slot& slot : lowering_.slots().slots()) numbers += static_cast<size_t>(NumElements(slot.shape));
    return numbers;
  }();
  int refused = 0;
  constexpr int kRounds = 1500;
  for (int round = 0; round < kRounds; ++round) {
    CounterRandom random(2, "test/damage", static_cast<uint64_t>(round));
    const absl::string_view body = absl::string_view(good_[0]).substr(0, good_[0].size() - kChecksumBytes);
    const std::string bad = round % 3 == 0 ? Mutated(body, random) : Mutated(body.substr(0, head), random) + std::string(body.substr(head));
    const absl::Status status = Parse(Sealed(bad));
    if (status.ok()) continue;
    ++refused;
    EXPECT_TRUE(BlamesTheInput(status.code()) && !status.message().empty()) << "round " << round << ": " << status;
  }
  EXPECT_GT(refused, kRounds / 2) << "the damage did not reach the parser";
  EXPECT_EQ(Parse(Sealed(good_[0].substr(0, good_[0].size() - kChecksumBytes))), absl::OkStatus()) << "the seal is the format's";
}

}  // namespace
}  // namespace hanas
