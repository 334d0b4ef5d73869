// SPDX-License-Identifier: Apache-2.0
#include "export/graph_codec.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hanas {
namespace {

namespace wire = model::v1;

// Bounds of what a reader may be asked to hold. Products of admitted extents stay far below 2^63.
constexpr int kMaxNodes = 1 << 16;
constexpr int64_t kMaxExtent = int64_t{1} << 24;
constexpr int64_t kMaxElements = int64_t{1} << 28;  // of one tensor of weights, and of all values of a graph together
constexpr int kMaxKernel = 255;

/// A wire enumerator is the enumerator of core plus one (0 is "unspecified").
template <typename Wire, typename Core>
Wire ToWire(Core value) {
  return static_cast<Wire>(static_cast<int>(value) + 1);
}

template <typename Wire, typename Core>
constexpr bool Corresponds(Wire in_file, Core in_core) {
  return static_cast<int>(in_file) == static_cast<int>(in_core) + 1;
}
// The order of core's enumerations is part of the file format: these lines pin it.
static_assert(Corresponds(wire::FLOAT32, ElementType::kFloat32) && Corresponds(wire::FLOAT16, ElementType::kFloat16) &&
              Corresponds(wire::INT8, ElementType::kInt8) && Corresponds(wire::INT4, ElementType::kInt4) &&
              Corresponds(wire::INT2, ElementType::kInt2) && Corresponds(wire::INT32, ElementType::kInt32));
static_assert(Corresponds(wire::CONV2D, OpKind::kConv2d) && Corresponds(wire::FULLY_CONNECTED, OpKind::kFullyConnected) &&
              Corresponds(wire::GLOBAL_AVERAGE_POOL, OpKind::kGlobalAveragePool) && Corresponds(wire::ADD, OpKind::kAdd) &&
              Corresponds(wire::MULTIPLY, OpKind::kMultiply) && Corresponds(wire::HARD_SWISH, OpKind::kHardSwish) &&
              Corresponds(wire::CONVERT, OpKind::kConvert));
static_assert(Corresponds(wire::NONE, FusedActivation::kNone) && Corresponds(wire::RELU, FusedActivation::kRelu) &&
              Corresponds(wire::HARD_SIGMOID, FusedActivation::kHardSigmoid));
static_assert(Corresponds(wire::STEM_UNIT, UnitKind::kStem) && Corresponds(wire::BLOCK_UNIT, UnitKind::kBlock) &&
              Corresponds(wire::HEAD_UNIT, UnitKind::kHead));
static_assert(Corresponds(wire::INPUT, LayerRole::kInput) && Corresponds(wire::STEM, LayerRole::kStem) &&
              Corresponds(wire::EXPAND, LayerRole::kExpand) && Corresponds(wire::DEPTHWISE, LayerRole::kDepthwise) &&
              Corresponds(wire::SQUEEZE_POOL, LayerRole::kSqueezePool) && Corresponds(wire::SQUEEZE_REDUCE, LayerRole::kSqueezeReduce) &&
              Corresponds(wire::SQUEEZE_EXPAND, LayerRole::kSqueezeExpand) && Corresponds(wire::SQUEEZE_SCALE, LayerRole::kSqueezeScale) &&
              Corresponds(wire::PROJECT, LayerRole::kProject) && Corresponds(wire::RESIDUAL, LayerRole::kResidual) &&
              Corresponds(wire::HEAD_CONV, LayerRole::kHeadConv) && Corresponds(wire::POOL, LayerRole::kPool) &&
              Corresponds(wire::HIDDEN, LayerRole::kHidden) && Corresponds(wire::CLASSIFIER, LayerRole::kClassifier));
static_assert(Corresponds(wire::NO_SITE, TrainOnlySite::kNone) && Corresponds(wire::DROP_PATH, TrainOnlySite::kDropPath) &&
              Corresponds(wire::DISTILLATION_TAP, TrainOnlySite::kDistillationTap));

// Writing.

void ProvenanceToProto(const Provenance& provenance, wire::Provenance* proto) {
  proto->set_unit(ToWire<wire::UnitKind>(provenance.unit));
  proto->set_role(ToWire<wire::LayerRole>(provenance.role));
  proto->set_stage(provenance.stage);
  proto->set_block(provenance.block);
  proto->set_activation_op(provenance.activation_op);
}

void ViewToProto(const WeightView& view, wire::WeightView* proto) {
  proto->set_slot(view.slot);
  for (const AxisSlice& slice : view.slices) {
    proto->add_begin(slice.begin);
    proto->add_count(slice.count);
  }
  for (const KernelTransform& step : view.transforms) {
    wire::KernelTransform* transform = proto->add_transforms();
    transform->set_from(step.from);
    transform->set_to(step.to);
    transform->set_matrix(step.matrix);
  }
}

void OperatorToProto(const Operator& op, wire::Operator* proto) {
  proto->set_kind(ToWire<wire::OpKind>(op.kind));
  for (const ValueId id : op.inputs) proto->add_inputs(id);
  proto->set_output(op.output);
  proto->set_compute(ToWire<wire::ElementType>(op.compute));
  proto->set_weight_type(ToWire<wire::ElementType>(op.weight_type));
  proto->set_kernel(op.kernel);
  proto->set_stride(op.stride);
  proto->set_padding(op.padding);
  proto->set_dilation(op.dilation);
  proto->set_groups(op.groups);
  proto->set_activation(ToWire<wire::FusedActivation>(op.activation));
  if (op.weight.present()) ViewToProto(op.weight, proto->mutable_weight());
  if (op.bias.present()) ViewToProto(op.bias, proto->mutable_bias());
  if (op.norm.gamma.present()) ViewToProto(op.norm.gamma, proto->mutable_norm_gamma());
  if (op.norm.beta.present()) ViewToProto(op.norm.beta, proto->mutable_norm_beta());
  ProvenanceToProto(op.provenance, proto->mutable_provenance());
  proto->set_train_only(ToWire<wire::TrainOnlySite>(op.train_only));
}

// Reading. `where` is the path of the message in the file: "values[3]", "operators[7].weight".

absl::Status Bad(absl::string_view where, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("graph.", where, ": ", what));
}

