// SPDX-License-Identifier: Apache-2.0
#include "export/graph_codec.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/graph/op_schema.h"

namespace hanas {
namespace {

namespace wire = model::v1;

// Bounds of what a reader may be asked to hold. Products of admitted extents stay far below 2^63.
constexpr int kMaxNodes = 1 << 16;
constexpr int64_t kMaxExtent = int64_t{1} << 24;
constexpr int64_t kMaxElements = int64_t{1} << 28;  // of one tensor of weights, and of all values of a graph together
constexpr int kMaxKernel = 255;
constexpr size_t kMaxNameBytes = 200;
constexpr size_t kShownNameBytes = 40;  // in messages

/// The numbers of kinds and activations are those of core. Element types have none in the file that is 0, which is "unspecified": theirs
/// are one higher.
wire::ElementType ToWire(ElementType type) { return static_cast<wire::ElementType>(static_cast<int>(type) + 1); }

template <typename Wire, typename Core>
constexpr bool Corresponds(Wire in_file, Core in_core, int difference = 0) {
  return static_cast<int>(in_file) == static_cast<int>(in_core) + difference;
}
// The order of core's enumerations is part of the file format: these lines pin it.
static_assert(Corresponds(wire::ELEMENT_TYPE_FLOAT32, ElementType::kFloat32, 1) &&
              Corresponds(wire::ELEMENT_TYPE_FLOAT16, ElementType::kFloat16, 1) &&
              Corresponds(wire::ELEMENT_TYPE_INT8, ElementType::kInt8, 1) && Corresponds(wire::ELEMENT_TYPE_INT4, ElementType::kInt4, 1) &&
              Corresponds(wire::ELEMENT_TYPE_INT2, ElementType::kInt2, 1) && Corresponds(wire::ELEMENT_TYPE_INT32, ElementType::kInt32, 1));
static_assert(Corresponds(wire::OP_KIND_CONV2D, OpKind::kConv2d) && Corresponds(wire::OP_KIND_FULLY_CONNECTED, OpKind::kFullyConnected) &&
              Corresponds(wire::OP_KIND_GLOBAL_AVERAGE_POOL, OpKind::kGlobalAveragePool) && Corresponds(wire::OP_KIND_ADD, OpKind::kAdd) &&
              Corresponds(wire::OP_KIND_MULTIPLY, OpKind::kMultiply) && Corresponds(wire::OP_KIND_HARD_SWISH, OpKind::kHardSwish) &&
              Corresponds(wire::OP_KIND_MAX_POOL, OpKind::kMaxPool) && Corresponds(wire::OP_KIND_GLOBAL_MAX_POOL, OpKind::kGlobalMaxPool) &&
              Corresponds(wire::OP_KIND_SIGMOID, OpKind::kSigmoid) && Corresponds(wire::OP_KIND_PRODUCT, OpKind::kProduct));
static_assert(Corresponds(wire::FUSED_ACTIVATION_UNSPECIFIED, FusedActivation::kNone) &&
              Corresponds(wire::FUSED_ACTIVATION_RELU, FusedActivation::kRelu) &&
              Corresponds(wire::FUSED_ACTIVATION_HARD_SIGMOID, FusedActivation::kHardSigmoid) &&
              Corresponds(wire::FUSED_ACTIVATION_RELU6, FusedActivation::kRelu6));

// Writing.

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
  proto->set_kind(static_cast<wire::OpKind>(op.kind));
  for (const ValueId id : op.inputs) proto->add_inputs(id);
  proto->set_output(op.output);
  proto->set_compute(ToWire(op.compute));
  proto->set_weight_type(ToWire(op.weight_type));
  proto->set_kernel(op.kernel);
  proto->set_stride(op.stride);
  proto->set_padding(op.padding);
  proto->set_dilation(op.dilation);
  proto->set_groups(op.groups);
  proto->set_activation(static_cast<wire::FusedActivation>(op.activation));
  if (op.weight.present()) ViewToProto(op.weight, proto->mutable_weight());
  if (op.bias.present()) ViewToProto(op.bias, proto->mutable_bias());
  if (op.norm.gamma.present()) ViewToProto(op.norm.gamma, proto->mutable_norm_gamma());
  if (op.norm.beta.present()) ViewToProto(op.norm.beta, proto->mutable_norm_beta());
}

// Reading. `where` is the path of the message in the file: "values[3]", "operators[7].weight".

absl::Status Bad(absl::string_view where, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("graph.", where, ": ", what));
}

