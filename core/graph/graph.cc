// SPDX-License-Identifier: Apache-2.0
#include "core/graph/graph.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/graph/op_schema.h"

namespace hanas {
namespace {

constexpr std::array<absl::string_view, kNumFusedActivations> kActivationNames = {"none", "relu", "hsigmoid", "relu6"};

absl::Status Broken(const Graph& graph, const Operator& op, absl::string_view what) {
  return absl::InternalError(absl::StrCat("graph: ", what, " at ", graph.name(op)));
}

absl::Status CheckOperands(const Graph& graph, const Operator& op) {
  const OpSchema& schema = SchemaOf(op.kind);
  const Shape& in = graph.value(op.inputs[0]).shape;
  if (!schema.in_graph) return Broken(graph, op, "an operator of execution plans");
  if (!schema.Allows(op.activation)) return Broken(graph, op, "an activation that this operator cannot have");
  if (schema.has_weights != op.weight.present()) return Broken(graph, op, "weights do not fit the operator kind");
  if (schema.has_weights) {
    if (op.weight.slices.size() < 2 || op.weight.slices[0].count != graph.value(op.output).shape.back()) {
      return Broken(graph, op, "output channels differ from the weights");
    }
    if (op.weight.slices[1].count * op.groups != in.back()) return Broken(graph, op, "input channels differ from the weights");
  }
  const OpGeometry geometry = GeometryOf(graph, op);
  if (op.inputs.size() > 1 && graph.value(op.inputs[1]).shape != SecondShape(geometry)) {
    return Broken(graph, op, "the second operand does not fit the first");
  }
  if (OutputShape(geometry) != graph.value(op.output).shape) return Broken(graph, op, "output shape does not follow from the input");
  return absl::OkStatus();
}

void AddView(const WeightView& view, DigestBuilder& digest) {
  digest.Add(view.slot).Add(static_cast<int64_t>(view.slices.size()));
  for (const AxisSlice& slice : view.slices) digest.Add(slice.begin).Add(slice.count);
  digest.Add(static_cast<int64_t>(view.transforms.size()));
  for (const KernelTransform& step : view.transforms) digest.Add(step.from).Add(step.to).Add(step.matrix);
}

void AddOperator(const Operator& op, DigestBuilder& digest) {
  digest.Add(static_cast<int64_t>(op.kind)).Add(static_cast<int64_t>(op.inputs.size()));
  for (const ValueId id : op.inputs) digest.Add(id);
  digest.Add(op.output).Add(static_cast<int64_t>(op.compute)).Add(static_cast<int64_t>(op.weight_type));
  digest.Add(op.kernel).Add(op.stride).Add(op.padding).Add(op.dilation).Add(op.groups).Add(static_cast<int64_t>(op.activation));
  AddView(op.weight, digest);
  AddView(op.bias, digest);
  AddView(op.norm.gamma, digest);
  AddView(op.norm.beta, digest);
}

}  // namespace

int64_t NumElements(const Shape& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

std::string ToString(const Shape& shape) { return absl::StrJoin(shape, "x"); }

absl::string_view Name(OpKind kind) { return SchemaOf(kind).name; }
absl::string_view Name(FusedActivation activation) { return kActivationNames.at(static_cast<size_t>(activation)); }

absl::Status CheckGraph(const Graph& graph) {
  const auto num_values = static_cast<ValueId>(graph.values.size());
  if (graph.input < 0 || graph.input >= num_values || graph.output < 0 || graph.output >= num_values) {
    return absl::InternalError("graph: input or output is not one of its values");
  }
  std::vector<bool> available(graph.values.size(), false);
  available[static_cast<size_t>(graph.input)] = true;
  for (const Operator& op : graph.operators) {
    if (op.output < 0 || op.output >= num_values) return absl::InternalError("graph: an output is not one of its values");
    if (available[static_cast<size_t>(op.output)]) return Broken(graph, op, "an output is produced twice");
    if (op.inputs.size() != static_cast<size_t>(SchemaOf(op.kind).num_inputs())) return Broken(graph, op, "wrong number of inputs");
    for (const ValueId id : op.inputs) {
      if (id < 0 || id >= num_values || !available[static_cast<size_t>(id)]) {
        return Broken(graph, op, "an input is read before it is produced");
      }
    }
    if (absl::Status status = CheckOperands(graph, op); !status.ok()) return status;
    available[static_cast<size_t>(op.output)] = true;
  }
  if (!available[static_cast<size_t>(graph.output)]) return absl::InternalError("graph: its output is never produced");
  return absl::OkStatus();
}

Digest GraphDigest(const Graph& graph) {
  DigestBuilder digest;
  digest.Add(static_cast<int64_t>(graph.values.size()));
  for (const Value& value : graph.values) {
    digest.Add(static_cast<int64_t>(value.shape.size()));
    for (const int64_t extent : value.shape) digest.Add(extent);
    digest.Add(static_cast<int64_t>(value.type)).Add(value.name);
  }
  digest.Add(static_cast<int64_t>(graph.operators.size()));
  for (const Operator& op : graph.operators) AddOperator(op, digest);
  return digest.Add(graph.input).Add(graph.output).Add(graph.output_name).Build();
}

}  // namespace hanas