absl::Status CheckRange(absl::string_view where, absl::string_view field, int64_t found, int64_t least, int64_t most) {
  if (found >= least && found <= most) return absl::OkStatus();
  return Bad(where, absl::StrCat("expected ", field, " in [", least, ", ", most, "], found ", found));
}

/// An enumerator of core whose last one is `last`.
template <typename Core, typename Wire>
absl::StatusOr<Core> FromWire(absl::string_view where, absl::string_view field, Wire value, Core last) {
  const int most = static_cast<int>(last) + 1;
  if (absl::Status status = CheckRange(where, field, static_cast<int>(value), 1, most); !status.ok()) return status;
  return static_cast<Core>(static_cast<int>(value) - 1);
}

template <typename Core, typename Wire>
absl::Status ReadEnum(absl::string_view where, absl::string_view field, Wire value, Core last, Core& out) {
  absl::StatusOr<Core> core = FromWire(where, field, value, last);
  if (!core.ok()) return core.status();
  out = *core;
  return absl::OkStatus();
}

absl::Status ReadProvenance(absl::string_view where, const wire::Provenance& proto, Provenance& out) {
  constexpr int kMost = std::numeric_limits<int16_t>::max();
  if (absl::Status s = ReadEnum(where, "unit", proto.unit(), UnitKind::kHead, out.unit); !s.ok()) return s;
  if (absl::Status s = ReadEnum(where, "role", proto.role(), LayerRole::kClassifier, out.role); !s.ok()) return s;
  if (absl::Status s = CheckRange(where, "stage", proto.stage(), -1, kMost); !s.ok()) return s;
  if (absl::Status s = CheckRange(where, "block", proto.block(), -1, kMost); !s.ok()) return s;
  out.stage = static_cast<int16_t>(proto.stage());
  out.block = static_cast<int16_t>(proto.block());
  out.activation_op = proto.activation_op();
  return absl::OkStatus();
}

absl::Status ReadValue(absl::string_view where, const wire::Value& proto, Value& out) {
  if (proto.shape_size() != 2 && proto.shape_size() != 4)
    return Bad(where, absl::StrCat("expected 2 or 4 extents, found ", proto.shape_size()));
  int64_t elements = 1;
  for (const int64_t extent : proto.shape()) {
    if (absl::Status s = CheckRange(where, "extent", extent, 1, kMaxExtent); !s.ok()) return s;
    elements *= extent;
    if (absl::Status s = CheckRange(where, "number of elements", elements, 1, kMaxElements); !s.ok()) return s;
    out.shape.push_back(extent);
  }
  if (absl::Status s = ReadEnum(where, "type", proto.type(), ElementType::kInt8, out.type); !s.ok()) return s;
  return ReadProvenance(absl::StrCat(where, ".producer"), proto.producer(), out.producer);
}

