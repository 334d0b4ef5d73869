// SPDX-License-Identifier: Apache-2.0
#include "export/onnx_writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/bound/fit_picture.h"
#include "export/onnx_model.h"
#include "export/onnx_operators.h"

namespace hanas {
namespace {

constexpr float kLargestHalf = 65504.0F;

using Json = nlohmann::ordered_json;

/// The text of `json` on one line. Returns INVALID_ARGUMENT when a string of it is not UTF-8.
absl::StatusOr<std::string> TextOf(const Json& json, absl::string_view what) {
  try {
    return json.dump();
  } catch (const Json::exception&) {
    return absl::InvalidArgumentError(absl::StrCat("model: expected ", what, " in UTF-8, found other bytes"));
  }
}

/// A float as the shortest decimal number that reads back as it.
Json NumbersOf(absl::Span<const float> values) {
  Json numbers = Json::array();
  for (const float value : values) {
    char text[32];
    const std::to_chars_result end = std::to_chars(std::begin(text), std::end(text), value);
    double number = 0;
    std::from_chars(text, end.ptr, number);
    numbers.push_back(number);
  }
  return numbers;
}

struct Metadata {
  std::string key;
  std::string value;
};

/// What the file says about the model. Returns INVALID_ARGUMENT for what is not text: readers refuse the whole file for one such entry.
absl::StatusOr<std::vector<Metadata>> MetadataOf(const BoundModel& model, const std::vector<Warning>& warnings) {
  const Preprocessing& preprocessing = model.preprocessing;
  for (const float number : preprocessing.mean) {
    if (!std::isfinite(number)) return absl::InvalidArgumentError("model: expected finite means in the preprocessing");
  }
  for (const float number : preprocessing.stddev) {
    if (!std::isfinite(number)) return absl::InvalidArgumentError("model: expected finite standard deviations in the preprocessing");
  }
  Json input = {{"height", preprocessing.input_height},
                {"width", preprocessing.input_width},
                {"mean", NumbersOf(preprocessing.mean)},
                {"stddev", NumbersOf(preprocessing.stddev)},
                {"resize", "bilinear, half-pixel centres, no antialiasing"},
                {"scale", "byte/255"}};
  if (const std::optional<PictureForm>& picture = preprocessing.picture; picture.has_value())
    input["picture"] = {{"side", picture->side}, {"fit", Name(picture->fit)}, {"padding", kPadding}};
  input["steps"] = PreparationSteps(preprocessing, model.graph.value(model.graph.input).shape.back());
  const absl::StatusOr<std::string> input_text = TextOf(input, "preprocessing");
  if (!input_text.ok()) return input_text.status();
  const absl::StatusOr<std::string> labels = TextOf(Json(model.labels), "labels");
  if (!labels.ok()) return labels.status();
  for (const std::string* text : {&model.space_name, &model.architecture_digest, &model.checkpoint_sha256}) {
    if (absl::Status status = TextOf(Json(*text), "names and digests").status(); !status.ok()) return status;
  }
  Json warning_list = Json::array();
  for (const Warning& warning : warnings) warning_list.push_back({{"code", warning.code}, {"text", warning.text}});
  const absl::StatusOr<std::string> warnings_text = TextOf(warning_list, "warnings");
  if (!warnings_text.ok()) return warnings_text.status();
  if (!Json::accept(model.architecture_json))
    return absl::InvalidArgumentError("model: expected an architecture in JSON, found another text");
  return std::vector<Metadata>{{"preprocessing", *input_text},
                               {"labels", *labels},
                               {"space", model.space_name},
                               {"architecture", model.architecture_json},
                               {"architecture_digest", model.architecture_digest},
                               {"graph_digest", GraphDigest(model.graph).ToHex()},
                               {"checkpoint_sha256", model.checkpoint_sha256},
                               {"warnings", *warnings_text}};
}

absl::Status CheckHalves(const BoundModel& model) {
  for (size_t i = 0; i < model.weights.size(); ++i) {
    for (const float weight : model.weights[i].floats) {
      if (std::fabs(weight) <= kLargestHalf) continue;
      return absl::InvalidArgumentError(absl::StrCat("model: expected weights within the range of a half, found ", weight, " at ",
                                                     model.graph.name(model.graph.operators[i])));
    }
  }
  return absl::OkStatus();
}

/// Walks the graph once. For each value it knows up to three tensors: its real numbers, its int8 form, and that form dequantised.
class Writer {
 public:
  Writer(const BoundModel& model, const OnnxOptions& options)
      : model_(model), graph_(model.graph), options_(options), onnx_(options.native_int2 ? kOnnxInt2Version : kOnnxVersion) {}

