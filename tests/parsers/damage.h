// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_PARSERS_DAMAGE_H_
#define HANAS_TESTS_PARSERS_DAMAGE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/base/counter_random.h"
#include "gtest/gtest.h"
#include "tests/support/mutate.h"

namespace hanas {

/// A reader of bytes from outside.
struct Parser {
  std::string name;
  std::vector<std::string> good;  // inputs that it accepts, to be damaged
  /// Reads the bytes. What it accepts it also holds against the laws of the format; a broken law is a gtest failure.
  std::function<absl::Status(const std::string& bytes)> parse;
  std::vector<absl::string_view> words = {};  // of the format
  int rounds = 3000;
};

/// Whether `code` is an answer about the input, and not the parser's own failure.
inline bool BlamesTheInput(absl::StatusCode code) {
  return code == absl::StatusCode::kInvalidArgument || code == absl::StatusCode::kDataLoss ||
         code == absl::StatusCode::kFailedPrecondition || code == absl::StatusCode::kOutOfRange || code == absl::StatusCode::kNotFound;
}

/// Accepts the good inputs; refuses, with a status that blames the input and says something, or accepts everything else. Under a sanitizer
/// this is also a search for reads out of bounds and undefined arithmetic.
inline void ExpectSurvivesDamage(const Parser& parser) {
  for (const std::string& good : parser.good) EXPECT_EQ(parser.parse(good), absl::OkStatus()) << parser.name;
  int refused = 0;
  for (int round = 0; round < parser.rounds; ++round) {
    CounterRandom random(1, "test/damage", static_cast<uint64_t>(round));
    const std::string& good = parser.good[random.UniformInt(parser.good.size())];
    const absl::Status status = parser.parse(Mutated(good, random, parser.words));
    if (status.ok()) continue;
    ++refused;
    EXPECT_TRUE(BlamesTheInput(status.code()) && !status.message().empty()) << parser.name << ", round " << round << ": " << status;
  }
  EXPECT_GT(refused, parser.rounds / 10) << parser.name << ": the damage did not reach the parser";
}

}  // namespace hanas

#endif  // HANAS_TESTS_PARSERS_DAMAGE_H_
