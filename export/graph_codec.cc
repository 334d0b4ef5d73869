// SPDX-License-Identifier: Apache-2.0
#include "export/graph_codec.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/graph/op_schema.h"

namespace hanas {
namespace {

// Bounds of what a reader may be asked to hold. Products of admitted extents stay far below 2^63.
constexpr int64_t kMaxExtent = int64_t{1} << 24;
constexpr int64_t kMaxElements = int64_t{1} << 28;  // of one tensor of weights, and of all values of a graph together
constexpr int kMaxKernel = 255;
constexpr size_t kMaxNameBytes = 200;
constexpr size_t kShownNameBytes = 40;  // in messages

// Writing. Enumerators have in the file the numbers that core gives them: core/graph/graph.h and element_type.h say that they are for ever.

/// What does not fit is written as the largest number, which is out of bounds for every reader.
uint32_t Narrow(int64_t number) {
  constexpr uint32_t kLargest = std::numeric_limits<uint32_t>::max();
  return number >= 0 && number < kLargest ? static_cast<uint32_t>(number) : kLargest;
}

std::unique_ptr<file::WeightViewT> ViewToFile(const WeightView& view) {
  if (!view.present()) return nullptr;
  auto out = std::make_unique<file::WeightViewT>();
  out->slot = view.slot;
  for (const AxisSlice& slice : view.slices) out->slices.emplace_back(Narrow(slice.begin), Narrow(slice.count));
  for (const KernelTransform& step : view.transforms) out->transforms.emplace_back(Narrow(step.from), Narrow(step.to), step.matrix);
  return out;
}

std::unique_ptr<file::ValueT> ValueToFile(const Value& value) {
  auto out = std::make_unique<file::ValueT>();
  for (const int64_t extent : value.shape) out->shape.push_back(Narrow(extent));
  out->type = static_cast<uint8_t>(value.type);
  out->name = value.name;
  return out;
}

std::unique_ptr<file::OperatorT> OperatorToFile(const Operator& op) {
  auto out = std::make_unique<file::OperatorT>();
  out->kind = static_cast<uint8_t>(op.kind);
  out->inputs.assign(op.inputs.begin(), op.inputs.end());
  out->output = op.output;
  out->compute = static_cast<uint8_t>(op.compute);
  out->weight_type = static_cast<uint8_t>(op.weight_type);
  out->kernel = Narrow(op.kernel);
  out->stride = Narrow(op.stride);
  out->padding = Narrow(op.padding);
  out->dilation = Narrow(op.dilation);
  out->groups = Narrow(op.groups);
  out->activation = static_cast<uint8_t>(op.activation);
  out->weight = ViewToFile(op.weight);
  out->bias = ViewToFile(op.bias);
  out->norm_gamma = ViewToFile(op.norm.gamma);
  out->norm_beta = ViewToFile(op.norm.beta);
  return out;
}

template <typename Vector>
size_t BytesOf(const Vector* vector, size_t element) {
  return vector == nullptr ? 0 : vector->size() * element;
}

size_t ViewContentBytes(const file::WeightView* view) {
  if (view == nullptr) return 0;
  return BytesOf(view->slices(), sizeof(file::AxisSlice)) + BytesOf(view->transforms(), sizeof(file::KernelTransform));
}

// Reading. `where` is the path of the table in the file: "values[3]", "operators[7].weight".

absl::Status Bad(absl::string_view where, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("graph.", where, ": ", what));
}

absl::Status CheckRange(absl::string_view where, absl::string_view field, int64_t found, int64_t least, int64_t most) {
  if (found >= least && found <= most) return absl::OkStatus();
  return Bad(where, absl::StrCat("expected ", field, " in [", least, ", ", most, "], found ", found));
}

/// A type whose enumerator is `last` at most.
absl::Status ReadType(absl::string_view where, absl::string_view field, uint8_t type, ElementType last, ElementType& out) {
  if (absl::Status s = CheckRange(where, field, type, 0, static_cast<int>(last)); !s.ok()) return s;
  out = static_cast<ElementType>(type);
  return absl::OkStatus();
}

/// A kind that graphs have and an activation that it may have.
absl::Status ReadKind(absl::string_view where, const file::Operator& table, Operator& out) {
  const int kind = table.kind();
  if (!IsOpKind(kind) || !SchemaOf(static_cast<OpKind>(kind)).in_graph) {
    return Bad(where, absl::StrCat("expected a kind of operator that this program knows, found ", kind));
  }
  out.kind = static_cast<OpKind>(kind);
  const OpSchema& schema = SchemaOf(out.kind);
  if (absl::Status s = CheckRange(where, "activation", table.activation(), 0, kNumFusedActivations - 1); !s.ok()) return s;
  out.activation = static_cast<FusedActivation>(table.activation());
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

absl::Status ReadValue(absl::string_view where, const file::Value& table, Value& out) {
  const size_t rank = table.shape()->size();
  if (rank != 2 && rank != 4) return Bad(where, absl::StrCat("expected 2 or 4 extents, found ", rank));
  int64_t elements = 1;
  for (const int64_t extent : *table.shape()) {
    if (absl::Status s = CheckRange(where, "extent", extent, 1, kMaxExtent); !s.ok()) return s;
    elements *= extent;
    if (absl::Status s = CheckRange(where, "number of elements", elements, 1, kMaxElements); !s.ok()) return s;
    out.shape.push_back(extent);
  }
  if (absl::Status s = ReadType(where, "type", table.type(), ElementType::kInt8, out.type); !s.ok()) return s;
  out.name = table.name()->str();
  return CheckName(where, "name", out.name);
}

absl::Status ReadView(absl::string_view where, const file::WeightView& table, size_t rank, WeightView& out) {
  if (absl::Status s = CheckRange(where, "slot", table.slot(), 0, std::numeric_limits<SlotId>::max()); !s.ok()) return s;
  out.slot = table.slot();
  if (table.slices()->size() != rank) return Bad(where, absl::StrCat("expected ", rank, " slices, found ", table.slices()->size()));
  for (const file::AxisSlice* slice : *table.slices()) {
    if (absl::Status s = CheckRange(where, "begin of a slice", slice->begin(), 0, kMaxExtent); !s.ok()) return s;
    if (absl::Status s = CheckRange(where, "count of a slice", slice->count(), 1, kMaxExtent); !s.ok()) return s;
    out.slices.push_back({slice->begin(), slice->count()});
  }
  if (table.transforms() == nullptr) return absl::OkStatus();
  for (const file::KernelTransform* step : *table.transforms()) {
    if (absl::Status s = CheckRange(where, "kernel before a transform", step->from(), 1, kMaxKernel); !s.ok()) return s;
    if (absl::Status s = CheckRange(where, "kernel after a transform", step->to(), 1, step->from()); !s.ok()) return s;
    if (absl::Status s = CheckRange(where, "slot of a transform", step->matrix(), 0, std::numeric_limits<SlotId>::max()); !s.ok()) return s;
    out.transforms.push_back({static_cast<int>(step->from()), static_cast<int>(step->to()), step->matrix()});
  }
  return absl::OkStatus();
}

absl::Status ReadViews(const std::string& where, const file::Operator& table, Operator& out) {
  const size_t rank = SchemaOf(out.kind).has_window ? 4 : 2;
  if (table.weight() != nullptr) {
    if (absl::Status s = ReadView(where + ".weight", *table.weight(), rank, out.weight); !s.ok()) return s;
  }
  if (table.bias() != nullptr) {
    if (absl::Status s = ReadView(where + ".bias", *table.bias(), 1, out.bias); !s.ok()) return s;
  }
  if ((table.norm_gamma() == nullptr) != (table.norm_beta() == nullptr)) {
    return Bad(where, "expected both or none of norm_gamma and norm_beta, found one");
  }
  if (table.norm_gamma() == nullptr) return absl::OkStatus();
  if (absl::Status s = ReadView(where + ".norm_gamma", *table.norm_gamma(), 1, out.norm.gamma); !s.ok()) return s;
  return ReadView(where + ".norm_beta", *table.norm_beta(), 1, out.norm.beta);
}

absl::Status ReadWindow(const std::string& where, const file::Operator& table, Operator& out) {
  if (absl::Status s = CheckRange(where, "kernel", table.kernel(), 1, kMaxKernel); !s.ok()) return s;
  if (absl::Status s = CheckRange(where, "stride", table.stride(), 1, kMaxKernel); !s.ok()) return s;
  if (absl::Status s = CheckRange(where, "padding", table.padding(), 0, kMaxKernel); !s.ok()) return s;
  if (absl::Status s = CheckRange(where, "dilation", table.dilation(), 1, kMaxKernel); !s.ok()) return s;
  if (absl::Status s = CheckRange(where, "groups", table.groups(), 1, kMaxExtent); !s.ok()) return s;
  out.kernel = static_cast<int>(table.kernel());
  out.stride = static_cast<int>(table.stride());
  out.padding = static_cast<int>(table.padding());
  out.dilation = static_cast<int>(table.dilation());
  out.groups = table.groups();
  return absl::OkStatus();
}

absl::Status ReadOperator(const std::string& where, const file::Operator& table, Operator& out) {
  if (absl::Status s = ReadKind(where, table, out); !s.ok()) return s;
  if (absl::Status s = ReadType(where, "compute", table.compute(), ElementType::kInt8, out.compute); !s.ok()) return s;
  if (absl::Status s = ReadType(where, "weight_type", table.weight_type(), ElementType::kInt2, out.weight_type); !s.ok()) return s;
  const int inputs = SchemaOf(out.kind).num_inputs();
  if (absl::Status s = CheckRange(where, "number of inputs", table.inputs()->size(), inputs, inputs); !s.ok()) return s;
  out.inputs.assign(table.inputs()->begin(), table.inputs()->end());
  out.output = table.output();
  if (absl::Status s = ReadWindow(where, table, out); !s.ok()) return s;
  return ReadViews(where, table, out);
}

/// The weights of an operator with `inputs` channels for each output are integers in an int8 layer, and not too many.
absl::Status CheckWeights(const std::string& where, const Operator& op, int64_t inputs, int64_t outputs) {
  if (op.compute == ElementType::kInt8 && BitWidth(op.weight_type) > 8) {
    return Bad(where, "expected integer weights in an int8 layer, found floats");
  }
  const int64_t matrix = outputs * inputs;
  if (absl::Status s = CheckRange(where, "output times input channels", matrix, 1, kMaxElements); !s.ok()) return s;
  return CheckRange(where, "number of weights", matrix * op.kernel * op.kernel, 1, kMaxElements);
}

/// The window fits into the padded input, and none lies in the padding alone, which has no maximum.
absl::Status CheckWindow(const std::string& where, const Operator& op, const OpSchema& schema, const Shape& in) {
  const int64_t window = int64_t{op.dilation} * (op.kernel - 1) + 1;
  if (window > std::min(in[1], in[2]) + 2 * op.padding) return Bad(where, "expected a window no larger than the padded input");
  if (!schema.has_weights && 2 * op.padding >= op.kernel) {
    return Bad(where, absl::StrCat("expected a padding of less than half the kernel in ", schema.name));
  }
  return absl::OkStatus();
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
  if (schema.rank != 0 && rank != schema.rank) {
    return Bad(where, absl::StrCat("expected an input of ", schema.rank, " extents, found ", rank));
  }
  if (graph.value(op.output).type != op.compute) {
    return Bad(where, "expected the output to have the operator's compute type, found another");
  }
  if (!schema.has_window && (op.kernel != 1 || op.stride != 1 || op.padding != 0 || op.dilation != 1)) {
    return Bad(where, absl::StrCat("expected no window in ", schema.name));
  }
  if ((!schema.has_groups && op.groups != 1) || in.back() % op.groups != 0 || channels % op.groups != 0) {
    return Bad(where, absl::StrCat("expected groups that divide ", schema.has_groups ? in.back() : 1, " input and ",
                                   schema.has_groups ? channels : 1, " output channels, found ", op.groups));
  }
  if (schema.has_weights) {
    if (absl::Status s = CheckWeights(where, op, in.back() / op.groups, channels); !s.ok()) return s;
  }
  return schema.has_window ? CheckWindow(where, op, schema, in) : absl::OkStatus();
}

}  // namespace

void GraphToFile(const Graph& graph, file::GraphT& out) {
  for (const Value& value : graph.values) out.values.push_back(ValueToFile(value));
  for (const Operator& op : graph.operators) out.operators.push_back(OperatorToFile(op));
  out.input = graph.input;
  out.output = graph.output;
  out.output_name = graph.output_name;
}

size_t GraphContentBytes(const file::Graph& table) {
  size_t bytes = table.output_name()->size();
  for (const file::Value* value : *table.values()) bytes += BytesOf(value->shape(), sizeof(uint32_t)) + value->name()->size();
  for (const file::Operator* op : *table.operators()) {
    bytes += BytesOf(op->inputs(), sizeof(int32_t));
    for (const file::WeightView* view : {op->weight(), op->bias(), op->norm_gamma(), op->norm_beta()}) bytes += ViewContentBytes(view);
  }
  return bytes;
}

absl::StatusOr<Graph> GraphFromFile(const file::Graph& table) {
  const size_t num_values = table.values()->size();
  const size_t num_operators = table.operators()->size();
  if (absl::Status s = CheckRange("values", "number of values", num_values, 1, kMaxGraphNodes); !s.ok()) return s;
  if (absl::Status s = CheckRange("operators", "number of operators", num_operators, 0, kMaxGraphNodes); !s.ok()) return s;
  Graph graph;
  graph.values.resize(num_values);
  graph.operators.resize(num_operators);
  absl::flat_hash_set<absl::string_view> names;
  int64_t elements = 0;
  for (size_t i = 0; i < num_values; ++i) {
    const std::string where = absl::StrCat("values[", i, "]");
    Value& value = graph.values[i];
    if (absl::Status s = ReadValue(where, *table.values()->Get(i), value); !s.ok()) return s;
    if (!names.insert(value.name).second) return Bad(where, absl::StrCat("expected a name of its own, found ", value.name, " again"));
    elements += NumElements(value.shape);
    if (absl::Status s = CheckRange(where, "number of elements of all values", elements, 1, kMaxElements); !s.ok()) return s;
  }
  for (size_t i = 0; i < num_operators; ++i) {
    const std::string where = absl::StrCat("operators[", i, "]");
    Operator& op = graph.operators[i];
    if (absl::Status s = ReadOperator(where, *table.operators()->Get(i), op); !s.ok()) return s;
    if (absl::Status s = CheckOperandShapes(where, graph, op); !s.ok()) return s;
  }
  graph.input = table.input();
  graph.output = table.output();
  graph.output_name = table.output_name()->str();
  if (!graph.output_name.empty()) {
    if (absl::Status s = CheckName("output_name", "name", graph.output_name); !s.ok()) return s;
  }
  if (absl::Status status = CheckGraph(graph); !status.ok()) return absl::InvalidArgumentError(status.message());
  return graph;
}

}  // namespace hanas
