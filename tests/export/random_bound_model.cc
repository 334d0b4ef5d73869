// SPDX-License-Identifier: Apache-2.0
#include "tests/export/random_bound_model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "core/graph/op_schema.h"
#include "export/tensor_packing.h"
#include "tests/support/reference_interpreter.h"

namespace hanas {
namespace {

constexpr int kCalibrationImages = 2;
constexpr double kBiasDeviation = 0.1;
constexpr double kSmallestRange = 1e-3;

/// Per-channel symmetric quantisation. Ternary weights keep about half of the channel's extreme as their step, so that not all become 0.
void QuantizeWeights(const std::vector<double>& real, size_t channels, ElementType type, BoundWeights& out) {
  const size_t per_channel = real.size() / channels;
  const int limit = NarrowRangeLimit(type);
  for (size_t c = 0; c < channels; ++c) {
    double most = 1e-6;
    for (size_t i = 0; i < per_channel; ++i) most = std::max(most, std::fabs(real[c * per_channel + i]));
    const double scale = type == ElementType::kInt2 ? 0.5 * most : most / limit;
    out.scales.push_back(static_cast<float>(scale));
    for (size_t i = 0; i < per_channel; ++i) {
      out.integers.push_back(static_cast<int8_t>(std::clamp(std::nearbyint(real[c * per_channel + i] / scale), -1.0 * limit, 1.0 * limit)));
    }
  }
}

BoundWeights RandomWeights(const Graph& graph, const Operator& op, CounterRandom& random) {
  const auto outputs = static_cast<size_t>(graph.value(op.output).shape.back());
  const int64_t fan_in = NumWeights(GeometryOf(graph, op)) / static_cast<int64_t>(outputs);
  const double deviation = std::sqrt(2.0 / static_cast<double>(fan_in));
  std::vector<double> real(outputs * static_cast<size_t>(fan_in));
  for (double& weight : real) weight = deviation * random.Normal();
  BoundWeights weights;
  if (BitWidth(op.weight_type) <= 8) {
    QuantizeWeights(real, outputs, op.weight_type, weights);
  } else {
    for (const double weight : real) weights.floats.push_back(HalfToFloat(FloatToHalf(static_cast<float>(weight))));
  }
  const bool constant = op.bias.present() || op.has_norm();
  for (size_t c = 0; c < outputs; ++c) weights.bias.push_back(constant ? static_cast<float>(kBiasDeviation * random.Normal()) : 0.0F);
  return weights;
}

/// The same network without int8 values, so that it runs before there are quantisers.
BoundModel Widened(BoundModel model) {
  for (Value& value : model.graph.values) {
    if (value.type == ElementType::kInt8) value.type = ElementType::kFloat16;
  }
  for (Operator& op : model.graph.operators) {
    if (op.compute == ElementType::kInt8) op.compute = ElementType::kFloat16;
  }
  return model;
}

void Calibrate(BoundModel& model, uint64_t seed) {
  const BoundModel wide = Widened(model);
  std::vector<double> low(model.graph.values.size(), 0.0);
  std::vector<double> high(model.graph.values.size(), 0.0);
  for (uint64_t i = 0; i < kCalibrationImages; ++i) {
    const std::vector<ReferenceTensor> values = ReferenceInterpreter(&wide).Run(RandomImage(model, seed + i));
    for (size_t v = 0; v < values.size(); ++v) {
      for (const float real : values[v].floats) {
        low[v] = std::min(low[v], static_cast<double>(real));
        high[v] = std::max(high[v], static_cast<double>(real));
      }
    }
  }
  for (size_t v = 0; v < low.size(); ++v) {
    const double scale = std::max(high[v] - low[v], kSmallestRange) / 255.0;
    const double zero_point = std::clamp(std::nearbyint(-128.0 - low[v] / scale), -128.0, 127.0);
    model.quantizers[v] = {static_cast<float>(scale), static_cast<int32_t>(zero_point)};
  }
  for (const Operator& op : model.graph.operators) {
    Quantizer& output = model.quantizers[static_cast<size_t>(op.output)];
    if (SchemaOf(op.kind).keeps_quantizer) output = model.quantizers[static_cast<size_t>(op.inputs[0])];
    if (op.kind == OpKind::kSigmoid) output = kSigmoidQuantizer;
  }
}

}  // namespace

BoundModel RandomBoundModel(Graph graph, uint64_t seed) {
  BoundModel model;
  model.graph = std::move(graph);
  CounterRandom random(seed, "random-bound-model");
  for (const Operator& op : model.graph.operators) {
    model.weights.push_back(op.has_weights() ? RandomWeights(model.graph, op, random) : BoundWeights());
  }
  model.quantizers.resize(model.graph.values.size());
  const Shape& input = model.graph.value(model.graph.input).shape;
  const auto channels = static_cast<size_t>(input[3]);
  model.preprocessing = {.input_height = input[1],
                         .input_width = input[2],
                         .mean = std::vector<float>(channels, 0.25F),
                         .stddev = std::vector<float>(channels, 0.5F),
                         .picture = PictureForm{.side = input[1], .fit = PictureFit::kCrop}};
  for (int64_t c = 0; c < model.graph.value(model.graph.output).shape.back(); ++c) model.labels.push_back(absl::StrCat("class ", c));
  model.space_name = "by-hand";
  model.architecture_json = "{}";
  model.architecture_digest = GraphDigest(model.graph).ToHex();
  model.checkpoint_sha256 = std::string(64, '0');
  Calibrate(model, seed + 1000);
  return model;
}

BoundModel RandomBoundModel(const Lowering& lowering, const Architecture& architecture, uint64_t seed) {
  BoundModel model = RandomBoundModel(lowering.Lower(architecture), seed);
  model.space_name = lowering.space().name();
  model.architecture_json = lowering.space().ToJson(architecture);
  model.architecture_digest = lowering.space().ArchitectureDigest(architecture).ToHex();
  return model;
}

std::vector<float> RandomImage(const BoundModel& model, uint64_t seed) {
  const Shape& shape = model.graph.value(model.graph.input).shape;
  CounterRandom random(seed, "random-image");
  std::vector<float> image(static_cast<size_t>(NumElements(shape)));
  const double row_frequency = 1.0 + 3.0 * random.UniformDouble();
  const double column_frequency = 1.0 + 3.0 * random.UniformDouble();
  const double phase = 6.0 * random.UniformDouble();
  for (size_t i = 0; i < image.size(); ++i) {
    const size_t pixel = i / static_cast<size_t>(shape[3]);
    const double row = static_cast<double>(pixel / static_cast<size_t>(shape[2])) / static_cast<double>(shape[1]);
    const double column = static_cast<double>(pixel % static_cast<size_t>(shape[2])) / static_cast<double>(shape[2]);
    const double wave =
        std::sin(6.28 * (row_frequency * row + column_frequency * column) + phase + static_cast<double>(i % static_cast<size_t>(shape[3])));
    image[i] = static_cast<float>(1.2 * wave + 0.5 * random.Normal());
  }
  return image;
}

}  // namespace hanas
