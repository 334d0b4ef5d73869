// SPDX-License-Identifier: Apache-2.0
// Sorting against the O(M N^2) peer of Deb et al. (2002), built here so that both run on the same machine in the same minute, and NSGA-II.

#include <memory>
#include <vector>

#include "benchmark/benchmark.h"
#include "coordinator/search/hypervolume.h"
#include "coordinator/search/non_dominated_sort.h"
#include "coordinator/search/nsga2.h"
#include "coordinator/search/surrogate_search.h"
#include "core/base/counter_random.h"
#include "tests/core/small_space.h"

namespace hanas {
namespace {

std::vector<double> UniformPoints(int64_t n, int64_t m) {
  CounterRandom random(1, "points");
  std::vector<double> points(static_cast<size_t>(n * m));
  for (double& value : points) value = random.UniformDouble();
  return points;
}

void BM_NonDominatedRanks(benchmark::State& state) {
  const std::vector<double> points = UniformPoints(state.range(0), state.range(1));
  for (auto _ : state) benchmark::DoNotOptimize(NonDominatedRanks(points, static_cast<int>(state.range(1))));
}
BENCHMARK(BM_NonDominatedRanks)
    ->Args({2000, 2})
    ->Args({2000, 3})
    ->Args({20'000, 2})
    ->Args({20'000, 3})
    ->Args({20'000, 4})
    ->Unit(benchmark::kMillisecond);

/// Every pair is compared, domination counts are peeled (Deb et al. 2002, section III-A): what pagmo 2 does too.
std::vector<int> PairwiseRanks(const std::vector<double>& points, size_t m) {
  const size_t n = points.size() / m;
  const auto row = [&](size_t i) { return absl::MakeConstSpan(points).subspan(i * m, m); };
  std::vector<std::vector<size_t>> dominated(n);
  std::vector<int> count(n, 0);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (Dominates(row(i), row(j))) {
        dominated[i].push_back(j);
        ++count[j];
      } else if (Dominates(row(j), row(i))) {
        dominated[j].push_back(i);
        ++count[i];
      }
    }
  }
  std::vector<int> ranks(n, 0);
  std::vector<size_t> front;
  for (size_t i = 0; i < n; ++i) {
    if (count[i] == 0) front.push_back(i);
  }
  for (int rank = 0; !front.empty(); ++rank) {
    std::vector<size_t> next;
    for (const size_t i : front) {
      ranks[i] = rank;
      for (const size_t j : dominated[i]) {
        if (--count[j] == 0) next.push_back(j);
      }
    }
    front = std::move(next);
  }
  return ranks;
}

void BM_PairwiseRanks(benchmark::State& state) {
  const std::vector<double> points = UniformPoints(state.range(0), state.range(1));
  for (auto _ : state) benchmark::DoNotOptimize(PairwiseRanks(points, static_cast<size_t>(state.range(1))));
}
BENCHMARK(BM_PairwiseRanks)->Args({2000, 2})->Args({2000, 3})->Args({20'000, 2})->Iterations(1)->Unit(benchmark::kMillisecond);

Evaluation CheapEvaluation(const Architecture& architecture) {
  double ones = 0;
  double position = 0;
  for (size_t i = 0; i < architecture.genes.size(); ++i) {
    ones += architecture.genes[i];
    position += static_cast<double>(i * architecture.genes[i]);
  }
  return {.objectives = {ones, -position}, .violation = 0};
}

/// 2 000 evaluations, population 50, through ask/tell.
void BM_Nsga2(benchmark::State& state) {
  const SearchSpace space = SmallSpace();
  for (auto _ : state) {
    const std::unique_ptr<SearchAlgorithm> search = *CreateNsga2(space, {.seed = 3, .population = 50, .window = 50});
    while (search->num_told() < 2000) {
      const std::vector<Proposal> asked = *search->Ask(50);
      for (const Proposal& proposal : asked) {
        if (!search->Tell({Result{proposal.sequence, proposal.architecture, CheapEvaluation(proposal.architecture)}}).ok()) return;
      }
    }
  }
}
BENCHMARK(BM_Nsga2)->Unit(benchmark::kMillisecond);

/// The same inside the surrogate loop.
void BM_SurrogateSearch(benchmark::State& state) {
  const SearchSpace space = SmallSpace();
  const BatchScorer scorer = [](absl::Span<const Architecture> architectures, absl::Span<Evaluation> evaluations) {
    for (size_t i = 0; i < architectures.size(); ++i) evaluations[i] = CheapEvaluation(architectures[i]);
  };
  for (auto _ : state) benchmark::DoNotOptimize(RunSurrogateSearch(space, scorer, {}, {.seed = 3, .population = 50, .evaluations = 2000}));
}
BENCHMARK(BM_SurrogateSearch)->Unit(benchmark::kMillisecond);

void BM_Hypervolume(benchmark::State& state) {
  const std::vector<double> points = UniformPoints(state.range(0), state.range(1));
  const std::vector<double> reference(static_cast<size_t>(state.range(1)), 1.0);
  for (auto _ : state) benchmark::DoNotOptimize(Hypervolume(points, reference));
}
BENCHMARK(BM_Hypervolume)->Args({20'000, 2})->Args({20'000, 3})->Args({200, 4})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hanas
