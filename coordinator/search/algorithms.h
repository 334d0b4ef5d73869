// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SEARCH_ALGORITHMS_H_
#define HANAS_COORDINATOR_SEARCH_ALGORITHMS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "coordinator/search/ask_tell.h"

namespace hanas {

/// What algorithms are made of; each takes what it has a use for.
struct AlgorithmOptions {
  uint64_t seed = 1;
  uint64_t stream = 0;                // runs of one seed with other streams draw independently; below 2^32
  int population = 50;                // networks that are bred from, where any are
  int window = 1;                     // W of SearchAlgorithm
  bool by_generation = false;         // `population` networks at once instead, for evaluators that take many
  std::vector<Architecture> initial;  // worth a look first, where anything is
};

/// A search algorithm as jobs name it.
struct AlgorithmRow {
  absl::string_view name;  // one of AlgorithmNames() of core/job
  /// Borrows the space. Returns INVALID_ARGUMENT naming the option, what was expected and what was found.
  absl::StatusOr<std::unique_ptr<SearchAlgorithm>> (*create)(const SearchSpace& space, AlgorithmOptions options);
};

/// All of them, the default first. An explicit table: nothing registers itself. Thread-safe.
absl::Span<const AlgorithmRow> Algorithms();

/// Returns NOT_FOUND with the names that there are, else the statuses of the row's `create`.
absl::StatusOr<std::unique_ptr<SearchAlgorithm>> CreateAlgorithm(absl::string_view name, const SearchSpace& space,
                                                                 AlgorithmOptions options);

}  // namespace hanas

#endif  // HANAS_COORDINATOR_SEARCH_ALGORITHMS_H_