absl::Status CheckRange(absl::string_view where, absl::string_view field, int64_t found, int64_t least, int64_t most) {
  if (found >= least && found <= most) return absl::OkStatus();
  return Bad(where, absl::StrCat("expected ", field, " in [", least, ", ", most, "], found ", found));
}

/// A type whose enumerator in core is `last` at most.
absl::Status ReadType(absl::string_view where, absl::string_view field, wire::ElementType type, ElementType last, ElementType& out) {
  if (absl::Status s = CheckRange(where, field, type, 1, static_cast<int>(last) + 1); !s.ok()) return s;
  out = static_cast<ElementType>(static_cast<int>(type) - 1);
  return absl::OkStatus();
}

/// A kind that graphs have and an activation that it may have.
absl::Status ReadKind(absl::string_view where, const wire::Operator& proto, Operator& out) {
  const int kind = proto.kind();
  if (!IsOpKind(kind) || !SchemaOf(static_cast<OpKind>(kind)).in_graph) {
    return Bad(where, absl::StrCat("expected a kind of operator that this program knows, found ", kind));
  }
  out.kind = static_cast<OpKind>(kind);
  const OpSchema& schema = SchemaOf(out.kind);
  if (absl::Status s = CheckRange(where, "activation", proto.activation(), 0, kNumFusedActivations - 1); !s.ok()) return s;
  out.activation = static_cast<FusedActivation>(proto.activation());
  if (schema.Allows(out.activation)) return absl::OkStatus();
  return Bad(where, absl::StrCat("expected no activation that ", schema.name, " cannot have, found ", Name(out.activation)));
}

/// Names of values become those of files and tensors.
absl::Status CheckName(absl::string_view where, absl::string_view field, absl::string_view name) {
  const auto plain = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.'; };
  if (!name.empty() && name.size() <= kMaxNameBytes && name.front() != '.' && std::all_of(name.begin(), name.end(), plain)) {
    return absl::OkStatus();
  }
  return Bad(where, absl::StrCat("expected a ", field, " of 1 to ", kMaxNameBytes, " letters, digits, '-', '_' or '.', found \"",
                                 absl::CHexEscape(name.substr(0, kShownNameBytes)), "\" of ", name.size(), " bytes"));
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
  if (absl::Status s = ReadType(where, "type", proto.type(), ElementType::kInt8, out.type); !s.ok()) return s;
  out.name = proto.name();
  return CheckName(where, "name", out.name);
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
  const int rank = SchemaOf(out.kind).has_window ? 4 : 2;
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
  if (absl::Status s = ReadKind(where, proto, out); !s.ok()) return s;
  if (absl::Status s = ReadType(where, "compute", proto.compute(), ElementType::kInt8, out.compute); !s.ok()) return s;
  if (absl::Status s = ReadType(where, "weight_type", proto.weight_type(), ElementType::kInt2, out.weight_type); !s.ok()) return s;
  const int inputs = SchemaOf(out.kind).num_inputs();
  if (absl::Status s = CheckRange(where, "number of inputs", proto.inputs_size(), inputs, inputs); !s.ok()) return s;
  for (const int32_t id : proto.inputs()) out.inputs.push_back(id);
  out.output = proto.output();
  if (absl::Status s = ReadWindow(where, proto, out); !s.ok()) return s;
  return ReadViews(where, proto, out);
}

