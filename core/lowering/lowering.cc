// SPDX-License-Identifier: Apache-2.0
#include "core/lowering/lowering.h"

#include <algorithm>

#include "core/lowering/unit_walk.h"

namespace hanas {

namespace {

/// Appends `fragment` to `graph`, joining its input to `graph.output`, and moves `graph.output`. It is taken apart: copying its names would
/// cost more than lowering it.
void Join(Graph fragment, Graph& graph) {
  absl::InlinedVector<ValueId, 32> renamed(fragment.values.size());
  for (size_t i = 0; i < fragment.values.size(); ++i) {
    if (static_cast<ValueId>(i) == fragment.input) {
      renamed[i] = graph.output;
      continue;
    }
    renamed[i] = static_cast<ValueId>(graph.values.size());
    graph.values.push_back(std::move(fragment.values[i]));
  }
  for (Operator& op : fragment.operators) {
    for (ValueId& id : op.inputs) id = renamed[static_cast<size_t>(id)];
    op.output = renamed[static_cast<size_t>(op.output)];
    graph.operators.push_back(std::move(op));
  }
  graph.output = renamed[static_cast<size_t>(fragment.output)];
}

}  // namespace

int64_t LargestSide(const Lowering& lowering) {
  const LoweringContext input = lowering.InputContext(lowering.space().Largest({8, 8}));
  return std::max(input.height, input.width);
}

absl::InlinedVector<uint8_t, 16> ChoicesOf(const Unit& unit, const Architecture& architecture) {
  absl::InlinedVector<uint8_t, 16> choices;
  for (const int gene : unit.genes) choices.push_back(architecture.genes[static_cast<size_t>(gene)]);
  return choices;
}

Lowering::Lowering(std::shared_ptr<const FamilySpace> space) : family_(std::move(space)) {
  auto slots = std::make_shared<SlotTable>();
  GrowSlots(*family_, *slots);
  slots_ = std::move(slots);
}

LoweringContext Lowering::InputContext(const Architecture& architecture) const {
  return family_->Input(ChoicesOf(family_->units().front(), architecture));
}

Graph Lowering::Lower(const Architecture& architecture) const {
  LoweringContext context = InputContext(architecture);
  constexpr size_t kOperatorsOfAUnit = 5;  // about; what is reserved need not be moved
  Graph graph;
  graph.values.reserve(kOperatorsOfAUnit * family_->units().size());
  graph.operators.reserve(kOperatorsOfAUnit * family_->units().size());
  graph.values.push_back({{1, context.height, context.width, context.channels}, context.type, "input"});
  graph.input = 0;
  graph.output = 0;
  for (size_t u = 0; u < family_->units().size(); ++u) {
    const Unit& unit = family_->units()[u];
    if (!SearchSpace::Hold(architecture, unit.present_if)) continue;
    Fragment fragment = LowerUnit(u, context, ChoicesOf(unit, architecture));
    graph.output_name = std::move(fragment.graph.output_name);
    context = fragment.next;
    Join(std::move(fragment.graph), graph);
  }
  return graph;
}

}  // namespace hanas
