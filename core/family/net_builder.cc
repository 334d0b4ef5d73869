// SPDX-License-Identifier: Apache-2.0
#include "core/family/net_builder.h"

#include <utility>

#include "absl/log/check.h"
#include "core/graph/op_schema.h"

namespace hanas {
namespace {

WeightView View(SlotId slot, std::initializer_list<int64_t> counts) {
  WeightView view = {.slot = slot, .slices = {}, .transforms = {}};
  for (const int64_t count : counts) view.slices.push_back({.begin = 0, .count = count});
  return view;
}

Operator NewOperator(OpKind kind, ValueId input, ElementType compute) {
  Operator op;
  op.kind = kind;
  op.inputs = {input};
  op.compute = compute;
  op.weight_type = compute;
  return op;
}

}  // namespace

NetBuilder::NetBuilder(const LoweringContext& context, const SlotTable* slots, SlotTable* growing) : slots_(slots), growing_(growing) {
  constexpr size_t kMostOften = 12;  // operators of a block
  graph_.values.reserve(kMostOften);
  graph_.operators.reserve(kMostOften);
  graph_.values.push_back({{1, context.height, context.width, context.channels}, context.type, "input"});
  graph_.input = 0;
}

const LayerSlots& NetBuilder::SlotsOf(absl::string_view layer, const LayerDemand& demand) {
  if (growing_ != nullptr) return growing_->Grow(layer, demand);
  const LayerSlots* const slots = slots_->Find(layer);
  CHECK(slots != nullptr) << "lowering never asked for layer " << layer << " when the slots were derived";
  return *slots;
}

ValueId NetBuilder::Append(std::string name, Operator op) {
  const auto output = static_cast<ValueId>(graph_.values.size());
  OpGeometry geometry = {.kind = op.kind,
                         .input = value(op.inputs[0]).shape,
                         .output_channels = op.weight.present() ? op.weight.slices[0].count : channels(op.inputs[0]),
                         .kernel = op.kernel,
                         .stride = op.stride,
                         .padding = op.padding,
                         .dilation = op.dilation,
                         .groups = op.groups};
  op.output = output;
  graph_.values.push_back({OutputShape(geometry), op.compute, std::move(name)});
  graph_.operators.push_back(std::move(op));
  return output;
}

ValueId NetBuilder::Conv(std::string name, ValueId x, const ConvLayer& layer) {
  const int64_t inputs = channels(x) / layer.groups;
  const absl::Span<const int> kernels = layer.kernels.empty() ? absl::MakeConstSpan(&layer.kernel, 1) : layer.kernels;
  const LayerSlots& slots = SlotsOf(name, {.weight_kind = layer.whitening ? SlotKind::kPatchWhitening : SlotKind::kConvWeight,
                                           .outputs = layer.outputs,
                                           .inputs = inputs,
                                           .kernels = kernels,
                                           .bias = layer.bias,
                                           .norm = layer.norm});
  Operator op = NewOperator(OpKind::kConv2d, x, TypeOfBits(layer.precision.activation_bits));
  op.weight_type = TypeOfBits(layer.precision.weight_bits);
  op.kernel = layer.kernel;
  op.stride = layer.stride;
  op.padding = layer.kernel % 2 == 0 ? 0 : layer.kernel / 2;
  op.groups = layer.groups;
  op.activation = layer.activation;
  op.weight = View(slots.weight, {layer.outputs, inputs, slots.full_kernel, slots.full_kernel});
  for (const KernelTransform& step : slots.transforms) {
    if (step.to >= layer.kernel) op.weight.transforms.push_back(step);
  }
  if (layer.bias) op.bias = View(slots.bias, {layer.outputs});
  if (layer.norm) op.norm = {View(slots.gamma, {layer.outputs}), View(slots.beta, {layer.outputs})};
  return Append(std::move(name), std::move(op));
}

ValueId NetBuilder::Linear(std::string name, ValueId x, const LinearLayer& layer) {
  const LayerSlots& slots = SlotsOf(
      name, {.weight_kind = SlotKind::kLinearWeight, .outputs = layer.outputs, .inputs = channels(x), .kernels = {}, .bias = layer.bias});
  Operator op = NewOperator(OpKind::kFullyConnected, x, layer.compute);
  op.weight_type = layer.weight_type;
  op.activation = layer.activation;
  op.weight = View(slots.weight, {layer.outputs, channels(x)});
  if (layer.bias) op.bias = View(slots.bias, {layer.outputs});
  return Append(std::move(name), std::move(op));
}

ValueId NetBuilder::GlobalPool(std::string name, ValueId x, OpKind kind) {
  return Append(std::move(name), NewOperator(kind, x, value(x).type));
}

ValueId NetBuilder::MaxPool(std::string name, ValueId x, int kernel, int stride, int padding) {
  Operator op = NewOperator(OpKind::kMaxPool, x, value(x).type);
  op.kernel = kernel;
  op.stride = stride;
  op.padding = padding;
  return Append(std::move(name), std::move(op));
}

ValueId NetBuilder::Unary(std::string name, ValueId x, OpKind kind) { return Append(std::move(name), NewOperator(kind, x, value(x).type)); }

ValueId NetBuilder::Binary(std::string name, OpKind kind, ValueId a, ValueId b, ElementType compute, FusedActivation activation) {
  Operator op = NewOperator(kind, a, compute);
  op.inputs.push_back(b);
  op.activation = activation;
  return Append(std::move(name), std::move(op));
}

Fragment NetBuilder::Finish(ValueId output, absl::string_view output_name) && {
  graph_.output = output;
  graph_.output_name = std::string(output_name);
  const Value& last = value(output);
  Fragment fragment = {.graph = {}, .next = {.height = 1, .width = 1, .channels = last.shape.back(), .type = last.type}};
  if (last.shape.size() == 4) {
    fragment.next.height = last.shape[1];
    fragment.next.width = last.shape[2];
  }
  fragment.graph = std::move(graph_);
  return fragment;
}

}  // namespace hanas
