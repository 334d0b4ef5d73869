// SPDX-License-Identifier: Apache-2.0
#include "core/cost/cost.h"

#include <algorithm>
#include <vector>

#include "core/graph/op_schema.h"

namespace hanas {
namespace {

constexpr int64_t kBiasBytes = 4;
constexpr int64_t kScaleBytes = 4;
constexpr int64_t kMacsPerElement = 320;

int64_t PackedBytes(int64_t count, ElementType type) { return (count * BitWidth(type) + 7) / 8; }

}  // namespace

Cost GraphCost(const Graph& graph) {
  Cost cost;
  for (const Operator& op : graph.operators) {
    if (!op.has_weights()) continue;
    const OpGeometry geometry = GeometryOf(graph, op);
    const int64_t weights = NumWeights(geometry);
    const int64_t channels = graph.value(op.output).shape.back();
    cost.macs += Macs(geometry);
    cost.parameters += weights + (op.has_norm() ? 2 * channels : 0) + (op.bias.present() ? channels : 0);
    cost.size_bytes += PackedBytes(weights, op.weight_type) + channels * kBiasBytes;
    if (BitWidth(op.weight_type) <= 8) cost.size_bytes += channels * kScaleBytes;
  }
  return cost;
}

int64_t TrainingWork(const Graph& graph) {
  int64_t work = GraphCost(graph).macs;
  for (const Operator& op : graph.operators) work += kMacsPerElement * NumElements(graph.value(op.output).shape);
  return work;
}

int64_t ExecutedWeightBytes(const ExecPlan& plan) {
  int64_t bytes = 0;
  for (const ExecStep& step : plan.steps) {
    const OpKey& key = step.key;
    if (!SchemaOf(key.kind).has_weights) continue;
    bytes += PackedBytes(NumWeights(key), key.weight_type) + key.output_channels * kBiasBytes;
  }
  return bytes;
}

int64_t PeakActivationBytes(const ExecPlan& plan) {
  std::vector<int> last_use(plan.values.size(), -1);
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    for (const int input : plan.steps[i].inputs) last_use[static_cast<size_t>(input)] = static_cast<int>(i);
  }
  if (plan.output >= 0) last_use[static_cast<size_t>(plan.output)] = static_cast<int>(plan.steps.size());
  const auto bytes = [&](int value) {
    const ExecValue& v = plan.values[static_cast<size_t>(value)];
    return PackedBytes(NumElements(v.shape), v.type);
  };
  int64_t live = plan.input >= 0 ? bytes(plan.input) : 0;
  int64_t peak = live;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const ExecStep& step = plan.steps[i];
    live += bytes(step.output);
    peak = std::max(peak, live);
    for (size_t k = 0; k < step.inputs.size(); ++k) {
      const bool repeated = k > 0 && step.inputs[k] == step.inputs[0];
      if (!repeated && last_use[static_cast<size_t>(step.inputs[k])] == static_cast<int>(i)) live -= bytes(step.inputs[k]);
    }
    if (last_use[static_cast<size_t>(step.output)] < 0) live -= bytes(step.output);
  }
  return peak;
}

Cost NetworkCost(const Graph& graph, const ExecPlan& plan) {
  Cost cost = GraphCost(graph);
  cost.peak_memory_bytes = ExecutedWeightBytes(plan) + PeakActivationBytes(plan);
  return cost;
}

}  // namespace hanas
