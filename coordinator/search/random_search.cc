// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/random_search.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "coordinator/search/recorded_search.h"
#include "coordinator/search/variation.h"

namespace hanas {
namespace {

constexpr int kMaxAttempts = 128;

class RandomSearch final : public RecordedSearch {
 public:
  RandomSearch(const SearchSpace& space, uint64_t seed, int window) : RecordedSearch(window), variation_(space), seed_(seed) {}

 private:
  std::optional<Architecture> Propose(uint64_t sequence) override {
    CounterRandom random(seed_, "random_search/propose", sequence);
    return variation_.FindNew(proposed(), kMaxAttempts, random, [&](CounterRandom& draws) { return variation_.space().Random(draws); });
  }

  Variation variation_;
  uint64_t seed_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SearchAlgorithm>> CreateRandomSearch(const SearchSpace& space, uint64_t seed, int window) {
  if (window < 1) return absl::InvalidArgumentError(absl::StrCat("random search: window: expected 1 or more, found ", window));
  return std::make_unique<RandomSearch>(space, seed, window);
}

}  // namespace hanas
