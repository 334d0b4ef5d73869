// SPDX-License-Identifier: Apache-2.0
// A search with 100 000 evaluated candidates, as users read it: a page of 1000, the front after one more task, all of it from nothing after
// a restart, and after a refit of the latency model.

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "coordinator/judging/candidates.h"
#include "tests/core/small_space.h"
#include "tests/surrogate/fake_latency.h"

namespace hanas::coordinator {
namespace {

constexpr int kNetworksPerTask = 8;
constexpr int64_t kCandidates = 100'000;

/// A state to which evaluated networks are added, as updates do it.
class Recorded {
 public:
  explicit Recorded(int64_t num_candidates) {
    SearchJob job = {.name = "benchmark"};
    job.space = SmallSpaceSpec();
    job.evolution.rounds = 1'000'000;
    SearchState& search = state_.searches[kSearch];
    search.job = std::make_shared<const SearchJob>(job);
    search.record = {.id = kSearch, .phase = SearchPhase::kSearching, .targets = {TargetRecord{}}};
    const TargetRecord& target = search.record.targets[0];
    state_.tables[ContextOf(target)] = FakeLatencyTable(lowering_, target.caps);
    AddMeasured("profile/networks/0", 32);
    while (num_candidates_ < num_candidates) AddEvaluated();
  }

  void AddEvaluated() {
    EvaluateWork work;
    EvaluateOutcome outcome;
    for (int i = 0; i < kNetworksPerTask; ++i) {
      CounterRandom random(1, "candidates", static_cast<uint64_t>(num_candidates_++));
      work.architectures.push_back(lowering_.space().Random(random));
      outcome.scores.push_back({.correct = static_cast<int64_t>(random.UniformInt(10'000)), .images = 10'000});
    }
    Add(absl::StrCat("round/0/evaluate/", num_tasks_), std::move(work), std::move(outcome));
  }
  void ConcludeRound() {
    RoundRecord round;
    state_.searches.at(kSearch).record.targets[0].rounds.push_back(round);
  }
  SearchView View() const { return {state_, state_.searches.at(kSearch)}; }
  const SearchJob& job() const { return *state_.searches.at(kSearch).job; }

 private:
  static constexpr uint64_t kSearch = 1;

  void AddMeasured(const std::string& key, int count) {
    MeasureNetworksWork work;
    MeasureNetworksOutcome outcome;
    for (int i = 0; i < count; ++i) {
      CounterRandom random(2, "measured", static_cast<uint64_t>(i));
      work.architectures.push_back(lowering_.space().Random(random));
      const double us = 100 + static_cast<double>(random.UniformInt(1000));
      outcome.rows.push_back({.p50_us = us, .p90_us = us, .p99_us = us});
    }
    Add(key, std::move(work), std::move(outcome));
  }
  void Add(const std::string& key, Work work, Outcome outcome) {
    SearchState& search = state_.searches.at(kSearch);
    const uint64_t id = kSearch + 1 + static_cast<uint64_t>(num_tasks_++);
    TaskRecord& task = state_.tasks[id];
    task = {.id = id, .search = kSearch, .key = key, .work = std::move(work), .state = TaskState::kDone, .outcome = std::move(outcome)};
    search.tasks[key] = id;
    search.tasks_in_order.push_back(id);
    search.AddResult(task);
  }

  Lowering lowering_{ConvnetSpace::Define(SmallSpaceSpec()).value()};
  State state_;
  int64_t num_candidates_ = 0;
  int64_t num_tasks_ = 0;
};

Recorded& All() {
  static Recorded* const kAll = new Recorded(kCandidates);
  return *kAll;
}

void Check(const absl::Status& status, benchmark::State& state) {
  if (!status.ok()) state.SkipWithError(status.ToString().c_str());
}

void FromNothing(benchmark::State& state) {
  const SearchView view = All().View();
  for (auto _ : state) {
    const auto index = std::make_unique<CandidateIndex>(SearchContext::Create(All().job()).value());
    Check(index->Update(view), state);
    benchmark::DoNotOptimize(index->Front());
  }
}
BENCHMARK(FromNothing)->Unit(benchmark::kMillisecond);

void PageOfThousandAndFront(benchmark::State& state) {
  const auto index = std::make_unique<CandidateIndex>(SearchContext::Create(All().job()).value());
  Check(index->Update(All().View()), state);
  int64_t after = 0;
  for (auto _ : state) {
    All().AddEvaluated();
    Check(index->Update(All().View()), state);
    benchmark::DoNotOptimize(index->Front());
    CandidatePage page = index->Page(after, 1000);
    after = page.more ? page.candidates.back().sequence : 0;
    benchmark::DoNotOptimize(page);
  }
}
BENCHMARK(PageOfThousandAndFront)->Unit(benchmark::kMillisecond);

void FrontAfterARefit(benchmark::State& state) {
  const auto index = std::make_unique<CandidateIndex>(SearchContext::Create(All().job()).value());
  Check(index->Update(All().View()), state);
  for (auto _ : state) {
    All().ConcludeRound();
    Check(index->Update(All().View()), state);
    benchmark::DoNotOptimize(index->Front());
  }
}
BENCHMARK(FrontAfterARefit)->Unit(benchmark::kMillisecond)->Iterations(20);

}  // namespace
}  // namespace hanas::coordinator
