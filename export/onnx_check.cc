// SPDX-License-Identifier: Apache-2.0
#include "export/onnx_check.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "export/onnx_operators.h"
#include "export/onnx_writer.h"
#include "onnx/onnx_pb.h"

namespace hanas {
namespace {

using Dims = std::vector<int64_t>;

constexpr int64_t kMaxWindow = 255;  // kernel, stride, padding, dilation
constexpr int kMaxRank = 4;

absl::Status Bad(absl::string_view what) { return absl::InvalidArgumentError(absl::StrCat("model file: ", what)); }

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", absl::CHexEscape(text.substr(0, 60)), "\""); }

std::string ToText(const Dims& dims) { return absl::StrCat("[", absl::StrJoin(dims, ", "), "]"); }

// ---- fields ----

/// The fields that the writer sets, by message. No field leads to another graph, another file, a function or another domain.
bool IsWritten(const google::protobuf::FieldDescriptor& field) {
  static const auto* const kFields = new std::map<std::string, std::set<std::string>, std::less<>>{
      {"ModelProto", {"ir_version", "opset_import", "producer_name", "producer_version", "graph", "metadata_props"}},
      {"OperatorSetIdProto", {"version"}},
      {"StringStringEntryProto", {"key", "value"}},
      {"GraphProto", {"node", "name", "initializer", "input", "output"}},
      {"NodeProto", {"input", "output", "name", "op_type", "attribute"}},
      {"AttributeProto", {"name", "type", "i", "f", "ints"}},
      {"TensorProto", {"dims", "data_type", "name", "raw_data"}},
      {"ValueInfoProto", {"name", "type"}},
      {"TypeProto", {"tensor_type"}},
      {"Tensor", {"elem_type", "shape"}},
      {"TensorShapeProto", {"dim"}},
      {"Dimension", {"dim_value", "dim_param"}},
  };
  const auto message = kFields->find(std::string(field.containing_type()->name()));
  return message != kFields->end() && message->second.contains(std::string(field.name()));
}