  /// Returns INVALID_ARGUMENT when two tensors would have one name.
  absl::StatusOr<std::string> Write(const std::vector<Metadata>& metadata) && {
    onnx_.SetProducer("hanas", HANAS_VERSION, absl::StrCat(model_.space_name, "/", model_.architecture_digest));
    onnx_.AddInput(kOnnxInputName, ElementType::kFloat32, Dims(graph_.input));
    real_[graph_.input] = kOnnxInputName;
    for (size_t i = 0; i < graph_.operators.size(); ++i) Operate(graph_.operators[i], model_.weights[i]);
    onnx_.AddOutput(kOnnxOutputName, ElementType::kFloat32, Dims(graph_.output));
    if (options_.expose_values) ExposeValues();
    for (const Metadata& entry : metadata) onnx_.AddMetadata(absl::StrCat(kOnnxMetadataPrefix, entry.key), entry.value);
    if (const std::string& name = onnx_.name_given_twice(); !name.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("model: expected values whose names give each tensor of the file one of its own, found two at ", name));
    }
    return onnx_.Serialize();
  }

 private:
  const std::string& NameOf(const Operator& op) const { return graph_.name(op); }
  const std::string& NameOf(ValueId id) const { return graph_.value(id).name; }
  bool IsInt8(ValueId id) const { return graph_.value(id).type == ElementType::kInt8; }

  /// Channels first; 0 stands for the symbolic batch.
  std::vector<int64_t> Dims(ValueId id) const {
    const Shape& shape = graph_.value(id).shape;
    const int64_t batch = options_.dynamic_batch ? 0 : shape[0];
    if (shape.size() == 4) return {batch, shape[3], shape[1], shape[2]};
    return {batch, shape[1]};
  }

  // Quantisers. A value's scale and zero point are initialisers shared by its quantise and dequantise nodes.

  std::string ScaleOf(ValueId id) {
    const std::string name = NameOf(id) + ".scale";
    if (scales_.insert(name).second) {
      const Quantizer& quantizer = model_.quantizers[static_cast<size_t>(id)];
      onnx_.AddFloatScalar(name, quantizer.scale);
      onnx_.AddInt8Scalar(NameOf(id) + ".zero_point", static_cast<int8_t>(quantizer.zero_point));
    }
    return name;
  }
  std::string ZeroPointOf(ValueId id) const { return NameOf(id) + ".zero_point"; }

  std::string Quantize(ValueId id, const std::string& real, const std::string& output) {
    const std::string scale = ScaleOf(id);
    return onnx_.AddNode(OnnxOp::kQuantizeLinear, {real, scale, ZeroPointOf(id)}, output);
  }
  std::string Dequantize(ValueId id, const std::string& quantised, const std::string& output) {
    const std::string scale = ScaleOf(id);
    return onnx_.AddNode(OnnxOp::kDequantizeLinear, {quantised, scale, ZeroPointOf(id)}, output);
  }

  /// The int8 form of a value, made once if its native type is wider.
  std::string Quantised(ValueId id) {
    std::string& name = quantised_[id];
    if (name.empty()) name = Quantize(id, real_.at(id), NameOf(id) + ".as_int8");
    return name;
  }

  /// The value as an operator that computes in `compute` reads it.
  std::string Read(ValueId id, ElementType compute) {
    if (compute != ElementType::kInt8 && !IsInt8(id)) return real_.at(id);
    std::string& name = dequantised_[id];
    if (name.empty()) name = Dequantize(id, Quantised(id), id == graph_.output ? std::string(kOnnxOutputName) : NameOf(id) + ".dq");
    return name;
  }

