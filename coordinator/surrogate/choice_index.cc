// SPDX-License-Identifier: Apache-2.0
#include "coordinator/surrogate/choice_index.h"

namespace hanas {

ChoiceIndex::ChoiceIndex(const SearchSpace& space, absl::Span<const int> genes, int64_t most) {
  for (const int gene : genes) {
    num_choices_.push_back(space.gene(gene).num_choices());
    if (num_choices_.back() > 1) steps_.emplace_back(static_cast<uint32_t>(gene), size_);
    size_ *= num_choices_.back();
    if (size_ > most) return;
  }
}

int64_t ChoiceIndex::Of(absl::Span<const uint8_t> choices) const {
  int64_t index = 0;
  for (size_t i = num_choices_.size(); i-- > 0;) index = index * num_choices_[i] + choices[i];
  return index;
}

}  // namespace hanas
