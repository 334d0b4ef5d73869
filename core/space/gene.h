// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_SPACE_GENE_H_
#define HANAS_CORE_SPACE_GENE_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "core/base/field_violation.h"
#include "core/space/precision.h"

namespace hanas {

/// What can be chosen: a number, a yes or no, a word, or the bits of a layer.
using Choice = std::variant<int64_t, double, bool, std::string, Precision>;
/// "28", "0.5", "true", "relu", "w4a8".
std::string ChoiceText(const Choice& choice);

/// Holds in a network iff `gene` is active there and its choice is one of `choices` (bit i: the choice of index i).
struct Condition {
  int gene = -1;
  uint64_t choices = 0;

  bool Allows(int choice) const { return ((choices >> choice) & 1) != 0; }
  friend bool operator==(const Condition&, const Condition&) = default;
};

/// Whether a gene decides what the network is made of or the bits that it computes with.
enum class Trait : uint8_t { kTopology, kPrecision };

/// One question that every network of a space answers by one of `choices`, or that does not arise in it.
struct Gene {
  /// Unique in the space: "stages[1].blocks[0].kernel". Names that differ in nothing but numbers in brackets ask the same question at
  /// several places.
  std::string name;
  /// Genes of one group are inherited together: "stages[1].blocks[0]".
  std::string group;
  Trait trait = Trait::kTopology;
  /// 1 to 64, distinct and of one type; from small to large where they have an order.
  std::vector<Choice> choices;
  /// The gene is active in a network iff all of these hold. They name genes that stand before this one.
  absl::InlinedVector<Condition, 2> active_if;
  /// How each choice reads in the line that describes a network, separators included: {" k3", " k5"}. Empty: " name=choice".
  std::vector<std::string> words;

  int num_choices() const { return static_cast<int>(choices.size()); }
};

/// Adds every mistake in `genes` to `violations`, with paths below `path` ("space.genes[3].choices[1]"): names that are missing, repeated
/// or not plain; lists of choices that are empty, longer than bounds::kMaxChoices, mixed or with repeats; conditions on genes that are not
/// there, run in a circle, or hold in no network. What is in a list that is longer than allowed is not looked at.
void CheckGenes(const std::vector<Gene>& genes, absl::string_view path, FieldViolations& violations);

}  // namespace hanas

#endif  // HANAS_CORE_SPACE_GENE_H_
