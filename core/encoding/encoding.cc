// SPDX-License-Identifier: Apache-2.0
#include "core/encoding/encoding.h"

namespace hanas {

int EncodingSize(const SearchSpace& space) {
  int size = 0;
  for (const Gene& gene : space.genes()) size += gene.num_choices() > 1 ? gene.num_choices() : 0;
  return size;
}

std::vector<float> Encode(const SearchSpace& space, const Architecture& architecture) {
  std::vector<float> features(static_cast<size_t>(EncodingSize(space)), 0.0F);
  size_t offset = 0;
  for (size_t i = 0; i < space.genes().size(); ++i) {
    const int num_choices = space.genes()[i].num_choices();
    if (num_choices == 1) continue;
    if (space.IsActive(architecture, static_cast<int>(i))) features[offset + architecture.genes[i]] = 1.0F;
    offset += static_cast<size_t>(num_choices);
  }
  return features;
}

}  // namespace hanas
