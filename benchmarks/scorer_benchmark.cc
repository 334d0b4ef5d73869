// SPDX-License-Identifier: Apache-2.0
// Candidates per second on one core, on a space of ten blocks with a precision gene for every convolution.

#include <algorithm>
#include <memory>
#include <vector>

#include "benchmark/benchmark.h"
#include "coordinator/surrogate/accuracy_predictor.h"
#include "coordinator/surrogate/candidate_scorer.h"
#include "core/cost/cost.h"
#include "core/family/convnet/convnet_space.h"
#include "tests/surrogate/fake_latency.h"
#include "tests/surrogate/fake_predictor.h"

namespace hanas {
namespace {

constexpr size_t kBatch = 1024;

SpaceSpec TenBlocks() {
  const BlockSpec block = {.kernels = {3, 5},
                           .expansions = {3, 6},
                           .squeeze_excite = {false, true},
                           .activations = {Activation::kRelu},
                           .expand_precisions = {{4, 8}, {8, 8}},
                           .depthwise_precisions = {{8, 8}, {16, 16}},
                           .project_precisions = {{4, 8}, {8, 8}}};
  SpaceSpec spec = {.name = "ten blocks", .resolutions = {24, 28}, .input_channels = 1, .num_classes = 10};
  spec.stem = {.widths = {16}, .kernel = 3, .stride = 1, .activation = Activation::kRelu, .precisions = {{8, 8}}};
  spec.stages = {{.widths = {16, 24}, .depths = {1, 2, 3}, .stride = 2},
                 {.widths = {32, 40}, .depths = {2, 3, 4}, .stride = 2},
                 {.widths = {64, 80}, .depths = {1, 2, 3}, .stride = 2}};
  spec.stages[0].blocks.assign(3, block);
  spec.stages[1].blocks.assign(4, block);
  spec.stages[2].blocks.assign(3, block);
  spec.head = {.widths = {128}, .activation = Activation::kRelu, .precisions = {{8, 8}}, .hidden = 0, .classifier_precisions = {{8, 8}}};
  return spec;
}

/// Everything that scoring needs.
struct Setup {
  Lowering lowering{ConvnetSpace::Define(TenBlocks()).value()};
  BackendCaps caps = {.name = "benchmark", .native = EveryKindBut(OpKind::kHardSwish, ElementType::kInt8)};
  LatencyTable table = FakeLatencyTable(lowering, caps);
  CandidateScorer scorer = CandidateScorer::Create(lowering, caps, &table, {}).value();
  AccuracyPredictor predictor = AccuracyPredictor::Create(lowering.space(), RandomPredictor(lowering.space(), 4, {64, 64})).value();
  std::vector<Architecture> architectures;

  Setup() {
    for (size_t i = 0; i < kBatch; ++i) {
      CounterRandom random(1, "candidates", i);
      architectures.push_back(lowering.space().Random(random));
    }
  }
};

const Setup& TheSetup() {
  static const Setup* const kSetup = new Setup();
  return *kSetup;
}

/// The peer: lower, plan and cost each candidate.
void BM_FullLowering(benchmark::State& state) {
  const Setup& setup = TheSetup();
  size_t next = 0;
  for (auto _ : state) {
    const Graph graph = setup.lowering.Lower(setup.architectures[next++ % kBatch]);
    const ExecPlan plan = MakePlan(graph, setup.caps);
    benchmark::DoNotOptimize(NetworkCost(graph, plan));
    benchmark::DoNotOptimize(SumOfOperators(plan, setup.table));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_FullLowering);

void BM_Score(benchmark::State& state) {
  const Setup& setup = TheSetup();
  std::vector<CandidateCost> costs(kBatch);
  for (auto _ : state) {
    setup.scorer.Score(setup.architectures, absl::MakeSpan(costs));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBatch));
}
BENCHMARK(BM_Score);

/// Four members of 64-64 hidden units.
void BM_ScoreAndPredict(benchmark::State& state) {
  const Setup& setup = TheSetup();
  std::vector<CandidateCost> costs(kBatch);
  std::vector<AccuracyPrediction> predictions(kBatch);
  for (auto _ : state) {
    setup.scorer.Score(setup.architectures, absl::MakeSpan(costs));
    setup.predictor.Predict(setup.architectures, absl::MakeSpan(predictions));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBatch));
}
BENCHMARK(BM_ScoreAndPredict);

void BM_Compile(benchmark::State& state) {
  const Setup& setup = TheSetup();
  for (auto _ : state) benchmark::DoNotOptimize(CandidateScorer::Create(setup.lowering, setup.caps, &setup.table, {}));
  state.counters["entries"] = static_cast<double>(setup.scorer.num_entries());
}
BENCHMARK(BM_Compile)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hanas
