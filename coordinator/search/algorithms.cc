// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/algorithms.h"

#include <array>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/search/nsga2.h"
#include "coordinator/search/random_search.h"

namespace hanas {
namespace {

absl::StatusOr<std::unique_ptr<SearchAlgorithm>> MakeNsga2(const SearchSpace& space, AlgorithmOptions options) {
  return CreateNsga2(space, {.seed = options.seed,
                             .stream = options.stream,
                             .population = options.population,
                             .window = options.window,
                             .by_generation = options.by_generation,
                             .initial = std::move(options.initial)});
}

/// Takes no notice of the networks to begin with: it is what others are compared with. Nothing that it is told matters, so that any number
/// may be under evaluation at once.
absl::StatusOr<std::unique_ptr<SearchAlgorithm>> MakeRandom(const SearchSpace& space, AlgorithmOptions options) {
  const int window = options.by_generation ? options.population : options.window;
  return CreateRandomSearch(space, {.seed = options.seed, .stream = options.stream, .window = window});
}

constexpr std::array<AlgorithmRow, 2> kRows = {{{"nsga2", &MakeNsga2}, {"random", &MakeRandom}}};

}  // namespace

absl::Span<const AlgorithmRow> Algorithms() { return kRows; }

absl::StatusOr<std::unique_ptr<SearchAlgorithm>> CreateAlgorithm(absl::string_view name, const SearchSpace& space,
                                                                 AlgorithmOptions options) {
  for (const AlgorithmRow& row : kRows) {
    if (row.name == name) return row.create(space, std::move(options));
  }
  const auto name_of = [](std::string* out, const AlgorithmRow& row) { absl::StrAppend(out, row.name); };
  return absl::NotFoundError(absl::StrCat("expected one of ", absl::StrJoin(kRows, ", ", name_of), ", found the algorithm \"", name, "\""));
}

}  // namespace hanas