absl::Status ReadView(absl::string_view where, const wire::WeightView& proto, int rank, WeightView& out) {
  if (absl::Status s = CheckRange(where, "slot", proto.slot(), 0, std::numeric_limits<SlotId>::max()); !s.ok()) return s;
  if (proto.begin_size() != rank || proto.count_size() != rank) {
    return Bad(where,
               absl::StrCat("expected ", rank, " slices, found ", proto.begin_size(), " begins and ", proto.count_size(), " counts"));
  }
  out.slot = proto.slot();
  for (int axis = 0; axis < rank; ++axis) {
    if (absl::Status s = CheckRange(where, "begin of a slice", proto.begin(axis), 0, kMaxExtent); !s.ok()) return s;
    if (absl::Status s = CheckRange(where, "count of a slice", proto.count(axis), 1, kMaxExtent); !s.ok()) return s;
    out.slices.push_back({proto.begin(axis), proto.count(axis)});
  }
  for (const wire::KernelTransform& step : proto.transforms()) {
    if (absl::Status s = CheckRange(where, "kernel before a transform", step.from(), 1, kMaxKernel); !s.ok()) return s;
    if (absl::Status s = CheckRange(where, "kernel after a transform", step.to(), 1, step.from()); !s.ok()) return s;
    if (absl::Status s = CheckRange(where, "slot of a transform", step.matrix(), 0, std::numeric_limits<SlotId>::max()); !s.ok()) return s;
    out.transforms.push_back({step.from(), step.to(), step.matrix()});
  }
  return absl::OkStatus();
}

absl::Status ReadViews(const std::string& where, const wire::Operator& proto, Operator& out) {
  const int rank = out.kind == OpKind::kConv2d ? 4 : 2;
  if (proto.has_weight()) {
    if (absl::Status s = ReadView(where + ".weight", proto.weight(), rank, out.weight); !s.ok()) return s;
  }
  if (proto.has_bias()) {
    if (absl::Status s = ReadView(where + ".bias", proto.bias(), 1, out.bias); !s.ok()) return s;
  }
  if (proto.has_norm_gamma() != proto.has_norm_beta()) return Bad(where, "expected both or none of norm_gamma and norm_beta, found one");
  if (!proto.has_norm_gamma()) return absl::OkStatus();
  if (absl::Status s = ReadView(where + ".norm_gamma", proto.norm_gamma(), 1, out.norm.gamma); !s.ok()) return s;
  return ReadView(where + ".norm_beta", proto.norm_beta(), 1, out.norm.beta);
}

absl::Status ReadWindow(const std::string& where, const wire::Operator& proto, Operator& out) {
  if (absl::Status s = CheckRange(where, "kernel", proto.kernel(), 1, kMaxKernel); !s.ok()) return s;
  if (absl::Status s = CheckRange(where, "stride", proto.stride(), 1, kMaxKernel); !s.ok()) return s;
  if (absl::Status s = CheckRange(where, "padding", proto.padding(), 0, kMaxKernel); !s.ok()) return s;
  if (absl::Status s = CheckRange(where, "dilation", proto.dilation(), 1, kMaxKernel); !s.ok()) return s;
  if (absl::Status s = CheckRange(where, "groups", proto.groups(), 1, kMaxExtent); !s.ok()) return s;
  out.kernel = proto.kernel();
  out.stride = proto.stride();
  out.padding = proto.padding();
  out.dilation = proto.dilation();
  out.groups = proto.groups();
  return absl::OkStatus();
}

absl::Status ReadOperator(const std::string& where, const wire::Operator& proto, Operator& out) {
  if (absl::Status s = ReadEnum(where, "kind", proto.kind(), OpKind::kHardSwish, out.kind); !s.ok()) return s;
  if (absl::Status s = ReadEnum(where, "compute", proto.compute(), ElementType::kInt8, out.compute); !s.ok()) return s;
  if (absl::Status s = ReadEnum(where, "weight_type", proto.weight_type(), ElementType::kInt2, out.weight_type); !s.ok()) return s;
  if (absl::Status s = ReadEnum(where, "activation", proto.activation(), FusedActivation::kHardSigmoid, out.activation); !s.ok()) return s;
  if (absl::Status s = ReadEnum(where, "train_only", proto.train_only(), TrainOnlySite::kDistillationTap, out.train_only); !s.ok())
    return s;
  if (absl::Status s = ReadProvenance(where + ".provenance", proto.provenance(), out.provenance); !s.ok()) return s;
  if (absl::Status s = CheckRange(where, "number of inputs", proto.inputs_size(), 1, 2); !s.ok()) return s;
  for (const int32_t id : proto.inputs()) out.inputs.push_back(id);
  out.output = proto.output();
  if (absl::Status s = ReadWindow(where, proto, out); !s.ok()) return s;
  return ReadViews(where, proto, out);
}