  /// The value as a layer with weights reads it. ONNX Runtime makes the weights of a floating layer behind a dequantised tensor 8-bit ones
  /// with one scale for all of them; it passes over a tensor with a scale for each channel, so a wider layer reads that, of equal scales.
  std::string ReadByLayer(const Operator& op) {
    const ValueId id = op.inputs[0];
    if (op.compute == ElementType::kInt8 || !IsInt8(id)) return Read(id, op.compute);
    std::string& name = dequantised_by_channel_[id];
    if (!name.empty()) return name;
    name = NameOf(id) + ".dq_channels";
    const Quantizer& quantizer = model_.quantizers[static_cast<size_t>(id)];
    const auto channels = static_cast<size_t>(graph_.value(id).shape.back());
    const std::string scales =
        onnx_.AddFloats(name + ".scales", std::vector<float>(channels, quantizer.scale), Vector(channels), ElementType::kFloat32);
    const std::string zero_points =
        onnx_.AddIntegers(name + ".zero_points", std::vector<int8_t>(channels, static_cast<int8_t>(quantizer.zero_point)), Vector(channels),
                          ElementType::kInt8);
    onnx_.AddNode(OnnxOp::kDequantizeLinear, {Quantised(id), scales, zero_points}, name);
    onnx_.SetInt("axis", 1);
    return name;
  }

  /// The name under which an operator writes its real result.
  std::string ResultName(const Operator& op) const { return IsInt8(op.output) ? NameOf(op) + ".real" : OnnxValueName(graph_, op.output); }

  /// Takes what an operator wrote as the value of its output.
  void Define(const Operator& op, const std::string& result) {
    if (IsInt8(op.output)) {
      quantised_[op.output] = Quantize(op.output, result, OnnxValueName(graph_, op.output));
    } else {
      real_[op.output] = result;
    }
    if (op.output == graph_.output) Read(op.output, ElementType::kFloat32);
  }

  // Weights.

  std::string Weight(const Operator& op, const BoundWeights& weights, absl::Span<const int64_t> dims) {
    const std::string name = NameOf(op) + ".weight";
    if (!weights.floats.empty()) {
      if (!options_.half_weights) return onnx_.AddFloats(name, weights.floats, dims, ElementType::kFloat32);
      const std::string half = onnx_.AddFloats(name + ".half", weights.floats, dims, ElementType::kFloat16);
      const std::string cast = onnx_.AddNode(OnnxOp::kCast, {half}, name);
      onnx_.SetInt("to", onnx::TensorProto::FLOAT);
      return cast;
    }
    const bool widen = op.weight_type == ElementType::kInt2 && !options_.native_int2;
    const ElementType stored = widen ? ElementType::kInt4 : op.weight_type;
    const std::string integers = onnx_.AddIntegers(name + ".integers", weights.integers, dims, stored);
    const std::vector<int64_t> channels = Vector(weights.scales.size());
    const std::string scales = onnx_.AddFloats(name + ".scales", weights.scales, channels, ElementType::kFloat32);
    // All zero, and optional; but ONNX Runtime's fused matrix product insists on one for each scale.
    const std::string zero_points =
        onnx_.AddIntegers(name + ".zero_points", std::vector<int8_t>(weights.scales.size(), 0), channels, stored);
    onnx_.AddNode(OnnxOp::kDequantizeLinear, {integers, scales, zero_points}, name);
    onnx_.SetInt("axis", 0);
    return name;
  }

  /// An int8 layer adds its bias to the integer sum, hence at the scale of that sum.
  std::string Bias(const Operator& op, const BoundWeights& weights) {
    const std::string name = NameOf(op) + ".bias";
    if (op.compute != ElementType::kInt8) return onnx_.AddFloats(name, weights.bias, Vector(weights.bias.size()), ElementType::kFloat32);
    const double input_scale = model_.quantizers[static_cast<size_t>(op.inputs[0])].scale;
    std::vector<int32_t> integers;
    std::vector<float> scales;
    for (size_t c = 0; c < weights.bias.size(); ++c) {
      const double scale = input_scale * static_cast<double>(weights.scales[c]);
      constexpr double kMost = std::numeric_limits<int32_t>::max();
      integers.push_back(static_cast<int32_t>(std::clamp(std::nearbyint(static_cast<double>(weights.bias[c]) / scale), -kMost, kMost)));
      scales.push_back(static_cast<float>(scale));
    }
    const std::string stored = onnx_.AddInt32s(name + ".integers", integers);
    onnx_.AddNode(OnnxOp::kDequantizeLinear,
                  {stored, onnx_.AddFloats(name + ".scales", scales, Vector(scales.size()), ElementType::kFloat32)}, name);
    onnx_.SetInt("axis", 0);
    return name;
  }

  static std::vector<int64_t> Vector(size_t size) { return {static_cast<int64_t>(size)}; }

  // Operators.