absl::Status CheckFields(const google::protobuf::Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const std::string name(message.GetDescriptor()->name());
  if (!reflection.GetUnknownFields(message).empty())
    return Bad(absl::StrCat("expected only what this program writes, found an unknown field in a ", name));
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const google::protobuf::FieldDescriptor* field : fields) {
    if (!IsWritten(*field)) {
      return Bad(absl::StrCat("expected only what this program writes (no external data, subgraphs, functions, or other domains), found ",
                              name, ".", std::string(field->name())));
    }
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const google::protobuf::Message& part =
          field->is_repeated() ? reflection.GetRepeatedMessage(message, field, i) : reflection.GetMessage(message, field);
      if (absl::Status status = CheckFields(part); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

// ---- tensors ----

struct Tensor {
  int type = 0;
  Dims dims;                                  // a batch of 1 in front, where the model says 1 or "N"
  const onnx::TensorProto* stored = nullptr;  // an initialiser
  bool constant = false;                      // computed from initialisers alone
};

int BitsOf(int type) {
  switch (type) {
    case onnx::TensorProto::FLOAT:
    case onnx::TensorProto::INT32:
      return 32;
    case onnx::TensorProto::FLOAT16:
      return 16;
    case onnx::TensorProto::UINT8:
      return 8;
    case onnx::TensorProto::INT4:
      return 4;
    case kOnnxInt2:
      return 2;
    case onnx::TensorProto::INT64:
      return 64;
    default:
      return 0;
  }
}

/// The product of `dims`, each of which must be 1 or more; -1 when they are not or there are too many elements.
int64_t CountElements(const Dims& dims) {
  int64_t elements = 1;
  for (const int64_t extent : dims) {
    if (extent < 1 || extent > kMaxOnnxElements / elements) return -1;
    elements *= extent;
  }
  return elements;
}

/// Follows a graph from its inputs to its outputs, and knows each tensor by its name.
class Checker {
 public:
  explicit Checker(const onnx::ModelProto& model) : model_(model), graph_(model.graph()) {}

  absl::Status Check() {
    if (absl::Status status = CheckModel(); !status.ok()) return status;
    for (const onnx::TensorProto& tensor : graph_.initializer()) {
      if (absl::Status status = AddInitializer(tensor); !status.ok()) return status;
    }
    if (absl::Status status = AddInput(); !status.ok()) return status;
    for (int i = 0; i < graph_.node_size(); ++i) {
      if (absl::Status status = AddNode(i); !status.ok()) return status;
    }
    return CheckOutputs();
  }

 private:
  absl::Status CheckModel() const {
    if (model_.opset_import_size() != 1) return Bad(absl::StrCat("expected one operator set, found ", model_.opset_import_size()));
    const OnnxVersion found = {.opset = model_.opset_import(0).version(), .ir = model_.ir_version()};
    const auto is = [&](const OnnxVersion& version) { return found.opset == version.opset && found.ir == version.ir; };
    if (!is(kOnnxVersion) && !is(kOnnxInt2Version)) {
      return Bad(absl::StrCat("expected operator set ", kOnnxVersion.opset, " with IR ", kOnnxVersion.ir, " or ", kOnnxInt2Version.opset,
                              " with ", kOnnxInt2Version.ir, ", found ", found.opset, " with ", found.ir));
    }
    if (graph_.node_size() < 1 || graph_.node_size() > kMaxOnnxNodes)
      return Bad(absl::StrCat("expected 1 to ", kMaxOnnxNodes, " operators, found ", graph_.node_size()));
    for (const onnx::StringStringEntryProto& entry : model_.metadata_props()) {
      if (!absl::StartsWith(entry.key(), kOnnxMetadataPrefix))
        return Bad(absl::StrCat("expected metadata with keys that begin with ", kOnnxMetadataPrefix, ", found ", Quoted(entry.key())));
    }
    return absl::OkStatus();
  }

  absl::Status Define(const std::string& name, Tensor tensor) {
    const int64_t elements = CountElements(tensor.dims);
    if (elements < 0 || tensor.dims.size() > kMaxRank) {
      return Bad(absl::StrCat("expected at most ", kMaxRank, " extents of 1 or more and ", kMaxOnnxElements, " elements, found ",
                              ToText(tensor.dims), " at ", Quoted(name)));
    }
    if (elements > kMaxOnnxElements - elements_)
      return Bad(absl::StrCat("expected all tensors to have ", kMaxOnnxElements, " elements together, found more at ", Quoted(name)));
    elements_ += elements;
    if (name.empty()) return Bad("expected tensors with names, found one without");
    if (!tensors_.emplace(name, std::move(tensor)).second)
      return Bad(absl::StrCat("expected every tensor to be defined once, found ", Quoted(name), " again"));
    return absl::OkStatus();
  }

  absl::Status AddInitializer(const onnx::TensorProto& proto) {
    const int bits = BitsOf(proto.data_type());
    if (bits == 0)
      return Bad(absl::StrCat("expected a type of tensors that is written, found ", proto.data_type(), " at ", Quoted(proto.name())));
    Tensor tensor = {.type = proto.data_type(), .dims = Dims(proto.dims().begin(), proto.dims().end()), .stored = &proto, .constant = true};
    if (absl::Status status = Define(proto.name(), tensor); !status.ok()) return status;
    const int64_t bytes = (CountElements(tensor.dims) * bits + 7) / 8;
    if (static_cast<int64_t>(proto.raw_data().size()) == bytes) return absl::OkStatus();
    return Bad(absl::StrCat("expected ", bytes, " bytes for ", ToText(tensor.dims), ", found ", proto.raw_data().size(), " at ",
                            Quoted(proto.name())));
  }

  /// The declared form of an input or output, its first extent 1 or the symbol of the batch.
  absl::StatusOr<Tensor> Declared(const onnx::ValueInfoProto& info, bool& symbolic) const {
    const onnx::TypeProto::Tensor& type = info.type().tensor_type();
    Tensor tensor = {.type = type.elem_type()};
    for (int i = 0; i < type.shape().dim_size(); ++i) {
      const onnx::TensorShapeProto::Dimension& dim = type.shape().dim(i);
      const bool batch = i == 0 && dim.dim_param() == kOnnxBatchSymbol;
      if (!batch && !dim.has_dim_value())
        return Bad(absl::StrCat("expected extents that are numbers, found none at ", Quoted(info.name())));
      if (i == 0) symbolic = batch;
      tensor.dims.push_back(batch ? 1 : dim.dim_value());
    }
    return tensor;
  }

  absl::Status AddInput() {
    if (graph_.input_size() != 1) return Bad(absl::StrCat("expected one input, found ", graph_.input_size()));
    const onnx::ValueInfoProto& info = graph_.input(0);
    const absl::StatusOr<Tensor> tensor = Declared(info, symbolic_);
    if (!tensor.ok()) return tensor.status();
    if (info.name() != kOnnxInputName || tensor->type != onnx::TensorProto::FLOAT || tensor->dims.size() != 4 || tensor->dims[0] != 1) {
      return Bad(absl::StrCat("expected the input ", kOnnxInputName, " of floats with a batch of 1 or ", kOnnxBatchSymbol,
                              ", channels, height, and width, found ", Quoted(info.name()), " of type ", tensor->type, " with ",
                              ToText(tensor->dims)));
    }
    return Define(info.name(), *tensor);
  }

  absl::Status CheckOutputs() const {
    bool logits = false;
    for (const onnx::ValueInfoProto& info : graph_.output()) {
      bool symbolic = false;
      const absl::StatusOr<Tensor> declared = Declared(info, symbolic);
      if (!declared.ok()) return declared.status();
      const auto computed = tensors_.find(info.name());
      if (computed == tensors_.end()) return Bad(absl::StrCat("expected outputs that are computed, found ", Quoted(info.name())));
      const Tensor& tensor = computed->second;
      if (tensor.constant || tensor.type != declared->type || tensor.dims != declared->dims || symbolic != symbolic_) {
        return Bad(absl::StrCat("expected the output ", Quoted(info.name()), " to be declared as it is computed, type ", tensor.type,
                                " with ", ToText(tensor.dims), ", found type ", declared->type, " with ", ToText(declared->dims)));
      }
      if (info.name() != kOnnxOutputName) continue;
      logits = tensor.type == onnx::TensorProto::FLOAT && tensor.dims.size() == 2;
    }
    return logits ? absl::OkStatus()
                  : Bad(absl::StrCat("expected an output ", kOnnxOutputName, " of floats with a batch and classes, found none"));
  }

  // ---- operators ----

  absl::Status AddNode(int index) {
    node_ = &graph_.node(index);
    const auto where = [&](const absl::Status& status) {
      return status.ok() ? status
                         : absl::InvalidArgumentError(absl::StrCat(status.message(), " (operator ", index, ", ", Quoted(node_->op_type()),
                                                                   ", ", Quoted(node_->name()), ")"));
    };
    const OnnxOpDescription* op = FindOnnxOp(node_->op_type());
    if (op == nullptr) return where(Bad("expected an operator that this program writes, found another"));
    if (absl::Status status = CheckForm(*op); !status.ok()) return where(status);
    inputs_.clear();
    for (const std::string& input : node_->input()) {
      const auto found = tensors_.find(input);
      if (found == tensors_.end()) return where(Bad(absl::StrCat("expected inputs that are computed before, found ", Quoted(input))));
      inputs_.push_back(found->second);
    }
    absl::StatusOr<Tensor> output = Infer(op->op);
    if (!output.ok()) return where(output.status());
    output->constant = std::all_of(inputs_.begin(), inputs_.end(), [](const Tensor& input) { return input.constant; });
    return where(Define(node_->output(0), *std::move(output)));
  }

  absl::Status CheckForm(const OnnxOpDescription& op) const {
    if (node_->output_size() != 1) return Bad(absl::StrCat("expected one output, found ", node_->output_size()));
    if (node_->input_size() < op.min_inputs || node_->input_size() > op.max_inputs)
      return Bad(absl::StrCat("expected ", op.min_inputs, " to ", op.max_inputs, " inputs, found ", node_->input_size()));
    std::set<std::string> names;
    for (const onnx::AttributeProto& attribute : node_->attribute()) {
      const OnnxAttribute* known = FindAttribute(op, attribute.name());
      if (known == nullptr) return Bad(absl::StrCat("expected attributes that this program writes, found ", Quoted(attribute.name())));
      if (attribute.type() != TypeOf(known->type))
        return Bad(absl::StrCat("expected another type of the attribute ", Quoted(attribute.name())));
      if (!names.insert(attribute.name()).second) return Bad(absl::StrCat("expected the attribute ", Quoted(attribute.name()), " once"));
    }
    for (const OnnxAttribute& attribute : op.attributes) {
      if (attribute.required && !names.contains(std::string(attribute.name)))
        return Bad(absl::StrCat("expected the attribute ", attribute.name, ", found none"));
    }
    return absl::OkStatus();
  }

  static onnx::AttributeProto::AttributeType TypeOf(OnnxAttributeType type) {
    switch (type) {
      case OnnxAttributeType::kInt:
        return onnx::AttributeProto::INT;
      case OnnxAttributeType::kFloat:
        return onnx::AttributeProto::FLOAT;
      case OnnxAttributeType::kInts:
        return onnx::AttributeProto::INTS;
    }
    return onnx::AttributeProto::UNDEFINED;
  }

  const onnx::AttributeProto* Attribute(absl::string_view name) const {
    const auto found = std::find_if(node_->attribute().begin(), node_->attribute().end(),
                                    [name](const onnx::AttributeProto& attribute) { return attribute.name() == name; });
    return found == node_->attribute().end() ? nullptr : &*found;
  }
  bool Is(absl::string_view name, int64_t value) const {
    const onnx::AttributeProto* attribute = Attribute(name);
    return attribute != nullptr && attribute->i() == value;
  }
  Dims Ints(absl::string_view name) const {
    const onnx::AttributeProto* attribute = Attribute(name);
    return {attribute->ints().begin(), attribute->ints().end()};
  }

  /// The type and shape of what the operator computes.
  absl::StatusOr<Tensor> Infer(OnnxOp op) const {
    switch (op) {
      case OnnxOp::kAdd:
        return InferElementwise(/*may_spread=*/false);
      case OnnxOp::kMul:
        return InferElementwise(/*may_spread=*/true);
      case OnnxOp::kHardSigmoid:
      case OnnxOp::kRelu:
      case OnnxOp::kSigmoid:
        if (!IsValue(0, 0)) return BadInputs("floats");
        return inputs_[0];
      case OnnxOp::kClip:
        if (!IsValue(0, 0) || !IsStored(1, onnx::TensorProto::FLOAT, {}) || !IsStored(2, onnx::TensorProto::FLOAT, {}))
          return BadInputs("floats, and two stored bounds");
        return inputs_[0];
      case OnnxOp::kConv:
        return InferConv();
      case OnnxOp::kMaxPool:
        return InferMaxPool();
      case OnnxOp::kGemm:
        return InferGemm();
      case OnnxOp::kGlobalAveragePool:
      case OnnxOp::kGlobalMaxPool:
        if (!IsValue(0, 4)) return BadInputs("an image of floats");
        return Tensor{.type = inputs_[0].type, .dims = {1, inputs_[0].dims[1], 1, 1}};
      case OnnxOp::kFlatten: {
        const Dims& dims = inputs_[0].dims;
        if (inputs_[0].constant || dims.size() != 4 || dims[2] != 1 || dims[3] != 1 || !Is("axis", 1))
          return BadInputs("an image of one pixel, flattened from axis 1");
        return Tensor{.type = inputs_[0].type, .dims = {1, dims[1]}};
      }
      case OnnxOp::kUnsqueeze:
        if (inputs_[0].constant || inputs_[0].dims.size() != 2 || !AxesAre({2, 3})) return BadInputs("channels, and the axes 2 and 3");
        return Tensor{.type = inputs_[0].type, .dims = {1, inputs_[0].dims[1], 1, 1}};
      case OnnxOp::kQuantizeLinear:
        if (!IsValue(0, 0) || !IsQuantizer(onnx::TensorProto::UINT8)) return BadInputs("floats, a scale, and a zero point");
        return Tensor{.type = onnx::TensorProto::UINT8, .dims = inputs_[0].dims};
      case OnnxOp::kDequantizeLinear:
        return InferDequantize();
      case OnnxOp::kCast:
        if (inputs_[0].stored == nullptr || inputs_[0].type != onnx::TensorProto::FLOAT16 || !Is("to", onnx::TensorProto::FLOAT))
          return BadInputs("stored halves, cast to floats");
        return Tensor{.type = onnx::TensorProto::FLOAT, .dims = inputs_[0].dims};
    }
    return BadInputs("an operator that this program writes");
  }

  absl::Status BadInputs(absl::string_view expected) const {
    std::vector<std::string> found;
    for (const Tensor& input : inputs_)
      found.push_back(absl::StrCat(input.constant ? "constants" : "values", " of type ", input.type, " with ", ToText(input.dims)));
    return Bad(absl::StrCat("expected ", expected, ", found ", absl::StrJoin(found, "; ")));
  }

  /// A float that depends on the image; `rank` 0 is any.
  bool IsValue(size_t input, size_t rank) const {
    const Tensor& tensor = inputs_[input];
    return !tensor.constant && tensor.type == onnx::TensorProto::FLOAT && (rank == 0 || tensor.dims.size() == rank);
  }
  bool IsConstant(size_t input, const Dims& dims) const {
    const Tensor& tensor = inputs_[input];
    return tensor.constant && tensor.type == onnx::TensorProto::FLOAT && tensor.dims == dims;
  }
  bool IsStored(size_t input, int type, const Dims& dims) const {
    const Tensor& tensor = inputs_[input];
    return tensor.stored != nullptr && tensor.type == type && tensor.dims == dims;
  }
  bool IsQuantizer(int type) const { return inputs_.size() == 3 && IsStored(1, onnx::TensorProto::FLOAT, {}) && IsStored(2, type, {}); }
  bool AxesAre(const Dims& axes) const {
    if (!IsStored(1, onnx::TensorProto::INT64, {static_cast<int64_t>(axes.size())})) return false;
    const std::string& raw = inputs_[1].stored->raw_data();
    for (size_t i = 0; i < axes.size(); ++i) {
      for (size_t byte = 0; byte < sizeof(int64_t); ++byte) {
        if (static_cast<unsigned char>(raw[i * sizeof(int64_t) + byte]) != ((static_cast<uint64_t>(axes[i]) >> (8 * byte)) & 0xffU))
          return false;
      }
    }
    return true;
  }

  absl::StatusOr<Tensor> InferElementwise(bool may_spread) const {
    if (!IsValue(0, 0) || !IsValue(1, 0)) return BadInputs("floats");
    const Dims& left = inputs_[0].dims;
    const Dims& right = inputs_[1].dims;
    const bool spread = may_spread && left.size() == 4 && right == Dims{1, left[1], 1, 1};
    if (left != right && !spread) return BadInputs("operands of one shape");
    return Tensor{.type = onnx::TensorProto::FLOAT, .dims = left};
  }

  /// Height and width of what the operator's window makes of the image that it reads.
  absl::StatusOr<Dims> InferWindow() const {
    const Dims& image = inputs_[0].dims;
    const Dims kernel = Ints("kernel_shape");
    const Dims strides = Ints("strides");
    const Dims pads = Ints("pads");
    const Dims dilations = Ints("dilations");
    const auto within = [](const Dims& numbers, size_t size, int64_t least) {
      return numbers.size() == size &&
             std::all_of(numbers.begin(), numbers.end(), [&](int64_t n) { return n >= least && n <= kMaxWindow; });
    };
    if (!within(kernel, 2, 1) || !within(strides, 2, 1) || !within(pads, 4, 0) || !within(dilations, 2, 1))
      return BadInputs(absl::StrCat("a window, strides, paddings and dilations of at most ", kMaxWindow));
    Dims output;
    for (size_t axis = 0; axis < 2; ++axis) {
      const int64_t padded = image[axis + 2] + pads[axis] + pads[axis + 2];
      const int64_t window = dilations[axis] * (kernel[axis] - 1) + 1;
      if (window > padded) return BadInputs("a window no larger than the padded image");
      output.push_back((padded - window) / strides[axis] + 1);
    }
    return output;
  }

  absl::StatusOr<Tensor> InferConv() const {
    const Tensor& weight = inputs_[1];
    if (!IsValue(0, 4) || weight.dims.size() != 4 || !IsConstant(1, weight.dims) || !IsConstant(2, {weight.dims[0]}))
      return BadInputs("an image, weights, and a bias for each output channel");
    const int64_t channels = inputs_[0].dims[1];
    const int64_t groups = Attribute("group")->i();
    if (groups < 1 || channels % groups != 0 || weight.dims[0] % groups != 0 || channels / groups != weight.dims[1])
      return BadInputs(absl::StrCat("weights for ", channels, " channels in ", groups, " groups"));
    const absl::StatusOr<Dims> extents = InferWindow();
    if (!extents.ok()) return extents.status();
    if (Ints("kernel_shape") != Dims(weight.dims.begin() + 2, weight.dims.end())) return BadInputs("a window of the size of the weights");
    return Tensor{.type = onnx::TensorProto::FLOAT, .dims = {1, weight.dims[0], (*extents)[0], (*extents)[1]}};
  }

  absl::StatusOr<Tensor> InferMaxPool() const {
    if (!IsValue(0, 4)) return BadInputs("an image of floats");
    const absl::StatusOr<Dims> extents = InferWindow();
    if (!extents.ok()) return extents.status();
    const Dims kernel = Ints("kernel_shape");
    const Dims pads = Ints("pads");
    for (size_t side = 0; side < pads.size(); ++side) {
      if (2 * pads[side] >= kernel[side % 2]) return BadInputs("paddings of less than half the window");
    }
    return Tensor{.type = onnx::TensorProto::FLOAT, .dims = {1, inputs_[0].dims[1], (*extents)[0], (*extents)[1]}};
  }

  absl::StatusOr<Tensor> InferGemm() const {
    const Dims& weight = inputs_[1].dims;
    if (!IsValue(0, 2) || weight.size() != 2 || !IsConstant(1, weight) || weight[1] != inputs_[0].dims[1] || !IsConstant(2, {weight[0]}) ||
        !Is("transB", 1))
      return BadInputs("features, transposed weights for them, and a bias for each output");
    return Tensor{.type = onnx::TensorProto::FLOAT, .dims = {1, weight[0]}};
  }

  /// One scale and zero point for a value, or one for each of its channels.
  bool IsValueQuantizer(const Dims& value) const {
    if (Attribute("axis") == nullptr) return IsQuantizer(onnx::TensorProto::UINT8);
    if (!Is("axis", 1) || value.size() < 2 || inputs_.size() != 3) return false;
    const Dims channels = {value[1]};
    return IsStored(1, onnx::TensorProto::FLOAT, channels) && IsStored(2, onnx::TensorProto::UINT8, channels);
  }

  absl::StatusOr<Tensor> InferDequantize() const {
    const Tensor& integers = inputs_[0];
    if (!integers.constant) {
      if (integers.type != onnx::TensorProto::UINT8 || !IsValueQuantizer(integers.dims))
        return BadInputs("integers, a scale, and a zero point, or with axis 1 both for each channel");
      return Tensor{.type = onnx::TensorProto::FLOAT, .dims = integers.dims};
    }
    const bool is_weight =
        integers.type == onnx::TensorProto::UINT8 || integers.type == onnx::TensorProto::INT4 || integers.type == kOnnxInt2;
    const bool is_bias = integers.type == onnx::TensorProto::INT32 && integers.dims.size() == 1;
    if (integers.stored == nullptr || integers.dims.empty() || (!is_weight && !is_bias) || !Is("axis", 0))
      return BadInputs("stored weights or biases, with axis 0");
    const Dims channels = {integers.dims[0]};
    const bool zero_points = is_weight ? inputs_.size() == 3 && IsStored(2, integers.type, channels) : inputs_.size() == 2;
    if (!IsStored(1, onnx::TensorProto::FLOAT, channels) || !zero_points)
      return BadInputs("a scale for each output channel, and of weights a zero point");
    return Tensor{.type = onnx::TensorProto::FLOAT, .dims = integers.dims};
  }

  const onnx::ModelProto& model_;
  const onnx::GraphProto& graph_;
  absl::flat_hash_map<std::string, Tensor> tensors_;
  int64_t elements_ = 0;
  bool symbolic_ = false;

  // These belong to the operator that is being looked at.
  const onnx::NodeProto* node_ = nullptr;
  std::vector<Tensor> inputs_;
};

}  // namespace

absl::Status CheckOnnx(absl::string_view bytes) {
  if (bytes.empty() || static_cast<int64_t>(bytes.size()) > kMaxOnnxBytes)
    return Bad(absl::StrCat("expected 1 to ", kMaxOnnxBytes, " bytes, found ", bytes.size()));
  onnx::ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return Bad("expected an ONNX model, found bytes that are none; was it cut short?");
  if (absl::Status status = CheckFields(model); !status.ok()) return status;
  return Checker(model).Check();
}

}  // namespace hanas
