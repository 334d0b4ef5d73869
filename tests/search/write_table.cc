// SPDX-License-Identifier: Apache-2.0
// Writes tests/search/data/table.csv to standard output; data/README.md says what the columns are.

#include <cmath>
#include <cstdio>
#include <vector>

#include "core/base/counter_random.h"
#include "core/cost/cost.h"
#include "core/lowering/lowering.h"
#include "core/plan/exec_plan.h"
#include "tests/search/table_space.h"

namespace hanas {
namespace {

/// A made-up device on which, as on real ones, 8-bit convolutions are three times faster than float32 and 8-bit depthwise ones slower.
double OperatorMicroseconds(const OpKey& key) {
  const double bytes = static_cast<double>(NumElements(key.input)) * BitWidth(key.input_type) / 8;
  const bool eight_bits = key.input_type == ElementType::kInt8;
  const double macs_per_us = key.groups > 1 ? (eight_bits ? 1000 : 1600) : (eight_bits ? 9000 : 3000);
  return 0.8 + static_cast<double>(Macs(key)) / macs_per_us + bytes / 4000;
}

/// Saturates in compute and size, pays a little for 8-bit depthwise layers, and has a repeatable part that no cost explains.
double ValidationError(const SearchSpace& space, const Architecture& architecture, const Cost& cost, int num_int8_depthwise,
                       int num_kernel5) {
  const double compute = std::log10(static_cast<double>(cost.macs)) - 5.5;
  const double size = std::log10(static_cast<double>(cost.parameters)) - 4.0;
  CounterRandom random(space.ArchitectureDigest(architecture).low, "table/residual");
  return 0.05 + 0.20 * std::exp(-1.1 * compute) + 0.06 * std::exp(-1.5 * size) + 0.004 * num_int8_depthwise - 0.002 * num_kernel5 +
         0.002 * random.Normal();
}

void WriteRow(const Lowering& lowering, const Architecture& architecture) {
  const SearchSpace& space = lowering.space();
  const Graph graph = lowering.Lower(architecture);
  const ExecPlan plan = MakePlan(graph, {.name = "table"});
  const Cost cost = NetworkCost(graph, plan);
  double latency_us = 5;
  int num_int8_depthwise = 0;
  int num_kernel5 = 0;
  for (const ExecStep& step : plan.steps) {
    latency_us += OperatorMicroseconds(step.key);
    if (step.key.groups == 1) continue;
    num_int8_depthwise += step.key.input_type == ElementType::kInt8 ? 1 : 0;
    num_kernel5 += step.key.kernel == 5 ? 1 : 0;
  }
  for (const uint8_t gene : architecture.genes) std::printf("%d", gene);
  std::printf(",%.6f,%.3f,%lld\n", ValidationError(space, architecture, cost, num_int8_depthwise, num_kernel5), latency_us,
              static_cast<long long>(cost.size_bytes));
}

void WriteTable() {
  const Lowering lowering(TableConvnet());
  const SearchSpace& space = lowering.space();
  Architecture architecture = {.genes = std::vector<uint8_t>(space.genes().size(), 0)};
  std::printf("genes,error,latency_us,size_bytes\n");
  size_t gene = 0;
  while (gene < space.genes().size()) {
    Architecture canonical = architecture;
    space.Canonicalise(canonical);
    if (canonical == architecture) WriteRow(lowering, architecture);
    for (gene = 0; gene < space.genes().size(); ++gene) {
      if (++architecture.genes[gene] < space.genes()[gene].num_choices()) break;
      architecture.genes[gene] = 0;
    }
  }
}

}  // namespace
}  // namespace hanas

int main() { hanas::WriteTable(); }
