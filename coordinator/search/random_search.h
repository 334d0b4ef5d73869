// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SEARCH_RANDOM_SEARCH_H_
#define HANAS_COORDINATOR_SEARCH_RANDOM_SEARCH_H_

#include <cstdint>
#include <memory>

#include "coordinator/search/ask_tell.h"

namespace hanas {

/// Distinct random networks, uniform over choices: the baseline, and the sampler of the first predictor. `window` as in SearchAlgorithm;
/// results change nothing. `space` is borrowed and must outlive the result. Returns INVALID_ARGUMENT for a window below 1.
absl::StatusOr<std::unique_ptr<SearchAlgorithm>> CreateRandomSearch(const SearchSpace& space, uint64_t seed, int window);

}  // namespace hanas

#endif  // HANAS_COORDINATOR_SEARCH_RANDOM_SEARCH_H_
