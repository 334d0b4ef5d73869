// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SURROGATE_CHOICE_INDEX_H_
#define HANAS_COORDINATOR_SURROGATE_CHOICE_INDEX_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "core/space/search_space.h"

namespace hanas {

/// Numbers the combinations of choices of some genes, however many genes those are, from 0 on: the first gene's choice changes fastest.
///
/// Immutable, hence thread-safe. Copyable.
class ChoiceIndex {
 public:
  /// Of no gene: one combination.
  ChoiceIndex() = default;
  /// Requires genes of `space`. Stops at `most` combinations: when there are more, size() is above `most` and nothing else may be called.
  ChoiceIndex(const SearchSpace& space, absl::Span<const int> genes, int64_t most);

  int64_t size() const { return size_; }

  /// Of the combination that `architecture` has.
  int64_t Of(const Architecture& architecture) const {
    int64_t index = 0;
    for (const auto& [gene, step] : steps_) index += step * architecture.genes[gene];
    return index;
  }
  /// Of `choices`, one for each gene in order.
  int64_t Of(absl::Span<const uint8_t> choices) const;

 private:
  std::vector<int64_t> num_choices_;                 // of each gene
  std::vector<std::pair<uint32_t, int64_t>> steps_;  // of genes with more than one choice: what one choice further is worth
  int64_t size_ = 1;
};

}  // namespace hanas

#endif  // HANAS_COORDINATOR_SURROGATE_CHOICE_INDEX_H_