/// What CheckGraph takes for granted: ids that exist, ranks that the operator kind needs, windows that fit, divisible groups, bounded
/// weights.
absl::Status CheckOperandShapes(const std::string& where, const Graph& graph, const Operator& op) {
  const auto num_values = static_cast<int64_t>(graph.values.size());
  if (absl::Status s = CheckRange(where, "output", op.output, 0, num_values - 1); !s.ok()) return s;
  for (const ValueId id : op.inputs) {
    if (absl::Status s = CheckRange(where, "input", id, 0, num_values - 1); !s.ok()) return s;
  }
  const OpSchema& schema = SchemaOf(op.kind);
  const Shape& in = graph.value(op.inputs[0]).shape;
  const int64_t channels = graph.value(op.output).shape.back();
  const auto rank = static_cast<int>(in.size());
  if (schema.rank != 0 && rank != schema.rank)
    return Bad(where, absl::StrCat("expected an input of ", schema.rank, " extents, found ", rank));
  if (graph.value(op.output).type != op.compute)
    return Bad(where, "expected the output to have the operator's compute type, found another");
  if (!schema.has_window && (op.kernel != 1 || op.stride != 1 || op.padding != 0 || op.dilation != 1))
    return Bad(where, absl::StrCat("expected no window in ", schema.name));
  if ((!schema.has_groups && op.groups != 1) || in.back() % op.groups != 0 || channels % op.groups != 0) {
    return Bad(where, absl::StrCat("expected groups that divide ", schema.has_groups ? in.back() : 1, " input and ",
                                   schema.has_groups ? channels : 1, " output channels, found ", op.groups));
  }
  if (schema.has_weights) {
    if (op.compute == ElementType::kInt8 && BitWidth(op.weight_type) > 8)
      return Bad(where, "expected integer weights in an int8 layer, found floats");
    const int64_t matrix = channels * (in.back() / op.groups);
    if (absl::Status s = CheckRange(where, "output times input channels", matrix, 1, kMaxElements); !s.ok()) return s;
    if (absl::Status s = CheckRange(where, "number of weights", matrix * op.kernel * op.kernel, 1, kMaxElements); !s.ok()) return s;
  }
  if (!schema.has_window) return absl::OkStatus();
  const int64_t window = int64_t{op.dilation} * (op.kernel - 1) + 1;
  if (window > std::min(in[1], in[2]) + 2 * op.padding) return Bad(where, "expected a window no larger than the padded input");
  // Then no window lies in the padding alone, which has no maximum.
  if (!schema.has_weights && 2 * op.padding >= op.kernel)
    return Bad(where, absl::StrCat("expected a padding of less than half the kernel in ", schema.name));
  return absl::OkStatus();
}

}  // namespace

void GraphToProto(const Graph& graph, wire::Graph* proto) {
  for (const Value& value : graph.values) {
    wire::Value* out = proto->add_values();
    for (const int64_t extent : value.shape) out->add_shape(extent);
    out->set_type(ToWire(value.type));
    out->set_name(value.name);
  }
  for (const Operator& op : graph.operators) OperatorToProto(op, proto->add_operators());
  proto->set_input(graph.input);
  proto->set_output(graph.output);
  proto->set_output_name(graph.output_name);
}

absl::StatusOr<Graph> GraphFromProto(const wire::Graph& proto) {
  if (absl::Status s = CheckRange("values", "number of values", proto.values_size(), 1, kMaxNodes); !s.ok()) return s;
  if (absl::Status s = CheckRange("operators", "number of operators", proto.operators_size(), 0, kMaxNodes); !s.ok()) return s;
  Graph graph;
  graph.values.resize(static_cast<size_t>(proto.values_size()));
  graph.operators.resize(static_cast<size_t>(proto.operators_size()));
  absl::flat_hash_set<absl::string_view> names;
  int64_t elements = 0;
  for (int i = 0; i < proto.values_size(); ++i) {
    const std::string where = absl::StrCat("values[", i, "]");
    Value& value = graph.values[static_cast<size_t>(i)];
    if (absl::Status s = ReadValue(where, proto.values(i), value); !s.ok()) return s;
    if (!names.insert(value.name).second) return Bad(where, absl::StrCat("expected a name of its own, found ", value.name, " again"));
    elements += NumElements(value.shape);
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
  graph.output_name = proto.output_name();
  if (!graph.output_name.empty()) {
    if (absl::Status s = CheckName("output_name", "name", graph.output_name); !s.ok()) return s;
  }
  if (absl::Status status = CheckGraph(graph); !status.ok()) return absl::InvalidArgumentError(status.message());
  return graph;
}

}  // namespace hanas
