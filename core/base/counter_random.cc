// SPDX-License-Identifier: Apache-2.0
#include "core/base/counter_random.h"

#include <cmath>
#include <numbers>

#include "core/base/digest.h"

namespace hanas {

std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

CounterRandom::CounterRandom(uint64_t seed, absl::string_view purpose, uint64_t index) {
  // The purpose and the seed choose the key; the index the upper half of the counter, so that streams of one purpose never overlap.
  const Digest digest = DigestBuilder().Add(static_cast<int64_t>(seed)).Add(purpose).Build();
  const uint64_t key = digest.high ^ digest.low;
  key_ = {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
  counter_ = {0, 0, static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32)};
}

uint32_t CounterRandom::NextUint32() {
  if (used_ == 4) {
    block_ = Philox4x32(counter_, key_);
    if (++counter_[0] == 0) ++counter_[1];
    used_ = 0;
  }
  return block_[static_cast<size_t>(used_++)];
}

uint64_t CounterRandom::NextUint64() {
  const uint64_t low = NextUint32();
  return (uint64_t{NextUint32()} << 32) | low;
}

uint64_t CounterRandom::UniformInt(uint64_t bound) {
  const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;  // the largest multiple of bound
  while (true) {
    const uint64_t draw = NextUint64();
    if (draw < limit) return draw % bound;
  }
}

double CounterRandom::UniformDouble() { return static_cast<double>(NextUint64() >> 11) * 0x1.0p-53; }

double CounterRandom::Normal() {
  const double u = 1.0 - UniformDouble();  // in (0, 1]
  const double v = UniformDouble();
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

}  // namespace hanas