  void Operate(const Operator& op, const BoundWeights& weights) {
    switch (op.kind) {
      case OpKind::kConv2d:
        return Define(op, Activate(op, Convolve(op, weights)));
      case OpKind::kFullyConnected:
        return Define(op, Activate(op, Multiply(op, weights)));
      case OpKind::kAdd:
        return Define(op, Activate(op, Combine(op, OnnxOp::kAdd, BeforeActivation(op))));
      case OpKind::kProduct:
        return Define(op, Combine(op, OnnxOp::kMul, ResultName(op)));
      case OpKind::kMultiply:
        return Define(op, onnx_.AddNode(OnnxOp::kMul, {Read(op.inputs[0], op.compute), Spread(op)}, ResultName(op)));
      case OpKind::kHardSwish:
        return Define(op, HardSwish(op, Read(op.inputs[0], op.compute)));
      case OpKind::kSigmoid:
        return Define(op, onnx_.AddNode(OnnxOp::kSigmoid, {Read(op.inputs[0], op.compute)}, ResultName(op)));
      case OpKind::kMaxPool:
        return Define(op, MaxPool(op));
      case OpKind::kGlobalAveragePool:
        return Pool(op, OnnxOp::kGlobalAveragePool);
      case OpKind::kGlobalMaxPool:
        return Pool(op, OnnxOp::kGlobalMaxPool);
      case OpKind::kConvert:
        return;  // CheckGraph refuses it
    }
  }

  /// The name of a layer's result before its fused activation.
  std::string BeforeActivation(const Operator& op) const {
    return op.activation == FusedActivation::kNone ? ResultName(op) : NameOf(op) + ".sum";
  }

  std::string Convolve(const Operator& op, const BoundWeights& weights) {
    const int64_t inputs = graph_.value(op.inputs[0]).shape.back() / op.groups;
    const std::string image = ReadByLayer(op);
    const std::string weight = Weight(op, weights, {graph_.value(op.output).shape.back(), inputs, op.kernel, op.kernel});
    const std::string result = onnx_.AddNode(OnnxOp::kConv, {image, weight, Bias(op, weights)}, BeforeActivation(op));
    SetWindow(op);
    onnx_.SetInt("group", op.groups);
    return result;
  }

  /// Of the node that was added last.
  void SetWindow(const Operator& op) {
    onnx_.SetInts("kernel_shape", {op.kernel, op.kernel});
    onnx_.SetInts("strides", {op.stride, op.stride});
    onnx_.SetInts("pads", {op.padding, op.padding, op.padding, op.padding});
    onnx_.SetInts("dilations", {op.dilation, op.dilation});
  }

  std::string Multiply(const Operator& op, const BoundWeights& weights) {
    const std::string features = ReadByLayer(op);
    const std::string weight = Weight(op, weights, {graph_.value(op.output).shape.back(), graph_.value(op.inputs[0]).shape.back()});
    const std::string result = onnx_.AddNode(OnnxOp::kGemm, {features, weight, Bias(op, weights)}, BeforeActivation(op));
    onnx_.SetInt("transB", 1);
    return result;
  }

  /// Two operands of one shape.
  std::string Combine(const Operator& op, OnnxOp kind, const std::string& output) {
    const std::string left = Read(op.inputs[0], op.compute);
    const std::string right = Read(op.inputs[1], op.compute);
    return onnx_.AddNode(kind, {left, right}, output);
  }

  /// The output has the quantiser of the input, so that a runtime may leave out both and move integers.
  std::string MaxPool(const Operator& op) {
    const std::string result = onnx_.AddNode(OnnxOp::kMaxPool, {Read(op.inputs[0], op.compute)}, ResultName(op));
    SetWindow(op);
    return result;
  }

  std::string Activate(const Operator& op, const std::string& sum) {
    switch (op.activation) {
      case FusedActivation::kNone:
        return sum;
      case FusedActivation::kRelu:
        return onnx_.AddNode(OnnxOp::kRelu, {sum}, ResultName(op));
      case FusedActivation::kRelu6: {
        const std::string low = onnx_.AddFloatScalar(NameOf(op) + ".low", 0.0F);
        const std::string high = onnx_.AddFloatScalar(NameOf(op) + ".high", 6.0F);
        return onnx_.AddNode(OnnxOp::kClip, {sum, low, high}, ResultName(op));
      }
      case FusedActivation::kHardSigmoid:
        return HardSigmoid(sum, ResultName(op));
    }
    return sum;
  }

  std::string HardSigmoid(const std::string& input, const std::string& output) {
    onnx_.AddNode(OnnxOp::kHardSigmoid, {input}, output);
    onnx_.SetFloat("alpha", 1.0F / 6.0F);
    onnx_.SetFloat("beta", 0.5F);
    return output;
  }

