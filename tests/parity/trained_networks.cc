// SPDX-License-Identifier: Apache-2.0
#include "tests/parity/trained_networks.h"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "tests/worker/drawn_data.h"
#include "worker/torch/create_engine.h"

namespace hanas {
namespace {

constexpr int64_t kSteps = 250;
constexpr uint64_t kMixedNetworks = 4;

const std::vector<Precision>& EveryPrecision() {
  static const auto* const kPrecisions = new std::vector<Precision>{{8, 8}, {4, 8}, {2, 8}, {16, 16}, {8, 16}, {4, 16}, {2, 16}};
  return *kPrecisions;
}

Dataset Data() {
  const char* const root = std::getenv("HANAS_DATA_DIR");
  if (root == nullptr || !std::filesystem::exists(std::filesystem::path(root) / "fashion_mnist")) return DrawnData(6000, 1000, 500);
  return Dataset::Load({.name = "fashion-mnist", .format = DatasetFormat::kIdx, .directory = "fashion_mnist", .validation_images = 6000},
                       root)
      .value();
}

SpaceSpec Space() {
  const BlockSpec swish = {.kernels = {3},
                           .expansions = {2},
                           .squeeze_excite = {true},
                           .activations = {Activation::kHardSwish},
                           .expand_precisions = EveryPrecision(),
                           .depthwise_precisions = EveryPrecision(),
                           .project_precisions = EveryPrecision()};
  BlockSpec relu = swish;
  relu.kernels = {5};
  relu.squeeze_excite = {false};
  relu.activations = {Activation::kRelu};
  SpaceSpec spec = {.name = "trained", .resolutions = {20, 28}, .input_channels = 1, .num_classes = 10};
  spec.stem = {.widths = {16}, .kernel = 3, .stride = 2, .activation = Activation::kHardSwish, .precisions = {{8, 8}, {16, 16}}};
  // The second block of a stage adds its input to its output.
  spec.stages = {{.widths = {16}, .depths = {2}, .stride = 1, .blocks = {swish, swish}},
                 {.widths = {32}, .depths = {2}, .stride = 2, .blocks = {relu, relu}}};
  spec.head = {.widths = {64},
               .activation = Activation::kHardSwish,
               .precisions = EveryPrecision(),
               .hidden = 32,
               .hidden_precisions = EveryPrecision(),
               .classifier_precisions = {{8, 8}, {16, 16}}};
  return spec;
}

}  // namespace

TrainedNetworks::TrainedNetworks()
    : data_(Data()), lowering_(ConvnetSpace::Define(Space()).value()), engine_(CreateTorchEngine({.num_threads = 1})) {
  TrainRequest request = {.lowering = &lowering_, .dataset = &data_, .from_step = 0, .to_step = kSteps, .seed = 5};
  request.training = {.steps = kSteps, .batch_size = 64, .learning_rate = 0.3, .phases = {{1.0, SamplingKind::kRandomPath}}};
  checkpoint_ = engine_->Train(request, {}).value().checkpoint;
}

BoundModel TrainedNetworks::Bind(const Architecture& architecture) {
  return engine_
      ->Bind({.lowering = &lowering_,
              .dataset = &data_,
              .checkpoint = checkpoint_,
              .checkpoint_sha256 = "",
              .architecture = architecture,
              .calibration = {}})
      .value();
}

std::vector<TrainedNetworks::Network> TrainedNetworks::All() {
  const SearchSpace& space = lowering_.space();
  std::vector<Network> networks;
  for (const Precision precision : EveryPrecision()) {
    for (const Architecture& architecture : {space.Smallest(precision), space.Largest(precision)}) {
      networks.push_back({absl::StrCat(ToString(precision), " at ", lowering_.family().ResolutionOf(architecture)), Bind(architecture)});
    }
  }
  for (uint64_t i = 0; i < kMixedNetworks; ++i) {
    CounterRandom random(3, "trained-parity", i);
    const Architecture architecture = space.Random(random);
    networks.push_back({space.ToReadable(architecture), Bind(architecture)});
  }
  return networks;
}

}  // namespace hanas
