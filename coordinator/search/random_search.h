// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SEARCH_RANDOM_SEARCH_H_
#define HANAS_COORDINATOR_SEARCH_RANDOM_SEARCH_H_

#include <cstdint>
#include <memory>

#include "coordinator/search/ask_tell.h"

namespace hanas {

struct RandomSearchOptions {
  uint64_t seed = 1;
  uint64_t stream = 0;  // runs of one seed with other streams draw independently; below 2^32
  int window = 1;       // W of SearchAlgorithm, at least 1
};

/// Distinct random networks, uniform over choices: the baseline, and the sampler of the first predictor. Results change nothing. `space` is
/// borrowed and must outlive the result. Returns INVALID_ARGUMENT for a window below 1.
absl::StatusOr<std::unique_ptr<SearchAlgorithm>> CreateRandomSearch(const SearchSpace& space, const RandomSearchOptions& options);

}  // namespace hanas

#endif  // HANAS_COORDINATOR_SEARCH_RANDOM_SEARCH_H_
