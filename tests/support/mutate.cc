// SPDX-License-Identifier: Apache-2.0
#include "tests/support/mutate.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

namespace hanas {
namespace {

constexpr size_t kLongestPiece = 64;
constexpr size_t kMostRepeats = 50;

struct Piece {
  size_t begin = 0;
  size_t length = 0;
};

Piece DrawPiece(const std::string& bytes, CounterRandom& random) {
  const size_t begin = random.UniformInt(bytes.size());
  return {begin, 1 + random.UniformInt(std::min(kLongestPiece, bytes.size() - begin))};
}

/// An integer that bounds are made of, in either byte order.
std::string Extreme(CounterRandom& random) {
  constexpr std::array<uint64_t, 9> kValues = {0,
                                               1,
                                               0x7f,
                                               0x80,
                                               0x7fff,
                                               std::numeric_limits<int32_t>::max(),
                                               uint64_t{1} << 31,
                                               std::numeric_limits<int64_t>::max(),
                                               std::numeric_limits<uint64_t>::max()};
  uint64_t value = kValues[random.UniformInt(kValues.size())];
  std::string bytes;
  const size_t width = size_t{1} << random.UniformInt(4);
  for (size_t i = 0; i < width; ++i, value >>= 8) bytes += static_cast<char>(value & 0xff);
  if (random.Bernoulli(0.5)) std::reverse(bytes.begin(), bytes.end());
  return bytes;
}

void Change(std::string& bytes, CounterRandom& random, absl::Span<const absl::string_view> words) {
  if (bytes.empty()) {
    bytes = Extreme(random);
    return;
  }
  const Piece piece = DrawPiece(bytes, random);
  switch (random.UniformInt(words.empty() ? 8 : 10)) {
    case 0:
      bytes[piece.begin] = static_cast<char>(bytes[piece.begin] ^ (1 << random.UniformInt(8)));
      break;
    case 1:
      bytes[piece.begin] = static_cast<char>(random.NextUint32());
      break;
    case 2: {
      const std::string extreme = Extreme(random);
      bytes.replace(piece.begin, std::min(extreme.size(), bytes.size() - piece.begin), extreme);
      break;
    }
    case 3:
      bytes.erase(piece.begin, piece.length);
      break;
    case 4: {
      const std::string copy = bytes.substr(piece.begin, piece.length);
      for (size_t repeats = 1 + random.UniformInt(kMostRepeats); repeats > 0; --repeats) bytes.insert(piece.begin, copy);
      break;
    }
    case 5: {
      const std::string moved = bytes.substr(piece.begin, piece.length);
      bytes.erase(piece.begin, piece.length);
      bytes.insert(random.UniformInt(bytes.size() + 1), moved);
      break;
    }
    case 6:
      bytes.resize(piece.begin);
      break;
    case 7:
      bytes.insert(piece.begin, Extreme(random));
      break;
    default: {
      const absl::string_view word = words[random.UniformInt(words.size())];
      const size_t replaced = random.Bernoulli(0.5) ? 0 : piece.length;
      bytes.replace(piece.begin, replaced, word.data(), word.size());
    }
  }
}

}  // namespace

std::string Mutated(absl::string_view bytes, CounterRandom& random, absl::Span<const absl::string_view> words) {
  std::string damaged(bytes);
  for (uint64_t changes = 1 + random.UniformInt(4); changes > 0; --changes) Change(damaged, random, words);
  return damaged;
}

}  // namespace hanas
