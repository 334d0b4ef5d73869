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
  RandomSearch(const SearchSpace& space, const RandomSearchOptions& options)
      : RecordedSearch(options.window), variation_(space), options_(options) {}

 private:
  std::optional<Architecture> Propose(uint64_t sequence) override {
    CounterRandom random(options_.seed, "random_search/propose", (options_.stream << 32) + sequence);
    return variation_.FindNew(proposed(), kMaxAttempts, random, [&](CounterRandom& draws) { return variation_.space().Random(draws); });
  }

  Variation variation_;
  const RandomSearchOptions options_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SearchAlgorithm>> CreateRandomSearch(const SearchSpace& space, const RandomSearchOptions& options) {
  if (options.window < 1)
    return absl::InvalidArgumentError(absl::StrCat("random search: window: expected 1 or more, found ", options.window));
  return std::make_unique<RandomSearch>(space, options);
}

}  // namespace hanas