  /// Hard swish is written as a product, as HardSwish is a function in the runtime (see export/onnx_operators.h).
  std::string HardSwish(const Operator& op, const std::string& input) {
    return onnx_.AddNode(OnnxOp::kMul, {input, HardSigmoid(input, NameOf(op) + ".gate")}, ResultName(op));
  }

  /// [N, C, 1, 1] becomes [N, C] after quantisation, so that a runtime sees dequantise, pool, quantise next to each other.
  void Pool(const Operator& op, OnnxOp kind) {
    const std::string pooled = onnx_.AddNode(kind, {Read(op.inputs[0], op.compute)}, NameOf(op) + ".image");
    if (!IsInt8(op.output)) {
      real_[op.output] = Flatten(pooled, ResultName(op));
    } else {
      quantised_[op.output] = Flatten(Quantize(op.output, pooled, NameOf(op) + ".image.q"), OnnxValueName(graph_, op.output));
    }
    if (op.output == graph_.output) Read(op.output, ElementType::kFloat32);
  }

  std::string Flatten(const std::string& image, const std::string& output) {
    onnx_.AddNode(OnnxOp::kFlatten, {image}, output);
    onnx_.SetInt("axis", 1);
    return output;
  }

  /// The second operand of a channel-wise product, [N, C] as [N, C, 1, 1]; an int8 one before it is dequantised (see Pool).
  std::string Spread(const Operator& op) {
    const ValueId id = op.inputs[1];
    const std::string name = NameOf(op) + ".factor";
    const std::string axes = onnx_.AddInt64s(name + ".axes", {2, 3});
    if (op.compute != ElementType::kInt8) return onnx_.AddNode(OnnxOp::kUnsqueeze, {Read(id, op.compute), axes}, name);
    return Dequantize(id, onnx_.AddNode(OnnxOp::kUnsqueeze, {Quantised(id), axes}, name + ".q"), name);
  }

  void ExposeValues() {
    for (const Operator& op : graph_.operators) {
      const std::string name = OnnxValueName(graph_, op.output);
      if (name != kOnnxOutputName) onnx_.AddOutput(name, IsInt8(op.output) ? ElementType::kInt8 : ElementType::kFloat32, Dims(op.output));
    }
  }

  const BoundModel& model_;
  const Graph& graph_;
  const OnnxOptions& options_;
  OnnxModel onnx_;
  std::map<ValueId, std::string> real_;
  std::map<ValueId, std::string> quantised_;
  std::map<ValueId, std::string> dequantised_;
  std::map<ValueId, std::string> dequantised_by_channel_;  // with one scale for each channel, all equal
  absl::flat_hash_set<std::string> scales_;
};

absl::Status CheckOperators(const Graph& graph) {
  if (graph.output_name != kOnnxOutputName) {
    return absl::InvalidArgumentError(
        absl::StrCat("model: expected a network whose output is called ", kOnnxOutputName, ", found \"", graph.output_name, "\""));
  }
  for (const Operator& op : graph.operators) {
    const auto bad = [&](absl::string_view what) {
      return absl::InvalidArgumentError(absl::StrCat("model: ", what, " at ", graph.name(op)));
    };
    if (op.compute == ElementType::kInt8 && op.has_weights() && BitWidth(op.weight_type) > 8) {
      return bad("expected integer weights in an int8 layer, found floats");
    }
    if ((op.compute == ElementType::kInt8) != (graph.value(op.output).type == ElementType::kInt8)) {
      return bad("expected the output to have the operator's compute type, found another");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> WriteOnnx(const BoundModel& model, const OnnxOptions& options) {
  if (absl::Status status = CheckBoundModel(model); !status.ok()) return status;
  if (absl::Status status = CheckOperators(model.graph); !status.ok()) return status;
  if (options.half_weights) {
    if (absl::Status status = CheckHalves(model); !status.ok()) return status;
  }
  const absl::StatusOr<std::vector<Metadata>> metadata = MetadataOf(model, options.warnings);
  if (!metadata.ok()) return metadata.status();
  return Writer(model, options).Write(*metadata);
}

std::string OnnxValueName(const Graph& graph, ValueId value) {
  if (value == graph.input) return kOnnxInputName;
  const Value& v = graph.value(value);
  if (v.type == ElementType::kInt8) return v.name + ".q";
  return value == graph.output ? std::string(kOnnxOutputName) : v.name;
}

}  // namespace hanas
