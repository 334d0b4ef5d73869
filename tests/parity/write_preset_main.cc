// SPDX-License-Identifier: Apache-2.0
// Writes a network that ships with the program for others to read, random weights in it:
//   write_preset PRESET RESOLUTION DIRECTORY
//     network.json  of the network as it ships: parameters before folding, multiply-accumulates, its layers in the order of execution
//     network.onnx  the same layers for images of RESOLUTION pixels, bound at 16 bits and exported
//     images.f32    images [N, 3, H, W] as they go into it, float32
//     worker.f32    its logits [N, classes] for them by the worker
//     onnx.f32      the same by ONNX Runtime
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/presets.h"
#include "core/bound/preprocess.h"
#include "core/cost/cost.h"
#include "core/family/convnet/convnet_space.h"
#include "core/lowering/lowering.h"
#include "export/onnx_writer.h"
#include "tests/export/onnx_session.h"
#include "tests/export/onnx_values.h"
#include "tests/parity/preset_space.h"
#include "tests/worker/drawn_data.h"
#include "worker/engine/checkpoint.h"
#include "worker/torch/create_engine.h"

namespace hanas {
namespace {

constexpr int64_t kImages = 2;
constexpr Precision kPrecision = {16, 16};

std::string LayerText(const Graph& graph, const Operator& op) {
  const Shape& input = graph.value(op.inputs[0]).shape;
  const Shape& output = graph.value(op.output).shape;
  const bool image = output.size() == 4;
  return absl::StrCat("{\"name\": \"", graph.name(op), "\", \"in\": ", input.back(), ", \"out\": ", output.back(),
                      ", \"kernel\": ", op.kernel, ", \"stride\": ", op.stride, ", \"padding\": ", op.padding,
                      ", \"dilation\": ", op.dilation, ", \"groups\": ", op.groups, ", \"height\": ", image ? output[1] : 1,
                      ", \"width\": ", image ? output[2] : 1, "}");
}

std::string NetworkText(const Graph& graph) {
  std::vector<std::string> layers;
  for (const Operator& op : graph.operators) {
    if (op.has_weights()) layers.push_back(LayerText(graph, op));
  }
  const Cost cost = GraphCost(graph);
  return absl::StrCat("{\"parameters\": ", cost.parameters, ", \"macs\": ", cost.macs, ", \"layers\": [\n", absl::StrJoin(layers, ",\n"),
                      "]}\n");
}

/// No tensor is what a network starts from: with biases of zero and scales of one, an exchange of two would not be seen.
std::string RandomCheckpoint(const Lowering& lowering, const Dataset& data) {
  constexpr uint64_t kSeed = 7;
  const std::vector<Slot>& slots = lowering.slots().slots();
  Checkpoint checkpoint = InitialCheckpoint(lowering, kSeed, data);
  for (size_t i = 0; i < slots.size(); ++i) {
    CounterRandom random(kSeed, "test/write-preset", i);
    const SlotKind kind = slots[i].kind;
    if (kind != SlotKind::kBias && kind != SlotKind::kNormBeta && kind != SlotKind::kNormGamma) continue;
    for (float& weight : checkpoint.weights[i]) weight += static_cast<float>(0.3 * random.Normal());
  }
  return SerializeCheckpoint(checkpoint, slots);
}

void Write(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

void Write(const std::string& path, const std::vector<float>& numbers) {
  Write(path, std::string(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(float)));
}

std::vector<float> ToChannelFirst(const std::vector<float>& image, size_t channels) {
  std::vector<float> planes;
  for (size_t c = 0; c < channels; ++c) {
    for (size_t i = c; i < image.size(); i += channels) planes.push_back(image[i]);
  }
  return planes;
}

void WriteNetwork(const Lowering& lowering, const std::string& directory) {
  const Dataset data = DrawnData(40, kImages, 8, {.channels = 3, .classes = static_cast<int>(lowering.family().num_classes())});
  const std::unique_ptr<TrainingEngine> engine = CreateTorchEngine({.num_threads = 1});
  const std::string checkpoint = RandomCheckpoint(lowering, data);
  const BoundModel model = engine
                               ->Bind({.lowering = &lowering,
                                       .dataset = &data,
                                       .checkpoint = checkpoint,
                                       .checkpoint_sha256 = "",
                                       .architecture = lowering.space().Largest(kPrecision),
                                       .calibration = {.images = 16, .batch_size = 8}})
                               .value();
  const std::string file = WriteOnnx(model).value();
  OnnxSession session(file, /*optimise=*/true);
  std::vector<float> images;
  std::vector<float> logits;
  for (int64_t i = 0; i < kImages; ++i) {
    const std::vector<float> image =
        PreprocessImage(data.image(Split::kTest, i), data.height(), data.width(), data.channels(), model.preprocessing).value();
    const std::vector<float> planes = ToChannelFirst(image, static_cast<size_t>(data.channels()));
    images.insert(images.end(), planes.begin(), planes.end());
    const std::vector<float> answer = OnnxLogits(model, session, image);
    logits.insert(logits.end(), answer.begin(), answer.end());
  }
  Write(directory + "/network.onnx", file);
  Write(directory + "/images.f32", images);
  Write(directory + "/onnx.f32", logits);
  Write(directory + "/worker.f32",
        engine->EvaluateBound({.model = &model, .dataset = &data, .split = Split::kTest, .keep_logits = true}, {}).value().logits);
}

}  // namespace
}  // namespace hanas

int main(int argc, char** argv) {
  int resolution = 0;
  if (argc != 4 || !absl::SimpleAtoi(argv[2], &resolution)) {
    std::cerr << "usage: write_preset PRESET RESOLUTION DIRECTORY\n";
    return 2;
  }
  const std::string directory = argv[3];
  const hanas::Lowering shipped(hanas::ConvnetSpace::Define(hanas::config::SpecOf(hanas::config::FindPreset(argv[1]).value())).value());
  hanas::Write(directory + "/network.json", hanas::NetworkText(shipped.Lower(shipped.space().Largest(hanas::kPrecision))));
  const hanas::SpaceSpec smaller = hanas::PresetSpace(argv[1], absl::StrCat("resolutions: [", resolution, "]"));
  hanas::WriteNetwork(hanas::Lowering(hanas::ConvnetSpace::Define(smaller).value()), directory);
  return 0;
}
