// SPDX-License-Identifier: Apache-2.0
#include "tests/parity/trained_networks.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "core/family/convnet/convnet_space.h"
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

/// All kinds of blocks, in two stages so that each may follow each.
SpaceSpec DenseSpace() {
  const BlockSpec block = {.kernels = {1, 3},
                           .expansions = {2},
                           .squeeze_excite = {true},
                           .activations = {Activation::kRelu, Activation::kRelu6, Activation::kSilu},
                           .expand_precisions = EveryPrecision(),
                           .depthwise_precisions = EveryPrecision(),
                           .project_precisions = EveryPrecision()};
  const std::vector<BlockKind> kinds = {BlockKind::kMbconv, BlockKind::kFusedMbconv, BlockKind::kBottleneck, BlockKind::kResidual,
                                        BlockKind::kConv};
  const std::vector<Downsample> downsamples = {Downsample::kStride, Downsample::kMaxPool};
  SpaceSpec spec = {.name = "dense", .resolutions = {28}, .input_channels = 1, .num_classes = 10};
  spec.stem = {
      .widths = {8}, .kernel = 2, .stride = 1, .whitening = true, .activation = Activation::kRelu, .precisions = {{8, 8}, {16, 16}}};
  spec.stages = {{.widths = {8, 16}, .depths = {1}, .stride = 2, .kinds = kinds, .downsamples = downsamples, .blocks = {block}},
                 {.widths = {32},
                  .depths = {2},
                  .stride = 2,
                  .kinds = kinds,
                  .downsamples = downsamples,
                  .bottleneck = 0.5,
                  .squeeze_style = SqueezeStyle::kEfficientNet,
                  .blocks = {block, block}}};
  spec.head = {.widths = {}, .pools = {GlobalPool::kAverage, GlobalPool::kMax}, .classifier_precisions = {{8, 8}, {16, 16}}};
  return spec;
}

}  // namespace

TrainedNetworks::TrainedNetworks() : data_(Data()), engine_(CreateTorchEngine({.num_threads = 1})) {
  for (const SpaceSpec& spec : {Space(), DenseSpace()}) {
    Supernet& supernet = *supernets_.emplace_back(new Supernet{Lowering(ConvnetSpace::Define(spec).value()), ""});
    TrainRequest request = {.lowering = &supernet.lowering, .dataset = &data_, .from_step = 0, .to_step = kSteps, .seed = 5};
    request.training = {.steps = kSteps, .batch_size = 64, .learning_rate = 0.3, .phases = {{1.0, SamplingKind::kRandomPath}}};
    supernet.checkpoint = engine_->Train(request, {}).value().checkpoint;
  }
}

BoundModel TrainedNetworks::Bind(const Supernet& supernet, const Architecture& architecture) {
  return engine_
      ->Bind({.lowering = &supernet.lowering,
              .dataset = &data_,
              .checkpoint = supernet.checkpoint,
              .checkpoint_sha256 = "",
              .architecture = architecture,
              .calibration = {}})
      .value();
}

std::vector<TrainedNetworks::Network> TrainedNetworks::All() {
  std::vector<Network> networks;
  for (const std::unique_ptr<Supernet>& supernet : supernets_) {
    const SearchSpace& space = supernet->lowering.space();
    for (const Precision precision : EveryPrecision()) {
      for (const Architecture& architecture : {space.Smallest(precision), space.Largest(precision)}) {
        BoundModel model = Bind(*supernet, architecture);
        std::string name = absl::StrCat(space.name(), " ", ToString(precision), " at ", model.preprocessing.input_height);
        networks.push_back({std::move(name), std::move(model)});
      }
    }
    const uint64_t mixed = space.name() == "dense" ? 3 * kMixedNetworks : kMixedNetworks;
    for (uint64_t i = 0; i < mixed; ++i) {
      CounterRandom random(3, "trained-parity", i);
      const Architecture architecture = space.Random(random);
      networks.push_back({space.ToReadable(architecture), Bind(*supernet, architecture)});
    }
  }
  return networks;
}

}  // namespace hanas
