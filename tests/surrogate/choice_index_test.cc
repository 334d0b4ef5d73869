// SPDX-License-Identifier: Apache-2.0
#include "coordinator/surrogate/choice_index.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

SearchSpace SpaceOf(const std::vector<int>& num_choices) {
  std::vector<Gene> genes;
  for (size_t i = 0; i < num_choices.size(); ++i) {
    Gene gene = {.name = absl::StrCat("g", i), .group = "all"};
    for (int64_t c = 0; c < num_choices[i]; ++c) gene.choices.emplace_back(c);
    genes.push_back(std::move(gene));
  }
  return SearchSpace::Create("space", std::move(genes), Digest{}).value();
}

TEST(ChoiceIndexTest, NumbersTheCombinationsOfAnyNumberOfGenes) {
  const SearchSpace space = SpaceOf({2, 3, 1, 2, 2, 2, 1, 3, 2, 2, 2, 5});
  const std::vector<int> genes = {11, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9};  // eleven, one of them before the others
  const ChoiceIndex index(space, genes, 1'000'000);
  ASSERT_EQ(index.size(), 5 * 2 * 3 * 2 * 2 * 2 * 3 * 2 * 2);
  Architecture architecture = {.genes = std::vector<uint8_t>(12, 0)};
  std::vector<uint8_t> choices(genes.size(), 0);
  for (int64_t i = 0; i < index.size(); ++i) {
    for (size_t g = 0; g < genes.size(); ++g) architecture.genes[static_cast<size_t>(genes[g])] = choices[g];
    ASSERT_EQ(index.Of(architecture), i);
    ASSERT_EQ(index.Of(choices), i);
    for (size_t g = 0; g < genes.size(); ++g) {  // the next combination
      if (++choices[g] < space.gene(genes[g]).num_choices()) break;
      choices[g] = 0;
    }
  }
}

TEST(ChoiceIndexTest, OfNoGeneThereIsOneCombination) {
  const ChoiceIndex index(SpaceOf({2}), {}, 10);
  EXPECT_EQ(index.size(), 1);
  EXPECT_EQ(index.Of(Architecture{.genes = {1}}), 0);
}

TEST(ChoiceIndexTest, StopsBeforeTheNumberOverflows) {
  const SearchSpace space = SpaceOf(std::vector<int>(64, 64));
  std::vector<int> all;
  for (int i = 0; i < 64; ++i) all.push_back(i);
  EXPECT_EQ(ChoiceIndex(space, all, 1000).size(), 64 * 64);
}

}  // namespace
}  // namespace hanas