/// What CheckGraph takes for granted: ids that exist, ranks that the operator kind needs, divisible groups, bounded weights.
absl::Status CheckOperandShapes(const std::string& where, const Graph& graph, const Operator& op) {
  const auto num_values = static_cast<int64_t>(graph.values.size());
  if (absl::Status s = CheckRange(where, "output", op.output, 0, num_values - 1); !s.ok()) return s;
  for (const ValueId id : op.inputs) {
    if (absl::Status s = CheckRange(where, "input", id, 0, num_values - 1); !s.ok()) return s;
  }
  const bool image = op.kind == OpKind::kConv2d || op.kind == OpKind::kGlobalAveragePool || op.kind == OpKind::kMultiply;
  const Shape& in = graph.value(op.inputs[0]).shape;
  if (image && in.size() != 4) return Bad(where, "expected an input of 4 extents, found 2");
  if (op.kind == OpKind::kFullyConnected && in.size() != 2) return Bad(where, "expected an input of 2 extents, found 4");
  if (op.kind == OpKind::kMultiply && op.inputs.size() == 2 && graph.value(op.inputs[1]).shape.size() != 2) {
    return Bad(where, "expected a second input of 2 extents, found 4");
  }
  if (graph.value(op.output).type != op.compute)
    return Bad(where, "expected the output to have the operator's compute type, found another");
  if (!op.has_weights()) return absl::OkStatus();
  if (op.compute == ElementType::kInt8 && BitWidth(op.weight_type) > 8)
    return Bad(where, "expected integer weights in an int8 layer, found floats");
  if (op.kind == OpKind::kFullyConnected && (op.groups != 1 || op.kernel != 1))
    return Bad(where, "expected kernel 1 and groups 1 in a linear layer");
  if (in.back() % op.groups != 0)
    return Bad(where, absl::StrCat("expected groups that divide ", in.back(), " channels, found ", op.groups));
  if (graph.value(op.output).shape.back() % op.groups != 0) return Bad(where, "expected groups that divide the output channels");
  const int64_t matrix = graph.value(op.output).shape.back() * (in.back() / op.groups);
  if (absl::Status s = CheckRange(where, "output times input channels", matrix, 1, kMaxElements); !s.ok()) return s;
  if (absl::Status s = CheckRange(where, "number of weights", matrix * op.kernel * op.kernel, 1, kMaxElements); !s.ok()) return s;
  if (op.kind != OpKind::kConv2d) return absl::OkStatus();
  const int64_t window = int64_t{op.dilation} * (op.kernel - 1) + 1;
  if (window > std::min(in[1], in[2]) + 2 * op.padding) return Bad(where, "expected a window no larger than the padded input");
  return absl::OkStatus();
}

}  // namespace

void GraphToProto(const Graph& graph, wire::Graph* proto) {
  for (const Value& value : graph.values) {
    wire::Value* out = proto->add_values();
    for (const int64_t extent : value.shape) out->add_shape(extent);
    out->set_type(ToWire<wire::ElementType>(value.type));
    ProvenanceToProto(value.producer, out->mutable_producer());
  }
  for (const Operator& op : graph.operators) OperatorToProto(op, proto->add_operators());
  proto->set_input(graph.input);
  proto->set_output(graph.output);
}

absl::StatusOr<Graph> GraphFromProto(const wire::Graph& proto) {
  if (absl::Status s = CheckRange("values", "number of values", proto.values_size(), 1, kMaxNodes); !s.ok()) return s;
  if (absl::Status s = CheckRange("operators", "number of operators", proto.operators_size(), 0, kMaxNodes); !s.ok()) return s;
  Graph graph;
  graph.values.resize(static_cast<size_t>(proto.values_size()));
  graph.operators.resize(static_cast<size_t>(proto.operators_size()));
  int64_t elements = 0;
  for (int i = 0; i < proto.values_size(); ++i) {
    const std::string where = absl::StrCat("values[", i, "]");
    Value& value = graph.values[static_cast<size_t>(i)];
    if (absl::Status s = ReadValue(where, proto.values(i), value); !s.ok()) return s;
    elements += std::accumulate(value.shape.begin(), value.shape.end(), int64_t{1}, std::multiplies<>());
    if (absl::Status s = CheckRange(where, "number of elements of all values", elements, 1, kMaxElements); !s.ok()) return s;
  }
  for (int i = 0; i < proto.operators_size(); ++i) {
    const std::string where = absl::StrCat("operators[", i, "]");
    Operator& op = graph.operators[static_cast<size_t>(i)];
    if (absl::Status s = ReadOperator(where, proto.operators(i), op); !s.ok()) return s;
    if (absl::Status s = CheckOperandShapes(where, graph, op); !s.ok()) return s;
  }
  graph.input = proto.input();
  graph.output = proto.output();
  if (absl::Status status = CheckGraph(graph); !status.ok()) return absl::InvalidArgumentError(status.message());
  return graph;
}

}  // namespace hanas
