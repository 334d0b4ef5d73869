// SPDX-License-Identifier: Apache-2.0
#include "core/graph/graph.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace hanas {
namespace {

constexpr std::array<absl::string_view, 14> kRoleNames = {"input",     "stem",      "expand",      "depthwise", "se.pool",
                                                          "se.reduce", "se.expand", "se.scale",    "project",   "residual",
                                                          "head.conv", "head.pool", "head.hidden", "classifier"};
constexpr std::array<absl::string_view, 7> kOpNames = {"conv2d", "fc", "gap", "add", "mul", "hswish", "convert"};
constexpr std::array<absl::string_view, 3> kActivationNames = {"none", "relu", "hsigmoid"};

absl::Status Broken(const Operator& op, absl::string_view what) {
  return absl::InternalError(absl::StrCat("graph: ", what, " at ", SiteName(op.provenance)));
}

int64_t ConvOutputSize(int64_t input, const Operator& op) {
  return (input + 2 * op.padding - op.dilation * (op.kernel - 1) - 1) / op.stride + 1;
}

int64_t OutputChannels(const Operator& op) { return op.weight.slices.empty() ? 0 : op.weight.slices[0].count; }

Shape ExpectedOutput(const Graph& graph, const Operator& op) {
  const Shape& in = graph.value(op.inputs[0]).shape;
  switch (op.kind) {
    case OpKind::kConv2d:
      if (in.size() != 4) return {};
      return {in[0], ConvOutputSize(in[1], op), ConvOutputSize(in[2], op), OutputChannels(op)};
    case OpKind::kFullyConnected:
      return {in[0], OutputChannels(op)};
    case OpKind::kGlobalAveragePool:
      if (in.size() != 4) return {};
      return {in[0], in[3]};
    default:
      return in;
  }
}

absl::Status CheckOperands(const Graph& graph, const Operator& op) {
  const Shape& in = graph.value(op.inputs[0]).shape;
  if (op.has_weights() != op.weight.present()) return Broken(op, "weights do not fit the operator kind");
  if (op.kind == OpKind::kConv2d && op.weight.slices[1].count * op.groups != in.back()) {
    return Broken(op, "input channels differ from the weights");
  }
  if (op.kind == OpKind::kFullyConnected && op.weight.slices[1].count != in.back()) {
    return Broken(op, "input features differ from the weights");
  }
  if (op.kind == OpKind::kAdd && graph.value(op.inputs[1]).shape != in) return Broken(op, "operands of add differ in shape");
  if (op.kind == OpKind::kMultiply && graph.value(op.inputs[1]).shape.back() != in.back()) {
    return Broken(op, "operands of multiply differ in channels");
  }
  if (ExpectedOutput(graph, op) != graph.value(op.output).shape) return Broken(op, "output shape does not follow from the input");
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
  digest.Add(SiteName(op.provenance)).Add(static_cast<int64_t>(op.train_only));
}

}  // namespace

int64_t NumElements(const Shape& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

std::string ToString(const Shape& shape) { return absl::StrJoin(shape, "x"); }

absl::string_view Name(LayerRole role) { return kRoleNames.at(static_cast<size_t>(role)); }
absl::string_view Name(OpKind kind) { return kOpNames.at(static_cast<size_t>(kind)); }
absl::string_view Name(FusedActivation activation) { return kActivationNames.at(static_cast<size_t>(activation)); }

std::string SiteName(const Provenance& provenance) {
  std::string name;
  if (provenance.unit == UnitKind::kBlock) absl::StrAppend(&name, "stages.", provenance.stage, ".blocks.", provenance.block, ".");
  absl::StrAppend(&name, Name(provenance.role));
  if (provenance.activation_op) absl::StrAppend(&name, ".act");
  return name;
}

absl::Status CheckGraph(const Graph& graph) {
  const auto num_values = static_cast<ValueId>(graph.values.size());
  if (graph.input < 0 || graph.input >= num_values || graph.output < 0 || graph.output >= num_values) {
    return absl::InternalError("graph: input or output is not one of its values");
  }
  std::vector<bool> available(graph.values.size(), false);
  available[static_cast<size_t>(graph.input)] = true;
  for (const Operator& op : graph.operators) {
    const size_t arity = op.kind == OpKind::kAdd || op.kind == OpKind::kMultiply ? 2 : 1;
    if (op.inputs.size() != arity) return Broken(op, "wrong number of inputs");
    for (const ValueId id : op.inputs) {
      if (id < 0 || id >= num_values || !available[static_cast<size_t>(id)]) return Broken(op, "an input is read before it is produced");
    }
    if (op.output < 0 || op.output >= num_values || available[static_cast<size_t>(op.output)]) {
      return Broken(op, "an output is produced twice");
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
    digest.Add(static_cast<int64_t>(value.type)).Add(SiteName(value.producer));
  }
  digest.Add(static_cast<int64_t>(graph.operators.size()));
  for (const Operator& op : graph.operators) AddOperator(op, digest);
  return digest.Add(graph.input).Add(graph.output).Build();
}

}  // namespace hanas
