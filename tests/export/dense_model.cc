// SPDX-License-Identifier: Apache-2.0
#include "tests/export/dense_model.h"

#include <string>
#include <utility>

#include "core/base/counter_random.h"
#include "core/graph/op_schema.h"
#include "tests/export/random_bound_model.h"

namespace hanas {
namespace {

/// Appends operators to a graph; each call returns the value that its operator leaves.
class Builder {
 public:
  Builder(uint64_t seed, const std::vector<ElementType>& types) : random_(seed, "dense-graph"), types_(types) {
    graph_.input = AddValue("input", {1, 16, 16, 3}, ElementType::kFloat32);
  }

  Graph Finish(ValueId output) && {
    graph_.output = output;
    graph_.output_name = "logits";
    return std::move(graph_);
  }

  struct Terms {
    bool bias = false;
    bool norm = false;
  };

  /// Fills in what follows from the rest of `op`.
  ValueId Layer(const std::string& name, Operator op, int64_t channels, Terms terms) {
    op.weight_type = op.compute = Draw(types_);
    const std::vector<ElementType> integers = {ElementType::kInt8, ElementType::kInt4, ElementType::kInt2};
    if (op.compute == ElementType::kInt8 || random_.Bernoulli(0.5)) op.weight_type = Draw(integers);
    const int64_t inputs = graph_.value(op.inputs[0]).shape.back() / op.groups;
    Read({channels, inputs}, op.weight);
    if (op.kind == OpKind::kConv2d) op.weight.slices.insert(op.weight.slices.end(), 2, {0, op.kernel});
    if (terms.bias) Read({channels}, op.bias);
    if (terms.norm) Read({channels}, op.norm.gamma);
    if (terms.norm) Read({channels}, op.norm.beta);
    return Add(name, std::move(op), channels);
  }

  ValueId Plain(const std::string& name, Operator op) {
    // A max-pool computes in the type of its input.
    op.compute = SchemaOf(op.kind).keeps_quantizer ? graph_.value(op.inputs[0]).type : Draw(types_);
    const int64_t channels = graph_.value(op.inputs[0]).shape.back();
    return Add(name, std::move(op), channels);
  }

  ValueId input() const { return graph_.input; }

 private:
  ElementType Draw(const std::vector<ElementType>& types) { return types[random_.UniformInt(types.size())]; }

  ValueId AddValue(const std::string& name, const Shape& shape, ElementType type) {
    graph_.values.push_back({.shape = shape, .type = type, .name = name});
    return static_cast<ValueId>(graph_.values.size()) - 1;
  }

  ValueId Add(const std::string& name, Operator op, int64_t channels) {
    const Shape shape = OutputShape({.kind = op.kind,
                                     .input = graph_.value(op.inputs[0]).shape,
                                     .output_channels = channels,
                                     .kernel = op.kernel,
                                     .stride = op.stride,
                                     .padding = op.padding,
                                     .dilation = op.dilation,
                                     .groups = op.groups});
    op.output = AddValue(name, shape, op.compute);
    graph_.operators.push_back(std::move(op));
    return graph_.operators.back().output;
  }

  /// The whole of a slot of its own.
  void Read(const Shape& shape, WeightView& view) {
    view.slot = slots_++;
    for (const int64_t extent : shape) view.slices.push_back({0, extent});
  }

  Graph graph_;
  CounterRandom random_;
  const std::vector<ElementType> types_;
  SlotId slots_ = 0;
};

}  // namespace

Graph DenseGraph(uint64_t seed, const std::vector<ElementType>& types) {
  constexpr FusedActivation kRelu = FusedActivation::kRelu;
  constexpr FusedActivation kRelu6 = FusedActivation::kRelu6;
  Builder b(seed, types);
  const ValueId whiten = b.Layer("whiten", {.kind = OpKind::kConv2d, .inputs = {b.input()}, .kernel = 2}, 8, {.bias = true});
  const ValueId gate = b.Plain("whiten.gate", {.kind = OpKind::kSigmoid, .inputs = {whiten}});
  const ValueId silu = b.Plain("whiten.act", {.kind = OpKind::kProduct, .inputs = {whiten, gate}});
  const ValueId small = b.Plain("pool", {.kind = OpKind::kMaxPool, .inputs = {silu}, .kernel = 3, .stride = 2, .padding = 1});
  const ValueId grouped =
      b.Layer("block.0.conv", {.kind = OpKind::kConv2d, .inputs = {small}, .kernel = 3, .padding = 1, .groups = 4, .activation = kRelu6},
              16, {.norm = true});
  const ValueId skip = b.Layer("block.0.skip", {.kind = OpKind::kConv2d, .inputs = {small}}, 16, {});
  const ValueId first = b.Plain("block.0", {.kind = OpKind::kAdd, .inputs = {grouped, skip}, .activation = kRelu6});
  const ValueId conv =
      b.Layer("block.1.conv", {.kind = OpKind::kConv2d, .inputs = {first}, .kernel = 3, .padding = 1}, 16, {.bias = true, .norm = true});
  const ValueId second = b.Plain("block.1", {.kind = OpKind::kAdd, .inputs = {first, conv}, .activation = kRelu});
  const ValueId tiny = b.Plain("block.1.pool", {.kind = OpKind::kMaxPool, .inputs = {second}, .kernel = 2, .stride = 2});
  const ValueId features = b.Plain("features", {.kind = OpKind::kGlobalMaxPool, .inputs = {tiny}});
  const ValueId hidden = b.Layer("hidden", {.kind = OpKind::kFullyConnected, .inputs = {features}, .activation = kRelu6}, 24, {});
  const ValueId classes = b.Layer("classifier", {.kind = OpKind::kFullyConnected, .inputs = {hidden}}, 10, {.bias = true});
  return std::move(b).Finish(classes);
}

BoundModel DenseModel(uint64_t seed, const std::vector<ElementType>& types) { return RandomBoundModel(DenseGraph(seed, types), seed); }

}  // namespace hanas
